package dataset

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// numbers is a source of n examples that are named by their index.
type numbers struct {
	name string
	n    int
}

func (s numbers) Name() string      { return s.name }
func (s numbers) Len() int          { return s.n }
func (s numbers) Labels() Labels    { return HasClass }
func (s numbers) Classes() []string { return []string{"even", "odd"} }
func (s numbers) At(i int, _ *rand.Rand) (*Example, error) {
	if i < 0 || i >= s.n {
		return nil, fmt.Errorf("%s: example %d of %d", s.name, i, s.n)
	}
	return &Example{ID: fmt.Sprintf("%s/%d", s.name, i)}, nil
}

func mixture(t *testing.T, seed uint64, weights []float64, sizes []int) *Mixture {
	t.Helper()
	var parts []Weighted
	for i, w := range weights {
		parts = append(parts, Weighted{numbers{fmt.Sprint("s", i), sizes[i]}, w})
	}
	m, err := NewMixture(seed, parts)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMixtureVisitsEachSourceInShuffledEpochs(t *testing.T) {
	weights, sizes := []float64{5, 1, 0, .01, 2.5}, []int{17, 100, 3, 2, 1}
	m := mixture(t, 42, weights, sizes)
	const n = 6000
	visits := make([][]Pick, len(sizes))
	for k := range n {
		p := m.At(k)
		visits[p.Source] = append(visits[p.Source], p)
	}
	sum := 8.51
	for s, v := range visits {
		if want := n * weights[s] / sum; math.Abs(float64(len(v))-want) > 2 {
			t.Errorf("source %d has %d visits of %d, want about %.1f", s, len(v), n, want)
		}
		orders := map[string]bool{}
		for e := 0; (e+1)*sizes[s] <= len(v); e++ {
			seen := map[int]bool{}
			for _, p := range v[e*sizes[s] : (e+1)*sizes[s]] {
				if p.Epoch != e || p.Index < 0 || p.Index >= sizes[s] || seen[p.Index] {
					t.Fatalf("source %d, epoch %d: pick %+v is out of range or repeated", s, e, p)
				}
				seen[p.Index] = true
			}
			orders[fmt.Sprint(v[e*sizes[s]:min((e+1)*sizes[s], e*sizes[s]+6)])] = true
		}
		if e := len(v) / max(sizes[s], 1); sizes[s] >= 17 && len(orders) < e {
			t.Errorf("source %d: %d orders in %d epochs", s, len(orders), e)
		}
	}
}

func TestMixtureIsAFunctionOfSeedAndPlace(t *testing.T) {
	a, b := mixture(t, 1, []float64{1, 3}, []int{50, 60}), mixture(t, 1, []float64{1, 3}, []int{50, 60})
	other := mixture(t, 2, []float64{1, 3}, []int{50, 60})
	same := 0
	for k := 500 - 1; k >= 0; k-- { // backwards: no state
		if a.At(k) != b.At(k) {
			t.Fatalf("place %d: %+v and %+v", k, a.At(k), b.At(k))
		}
		if a.At(k) == other.At(k) {
			same++
		}
	}
	if same > 60 {
		t.Errorf("%d of 500 places are the same under another seed", same)
	}
	if p := a.At(replacementStride + 3); p.Index < 0 || p.Index >= 60 {
		t.Errorf("far down the stream: %+v", p)
	}
	for i := range 100 { // neighbouring weights change little: a source of weight 0 is never seen
		if p := mixture(t, 3, []float64{0, 1}, []int{0, 7}).At(i); p.Source != 1 {
			t.Fatalf("place %d is of source %d", i, p.Source)
		}
	}
}

func TestMixtureSpreadsEvenly(t *testing.T) {
	m := mixture(t, 7, []float64{.72, .1, .08, .05, .05}, []int{80000, 8000, 1200, 114, 760})
	for start := 0; start < 100000; start += 9973 {
		count := [5]int{}
		for k := start; k < start+320; k++ {
			count[m.At(k).Source]++
		}
		for s, share := range []float64{.72, .1, .08, .05, .05} {
			if want := 320 * share; math.Abs(float64(count[s])-want) > 2.5 {
				t.Errorf("places %d to %d hold %d of source %d, want %.1f", start, start+320, count[s], s, want)
			}
		}
	}
}

func TestMixtureErrors(t *testing.T) {
	full, empty := numbers{"full", 3}, numbers{"empty", 0}
	for _, c := range []struct {
		parts []Weighted
		want  string
	}{
		{nil, "positive sum"},
		{[]Weighted{{full, 0}}, "positive sum"},
		{[]Weighted{{full, -1}}, "want a number"},
		{[]Weighted{{full, math.NaN()}}, "want a number"},
		{[]Weighted{{full, math.Inf(1)}}, "want a number"},
		{[]Weighted{{full, 1}, {empty, 1}}, "empty holds no examples"},
		{[]Weighted{{nil, 1}}, "is nil"},
		{[]Weighted{{full, math.MaxFloat64}, {full, math.MaxFloat64}}, "positive sum"},
	} {
		if _, err := NewMixture(1, c.parts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q", c.parts, err, c.want)
		}
	}
}

func TestPermute(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 1000, 4097} {
		for key := range uint64(3) {
			seen := make([]bool, n)
			for i := range n {
				j := permute(i, n, key)
				if j < 0 || j >= n || seen[j] {
					t.Fatalf("n %d, key %d: %d maps to %d, out of range or taken", n, key, i, j)
				}
				seen[j] = true
			}
		}
	}
	// Each place is as likely for each number: the mean over keys is near the middle.
	sum := 0
	for key := range uint64(2000) {
		sum += permute(3, 100, key)
	}
	if mean := float64(sum) / 2000; math.Abs(mean-49.5) > 3 {
		t.Errorf("number 3 of 100 lands at %.1f on average", mean)
	}
}

func BenchmarkMixture(b *testing.B) {
	var parts []Weighted
	for i := range 8 {
		parts = append(parts, Weighted{numbers{"x", 1000 * (i + 1)}, float64(i + 1)})
	}
	m, err := NewMixture(1, parts)
	if err != nil {
		b.Fatal(err)
	}
	k := 0
	for b.Loop() {
		m.At(1e9 + k)
		k++
	}
}
