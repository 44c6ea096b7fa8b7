package generate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// table is a decoder whose logits follow from all tokens of a sequence, so that a sequence that was mixed up shows.
type table struct {
	v     int
	seed  uint64
	seqs  [][]int32
	steps int
	fail  error
}

func newTable(v int, seed uint64) *table { return &table{v: v, seed: seed, seqs: [][]int32{nil}} }

func (d *table) logits(seq []int32) []float32 {
	h := d.seed
	for _, id := range seq {
		h = h*1099511628211 + uint64(id) + 1
	}
	rng := rand.New(rand.NewPCG(h, d.seed))
	out := make([]float32, d.v)
	for i := range out {
		out[i] = float32(rng.NormFloat64() * 1.5)
	}
	return out
}

func (d *table) first() []float32 { return d.logits(nil) }

func (d *table) Step(tokens []int32) ([]float32, error) {
	if d.steps++; d.fail != nil && d.steps > 2 {
		return nil, d.fail
	}
	if len(tokens) != len(d.seqs) {
		return nil, fmt.Errorf("%d tokens for %d sequences", len(tokens), len(d.seqs))
	}
	var out []float32
	for i, id := range tokens {
		d.seqs[i] = append(slices.Clone(d.seqs[i]), id)
		out = append(out, d.logits(d.seqs[i])...)
	}
	return out, nil
}

func (d *table) Reorder(from []int) error {
	var seqs [][]int32
	for _, f := range from {
		seqs = append(seqs, d.seqs[f])
	}
	d.seqs = seqs
	return nil
}

// logProb is the sum of log probabilities of a text, computed without the package.
func (d *table) logProb(ids []int32) float64 {
	sum := 0.
	for i, id := range ids {
		row, total := d.logits(ids[:i]), 0.
		for _, l := range row {
			total += math.Exp(float64(l))
		}
		sum += float64(row[id]) - math.Log(total)
	}
	return sum
}

func generate(t *testing.T, d *table, c Config) ([]int32, float64) {
	t.Helper()
	ids, sum, err := Generate(context.Background(), d, d.first(), c)
	if err != nil {
		t.Fatal(err)
	}
	return ids, sum
}

func TestGreedyTakesTheLikeliest(t *testing.T) {
	for seed := range uint64(20) {
		d := newTable(7, seed)
		var heard []int32
		ids, sum := generate(t, d, Config{MaxTokens: 9, EOS: []int32{3}, OnToken: func(id int32) error { heard = append(heard, id); return nil }})
		for i, id := range ids {
			if row := d.logits(ids[:i]); row[id] != slices.Max(row) {
				t.Errorf("seed %d, place %d: token %d of %v", seed, i, id, row)
			}
			if id == 3 && i < len(ids)-1 {
				t.Errorf("seed %d: %v goes on after its end", seed, ids)
			}
		}
		if len(ids) < 9 && ids[len(ids)-1] != 3 {
			t.Errorf("seed %d: %v has no end", seed, ids)
		}
		if !slices.Equal(heard, ids) || math.Abs(sum-d.logProb(ids)) > 1e-6 {
			t.Errorf("seed %d: %v, heard %v; log probability %g, want %g", seed, ids, heard, sum, d.logProb(ids))
		}
	}
}

func TestRules(t *testing.T) {
	for _, c := range []struct {
		name string
		c    Config
		ok   func(ids []int32) bool
	}{
		{"forced", Config{Forced: map[int]int32{0: 4, 2: 1, 7: 0}}, func(ids []int32) bool { return ids[0] == 4 && ids[2] == 1 && ids[7] == 0 }},
		{"forced wins", Config{Forced: map[int]int32{1: 2}, Suppress: []int32{2}}, func(ids []int32) bool { return ids[1] == 2 && !slices.Contains(ids[2:], 2) }},
		{"suppressed", Config{Suppress: []int32{0, 1, 2, 77, -1}}, func(ids []int32) bool { return slices.Min(ids) > 2 }},
		{"grammar", Config{Allow: func(prefix []int32) []int32 { return []int32{int32(len(prefix) % 5)} }}, func(ids []int32) bool {
			return slices.Equal(ids, []int32{0, 1, 2, 3, 4, 0, 1, 2})
		}},
		{"grammar ends", Config{Allow: func(prefix []int32) []int32 {
			if len(prefix) == 3 {
				return []int32{}
			}
			return nil
		}}, func(ids []int32) bool { return len(ids) == 3 }},
		{"no token twice", Config{NoRepeatNGram: 1, MaxTokens: 4, Prompt: []int32{3}}, func(ids []int32) bool {
			return !slices.Contains(ids, 3) && len(slices.Compact(slices.Sorted(slices.Values(ids)))) == 4
		}},
		{"no pair twice", Config{NoRepeatNGram: 2, MaxTokens: 16}, func(ids []int32) bool {
			seen := map[[2]int32]bool{}
			for i := range len(ids) - 1 {
				pair := [2]int32{ids[i], ids[i+1]}
				if seen[pair] {
					return false
				}
				seen[pair] = true
			}
			return len(ids) == 16
		}},
	} {
		for _, beams := range []int{1, 3} {
			c.c.Beams = beams
			if c.c.MaxTokens == 0 {
				c.c.MaxTokens = 8
			}
			for seed := range uint64(10) {
				if ids, _ := generate(t, newTable(6, seed), c.c); !c.ok(ids) {
					t.Errorf("%s, %d beams, seed %d: %v", c.name, beams, seed, ids)
				}
			}
		}
	}
}

