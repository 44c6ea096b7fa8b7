package ops

import (
	"math"
	"math/rand/v2"
	"testing"

	"fovea/autograd"
	"fovea/internal/cpu"
	"fovea/internal/kernel"
)

// TestFeedForwardInto: in pieces, the last one of them short, a feed-forward layer gives what it gives as a whole, with float32 and
// bfloat16, by every implementation, on one thread and on two, with biases and without; bytes have no pieces.
func TestFeedForwardInto(t *testing.T) {
	const rows, d, inner = 130, 48, 600
	rng := rand.New(rand.NewPCG(1, 2))
	up, down, ub, db, x, y := param(rng, inner, d), param(rng, d, inner), param(rng, inner), param(rng, d), param(rng, rows, d), param(rng, rows, d)
	for i := range down.Data { // sums of about 1
		down.Data[i] /= 100
	}
	pool := kernel.NewPool(2)
	defer pool.Close()
	for _, impl := range cpu.Impls("kernel") {
		restore := cpu.Select("kernel", impl)
		for _, p := range []*kernel.Pool{nil, pool} {
			tape := autograd.NewTape(kernel.NewWork(p), 0, false)
			for _, biased := range []bool{true, false} {
				var b1, b2 *Value
				if biased {
					b1, b2 = tape.Use(ub), tape.Use(db)
				}
				wide := kernel.Pack(kernel.M(up.Data, inner, d).T())
				narrow := kernel.Pack(kernel.M(down.Data, d, inner).T())
				got := tape.Input(append([]float32(nil), y.Data...), rows, d)
				if !FeedForwardInto(got, tape.Use(x), 256, wide, narrow, b1, b2, GELU) {
					t.Fatalf("%s: not done", impl)
				}
				near(t, got.Data, LinearAdd(tape.Use(y), GELU(Linear(tape.Use(x), tape.Use(up), b1)), tape.Use(down), b2).Data)

				u, w := NewBF16(up.Data, inner, d), NewBF16(down.Data, d, inner)
				u.Fix()
				w.Fix()
				copy(got.Data, y.Data)
				if done := FeedForwardInto(got, tape.Use(x), 256, u.Packed(rows), w.Packed(rows), b1, b2, GELU); done != kernel.FastBF16() {
					t.Fatalf("%s, bfloat16: done is %v", impl, done)
				} else if done {
					want := tape.Input(append([]float32(nil), y.Data...), rows, d)
					NarrowLinearInto(want, GELU(NarrowLinear(tape.Use(x), u, b1)), w, b2, true)
					near(t, got.Data, want.Data)
				}
				bytes := NewInt8(up.Data, inner, d)
				bytes.Fix()
				if FeedForwardInto(got, tape.Use(x), 256, bytes.Packed(rows), wide, b1, b2, GELU) || FeedForwardInto(got, tape.Use(x), 250, wide, narrow, b1, b2, GELU) {
					t.Errorf("%s: done in pieces that there are not", impl)
				}
			}
		}
		restore()
	}
}

// TestFeedForwardBlocks: over so many rows that they are worked out block by block, the last one shorter, a feed-forward layer and all of
// its gradients are what the operations it is made of give, by every implementation, with float32 and bfloat16, by one thread and by
// two, which have no blocks.
func TestFeedForwardBlocks(t *testing.T) {
	const rows, d, inner = 401, 40, 900
	rng := rand.New(rand.NewPCG(3, 4))
	params := []*autograd.Param{param(rng, rows, d), param(rng, rows, d), param(rng, inner, d), param(rng, inner), param(rng, d, inner), param(rng, d)}
	for i := range params[4].Data { // sums of about 1
		params[4].Data[i] /= 30
	}
	weigh := param(rng, rows, d).Data
	bounds := map[bool]float64{false: 3e-6, true: 2e-3} // of the largest element: where a sum differs in its last digit, it may round another way
	pool := kernel.NewPool(2)
	defer pool.Close()
	run := func(w *kernel.Work, layer func(res, x, up, ub, down, db *Value) *Value) (out [][]float32) {
		tape := autograd.NewTape(w, 0, true)
		var in []*Value
		for _, p := range params {
			in = append(in, tape.Use(p))
		}
		y := layer(in[0], in[1], in[2], in[3], in[4], in[5])
		copy(y.Grad(), weigh)
		tape.Backward(tape.New(true, 1), 1)
		out = append(out, y.Data)
		for _, v := range in {
			out = append(out, v.Grad())
		}
		return out
	}
	for _, impl := range cpu.Impls("kernel") {
		restore := cpu.Select("kernel", impl)
		for _, p := range []*kernel.Pool{nil, pool} {
			for _, rounded := range []bool{false, true} {
				w := kernel.NewWork(p)
				if rounded {
					w.RoundBF16()
				}
				want := run(w, func(res, x, up, ub, down, db *Value) *Value {
					return LinearAdd(res, GELU(Linear(x, up, ub)), down, db)
				})
				for i, got := range run(w, FeedForward) {
					var most, off float64
					for j, v := range want[i] {
						most, off = max(most, math.Abs(float64(v))), max(off, math.Abs(float64(got[j]-v)))
					}
					if allowed := bounds[rounded] * most; !(off <= allowed) || most == 0 {
						t.Errorf("%s, rounded %v, result %d: off by %g, at most %g is right", impl, rounded, i, off, allowed)
					}
				}
			}
		}
		restore()
	}
}
