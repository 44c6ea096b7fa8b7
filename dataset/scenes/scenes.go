// Package scenes draws pictures of shapes and people with everything known about them: boxes, masks, joints, questions
// and captions. It gives a model something to learn every task from at once, without a data set.
//
// A scene holds one to six objects on a varied background: ten shapes in eight colours and three sizes, and articulated
// people with the 17 joints of COCO. Picture i of a seed is always the same on one architecture; other architectures may
// round differently.
package scenes

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"fovea/annotation"
	"fovea/dataset"
	"fovea/imageproc"
)

// Config says which scenes to draw.
type Config struct {
	Seed uint64
	N    int // how many pictures the source holds
	Size int // side of the square pictures, pixels; 0 means 128. All lengths scale with it.
	// Lessons is how many questions more a picture gets, of kinds that prepare harder ones and are no part of the measure:
	// a model that answers "is the star left or right of the person ?" has half of what "is it left of the person ?" takes.
	Lessons int
	// Backgrounds are photos of which four in ten scenes show a crop behind their objects. They should hold no people
	// and none of the shapes, since these would go without a label. They are copied.
	Backgrounds []*imageproc.RGB
}

// Source draws the scenes of a Config. It implements dataset.Source and is safe for use by several goroutines.
type Source struct {
	cfg     Config
	photos  []*imageproc.RGB
	studios sync.Pool
}

// New makes a source. Photos are reduced at once to about 1.5 times the size of a scene.
func New(cfg Config) *Source {
	if cfg.Size <= 0 {
		cfg.Size = 128
	}
	s := &Source{cfg: cfg}
	s.cfg.Backgrounds = nil
	for _, p := range cfg.Backgrounds {
		if p != nil && p.W > 0 && p.H > 0 {
			s.photos = append(s.photos, reduce(p, cfg.Size*3/2))
		}
	}
	s.studios.New = func() any { return newStudio(cfg.Size) }
	return s
}

// Name is "scenes".
func (s *Source) Name() string { return "scenes" }

// Len is Config.N.
func (s *Source) Len() int { return s.cfg.N }

// Classes is the ten shapes and person.
func (s *Source) Classes() []string { return Classes() }

// Labels is all but semantic maps. Only pictures of one object have HasClass.
func (s *Source) Labels() dataset.Labels {
	return dataset.HasClass | dataset.HasBoxes | dataset.HasMasks | dataset.HasJoints | dataset.HasQuestions | dataset.HasCaptions
}

// At draws picture i. The generator argument is ignored: the picture is a function of Config.Seed and i.
//
// Boxes are tight around the visible pixels of a mask. Objects that show fewer than 30 pixels (at size 128) do not
// occur. Joints outside the picture are Absent; those covered by the body itself or by another object, and the faces of
// people seen from behind, are Occluded. Question texts are lower case with single spaces around every word and the
// question mark. Questions and captions speak of left and right, so a mirrored picture must not keep them.
func (s *Source) At(i int, _ *rand.Rand) (*dataset.Example, error) {
	if i < 0 || i >= s.cfg.N {
		return nil, fmt.Errorf("scenes: picture %d of %d", i, s.cfg.N)
	}
	st := s.studios.Get().(*studio)
	defer s.studios.Put(st)
	d := newDice(s.cfg.Seed, i)
	backdrop, ok := st.draw(d, s.photos)
	for !ok {
		backdrop, ok = st.draw(d, s.photos)
	}
	ex := &dataset.Example{ID: fmt.Sprintf("scene%06d", i), Image: st.image()}
	ex.W, ex.H = s.cfg.Size, s.cfg.Size
	ex.Labels = s.Labels() &^ dataset.HasClass
	for k := range st.things {
		o := st.object(k)
		o.ID = int64(i)*maxObjects + int64(k) + 1
		ex.Objects = append(ex.Objects, o)
	}
	if len(ex.Objects) == 1 {
		ex.Class = ex.Objects[0].Label
		ex.Labels |= dataset.HasClass
	}
	q := newQuiz(d, st.things, st.scale)
	ex.Questions = q.ask(questionsPerPicture, int64(i)*questionsPerPicture+1)
	ex.Captions = q.captions(backdrop)
	if s.cfg.Lessons > 0 { // drawn last: the rest of the picture is the same without
		ex.Questions = q.lessons(s.cfg.Lessons, int64(i)*questionsPerPicture+1)
	}
	return ex, nil
}

// image rounds the canvas to bytes.
func (s *studio) image() *imageproc.RGB {
	m := imageproc.NewRGB(s.canvas.s, s.canvas.s)
	for i, v := range s.canvas.pix {
		m.Pix[i] = uint8(min(max(v+.5, 0), 255))
	}
	return m
}

// object describes the k-th thing.
func (s *studio) object(k int) annotation.Object {
	t := &s.things[k]
	size := s.canvas.s
	o := annotation.Object{Label: className(t.class), Color: Colors[t.color], Area: float64(t.area), Mask: annotation.NewBitmap(size, size)}
	o.Box = annotation.Box{X0: float64(t.box[0]), Y0: float64(t.box[1]), X1: float64(t.box[2]), Y1: float64(t.box[3])}
	id := uint8(k + 1)
	for y := t.box[1]; y < t.box[3]; y++ {
		for x := t.box[0]; x < t.box[2]; x++ {
			if s.ids[y*size+x] == id {
				o.Mask.Pix[y*size+x] = 1
			}
		}
	}
	if t.class != personClass {
		return o
	}
	o.Skeleton = annotation.COCO17
	o.Joints = make([]annotation.Joint, len(t.joint))
	for i, p := range t.joint {
		if p.x < 0 || p.y < 0 || p.x >= float64(size) || p.y >= float64(size) {
			continue
		}
		v := annotation.Occluded
		if owner := s.ids[int(p.y)*size+int(p.x)]; t.seen[i] && (owner == id || owner == 0) {
			v = annotation.Visible
		}
		o.Joints[i] = annotation.Joint{X: p.x, Y: p.y, V: v}
	}
	return o
}

// reduce averages blocks of pixels until the shorter side is less than twice the target.
func reduce(m *imageproc.RGB, target int) *imageproc.RGB {
	k := max(min(m.W, m.H)/target, 1)
	out := imageproc.NewRGB(m.W/k, m.H/k)
	for y := range out.H {
		for x := range out.W {
			var sum [3]int
			for j := range k {
				for i := range k {
					p := m.Pix[3*((y*k+j)*m.W+x*k+i):]
					sum[0], sum[1], sum[2] = sum[0]+int(p[0]), sum[1]+int(p[1]), sum[2]+int(p[2])
				}
			}
			for b, v := range sum {
				out.Pix[3*(y*out.W+x)+b] = uint8((v + k*k/2) / (k * k))
			}
		}
	}
	return out
}
