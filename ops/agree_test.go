package ops

import (
	"math"
	"math/rand/v2"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// TestGELUExact compares with the error function itself, the far ends and the infinities included.
func TestGELUExact(t *testing.T) {
	var x []float32
	for v := -16.; v <= 16; v += 1. / 512 {
		x = append(x, float32(v))
	}
	x = append(x, float32(math.Inf(-1)), float32(math.Inf(1)), 1e30, -1e30)
	tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
	y := GELUExact(tape.Input(x, len(x)))
	for i, v := range x {
		want := float64(v) * .5 * math.Erfc(-float64(v)/math.Sqrt2)
		if v < -20 {
			want = 0
		}
		got := float64(y.Data[i])
		if d := math.Abs(got - want); !(d <= 2e-7*max(1, math.Abs(float64(v))) || got == want) {
			t.Fatalf("gelu(%g) = %g, want %g", v, got, want)
		}
	}
}

// TestCrossAttentionIsAttention: a sequence that attends to itself comes out alike both ways.
func TestCrossAttentionIsAttention(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
	q, k, v := tape.Use(param(rng, 6, 8)), tape.Use(param(rng, 6, 8)), tape.Use(param(rng, 6, 8))
	want := Attention(q, k, v, 2, &Layout{Images: 2, Patches: 3}, nil)
	got := CrossAttention(q, k, v, 2, []Span{{0, 3, 0, 3}, {3, 3, 3, 3}})
	near(t, got.Data, want.Data)
}

// TestConvTranspose2D follows the definition: every pixel adds its weighted patch.
func TestConvTranspose2D(t *testing.T) {
	const h, w, c, out, k, s, pad = 3, 2, 2, 3, 4, 2, 1
	rng := rand.New(rand.NewPCG(5, 6))
	px, pw, pb := param(rng, 1, h, w, c), param(rng, c, k*k*out), param(rng, out)
	tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
	got := ConvTranspose2D(tape.Use(px), tape.Use(pw), tape.Use(pb), k, s, pad)
	const oh, ow = (h-1)*s - 2*pad + k, (w-1)*s - 2*pad + k
	want := make([]float32, oh*ow*out)
	for i := range want {
		want[i] = pb.Data[i%out]
	}
	for i := range h * w * c * k * k * out {
		o, kx, ky, ci, x, y := i%out, i/out%k, i/out/k%k, i/out/k/k%c, i/out/k/k/c%w, i/out/k/k/c/w
		oy, ox := y*s-pad+ky, x*s-pad+kx
		if oy >= 0 && oy < oh && ox >= 0 && ox < ow {
			want[(oy*ow+ox)*out+o] += px.Data[(y*w+x)*c+ci] * pw.Data[ci*k*k*out+(ky*k+kx)*out+o]
		}
	}
	near(t, got.Data, want)
}

func near(t *testing.T, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= 1e-5) {
			t.Fatalf("element %d: %g, want %g", i, got[i], want[i])
		}
	}
}

// TestFusedLayers: a layer with its shortcut in one operation gives what its parts give, and so do its gradients.
func TestFusedLayers(t *testing.T) {
	const rows, d, inner = 37, 24, 50
	run := func(fused bool) (out [][]float32) {
		rng := rand.New(rand.NewPCG(9, 9))
		tape := autograd.NewTape(kernel.NewWork(nil), 0, true)
		var in []*Value
		for _, s := range [][]int{{rows, d}, {rows, d}, {inner, d}, {inner}, {d, inner}, {d}, {d, d}, {d}} {
			in = append(in, tape.Use(param(rng, s...)))
		}
		res, x, up, ub, down, db, w, b := in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7]
		var y *Value
		if fused {
			y = FeedForward(LinearAdd(res, x, w, b), x, up, ub, down, db)
		} else {
			y = Add(Add(res, Linear(x, w, b)), Linear(GELU(Linear(x, up, ub)), down, db))
		}
		for i := range y.Grad() {
			y.Grad()[i] = float32(rng.NormFloat64())
		}
		tape.Backward(tape.New(true, 1), 1)
		out = append(out, y.Data)
		for _, v := range in {
			out = append(out, v.Grad())
		}
		return out
	}
	want := run(false)
	for i, got := range run(true) {
		near(t, got, want[i])
	}
}
