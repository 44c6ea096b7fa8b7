package ops

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
)

func TestDecoderOpsGradients(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	angles := param(rng, 3, 2)
	r := &Rotation{Cos: make([]float32, 6), Sin: make([]float32, 6), Pairs: 2}
	for i, a := range angles.Data {
		r.Cos[i], r.Sin[i] = float32(math.Cos(float64(a))), float32(math.Sin(float64(a)))
	}
	for name, f := range map[string]func(t *autograd.Tape, in []*Value) *Value{
		"rmsnorm":          func(t *autograd.Tape, in []*Value) *Value { return RMSNorm(in[0], in[1], 0, 1e-5) },
		"rmsnorm plus one": func(t *autograd.Tape, in []*Value) *Value { return RMSNorm(in[0], in[1], 1, 1e-5) },
		"rotate":           func(t *autograd.Tape, in []*Value) *Value { return Rotate(Mul(in[0], in[1]), 2, r) },
	} {
		t.Run(name, func(t *testing.T) {
			if worst, err := autograd.Check(f, []*autograd.Param{param(rng, 3, 8), param(rng, 8)}, 2e-3, 5e-3); err != nil {
				t.Errorf("%v (worst %g)", err, worst)
			}
		})
	}
}

// TestRotate follows the definition by complex numbers.
func TestRotate(t *testing.T) {
	tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
	r := &Rotation{Cos: []float32{0, 1}, Sin: []float32{1, 0}, Pairs: 2}
	y := Rotate(tape.Input([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 1, 8), 2, r)
	near(t, y.Data, []float32{-3, 2, 1, 4, -7, 6, 5, 8})
}

// TestCachedAttention compares with the definition, one query and head at a time.
func TestCachedAttention(t *testing.T) {
	for _, c := range []struct {
		heads, groups, kd int
		stretches         []int // of the text; the last ones hold the new rows
		rows              int
		prefix, window    int
		limit             float32
	}{
		{heads: 4, groups: 2, kd: 3, stretches: []int{5}, rows: 5},
		{heads: 4, groups: 1, kd: 3, stretches: []int{4, 3, 2}, rows: 2},
		{heads: 4, groups: 4, kd: 2, stretches: []int{4, 3, 1}, rows: 1},
		{heads: 6, groups: 2, kd: 2, stretches: []int{9, 1}, rows: 1, limit: 2},
		{heads: 2, groups: 1, kd: 4, stretches: []int{7}, rows: 7, prefix: 4},
		{heads: 2, groups: 1, kd: 4, stretches: []int{7}, rows: 7, prefix: 7, limit: 1.5},
		{heads: 2, groups: 2, kd: 4, stretches: []int{3, 8}, rows: 8, window: 3},
		{heads: 2, groups: 2, kd: 4, stretches: []int{9}, rows: 9, prefix: 4, window: 2},
		{heads: 2, groups: 2, kd: 4, stretches: []int{3, 2, 1}, rows: 1, window: 2},
		{heads: 2, groups: 1, kd: 2, stretches: []int{300}, rows: 300, window: 200}, // more than queryRows
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			n, w := 0, c.groups*c.kd
			run := Run{Row: 1, Rows: c.rows, Prefix: c.prefix, Window: c.window}
			var k, v []float32
			for _, s := range c.stretches {
				p := Past{K: param(rng, s, w).Data, V: param(rng, s, w).Data}
				run.Text, n = append(run.Text, p), n+s
				k, v = append(k, p.K...), append(v, p.V...)
			}
			q := param(rng, c.rows+1, c.heads*c.kd).Data
			tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
			one := Run{Rows: 1, Text: []Past{{K: k[:w], V: v[:w]}}} // another text, of one token
			got := CachedAttention(tape.Input(q, c.rows+1, c.heads*c.kd), c.heads, c.groups, .7, c.limit, []Run{one, run})
			want := make([]float32, 0, len(q))
			for h := range c.heads {
				want = append(want, v[h/(c.heads/c.groups)*c.kd:][:c.kd]...)
			}
			for i := range c.rows {
				at := n - c.rows + i
				for h := range c.heads {
					g := h / (c.heads / c.groups)
					out, sum := make([]float64, c.kd), 0.
					for j := range n {
						seen := j <= at && (c.window == 0 || j > at-c.window)
						if at < c.prefix {
							seen = j < c.prefix
						}
						if !seen {
							continue
						}
						s := .7 * float64(kernel.Dot(q[((i+1)*c.heads+h)*c.kd:][:c.kd], k[j*w+g*c.kd:][:c.kd]))
						if c.limit > 0 {
							s = float64(c.limit) * math.Tanh(s/float64(c.limit))
						}
						p := math.Exp(s)
						sum += p
						for x := range out {
							out[x] += p * float64(v[j*w+g*c.kd+x])
						}
					}
					for _, o := range out {
						want = append(want, float32(o/sum))
					}
				}
			}
			near(t, got.Data, want)
		})
	}
}

