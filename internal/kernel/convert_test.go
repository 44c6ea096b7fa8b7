package kernel

import (
	"math"
	"testing"
)

func TestToBF16(t *testing.T) {
	eachImpl(t, func(t *testing.T) {
		// Every upper half with the lower halves that decide: exact, below, at and above a tie.
		const sample = 7
		var x []float32
		for hi := uint32(0); hi < 1<<16; hi += sample {
			for _, lo := range []uint32{0, 1, 0x7fff, 0x8000, 0x8001, 0xffff} {
				x = append(x, math.Float32frombits(hi<<16|lo), math.Float32frombits((hi+1)<<16|lo))
			}
		}
		got, back := make([]uint16, len(x)), make([]float32, len(x))
		ToBF16(got, x)
		FromBF16(back, got)
		for i, v := range x {
			b := math.Float32bits(v)
			if v != v {
				if back[i] == back[i] {
					t.Fatalf("NaN %08x became %g", b, back[i])
				}
				continue
			}
			want := uint16(b >> 16)
			if low := b & 0xffff; low > 0x8000 || low == 0x8000 && want&1 == 1 {
				want++
			}
			if got[i] != want || math.Float32bits(back[i]) != uint32(want)<<16 {
				t.Fatalf("%08x: %04x (back %g), want %04x", b, got[i], back[i], want)
			}
		}
	})
}

func TestConvertLengths(t *testing.T) {
	eachImpl(t, func(t *testing.T) {
		for n := range 70 {
			x := noise(n, 1, 1)
			b, want := make([]uint16, n+2), make([]uint16, n)
			b[0], b[n+1] = 0xdead, 0xdead
			ToBF16(b[1:n+1], x)
			toBF16Generic(want, x)
			f, check := guarded(t, make([]float32, n), 1)
			FromBF16(f, b[1:n+1])
			check()
			q := make([]int8, n)
			for i := range q {
				q[i] = int8(i*37 - 128)
			}
			d, checkD := guarded(t, make([]float32, n), 2)
			DequantInt8(d, q, 0.25)
			checkD()
			for i := range n {
				if b[i+1] != want[i] || f[i] != math.Float32frombits(uint32(want[i])<<16) || d[i] != float32(q[i])*0.25 {
					t.Fatalf("n %d, element %d: %04x (%04x), %g, %g", n, i, b[i+1], want[i], f[i], d[i])
				}
			}
			if b[0] != 0xdead || b[n+1] != 0xdead {
				t.Fatalf("n %d: ToBF16 wrote outside", n)
			}
		}
	})
}

func TestIsFinite(t *testing.T) {
	eachImpl(t, func(t *testing.T) {
		for n := range 80 {
			x := noise(n, 1, 1)
			if n > 2 {
				x[0], x[1] = math.MaxFloat32, -math.MaxFloat32
			}
			if !IsFinite(x) {
				t.Fatalf("n %d: finite slice refused", n)
			}
			for i := range x {
				for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
					old := x[i]
					x[i] = float32(bad)
					if IsFinite(x) {
						t.Fatalf("n %d: %g at %d not seen", n, bad, i)
					}
					x[i] = old
				}
			}
		}
	})
}

// Exp and Tanh against float64, over a walk through the representable numbers.
func TestExpTanhAccuracy(t *testing.T) {
	var x []float32
	for b := uint32(0); b < 0x42d00000; b += 30011 { // 0 … 104
		v := math.Float32frombits(b)
		x = append(x, v, -v)
	}
	eachImpl(t, func(t *testing.T) {
		for _, f := range []struct {
			name string
			call func(dst, x []float32)
			ref  func(float64) float64
		}{{"Exp", Exp, math.Exp}, {"Tanh", Tanh, math.Tanh}} {
			y := make([]float32, len(x))
			f.call(y, x)
			worst, at := 0.0, float32(0)
			for i, v := range x {
				w := f.ref(float64(v))
				if w > math.MaxFloat32 {
					continue
				}
				size := float32(math.Abs(w))
				ulp := float64(math.Nextafter32(size, math.MaxFloat32) - size)
				if e := math.Abs(float64(y[i])-w) / ulp; e > worst || math.IsNaN(e) {
					worst, at = e, v
				}
			}
			t.Logf("%s: worst error %.2f ulp at %g", f.name, worst, at)
			if !(worst <= 2) {
				t.Errorf("%s: %.2f ulp at %g", f.name, worst, at)
			}
		}
	})
}

func TestVectorsAllocate(t *testing.T) {
	eachImpl(t, func(t *testing.T) {
		for _, c := range vectorCases {
			in := c.input(100, 1)
			if n := testing.AllocsPerRun(10, func() { c.call(in) }); n != 0 {
				t.Errorf("%s: %g allocations", c.name, n)
			}
		}
		x, g, m := noise(300, 1, 1), noise(100, 1, 2), make([]float32, 3)
		if n := testing.AllocsPerRun(10, func() {
			LayerNormRows(x, m, m, x, g, g, 3, 100, 1e-5)
			LayerNormRowsGrad(x, g, g, x, x, g, m, m, 3, 100)
			RMSNormRows(x, m, x, g, 3, 100, 1e-5)
			RMSNormRowsGrad(x, g, x, x, g, m, 3, 100)
			SoftmaxRows(x, 3, 100, 100, 1)
			SoftmaxRowsGrad(x, x, x, 3, 100, 100, 1)
		}); n != 0 {
			t.Errorf("rows: %g allocations", n)
		}
	})
}
