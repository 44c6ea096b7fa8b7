package augment

import (
	"image"
	"slices"

	"fovea/annotation"
	"fovea/imageproc"
)

// Transform lays a picture and its annotations into a square.
type Transform struct {
	Affine              // pixels of the source to pixels of the square
	Mirrored   bool     // the map mirrors, so left and right swap in joints and texts
	Side       int      // of the square, pixels
	Fill       [3]uint8 // the colour around the picture
	MinVisible float64  // share of a box that must stay in view, [0, 1]
	MinSize    float64  // least width and height of a box, pixels of the square
	KeepAll    bool     // everything that texts may be about is in view, so texts are kept
	// Window is the part of the square that this picture is drawn into, for squares made of several pictures; empty means
	// all of it. What lies outside is out of view.
	Window image.Rectangle
}

func (t Transform) window() image.Rectangle {
	all := image.Rect(0, 0, t.Side, t.Side)
	if t.Window.Empty() {
		return all
	}
	return t.Window.Intersect(all)
}

// frame is the window as a box.
func (t Transform) frame() annotation.Box {
	w := t.window()
	return annotation.Box{X0: float64(w.Min.X), Y0: float64(w.Min.Y), X1: float64(w.Max.X), Y1: float64(w.Max.Y)}
}

// Image draws the picture: a new Side × Side picture, antialiased where it gets smaller (averages of whole blocks of
// pixels, then bilinear interpolation). A nil or empty picture gives the plain fill colour.
func (t Transform) Image(img *imageproc.RGB) *imageproc.RGB {
	s := pool.Get().(*scratch)
	defer pool.Put(s)
	return t.image(img, s)
}

// image leaves in s.spans what each row of the result shows of the picture.
func (t Transform) image(img *imageproc.RGB, s *scratch) *imageproc.RGB {
	out := imageproc.NewRGB(t.Side, t.Side)
	t.draw(out, img, s)
	return out
}

func (t Transform) draw(out, img *imageproc.RGB, s *scratch) {
	spans := s.rows(t.Side)
	if img == nil || img.W <= 0 || img.H <= 0 {
		clear(spans)
		for y, win := 0, t.window(); y < win.Dy(); y++ {
			at := 3 * ((win.Min.Y+y)*t.Side + win.Min.X)
			paint(out.Pix[at:at+3*win.Dx()], t.Fill)
		}
		return
	}
	from := t.Inverse()
	s.level.build(img, from, t.frame())
	s.level.draw(out, t.window(), from, img.W, img.H, t.Fill, spans)
}

// Picture moves the annotations of a picture of w × h pixels. The result shares no memory that can change with p, except
// answers and captions that stay as they are.
//
// Boxes are cut to the window. An object is dropped when less than MinVisible of its box is in view, when what remains is
// smaller than MinSize, when its mask shows no pixel, or when it has neither a box nor a mask; crowds are dropped only when
// nothing of them remains. Masks take the nearest source pixel, and a mask's bounds become the object's box. The box of a
// rotated object without a mask is that of the ellipse inscribed in its box, which fits most things better than the box of
// the turned corners (Kalra et al. 2021). Joints out of view become Absent. Pixels of Semantic outside the picture
// become Void. Masks and label maps that are not of the picture's size are dropped. Unless KeepAll is set, questions and
// captions are dropped.
func (t Transform) Picture(p *annotation.Picture, w, h int) annotation.Picture {
	q := annotation.Picture{W: t.Side, H: t.Side, Class: p.Class}
	from := t.Inverse()
	if len(p.Objects) > 0 && w > 0 && h > 0 {
		q.Objects = make([]annotation.Object, 0, len(p.Objects))
		for i := range p.Objects {
			if o, ok := t.object(&p.Objects[i], from, w, h); ok {
				q.Objects = append(q.Objects, o)
			}
		}
	}
	if t.KeepAll {
		t.texts(&q, p)
	}
	if m := p.Semantic; m != nil && m.W == w && m.H == h && len(m.Pix) >= w*h && w > 0 && h > 0 {
		q.Semantic = &annotation.LabelMap{W: t.Side, H: t.Side, Pix: make([]uint8, t.Side*t.Side)}
		for i := range q.Semantic.Pix {
			q.Semantic.Pix[i] = annotation.Void
		}
		t.nearest(q.Semantic.Pix, m.Pix, from, w, h, t.frame())
	}
	return q
}

// texts copies questions and captions, swapping left and right if the picture was mirrored.
func (t Transform) texts(q, p *annotation.Picture) {
	q.Questions = slices.Clone(p.Questions)
	in := t.frame()
	for i := range q.Questions {
		u := &q.Questions[i]
		var ms []annotation.Mention
		for _, m := range u.Mentions {
			if m.X, m.Y = t.Apply(m.X, m.Y); within(in, m.X, m.Y) {
				ms = append(ms, m)
			}
		}
		u.Mentions = ms
		if t.Mirrored {
			u.Text, _ = mirrorText(u.Text)
			u.Answers = mirrorTexts(u.Answers)
		}
	}
	q.Captions = p.Captions
	if t.Mirrored {
		q.Captions = mirrorTexts(p.Captions)
	}
}
