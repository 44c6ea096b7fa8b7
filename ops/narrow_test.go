package ops

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"fovea/autograd"
	"fovea/internal/cpu"
	"fovea/internal/kernel"
)

// TestNarrowLinear: a product by a narrow matrix is that by its float32 twin, which is as near to the weights as their bits
// allow.
func TestNarrowLinear(t *testing.T) {
	const in, out = 300, 517 // several panels
	rng := rand.New(rand.NewPCG(1, 2))
	w, b, x := param(rng, out, in), param(rng, out), param(rng, 2, 3, in)
	clear(w.Data[:in])
	for i := range x.Data { // numbers that rounding to bytes keeps, in groups of 32; sums of 300 products are about 1
		if x.Data[i] = float32(rng.IntN(255)-127) / 1024; i%in%32 == 0 {
			x.Data[i] = 127. / 1024
		}
	}
	four, err := Narrowed(w, "int4")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		n     *Narrow
		step  float64 // of a weight, as a share of the largest of its row
		bytes int
	}{
		"bf16": {NewBF16(w.Data, out, in), 1. / 256, 2 * in * out}, "int8": {NewInt8(w.Data, out, in), .5001 / 127, in*out + 4*out},
		"int4": {four, 1.01 / 8, 528 * 320 * 9 / 16},
	} {
		tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
		wide := make([]float32, out*in)
		c.n.widen(wide, 0, out)
		for i, v := range wide {
			row := w.Data[i/in*in : (i/in+1)*in]
			if d := math.Abs(float64(v - w.Data[i])); d > c.step*float64(kernel.MaxAbs(row)) {
				t.Fatalf("%s: weight %d is %g, want %g", name, i, v, w.Data[i])
			}
		}
		want := Linear(tape.Use(x), tape.Input(wide, out, in), tape.Use(b))
		got := NarrowLinear(tape.Use(x), c.n, tape.Use(b))
		if !got.Shape.Equal(want.Shape) || c.n.Bytes() != c.bytes {
			t.Fatalf("%s: shape %v of %v, %d bytes", name, got.Shape, want.Shape, c.n.Bytes())
		}
		near(t, got.Data, want.Data)
		bare := NarrowLinear(tape.Use(x), c.n, nil)
		near(t, bare.Data, Linear(tape.Use(x), tape.Input(wide, out, in), nil).Data)
	}
}

// TestNarrowLinearRows: many rows are multiplied by bfloat16 as the rounded rows are by the rounded weights, from a copy for
// the kernels or without, whatever the implementation; a bias is added, and threads change nothing.
func TestNarrowLinearRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, in := range []int{64, 65} {
		const out, rows = 83, 37
		w, b, x := param(rng, out, in), param(rng, out), param(rng, rows, in)
		round := func(v []float32) []float32 {
			half, wide := make([]uint16, len(v)), make([]float32, len(v))
			kernel.ToBF16(half, v)
			kernel.FromBF16(wide, half)
			return wide
		}
		pool := kernel.NewPool(2)
		defer pool.Close()
		for _, impl := range cpu.Impls("kernel") {
			restore := cpu.Select("kernel", impl)
			for _, work := range []*kernel.Work{kernel.NewWork(nil), kernel.NewWork(pool)} {
				tape := autograd.NewTape(work, 0, false)
				want := Linear(tape.Input(round(x.Data), rows, in), tape.Input(round(w.Data), out, in), tape.Use(b))
				rowwise, fixed := NewBF16(w.Data, out, in), NewBF16(w.Data, out, in)
				fixed.Fix()
				near(t, NarrowLinear(tape.Use(x), rowwise, tape.Use(b)).Data, want.Data)
				near(t, NarrowLinear(tape.Use(x), fixed, tape.Use(b)).Data, want.Data)
			}
			restore()
		}
	}
}

// TestNarrowLinearBytes: many rows by int8 weights are within what rounding each row to 256 steps may change, under every
// implementation.
func TestNarrowLinearBytes(t *testing.T) {
	const in, out, rows = 75, 83, 37
	rng := rand.New(rand.NewPCG(5, 6))
	w, b, x := param(rng, out, in), param(rng, out), param(rng, rows, in)
	for _, impl := range cpu.Impls("kernel") {
		restore := cpu.Select("kernel", impl)
		tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
		n := NewInt8(w.Data, out, in)
		n.Fix()
		wide := make([]float32, out*in)
		n.widen(wide, 0, out)
		want := Linear(tape.Use(x), tape.Input(wide, out, in), tape.Use(b)).Data
		rounded := false
		for i, v := range NarrowLinear(tape.Use(x), n, tape.Use(b)).Data {
			row, sum := x.Data[i/out*in:][:in], 0.
			for _, u := range wide[i%out*in:][:in] {
				sum += math.Abs(float64(u))
			}
			bound := float64(slices.Max(row)-slices.Min(row))/510*sum + 1e-4
			d := math.Abs(float64(v - want[i]))
			rounded = rounded || d > 1e-4
			if !(d <= bound) {
				t.Fatalf("%s: element %d is %g, want %g ± %g", impl, i, v, want[i], bound)
			}
		}
		if !rounded {
			t.Errorf("%s: rows were not rounded", impl)
		}
		restore()
	}
}