// TestCachedAttentionHalf: a text in two bytes is looked at as the same one in four, by one query, which goes another way, and by two.
func TestCachedAttentionHalf(t *testing.T) {
	for _, c := range []struct {
		stretches            []int
		rows, prefix, window int
		limit                float32
	}{
		{stretches: []int{9, 1}, rows: 1},
		{stretches: []int{40, 30, 2, 1, 1, 1}, rows: 1, limit: 2},
		{stretches: []int{40, 30, 2}, rows: 1, window: 5},
		{stretches: []int{40, 30, 2}, rows: 1, window: 1},
		{stretches: []int{8}, rows: 1, prefix: 3, window: 2},
		{stretches: []int{9, 2}, rows: 2, window: 3},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			const heads, groups, kd = 6, 2, 32
			rng := rand.New(rand.NewPCG(3, 4))
			half := Run{Row: 1, Rows: c.rows, Prefix: c.prefix, Window: c.window}
			full := half
			for _, n := range c.stretches {
				p, wide := pastTwice(rng, n, groups*kd)
				half.Text, full.Text = append(half.Text, p), append(full.Text, wide)
			}
			tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
			q := tape.Input(param(rng, c.rows+1, heads*kd).Data, c.rows+1, heads*kd)
			near(t, CachedAttention(q, heads, groups, .2, c.limit, []Run{half}).Data[heads*kd:], CachedAttention(q, heads, groups, .2, c.limit, []Run{full}).Data[heads*kd:])
		})
	}
}

// pastTwice draws n keys and values, in two bytes a number and, the same numbers, in four.
func pastTwice(rng *rand.Rand, n, width int) (half, full Past) {
	half = Past{HalfK: make([]uint16, n*width), HalfV: make([]uint16, n*width)}
	full = Past{K: param(rng, n, width).Data, V: param(rng, n, width).Data}
	kernel.ToBF16(half.HalfK, full.K)
	kernel.ToBF16(half.HalfV, full.V)
	kernel.FromBF16(full.K, half.HalfK)
	kernel.FromBF16(full.V, half.HalfV)
	return half, full
}

// TestCachedAttentionRounded: many queries of a text in two bytes go by products of bfloat16, which the same in four does not; what
// differs is the rounding of queries and probabilities.
func TestCachedAttentionRounded(t *testing.T) {
	for _, c := range []struct {
		stretches    []int
		rows, prefix int
		threads      int
	}{
		{stretches: []int{20}, rows: 20},
		{stretches: []int{300}, rows: 300, threads: 2},
		{stretches: []int{40, 31, 150}, rows: 150, threads: 2},
		{stretches: []int{7, 200}, rows: 200, prefix: 150},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			const heads, groups, kd = 6, 2, 32
			rng := rand.New(rand.NewPCG(3, 4))
			half := Run{Row: 1, Rows: c.rows, Prefix: c.prefix}
			full := half
			for _, n := range c.stretches {
				p, wide := pastTwice(rng, n, groups*kd)
				half.Text, full.Text = append(half.Text, p), append(full.Text, wide)
			}
			work := kernel.NewWork(nil)
			if c.threads > 1 {
				work = kernel.NewWork(kernel.NewPool(c.threads))
			}
			tape := autograd.NewTape(work, 0, false)
			q := tape.Input(param(rng, c.rows+1, heads*kd).Data, c.rows+1, heads*kd)
			got, want := CachedAttention(q, heads, groups, .2, 0, []Run{half}).Data[heads*kd:], CachedAttention(q, heads, groups, .2, 0, []Run{full}).Data[heads*kd:]
			for i, w := range want {
				if d := got[i] - w; !(d < .01 && d > -.01) {
					t.Fatalf("row %d: %g, want %g", i/(heads*kd), got[i], w)
				}
			}
		})
	}
}