func TestPenalty(t *testing.T) {
	row := []float64{3, -3, 2, -2, 1}
	penalise(row, []int32{0, 1, 1, 0, 9, -1}, 1.5)
	if want := []float64{2, -4.5, 2, -2, 1}; !slices.Equal(row, want) {
		t.Errorf("got %v, want %v", row, want)
	}
	plain, _ := generate(t, newTable(3, 4), Config{MaxTokens: 12})
	same, _ := generate(t, newTable(3, 4), Config{MaxTokens: 12, RepetitionPenalty: 1})
	other, _ := generate(t, newTable(3, 4), Config{MaxTokens: 12, RepetitionPenalty: 50})
	if !slices.Equal(plain, same) || slices.Equal(plain, other) {
		t.Errorf("penalties of 0, 1, 50 gave %v, %v, %v", plain, same, other)
	}
}

func TestStopStrings(t *testing.T) {
	text := func(ids []int32) string {
		var b strings.Builder
		for _, id := range ids {
			b.WriteByte("abcdef"[id])
		}
		return b.String()
	}
	for seed := range uint64(20) {
		for _, beams := range []int{1, 2} {
			ids, _ := generate(t, newTable(6, seed), Config{MaxTokens: 30, Beams: beams, Stop: []string{"c", "ab"}, Text: text})
			s := text(ids)
			whole, before := Before(s, []string{"c", "ab"}), Before(s[:len(s)-1], []string{"c", "ab"})
			if len(ids) < 30 && len(whole) == len(s) || len(before) != len(s)-1 {
				t.Errorf("%q stops too early or too late", s)
			}
		}
	}
}

// TestBeamsFindTheBest compares a search that is wide enough to follow every beginning with all texts that there are.
func TestBeamsFindTheBest(t *testing.T) {
	const v, n = 3, 3
	for seed := range uint64(30) {
		for _, penalty := range []float64{0, 1, 2, -1} {
			d := newTable(v, seed)
			p := penalty
			if p == 0 {
				p = 1
			}
			best, score := []int32(nil), math.Inf(-1)
			var all func(ids []int32)
			all = func(ids []int32) {
				if len(ids) == n || len(ids) > 0 && ids[len(ids)-1] == 2 {
					if s := d.logProb(ids) / math.Pow(float64(len(ids)), p); s > score {
						best, score = slices.Clone(ids), s
					}
					return
				}
				for id := range int32(v) {
					all(append(ids, id))
				}
			}
			all(nil)
			ids, sum := generate(t, d, Config{MaxTokens: n, EOS: []int32{2}, Beams: 40, LengthPenalty: penalty})
			if !slices.Equal(ids, best) || math.Abs(sum-d.logProb(best)) > 1e-6 {
				t.Errorf("seed %d, penalty %g: %v with %g, want %v with %g", seed, penalty, ids, sum, best, d.logProb(best))
			}
		}
	}
}

// fixed is a decoder of given probabilities by what has been written, the same after anything else.
type fixed struct {
	rows map[string][]float32
	seqs []string
}

func (d *fixed) row(seq string) []float32 {
	out := make([]float32, 4)
	row, ok := d.rows[seq]
	if !ok {
		row = []float32{.1, .1, .1, .7}
	}
	for i, p := range row {
		out[i] = float32(math.Log(float64(p)))
	}
	return out
}

