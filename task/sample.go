package task

import (
	"math/rand/v2"
	"strings"

	"fovea/annotation"
	"fovea/augment"
	"fovea/imageproc"
)

// Sample is one picture made ready for a training step: the square pixels, the prompts put to it with their answers, and
// what its image tokens should answer.
type Sample struct {
	Image  *imageproc.RGB // S × S
	Groups []Group

	// Boxes says that every object of Candidates is in Objects, so that the other patches answer "nothing".
	Boxes bool
	// Some says instead that there may be more objects than those in Objects: other patches are taught nothing.
	Some       bool
	Candidates []int32 // names that detection chooses from, Nothing first
	Objects    []Target
	Ignore     []annotation.Box // crowds, model frame: patches centred here are taught nothing

	// Pixels is the class of every pixel, as an index of PixelNames; nil when pixels are not labelled.
	Pixels     *annotation.LabelMap
	PixelNames []int32

	// Class is the name of the whole picture, answered by the Classify group: none, one, or two with their shares when two
	// pictures were mixed.
	Class        []Share
	ClassChoices []int32
}

// Share is a name that a picture belongs to in part.
type Share struct {
	Name   int32
	Weight float32 // (0, 1]; all weights of a picture add up to 1
}

// Target is one object as the image tokens should answer it.
type Target struct {
	Name int32
	Box  annotation.Box // [0, 1], model frame
	// Mask is the share of each feature cell that the object covers, [F·F] with F the feature map's side; nil when
	// unknown.
	Mask []float32
}

// Builder makes samples from examples.
type Builder struct {
	Vocab     *Vocabulary
	Names     *Names
	Side      int // of the model's picture, pixels
	Features  int // side of the feature map
	Questions int // at most so many questions a picture
	People    int // at most so many people asked for their joints
	// CaptionShare and MatchShare are the shares of captioned pictures that are asked for their caption and matched with it.
	CaptionShare, MatchShare float64
	BlindShare               float64 // of questions that are asked without the picture; one whose words are tied to places is not
	DropWords                float64 // share of the words that a caption loses before it is matched (augment.DropWords)
	DropAsked                float64 // the same of a question before it is asked; one whose words are tied to places keeps them
	Joints                   []int32 // names of the joints in COCO17's order
	Tasks                    Set
}

// Source is what a builder must know of the data set that an example comes from.
type Source struct {
	Candidates []int32 // names of the labels that its boxes choose from, Nothing first
	Classes    []int32 // names of its picture labels
	Pixels     []int32 // names of the classes of its pixels, in the order of their indices
	Tasks      Set     // tasks that the mixture asks of it
}

// Has says what the annotations of an example are: every object boxed, only some, and those that are with masks.
type Has struct{ Boxes, Some, Masks bool }

// Build makes a sample from an already square picture: p's coordinates are pixels of img. rng picks the questions and
// people when there are more than fit, and jitters the boxes that poses are asked in.
func (b *Builder) Build(img *imageproc.RGB, p *annotation.Picture, has Has, src Source, rng *rand.Rand) *Sample {
	s := &Sample{Image: img, Candidates: src.Candidates, ClassChoices: src.Classes}
	side := float64(b.Side)
	toModel := func(x, y float64) (float64, float64) { return x / side, y / side }
	s.Boxes = has.Boxes && src.Tasks.Has(Detect)
	s.Some = has.Some && !s.Boxes && src.Tasks.Has(Detect)
	b.objects(s, p.Objects, has.Masks && src.Tasks.Has(Segment))
	if m := p.Semantic; src.Tasks.Has(Segment) && len(src.Pixels) > 0 && m != nil && m.W == b.Side && m.H == b.Side {
		s.Pixels, s.PixelNames = m, src.Pixels
	}
	if src.Tasks.Has(Classify) && p.Class != "" {
		b.classify(s, p.Class, 1)
	}
	if src.Tasks.Has(Pose) {
		b.pose(s, p, rng)
	}
	if src.Tasks.Has(Ask) {
		for _, i := range rng.Perm(len(p.Questions))[:min(len(p.Questions), b.Questions)] {
			q := p.Questions[i]
			g := AskExample(b.Vocab, b.shorten(q, rng), toModel)
			g.Blind = b.BlindShare > 0 && len(q.Mentions) == 0 && rng.Float64() < b.BlindShare
			s.Groups = append(s.Groups, g)
		}
	}
	if n := len(p.Captions); n > 0 {
		if src.Tasks.Has(Caption) && rng.Float64() < b.CaptionShare {
			s.Groups = append(s.Groups, CaptionExample(b.Vocab, p.Captions[rng.IntN(n)]))
		}
		if src.Tasks.Has(Match) && rng.Float64() < b.MatchShare {
			s.Groups = append(s.Groups, MatchPrompt(b.Vocab, augment.DropWords(rng, p.Captions[rng.IntN(n)], b.DropWords)))
		}
	}
	return s
}

