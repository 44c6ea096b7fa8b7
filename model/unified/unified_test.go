package unified

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"fovea/annotation"
	"fovea/autograd"
	"fovea/dataset"
	"fovea/dataset/scenes"
	"fovea/internal/kernel"
	"fovea/task"
	"fovea/tokenizer"
)

// wordTokenizer has one piece a word, for tests without a trained vocabulary.
type wordTokenizer struct {
	pieces []string
	ids    map[string]tokenizer.ID
}

func newWordTokenizer(words []string) *wordTokenizer {
	t := &wordTokenizer{ids: map[string]tokenizer.ID{}}
	for _, w := range append(task.Specials(), words...) {
		if _, ok := t.ids[w]; !ok {
			t.ids[w] = tokenizer.ID(len(t.pieces))
			t.pieces = append(t.pieces, w)
		}
	}
	return t
}

func (t *wordTokenizer) Encode(text string) (ids []tokenizer.ID) {
	for _, w := range strings.Fields(text) {
		if id, ok := t.ids[w]; ok {
			ids = append(ids, id)
		}
	}
	return ids
}
func (t *wordTokenizer) EncodeSpecial(text string) []tokenizer.ID { return t.Encode(text) }
func (t *wordTokenizer) EncodeLiteral(text string) []tokenizer.ID { return t.Encode(text) }
func (t *wordTokenizer) Decode(ids []tokenizer.ID, _ bool) string {
	var ws []string
	for _, id := range ids {
		ws = append(ws, t.pieces[id])
	}
	return strings.Join(ws, " ")
}
func (t *wordTokenizer) Token(p string) (tokenizer.ID, bool) { id, ok := t.ids[p]; return id, ok }
func (t *wordTokenizer) Piece(id tokenizer.ID) string        { return t.pieces[id] }
func (t *wordTokenizer) Special(id tokenizer.ID) bool        { return int(id) < len(task.Specials()) }
func (t *wordTokenizer) Size() int                           { return len(t.pieces) }

func words() []string {
	ws := append([]string{}, scenes.Words()...)
	for _, j := range annotation.COCO17.Joints {
		ws = append(ws, strings.Split(j, "_")...)
	}
	return append(ws, "?", ",", ".")
}