func (d *fixed) Step(tokens []int32) (out []float32, err error) {
	for i, id := range tokens {
		d.seqs[i] += string('a' + id)
		out = append(out, d.row(d.seqs[i])...)
	}
	return out, nil
}

func (d *fixed) Reorder(from []int) error {
	seqs := make([]string, len(from))
	for i, f := range from {
		seqs[i] = d.seqs[f]
	}
	d.seqs = seqs
	return nil
}

// TestBeamsByHand: greedy takes "a" (.5) and then the best of bad continuations; two beams keep "b" (.4), which goes on well.
// The token d (3) ends a text.
func TestBeamsByHand(t *testing.T) {
	rows := map[string][]float32{
		"": {.5, .4, .05, .05}, "a": {.3, .3, .25, .15}, "b": {.02, .03, .9, .05}, "bc": {.02, .02, .01, .95},
		"aa": {.2, .2, .2, .4}, "ab": {.2, .2, .2, .4},
	}
	for _, c := range []struct {
		c    Config
		want []int32
		p    float64
	}{
		{Config{}, []int32{0, 0, 3}, .5 * .3 * .4},
		{Config{Beams: 2}, []int32{1, 2, 3}, .4 * .9 * .95},
		{Config{Beams: 2, EarlyStopping: true}, []int32{1, 2, 3}, .4 * .9 * .95},
		{Config{Beams: 2, Forced: map[int]int32{0: 0}}, []int32{0, 0, 3}, .3 * .4},
		{Config{Beams: 2, LengthPenalty: -8}, []int32{3}, .05}, // short texts win; "d" is among the best two with a, b suppressed
	} {
		c.c.MaxTokens, c.c.EOS = 6, []int32{3}
		if c.c.LengthPenalty < 0 {
			c.c.Suppress = []int32{0, 1}
		}
		d := &fixed{rows: rows, seqs: []string{""}}
		ids, sum, err := Generate(context.Background(), d, d.row(""), c.c)
		if err != nil || !slices.Equal(ids, c.want) || math.Abs(math.Exp(sum)-c.p) > 1e-6 {
			t.Errorf("%+v: %v with %g, %v; want %v with %g", c.c, ids, math.Exp(sum), err, c.want, c.p)
		}
	}
}

func TestSampling(t *testing.T) {
	first := []float32{2, 1, 0, -1, float32(math.Inf(-1))}
	share := func(c Config) [5]float64 {
		var n [5]float64
		c.MaxTokens = 1
		for seed := range uint64(20000) {
			c.Seed = seed
			ids, _, err := Generate(context.Background(), newTable(5, 0), first, c)
			if err != nil {
				t.Fatal(err)
			}
			n[ids[0]] += 1. / 20000
		}
		return n
	}
	for _, c := range []struct {
		name string
		c    Config
		want func(l float64) float64 // weight of a logit
	}{
		{"plain", Config{Temperature: 1}, math.Exp},
		{"cold", Config{Temperature: .5}, func(l float64) float64 { return math.Exp(2 * l) }},
		{"top-k", Config{Temperature: 1, TopK: 2}, func(l float64) float64 {
			if l < 1 {
				return 0
			}
			return math.Exp(l)
		}},
		{"top-p", Config{Temperature: 1, TopP: .7}, func(l float64) float64 { // .64 + .24
			if l < 1 {
				return 0
			}
			return math.Exp(l)
		}},
		{"tiny top-p", Config{Temperature: 1, TopP: 1e-9}, func(l float64) float64 {
			if l < 2 {
				return 0
			}
			return 1
		}},
	} {
		got, total := share(c.c), 0.
		for _, l := range first {
			total += c.want(float64(l))
		}
		for i, l := range first {
			if want := c.want(float64(l)) / total; math.Abs(got[i]-want) > .015 || want == 0 && got[i] > 0 {
				t.Errorf("%s: token %d was drawn in %.3f, want %.3f", c.name, i, got[i], want)
			}
		}
	}
	a, _ := generate(t, newTable(9, 1), Config{MaxTokens: 30, Temperature: 1, Seed: 5})
	b, _ := generate(t, newTable(9, 1), Config{MaxTokens: 30, Temperature: 1, Seed: 5})
	c, _ := generate(t, newTable(9, 1), Config{MaxTokens: 30, Temperature: 1, Seed: 6})
	if !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Errorf("seeds 5, 5, 6 gave %v, %v, %v", a, b, c)
	}
}

