package fovea

import (
	"context"
	"strings"
	"sync/atomic"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/model"
	"fovea/task"
	"fovea/tensor"
)

// fake is a model whose answers are known: two objects and a person in a picture of any size.
type fake struct {
	card            model.Card
	encoded, atWork atomic.Int32
	most            atomic.Int32 // runners at work at the same time
	closed          atomic.Int32
	panics          any // thrown by Caption
	wait            chan struct{}
	nan             bool
}

func newFake() *fake {
	return &fake{card: model.Card{Name: "fake", Tasks: Everything | task.SetOf(task.Ask, task.Match), Labels: []string{"cat", "dog", "person"}, Classes: []string{"a"}, OpenVocabulary: true,
		Skeleton: annotation.COCO17}}
}

func (f *fake) Card() model.Card           { return f.card }
func (f *fake) NewRunner(int) model.Runner { return &fakeRunner{f} }

type fakeRunner struct{ *fake }

func (r *fakeRunner) Close() { r.closed.Add(1) }

func (r *fakeRunner) TextVector(text string) []float32 { return []float32{1, float32(len(text))} }

func (r *fakeRunner) Encode(img *imageproc.RGB) (model.View, error) {
	r.encoded.Add(1)
	n := r.atWork.Add(1)
	for m := r.most.Load(); n > m && !r.most.CompareAndSwap(m, n); m = r.most.Load() {
	}
	if r.wait != nil {
		<-r.wait
	}
	r.atWork.Add(-1)
	return &fakeView{r.fake, img}, nil
}

type fakeView struct {
	*fake
	img *imageproc.RGB
}

func (v *fakeView) Classify(labels []string) []Class {
	if labels == nil {
		labels = []string{"a", "b", "c", "d", "e", "f", "g"}
	}
	var out []Class
	for i, l := range labels {
		out = append(out, Class{Label: l, Score: 1 / float64(int(2)<<i)})
	}
	return out
}

func (v *fakeView) Detect(o model.DetectOptions) []Object {
	all := []Object{
		{Label: "cat", Score: .9, Box: annotation.Box{X0: 1, Y0: 1, X1: 5, Y1: 5}},
		{Label: "person", Score: .8, Box: annotation.Box{X0: 2, Y0: 2, X1: 8, Y1: 8}},
		{Label: "dog", Score: .2, Box: annotation.Box{X0: 0, Y0: 0, X1: 2, Y1: 2}},
	}
	out := []Object{}
	for _, o2 := range all {
		if o2.Score < o.Threshold || len(o.Query) > 0 && !strings.Contains(strings.Join(o.Query, ","), o2.Label) {
			continue
		}
		if o.Masks {
			m := annotation.NewBitmap(v.img.W, v.img.H)
			for y := int(o2.Box.Y0); y < int(o2.Box.Y1); y++ {
				for x := int(o2.Box.X0); x < int(o2.Box.X1); x++ {
					m.Pix[y*m.W+x] = 1
				}
			}
			r := m.RLE()
			o2.Mask = &r
		}
		out = append(out, o2)
	}
	return out
}

func (v *fakeView) Pose(boxes []annotation.Box) [][]annotation.Joint {
	var out [][]annotation.Joint
	for _, b := range boxes {
		joints := make([]annotation.Joint, 17)
		for i := range joints {
			joints[i] = annotation.Joint{X: b.X0 + float64(i)/4, Y: b.Y0, V: annotation.Visible, Score: .5}
		}
		out = append(out, joints)
	}
	return out
}

func (v *fakeView) Ask(questions []string, step func(string)) []Answer {
	var out []Answer
	for _, q := range questions {
		out = append(out, Answer{Question: q, Answer: "yes <b>", Score: .75})
	}
	if step != nil {
		step("yes")
	}
	return out
}

func (v *fakeView) Caption(step func(string)) Caption {
	if v.panics != nil {
		panic(v.panics)
	}
	if step != nil {
		step("a cat")
	}
	return Caption{Text: "a cat and a person", Score: .125}
}

func (v *fakeView) Vector() []float32 {
	if v.nan {
		zero := float32(0)
		return []float32{zero / zero, 1}
	}
	return []float32{.6, .8}
}

var shapePanic = &tensor.ShapeError{Op: "linear", Want: "fitting shapes"}

var background = context.Background()
