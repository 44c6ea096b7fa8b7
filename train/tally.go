package train

import "slices"

// Part is one part of a loss: its value before its weight in the sum.
type Part struct {
	Name   string
	Value  float32
	Weight float32
}

// tally averages losses and their parts. A part counts only where it was reported: a batch without people has no pose loss.
// Its exported fields are stored in snapshots, so that a resumed run prints the same averages.
type tally struct {
	Loss    float64   `json:"loss"`
	N       int       `json:"n"`
	Names   []string  `json:"names"`
	Weights []float32 `json:"weights"`
	Sums    []float64 `json:"sums"`
	Counts  []int     `json:"counts"`
}

// reset forgets values but not names.
func (t *tally) reset() {
	t.Loss, t.N = 0, 0
	clear(t.Sums)
	clear(t.Counts)
}

func (t *tally) add(loss float64, parts []Part) {
	t.Loss += loss
	t.N++
	for _, p := range parts {
		t.addPart(p.Name, p.Weight, float64(p.Value))
	}
}

// merge adds the averages of another tally as one observation.
func (t *tally) merge(o *tally) {
	t.Loss += o.mean()
	t.N++
	for i, n := range o.Counts {
		if n > 0 {
			t.addPart(o.Names[i], o.Weights[i], o.Sums[i]/float64(n))
		}
	}
}

func (t *tally) addPart(name string, weight float32, v float64) {
	i := slices.Index(t.Names, name)
	if i < 0 {
		i = len(t.Names)
		t.Names, t.Weights = append(t.Names, name), append(t.Weights, weight)
		t.Sums, t.Counts = append(t.Sums, 0), append(t.Counts, 0)
	}
	t.Sums[i] += v
	t.Counts[i]++
}

func (t *tally) mean() float64 { return t.Loss / float64(max(t.N, 1)) }
