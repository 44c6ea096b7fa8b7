package ops

import (
	"math"
	"math/rand/v2"
	"testing"

	"fovea/autograd"
	"fovea/internal/cpu"
	"fovea/internal/kernel"
)

// TestCrossAttentionRounded: queries and keys of different sequences attend with operands rounded to bfloat16 where that is asked for,
// by every implementation: close to float32, for several spans, one without rows; a bias is added in float32 as ever.
func TestCrossAttentionRounded(t *testing.T) {
	const heads, d = 3, 96
	rng := rand.New(rand.NewPCG(1, 2))
	q, k, v := param(rng, 70, d), param(rng, 90, d), param(rng, 90, d)
	spans := []Span{{Row: 0, Rows: 41, Key: 20, Keys: 70}, {Row: 41, Rows: 0, Key: 3, Keys: 5}, {Row: 41, Rows: 29, Key: 0, Keys: 33}}
	same := []Span{{Row: 0, Rows: 35, Key: 0, Keys: 45}, {Row: 35, Rows: 35, Key: 45, Keys: 45}}
	bias := param(rng, len(same), 1, 35, 45)
	for _, impl := range cpu.Impls("kernel") {
		restore := cpu.Select("kernel", impl)
		plain, low := autograd.NewTape(kernel.NewWork(nil), 0, false), autograd.NewTape(kernel.NewWork(nil), 0, false)
		low.Work.RoundBF16()
		run := func(tape *autograd.Tape, biased bool) []float32 {
			if biased {
				return BiasedAttention(tape.Use(q), tape.Use(k), tape.Use(v), tape.Use(bias), heads, same).Data
			}
			return CrossAttention(tape.Use(q), tape.Use(k), tape.Use(v), heads, spans).Data
		}
		for _, biased := range []bool{false, true} {
			want, got := run(plain, biased), run(low, biased)
			differ := false
			for i, w := range want {
				if e := math.Abs(float64(got[i] - w)); !(e < .06) {
					t.Fatalf("%s, bias %v: element %d is %g, want about %g", impl, biased, i, got[i], w)
				}
				differ = differ || got[i] != w
			}
			if !differ {
				t.Errorf("%s, bias %v: nothing is rounded", impl, biased)
			}
		}
		restore()
	}
}
