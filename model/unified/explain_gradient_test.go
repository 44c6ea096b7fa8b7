package unified

import (
	"math"
	"math/rand/v2"
	"testing"

	"fovea/autograd"
	"fovea/dataset/scenes"
	"fovea/internal/kernel"
	"fovea/internal/nano"
	"fovea/task"
)

// The gradient that explanations start from is that of the answer's logarithmic probability by what goes into the first block: along
// a direction it is what finite differences are, within 2 % (float32), for each task, and no parameter gets any.
func TestAnswerGradient(t *testing.T) {
	m, err := Open(nano.FS())
	if err != nil {
		t.Fatal(err)
	}
	ex, err := scenes.New(scenes.Config{Seed: 3, N: 1, Size: m.Config.Size}).At(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRunner(m, kernel.NewWork(nil))
	for _, o := range []ExplainOptions{
		{Task: task.Classify, Name: m.Names.Add("star")}, {Task: task.Detect, Name: m.Names.Add(ex.Objects[0].Label)},
		{Task: task.Ask, Question: "how many circles are there?"}, {Task: task.Caption},
	} {
		a, ok := r.answer(ex.Image, o)
		if !ok {
			t.Fatalf("%v: no answer", o.Task)
		}
		seq, l := r.enter(ex.Image, &a)
		tape := autograd.NewTape(kernel.NewWork(nil), 0, true)
		tape.Inputs = true
		tr := m.trace(tape, seq, l)
		tape.Backward(m.logProbability(tr.out, &a), 1)
		rng := rand.New(rand.NewPCG(1, 1))
		dir, along := make([]float32, len(seq.Data)), 0.
		for i := range dir {
			dir[i] = float32(rng.NormFloat64()) * tr.in.Grad()[i] // where it matters
			along += float64(dir[i]) * float64(tr.in.Grad()[i])
		}
		size := 0.
		for _, v := range dir {
			size += float64(v) * float64(v)
		}
		const step = .05
		eps := float32(step / math.Sqrt(size))
		at := func(eps float32) float64 {
			plain := autograd.NewTape(kernel.NewWork(nil), 0, false)
			moved := plain.New(false, seq.Shape...)
			for i, v := range seq.Data {
				moved.Data[i] = v + eps*dir[i]
			}
			return float64(m.logProbability(m.trace(plain, moved, l).out, &a).Data[0])
		}
		got, want := along*float64(eps), (at(eps)-at(-eps))/2
		if math.Abs(got-want) > .02*math.Abs(want)+1e-4 {
			t.Errorf("%v: along a direction the gradient says %g, differences %g", o.Task, got, want)
		}
	}
	for _, p := range m.Params() {
		if len(p.Grads) > 0 {
			t.Fatalf("%s has a gradient", p.Name)
		}
	}
}
