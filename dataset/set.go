package dataset

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"fovea/annotation"
	"fovea/imageproc"
)

// set is a data set on disk: what its annotation files say is kept, pictures are read when asked for.
type set struct {
	name    string
	classes []string
	labels  Labels
	records []*record
	report  *Report
}

// record is one picture as the annotation files know it.
type record struct {
	id, file  string
	w, h      int // as stated; 0 when not
	class     string
	objects   []object
	questions []annotation.Question
	captions  []string
	semantic  string // file of the label map
	values    *[256]uint8
	labels    Labels
	raw       func() (*imageproc.RGB, error) // reads the picture, instead of file
}

// object is annotation.Object with its mask as the file gave it.
type object struct {
	annotation.Object
	mask outline
}

// outline is a mask before it is drawn: polygons (x, y alternating, pixels) or run lengths. With h = 0 it takes the
// picture's size.
type outline struct {
	polygons [][]float32
	runs     []uint32
	packed   string
	w, h     int
}

func (o *outline) empty() bool { return len(o.polygons) == 0 && len(o.runs) == 0 && o.packed == "" }

// rle draws the outline for a picture of w × h pixels.
func (o *outline) rle(w, h int) (annotation.RLE, error) {
	if o.h != 0 && (o.h != h || o.w != w) {
		return annotation.RLE{}, fmt.Errorf("the mask is %d × %d pixels, the picture %d × %d", o.w, o.h, w, h)
	}
	switch {
	case o.packed != "":
		return annotation.ParseRLE(h, w, o.packed)
	case len(o.runs) > 0:
		return annotation.NewRLE(h, w, o.runs)
	}
	polygons := make([][]float64, len(o.polygons))
	for i, p := range o.polygons {
		polygons[i] = make([]float64, len(p))
		for j, v := range p {
			polygons[i][j] = float64(v)
		}
	}
	return annotation.PolygonRLE(h, w, polygons...)
}

func (s *set) Name() string      { return s.name }
func (s *set) Len() int          { return len(s.records) }
func (s *set) Labels() Labels    { return s.labels }
func (s *set) Classes() []string { return slices.Clone(s.classes) }

// Report says what was wrong with the set.
func (s *set) Report() *Report { return s.report }

// At reads example i.
func (s *set) At(i int, _ *rand.Rand) (*Example, error) {
	if i < 0 || i >= len(s.records) {
		return nil, fmt.Errorf("dataset: %s: example %d of %d", s.name, i, len(s.records))
	}
	r := s.records[i]
	img, err := r.read()
	if err != nil {
		return nil, &ExampleError{s.name, r.id, err}
	}
	ex, err := r.example(img)
	if err != nil {
		return nil, &ExampleError{s.name, r.id, err}
	}
	return ex, nil
}

// ExampleError is an example that cannot be read: a file that is missing or damaged, or labels that do not fit it. The others can be.
type ExampleError struct {
	Set, ID string // the data set's name and Example.ID
	Err     error
}

func (e *ExampleError) Error() string { return fmt.Sprintf("dataset: %s: %s: %v", e.Set, e.ID, e.Err) }

// Unwrap gives the cause.
func (e *ExampleError) Unwrap() error { return e.Err }

func (r *record) read() (*imageproc.RGB, error) {
	if r.raw != nil {
		return r.raw()
	}
	return readPicture(r.file)
}

// example joins the picture with what is known about it.
func (r *record) example(img *imageproc.RGB) (*Example, error) {
	if r.w != 0 && (r.w != img.W || r.h != img.H) {
		return nil, fmt.Errorf("the picture is %d × %d pixels, its annotation says %d × %d; was it resized without its annotation?",
			img.W, img.H, r.w, r.h)
	}
	ex := &Example{ID: r.id, Image: img, Labels: r.labels}
	ex.W, ex.H, ex.Class = img.W, img.H, r.class
	ex.Captions = slices.Clone(r.captions)
	for _, q := range r.questions {
		q.Answers = slices.Clone(q.Answers)
		ex.Questions = append(ex.Questions, q)
	}
	for _, o := range r.objects {
		got, ok := o.place(img.W, img.H)
		if !ok {
			continue
		}
		ex.Objects = append(ex.Objects, got)
		if got.Mask == nil && !got.Crowd {
			ex.Labels &^= HasMasks
		}
	}
	if r.semantic != "" {
		m, err := readLabels(r.semantic, r.values)
		if err != nil {
			return nil, err
		}
		if m.W != img.W || m.H != img.H {
			return nil, fmt.Errorf("the picture is %d × %d pixels, its label map %s is %d × %d", img.W, img.H, r.semantic, m.W, m.H)
		}
		ex.Semantic = m
	}
	return ex, nil
}

// place draws the object's mask and cuts box and joints to the picture. ok is false when nothing of the box is left.
func (o *object) place(w, h int) (out annotation.Object, ok bool) {
	out = o.Object
	out.Joints = slices.Clone(o.Joints)
	for i, j := range out.Joints {
		if j.V != annotation.Absent && !(j.X >= 0 && j.Y >= 0 && j.X < float64(w) && j.Y < float64(h)) {
			out.Joints[i] = annotation.Joint{}
		}
	}
	if !o.mask.empty() {
		if r, err := o.mask.rle(w, h); err == nil && r.Area() > 0 {
			out.Mask, _ = r.Bitmap()
		}
	}
	out.Box = out.Box.Clip(float64(w), float64(h))
	return out, !out.Box.Empty()
}

// finish fills in what follows from the records: the union of their labels.
func (s *set) finish() {
	for _, r := range s.records {
		s.labels |= r.labels
	}
}

// restrict drops the annotations that are not wanted.
func (r *record) restrict(want Labels) {
	r.labels &= want
	if want&(HasBoxes|HasMasks|HasJoints) == 0 {
		r.objects = nil
	}
	for i := range r.objects {
		if want&HasMasks == 0 {
			r.objects[i].mask = outline{}
		}
		if want&HasJoints == 0 {
			r.objects[i].Joints, r.objects[i].Skeleton = nil, nil
		}
	}
	if want&HasQuestions == 0 {
		r.questions = nil
	}
	if want&HasCaptions == 0 {
		r.captions = nil
	}
	if want&HasSemantic == 0 {
		r.semantic = ""
	}
	if want&HasClass == 0 {
		r.class = ""
	}
}
