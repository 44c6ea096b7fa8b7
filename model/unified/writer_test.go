package unified

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/internal/nano"
	"fovea/ops"
	"fovea/task"
)

// TestSearch: where nothing else is asked for, the likeliest words answer if they are likelier than not, and else a search by four
// beams; a search says what it says with the probability that the model gives it, never writes what an answer must not hold, and over a
// number of questions it finds likelier answers than the likeliest words do.
func TestSearch(t *testing.T) {
	m := newTestModel(t, "tiny")
	rng := rand.New(rand.NewPCG(5, 6))
	for _, p := range m.Params() { // far from its start, where all words are as likely
		for i := range p.Data {
			p.Data[i] += .2 * float32(rng.NormFloat64())
		}
	}
	// The end is a little less likely than what would be said most.
	d := m.Config.Width
	end, often := m.Vocab.Special(task.EndPiece), m.Vocab.Word("objects")[0]
	for i, v := range m.Words.Data[int(often)*d : (int(often)+1)*d] {
		m.Words.Data[int(end)*d+i] = .9 * v
	}
	r := NewRunner(m, kernel.NewWork(nil))
	img := imageproc.NewRGB(m.Config.Size, m.Config.Size)
	for i := range img.Pix {
		img.Pix[i] = byte(rng.IntN(256))
	}
	pic := r.Encode(img)
	questions := []string{"what colour is the circle?", "how many are there?", "what is left of it?", "is there a red ring?", "what is it?"}
	r.Search(t.Context(), 1)
	greedy := r.Ask(pic, questions)
	r.Search(t.Context(), 4)
	four := r.Ask(pic, questions)
	r.Search(t.Context(), 0)
	for i, a := range r.Ask(pic, questions) {
		want := four[i]
		if greedy[i].Score >= .5 {
			want = greedy[i]
		}
		if a.Answer != want.Answer || a.Score != want.Score {
			t.Errorf("nothing asked for, the answer is %v; %v by the likeliest words and %v by four beams", a, greedy[i], four[i])
		}
	}
	r.Search(t.Context(), 5)
	var heard string
	found := r.AskStep(pic, questions, func(text string) { heard = text })
	var gain float64
	ended := 0
	for i, a := range found {
		if len(m.Vocab.Text(a.Answer)) < longestAnswer {
			ended++
		}
		gain += math.Log(a.Score) - math.Log(greedy[i].Score)
		if strings.Contains(a.Answer, "[") || a.Answer == "" {
			t.Errorf("%q is answered %q", a.Text, a.Answer)
		}
		if p := chance(r, pic, a.Text, a.Answer); math.Abs(p-a.Score) > 1e-4*p {
			t.Errorf("%q is said to have probability %g, the model gives %g", a.Answer, a.Score, p)
		}
	}
	if ended == 0 {
		t.Error("no answer ends before it has to, so that the test says little")
	}
	if gain <= 0 {
		t.Errorf("answers that were searched for are e^%g times as likely as greedy ones together", gain)
	}
	if heard != found[0].Answer {
		t.Errorf("the listener heard %q, the answer is %q", heard, found[0].Answer)
	}
	many := make([]string, 2*sideBySide+3) // in several rounds
	for i := range many {
		many[i] = questions[i%len(questions)]
	}
	times := 0
	for i, a := range r.AskStep(pic, many, func(string) { times++ }) {
		if want := found[i%len(questions)]; a.Text != want.Text || a.Answer != want.Answer {
			t.Errorf("among many questions the answer is %v, alone %v", a, want)
		}
	}
	if times != 1 || len(r.Ask(pic, nil)) != 0 {
		t.Errorf("of %d answers the listener heard %d, and of no questions there are %d answers", len(many), times, len(r.Ask(pic, nil)))
	}
	long := []string{strings.Repeat("red circle ", m.Config.MaxText)} // which leaves an answer little room
	r.Search(t.Context(), 0)
	if short := r.Ask(pic, long)[0].Answer; short == "" {
		t.Error("a long question has no answer")
	}
	r.Search(t.Context(), 5)
	if a := r.Ask(pic, long)[0]; a.Answer == "" || !(a.Score > 0) {
		t.Errorf("a long question is answered %q with %g by search", a.Answer, a.Score)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, beams := range []int{1, 4} {
		r.Search(over, beams)
		if text, _ := r.Caption(pic, nil); len(strings.Fields(text)) > 1 {
			t.Errorf("nobody listens, and %d beams write %q", beams, text)
		}
		if e, ok := r.Explain(img, ExplainOptions{Task: task.Caption, Name: -1}); ok {
			t.Errorf("nobody listens, and the caption is explained as %q", e.Answer.Text)
		}
	}
}

// TestCaptionOfShipped: where nothing else is asked for, captions are searched for by three beams; an explanation is of the caption that
// would be written; and a picture's likeliest words are not its likeliest caption.
func TestCaptionOfShipped(t *testing.T) {
	m, err := Open(nano.FS())
	if err != nil {
		t.Fatal(err)
	}
	r := NewRunner(m, kernel.NewWork(nil))
	img := imageproc.NewRGB(m.Config.Size, m.Config.Size)
	for i := range img.Pix {
		img.Pix[i] = byte(i * i / 7)
	}
	pic := r.Encode(img)
	caption := func(beams int) (string, float64) {
		r.Search(t.Context(), beams)
		return r.Caption(pic, nil)
	}
	free, _ := caption(0)
	three, p3 := caption(3)
	one, p1 := caption(1)
	if free != three || free == one || !(p3 > p1) {
		t.Errorf("nothing asked for, the caption is %q; %q with %g by three beams, %q with %g by one", free, three, p3, one, p1)
	}
	for _, beams := range []int{1, 3} {
		want, _ := caption(beams)
		if e, ok := r.Explain(img, ExplainOptions{Task: task.Caption, Name: -1}); !ok || e.Answer.Text != want {
			t.Errorf("by %d beams the caption is %q, and explained as %q", beams, want, e.Answer.Text)
		}
	}
}

// chance is the probability of an answer, and of its end if it is not as long as answers may be, by reading all of it anew for every word.
func chance(r *Runner, pic *Picture, question, answer string) float64 {
	m, g := r.m, task.AskPrompt(r.m.Vocab, question)
	end, commas, logp := m.Vocab.Special(task.EndPiece), m.Vocab.Word(","), 0.
	var said []int32
	ids := m.Vocab.Text(answer)
	if len(ids) < longestAnswer {
		ids = append(ids, end)
	}
	for _, id := range ids {
		r.t.Reset()
		h := m.Ask(r.t, &pic.Encoded, []Prompt{{0, &g}}, &r.sc).Text
		row := tableLogits(m.Readout.Word, ops.Slice(h, len(g.Pieces)-1, len(g.Pieces)), r.t.Use(m.Words)).Data
		m.forbidSpecials(row, end, len(said) == 0)
		forbidEcho(row, said, commas)
		logp += float64(row[id] - kernel.LogSumExp(row))
		said = append(said, id)
		g.Pieces = append(g.Pieces, task.Piece{Kind: task.Word, ID: id})
	}
	return math.Exp(logp)
}
