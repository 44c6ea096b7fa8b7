package unified

import (
	"math/rand/v2"
	"testing"

	"fovea/annotation"
	"fovea/autograd"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/task"
)

// TestBlindQuestions: a share of the questions is asked without the picture, never one whose words are tied to places, and is answered
// alike whatever the picture shows.
func TestBlindQuestions(t *testing.T) {
	m := newTestModel(t, "tiny")
	p := &annotation.Picture{}
	for range 500 {
		p.Questions = append(p.Questions, annotation.Question{Text: "how many rings are there ?", Answers: []string{"two"}},
			annotation.Question{Text: "what is left of the ring ?", Answers: []string{"circle"}, Mentions: []annotation.Mention{{Word: 5, X: 9, Y: 9}}})
	}
	b := &task.Builder{Vocab: m.Vocab, Names: m.Names, Side: m.Config.Size, Questions: len(p.Questions), BlindShare: .4}
	black := imageproc.NewRGB(m.Config.Size, m.Config.Size)
	s := b.Build(black, p, task.Has{}, task.Source{Tasks: task.SetOf(task.Ask)}, rand.New(rand.NewPCG(7, 8)))
	var blind, seen *task.Group
	n := 0
	for i := range s.Groups {
		switch g := &s.Groups[i]; {
		case g.Blind && len(g.Points) > 0:
			t.Fatal("a question whose words are tied to places is asked without the picture")
		case g.Blind:
			n, blind = n+1, g
		case len(g.Points) == 0:
			seen = g
		}
	}
	if n < 160 || n > 240 {
		t.Errorf("%d of 500 questions are asked without the picture, want some 200", n)
	}

	white := imageproc.NewRGB(m.Config.Size, m.Config.Size)
	for i := range white.Pix {
		white.Pix[i] = 255
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, p := range m.Params() { // far from its start, where pictures count nothing
		for i := range p.Data {
			p.Data[i] += .1 * float32(rng.NormFloat64())
		}
	}
	tape := autograd.NewTape(kernel.NewWork(nil), 0, true)
	var sc Scratch
	loss := func(img *imageproc.RGB, g *task.Group) float32 {
		tape.Reset()
		l, _ := m.Loss(tape, []*task.Sample{{Image: img, Groups: []task.Group{*g}}}, DefaultWeights, nil, &sc)
		return l.Data[0]
	}
	if a, b := loss(black, blind), loss(white, blind); a != b {
		t.Errorf("a question without a picture has the losses %g and %g of two pictures", a, b)
	}
	if a, b := loss(black, seen), loss(white, seen); a == b {
		t.Errorf("a question about a picture has the loss %g of two pictures", a)
	}
}
