package unified

import (
	"math/rand/v2"
	"strings"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/task"
)

// matched are eight scenes with all tasks, each with a caption to be matched.
func matched(t *testing.T, m *Model) []*task.Sample {
	batch, scenes := samples(t, m, 8)
	for i, s := range batch {
		s.Groups = append(s.Groups, task.MatchPrompt(m.Vocab, scenes[i].Captions[0]))
	}
	return batch
}

// TestWeightsByPart: every part that a batch with all tasks has can be given another weight by its name, and by no other.
func TestWeightsByPart(t *testing.T) {
	m := newTestModel(t, "tiny")
	batch := matched(t, m)
	tape := autograd.NewTape(kernel.NewWork(nil), 0, true)
	var sc Scratch
	w := DefaultWeights
	loss, parts := m.Loss(tape, batch, w, nil, &sc)
	total, names := loss.Data[0], map[string]Part{}
	for _, p := range parts {
		names[p.Name] = p
		if err := w.Set(p.Name, 0); err != nil {
			t.Error(err)
		}
	}
	if _, ok := names["match"]; !ok || len(names) < 11 || total == 0 {
		t.Fatalf("%d parts, a loss of %g", len(names), total)
	}
	if err := w.Set("match", 3); err != nil {
		t.Fatal(err)
	}
	tape.Reset()
	loss, _ = m.Loss(tape, batch, w, nil, &sc)
	if got, want := loss.Data[0], 3*names["match"].Value; got < .999*want || got > 1.001*want {
		t.Errorf("three times the matching alone is %g, want %g", got, want)
	}
	if err := w.Set("matching", 1); err == nil || !strings.Contains(err.Error(), "match, object.box") {
		t.Errorf("an unknown part: %v", err)
	}
	for _, bad := range []float64{-1, 1e9} {
		if err := w.Set("match", bad); err == nil {
			t.Errorf("a weight of %g is taken", bad)
		}
	}
}

// TestDropout: matching loses features by the generator's numbers, keeps their mean, and nothing else changes.
func TestDropout(t *testing.T) {
	tape := autograd.NewTape(kernel.NewWork(nil), 0, true)
	x := tape.New(true, 100, 200)
	for i := range x.Data {
		x.Data[i] = 1
	}
	if y := dropout(x, 0, nil); y != x {
		t.Error("without dropout there is another value")
	}
	sum, zero := 0., 0
	for _, v := range dropout(x, .3, rand.New(rand.NewPCG(1, 1))).Data {
		if v == 0 {
			zero++
		}
		sum += float64(v)
	}
	if n := float64(len(x.Data)); float64(zero)/n < .285 || float64(zero)/n > .315 || sum/n < .98 || sum/n > 1.02 {
		t.Errorf("%d of %g are dropped, the mean is %g; want 30 %% and 1", zero, n, sum/n)
	}

	m := newTestModel(t, "tiny")
	batch := matched(t, m)
	run := func(drop float32, seed uint64) map[string]float32 {
		tape.Reset()
		w := DefaultWeights
		w.Drop = drop
		var sc Scratch
		_, parts := m.Loss(tape, batch, w, rand.New(rand.NewPCG(seed, 0)), &sc)
		out := map[string]float32{}
		for _, p := range parts {
			out[p.Name] = p.Value
		}
		return out
	}
	plain, a, b, again := run(0, 1), run(.5, 1), run(.5, 2), run(.5, 1)
	if _, ok := plain["match"]; !ok {
		t.Fatal("nothing is matched")
	}
	for name := range plain {
		switch {
		case a[name] != again[name]:
			t.Errorf("%s: %g and %g by one seed", name, a[name], again[name])
		case name == "match" && (a[name] == plain[name] || a[name] == b[name]):
			t.Errorf("match: %g without dropout, %g and %g with it by two seeds", plain[name], a[name], b[name])
		case name != "match" && a[name] != plain[name]:
			t.Errorf("%s: %g with dropout, %g without", name, a[name], plain[name])
		}
	}
}