// shorten leaves words of a question out, never its question mark.
func (b *Builder) shorten(q annotation.Question, rng *rand.Rand) annotation.Question {
	if b.DropAsked == 0 || len(q.Mentions) > 0 {
		return q
	}
	text, marked := strings.CutSuffix(strings.TrimSpace(q.Text), "?")
	if q.Text = augment.DropWords(rng, text, b.DropAsked); marked {
		q.Text += " ?"
	}
	return q
}

// objects adds what the image tokens should answer.
func (b *Builder) objects(s *Sample, objects []annotation.Object, masks bool) {
	side := float64(b.Side)
	for _, o := range objects {
		box := o.Box.Clip(side, side)
		if box.Empty() {
			continue
		}
		mb := annotation.Box{X0: box.X0 / side, Y0: box.Y0 / side, X1: box.X1 / side, Y1: box.Y1 / side}
		id, known := b.Names.Find(o.Label)
		switch {
		case o.Crowd:
			s.Ignore = append(s.Ignore, mb)
		case known && (s.Boxes || s.Some):
			t := Target{Name: id, Box: mb}
			if masks && o.Mask != nil {
				t.Mask = shrink(o.Mask, b.Features)
			}
			s.Objects = append(s.Objects, t)
		}
	}
}

// BuildMixed makes a sample that teaches nothing but the classes of a picture made of two.
func (b *Builder) BuildMixed(m augment.Mixed, src Source) *Sample {
	s := &Sample{Image: m.Image}
	b.Teach(s, m.Labels, src)
	return s
}

// Teach adds what somebody else, a teacher, holds the whole picture for, among the choices that src has.
func (b *Builder) Teach(s *Sample, labels []augment.Soft, src Source) {
	s.ClassChoices = src.Classes
	for _, l := range labels {
		b.classify(s, l.Class, float32(l.Weight))
	}
}

// Find adds the objects that a teacher finds, pixels of the sample's picture, among the labels that src has. Crowds stand for what it
// is not sure of: nothing is taught there.
func (b *Builder) Find(s *Sample, objects []annotation.Object, src Source) {
	s.Candidates, s.Boxes, s.Some, s.Objects, s.Ignore = src.Candidates, true, false, nil, nil
	b.objects(s, objects, true)
}

// classify adds a name of the whole picture, and the question after it with the first.
func (b *Builder) classify(s *Sample, class string, weight float32) {
	id, ok := b.Names.Find(class)
	if !ok {
		return
	}
	if len(s.Class) == 0 {
		s.Groups = append(s.Groups, ClassifyPrompt(b.Vocab))
	}
	s.Class = append(s.Class, Share{id, weight})
}

// boxJitter is the standard deviation of the boxes that poses are asked in, as a share of their sides: at work, boxes
// come from the detector and are not exact.
const boxJitter = .04

func (b *Builder) pose(s *Sample, p *annotation.Picture, rng *rand.Rand) {
	var people []int
	for i, o := range p.Objects {
		if o.Joints != nil && o.Skeleton == annotation.COCO17 && !o.Crowd && !o.Box.Empty() {
			people = append(people, i)
		}
	}
	side := float64(b.Side)
	rng.Shuffle(len(people), func(i, j int) { people[i], people[j] = people[j], people[i] })
	for _, i := range people[:min(len(people), b.People)] {
		o := p.Objects[i]
		w, h := o.Box.W()*boxJitter, o.Box.H()*boxJitter
		box := annotation.Box{
			X0: (o.Box.X0 + rng.NormFloat64()*w) / side, Y0: (o.Box.Y0 + rng.NormFloat64()*h) / side,
			X1: (o.Box.X1 + rng.NormFloat64()*w) / side, Y1: (o.Box.Y1 + rng.NormFloat64()*h) / side,
		}
		g := PosePrompt(b.Vocab, box, b.Joints)
		for k, j := range o.Joints {
			if x, y := j.X/side, j.Y/side; j.V != annotation.Absent && x >= 0 && y >= 0 && x < 1 && y < 1 {
				g.Points = append(g.Points, Point{Piece: PoseJoint(k), X: float32(x), Y: float32(y), V: uint8(j.V), Joint: true})
			}
		}
		if len(g.Points) > 0 {
			s.Groups = append(s.Groups, g)
		}
	}
}

// shrink averages a mask over the cells of a side × side grid.
func shrink(m *annotation.Bitmap, side int) []float32 {
	out := make([]float32, side*side)
	k := m.W / side
	inv := 1 / float32(k*k)
	for y := range side * k {
		row, line := m.Pix[y*m.W:y*m.W+side*k], out[y/k*side:(y/k+1)*side]
		for x, v := range row {
			if v != 0 {
				line[x/k] += inv
			}
		}
	}
	return out
}