// A result in another value's place is NarrowLinear's, set or added, in every format and for few rows and many.
func TestNarrowLinearInto(t *testing.T) {
	const in, out = 48, 40
	rng := rand.New(rand.NewPCG(3, 3))
	w := make([]float32, out*in)
	for i := range w {
		w[i] = rng.Float32() - .5
	}
	tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
	for _, precision := range []string{"bf16", "int8", "int4"} {
		for _, fixed := range []bool{false, true} {
			n := narrow(w, out, in, precision)
			if fixed {
				n.Fix()
			}
			for _, rows := range []int{1, 9, 50} {
				x, bias := tape.New(false, rows, in), tape.New(false, out)
				for _, d := range [][]float32{x.Data, bias.Data} {
					for i := range d {
						d[i] = rng.Float32() - .5
					}
				}
				for _, add := range []bool{false, true} {
					y, want := tape.New(false, rows, out), append([]float32(nil), NarrowLinear(x, n, bias).Data...)
					for i := range y.Data {
						if y.Data[i] = float32(i % 7); add {
							want[i] += y.Data[i]
						}
					}
					NarrowLinearInto(y, x, n, bias, add)
					near(t, y.Data, want)
				}
			}
		}
	}
}

// Products of few rows by a copy in 12 bits, from the sixty-fourth on, are those by the 16 bits that it was made of; also together.
func TestNarrowTight(t *testing.T) {
	for _, impl := range cpu.Impls("kernel") {
		t.Run(impl, func(t *testing.T) {
			defer cpu.Select("kernel", impl)()
			rng := rand.New(rand.NewPCG(3, 4))
			w, v, b := param(rng, 48, 128), param(rng, 20, 128), param(rng, 48)
			n, plain := NewBF16(w.Data, 48, 128), NewBF16(w.Data, 48, 128)
			n.Tighten()
			for i := range 2 * tightAfter {
				tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
				x := tape.Use(param(rng, 1+i%9, 128))
				near(t, NarrowLinear(x, n, tape.Use(b)).Data, NarrowLinear(x, plain, tape.Use(b)).Data)
				if ys := make([]*Value, 2); Together(ys, x, []Map{{W: tape.Use(v)}, {Narrow: n, Bias: tape.Use(b)}}) {
					near(t, ys[0].Data, Linear(x, tape.Use(v), nil).Data)
					near(t, ys[1].Data, NarrowLinear(x, plain, tape.Use(b)).Data)
				} else if x.Shape.Rows() <= kernel.FewRows {
					t.Fatal("few rows are not multiplied together")
				}
			}
			able := kernel.PackBF12(kernel.NewWork(nil), n.bf16, 48, 128) != nil
			if packed := n.tight.copy.Load() != nil; packed != able {
				t.Errorf("a copy in 12 bits: %t, want %t", packed, able)
			}
		})
	}
}

// mapped is a matrix [48, 128] of a file.
type mapped struct {
	autograd.Stored
	bits []uint16
	left int // how often its pages were given back
}

func (m *mapped) BF16() []uint16 { return m.bits }
func (m *mapped) F16() []uint16  { return nil }
func (m *mapped) Owner() any     { return m }
func (m *mapped) Done()          { m.left++ }

// A mapped file's pages are given back when there is a copy in 12 bits, once: products of many rows need them each time.
func TestNarrowTightLeaves(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	p, x := param(rng, 48, 128), func(rows int) *autograd.Param { return param(rng, rows, 128) }
	file := &mapped{bits: NewBF16(p.Data, 48, 128).bf16}
	p.Stored = file
	n, err := Narrowed(p, "bf16")
	if err != nil || !n.Mapped() {
		t.Fatalf("not mapped, or %v", err)
	}
	n.Tighten()
	multiply := func(rows int) {
		tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
		NarrowLinear(tape.Use(x(rows)), n, nil)
	}
	for range tightAfter - 1 {
		multiply(1)
	}
	if multiply(40); file.left != 0 {
		t.Fatal("left before there is a copy")
	}
	want := 0
	if kernel.PackBF12(kernel.NewWork(nil), file.bits, 48, 128) != nil {
		want = 1
	}
	for _, rows := range []int{1, 1, 40, 40} {
		if multiply(rows); file.left != want {
			t.Fatalf("after %d rows the pages were given back %d times, want %d", rows, file.left, want)
		}
	}
}