func TestEndsEarly(t *testing.T) {
	broken, tired := errors.New("broken"), errors.New("tired")
	for _, beams := range []int{1, 2} {
		c := Config{MaxTokens: 20, Beams: beams}
		d := newTable(4, 1)
		d.fail = broken
		if ids, _, err := Generate(context.Background(), d, d.first(), c); !errors.Is(err, broken) || len(ids) != 3 {
			t.Errorf("%d beams: %v, %v", beams, ids, err)
		}
		ctx, cancel := context.WithCancelCause(context.Background())
		d = newTable(4, 1)
		c.Allow = func(prefix []int32) []int32 {
			if len(prefix) == 4 {
				cancel(tired)
			}
			return nil
		}
		if ids, _, err := Generate(ctx, d, d.first(), c); !errors.Is(err, tired) || len(ids) < 4 || len(ids) > 5 {
			t.Errorf("%d beams, cancelled: %v, %v", beams, ids, err)
		}
		c.Allow = nil
		c.OnToken = func(id int32) error { return broken }
		if _, _, err := Generate(context.Background(), newTable(4, 1), d.first(), c); !errors.Is(err, broken) {
			t.Errorf("%d beams: %v", beams, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		c     Config
		first []float32
		want  string
	}{
		{Config{}, nil, "MaxTokens 0"},
		{Config{MaxTokens: 1}, []float32{}, "no logits"},
		{Config{MaxTokens: 1}, []float32{1, nan}, "logit of token 1"},
		{Config{MaxTokens: 1, Beams: 2}, []float32{1, inf}, "logit of token 1"},
		{Config{MaxTokens: 1}, []float32{-inf, -inf}, "no token a probability"},
		{Config{MaxTokens: 1, Suppress: []int32{0, 1}}, nil, "allow no token at place 0"},
		{Config{MaxTokens: 1, Beams: 2, Suppress: []int32{0, 1}}, nil, "allow no token at place 0"},
		{Config{MaxTokens: 1, Beams: 1000}, nil, "1000 beams"},
		{Config{MaxTokens: 1, Temperature: -1}, nil, "temperature -1"},
		{Config{MaxTokens: 1, Temperature: math.NaN()}, nil, "temperature NaN"},
		{Config{MaxTokens: 1, Temperature: 1, Beams: 2}, nil, "2 beams"},
		{Config{MaxTokens: 1, TopP: 1.5}, nil, "top-p 1.5"},
		{Config{MaxTokens: 1, TopK: -1}, nil, "top-k -1"},
		{Config{MaxTokens: 1, NoRepeatNGram: -1}, nil, "NoRepeatNGram -1"},
		{Config{MaxTokens: 1, RepetitionPenalty: -1}, nil, "repetition penalty -1"},
		{Config{MaxTokens: 1, LengthPenalty: math.Inf(1)}, nil, "length penalty"},
		{Config{MaxTokens: 1, Stop: []string{"."}}, nil, "need Text"},
	} {
		if c.first == nil {
			c.first = []float32{1, 2}
		}
		if _, _, err := Generate(context.Background(), newTable(2, 1), c.first, c.c); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "generate: ") {
			t.Errorf("%+v: %v, want %q", c.c, err, c.want)
		}
	}
	short := newTable(3, 1)
	if _, _, err := Generate(context.Background(), short, []float32{1, 2}, Config{MaxTokens: 5}); err == nil || !strings.Contains(err.Error(), "3 logits for 1 sequences of a vocabulary of 2") {
		t.Errorf("got %v", err)
	}
}

func TestStream(t *testing.T) {
	bytes := []byte("né 中�.")
	decode := func(ids []int32) string {
		var b []byte
		for _, id := range ids {
			b = append(b, bytes[id])
		}
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	var got []string
	hear := Stream(decode, func(s string) error { got = append(got, s); return nil })
	for i := range bytes {
		if err := hear(int32(i)); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"n", "é", " ", "中", "\uFFFD."}; !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
	stop := errors.New("enough")
	if err := Stream(decode, func(string) error { return stop })(0); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func TestBefore(t *testing.T) {
	for _, c := range []struct {
		text string
		stop []string
		want string
	}{{"a. b", []string{"."}, "a"}, {"abc", []string{"c", "b"}, "a"}, {"abc", nil, "abc"}, {"abc", []string{"x"}, "abc"}, {"", []string{"x"}, ""}} {
		if got := Before(c.text, c.stop); got != c.want {
			t.Errorf("Before(%q, %q) = %q, want %q", c.text, c.stop, got, c.want)
		}
	}
}