// newTestModel makes a small model that knows scenes.
func newTestModel(t testing.TB, variant string) *Model {
	t.Helper()
	c, err := Variant(variant)
	if err != nil {
		t.Fatal(err)
	}
	v, err := task.NewVocabulary(newWordTokenizer(words()))
	if err != nil {
		t.Fatal(err)
	}
	c.Joints = annotation.COCO17.Joints
	c.Labels = append(append([]string{}, scenes.Shapes...), "person")
	c.Classes = c.Labels
	m, err := New(c, v, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// samples draws scenes and makes them ready for m.
func samples(t testing.TB, m *Model, n int) ([]*task.Sample, []*dataset.Example) {
	t.Helper()
	src := scenes.New(scenes.Config{Seed: 1, N: n, Size: m.Config.Size})
	b := &task.Builder{Vocab: m.Vocab, Names: m.Names, Side: m.Config.Size, Features: m.Config.FeatureSide(), Questions: 4, People: 1, CaptionShare: .25, MatchShare: .25,
		Joints: m.JointNames()}
	ids := m.Names.AddAll(src.Classes())
	all := task.SetOf(task.Classify, task.Detect, task.Segment, task.Pose, task.Ask, task.Caption, task.Match)
	rng := rand.New(rand.NewPCG(3, 3))
	var out []*task.Sample
	var exs []*dataset.Example
	for i := range n {
		ex, err := src.At(i, nil)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b.Build(ex.Image, &ex.Picture, task.Has{Boxes: true, Masks: true}, task.Source{Candidates: append([]int32{task.Nothing}, ids...), Classes: ids, Tasks: all}, rng))
		exs = append(exs, ex)
	}
	return out, exs
}

// TestLearns takes AdamW steps on eight scenes: the loss must fall to a fraction.
func TestLearns(t *testing.T) {
	for name, steps := range map[string]int{"tiny": 60, "cct": 30} {
		m := newTestModel(t, name)
		batch, _ := samples(t, m, 8)
		first, last := learnBatch(t, m, batch, steps)
		if !(last < first/3) {
			t.Errorf("%s: loss went from %g to %g in %d steps; want a third or less", name, first, last, steps)
		}
	}
}

// learnBatch takes AdamW steps on a batch and returns the first and the last loss.
func learnBatch(t *testing.T, m *Model, batch []*task.Sample, steps int) (first, last float32) {
	t.Helper()
	tape := autograd.NewTape(kernel.NewWork(nil), 0, true)
	mom, vel := map[*autograd.Param][]float32{}, map[*autograd.Param][]float32{}
	var sc Scratch
	c1, c2 := float32(1), float32(1)
	for step := range steps {
		tape.Reset()
		for _, p := range m.Params() {
			p.Replicate(1)
			clear(p.Grads[0])
		}
		loss, parts := m.Loss(tape, batch, DefaultWeights, nil, &sc)
		tape.Backward(loss, 1)
		if last = loss.Data[0]; step == 0 {
			first = last
		}
		if step%20 == 0 || step == steps-1 {
			t.Log(step, loss.Data[0], parts)
		}
		c1, c2 = c1*.9, c2*.95
		for _, p := range m.Params() {
			if p.Kind == autograd.Buffer {
				kernel.Lerp(p.Data, p.Grads[0], .05)
				continue
			}
			if mom[p] == nil {
				mom[p], vel[p] = make([]float32, len(p.Data)), make([]float32, len(p.Data))
			}
			kernel.AdamW(p.Data, p.Grads[0], mom[p], vel[p], 5e-3, .9, .95, 1e-8, 0, 1-c1, 1-c2)
		}
	}
	return first, last
}

// BenchmarkStep is forward and backward of the shipped model on 16 scenes, one core.
func BenchmarkStep(b *testing.B) {
	m := newTestModel(b, "nano")
	batch, _ := samples(b, m, 16)
	tape := autograd.NewTape(kernel.NewWork(nil), 0, true)
	var sc Scratch
	for b.Loop() {
		tape.Reset()
		loss, _ := m.Loss(tape, batch, DefaultWeights, nil, &sc)
		tape.Backward(loss, 1)
	}
	b.ReportMetric(16*float64(b.N)/b.Elapsed().Seconds(), "pictures/s")
}

// TestStepAllocatesNothing: after the first steps, forward and backward live on memory that they already have.
func TestStepAllocatesNothing(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates where the program does not")
	}
	m := newTestModel(t, "tiny")
	batch, _ := samples(t, m, 4)
	tape := autograd.NewTape(kernel.NewWork(nil), 0, true)
	var sc Scratch
	step := func() {
		tape.Reset()
		loss, _ := m.Loss(tape, batch, DefaultWeights, nil, &sc)
		tape.Backward(loss, 1)
	}
	step()
	step()
	if n := testing.AllocsPerRun(5, step); n != 0 {
		t.Errorf("a step makes %v allocations, want none", n)
	}
}

// TestRegrown: a model that gets more blocks and a refinement answers as before, and one whose pictures grow still works.
func TestRegrown(t *testing.T) {
	m := newTestModel(t, "tiny")
	small := m.Config
	small.Prefix, small.Refine = false, false
	m, err := m.Regrown(small, 1)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 5))
	for _, p := range m.Params() {
		for i := range p.Data {
			p.Data[i] += .05 * float32(rng.NormFloat64())
		}
	}
	_, exs := samples(t, m, 1)
	mask := func(m *Model) ([]Detection, [][]float32) {
		r := NewRunner(m, kernel.NewWork(nil))
		p := r.Encode(exs[0].Image)
		d := r.Detect(p, DetectOptions{Max: 4})
		return d, r.Masks(p, d)
	}
	more := m.Config
	more.Layers, more.Refine, more.Prefix = more.Layers+1, true, true
	grown, err := m.Regrown(more, 2)
	if err != nil {
		t.Fatal(err)
	}
	d0, m0 := mask(m)
	d1, m1 := mask(grown)
	if len(d0) == 0 || !reflect.DeepEqual(d0, d1) {
		t.Errorf("found %v, grown %v", d0, d1)
	}
	for i := range m0 {
		for j := range m0[i] {
			// the refinement ends in a ReLU, which what it passes through has been through already
			if d := m0[i][j] - m1[i][j]; d > 1e-4 || d < -1e-4 {
				t.Fatalf("mask %d differs at %d: %g and %g", i, j, m0[i][j], m1[i][j])
			}
		}
	}
	if len(grown.Names.List) != len(m.Names.List) {
		t.Errorf("%d names became %d", len(m.Names.List), len(grown.Names.List))
	}
	wide := m.Config
	wide.Width = 128
	if _, err := m.Regrown(wide, 1); err == nil {
		t.Error("a wider model took the weights of a narrow one")
	}
}
