package kernel

import (
	"math"
	"testing"
)

// TestInt4Integers: the integers of each row times its step are the weights, but for half a step in each scale, what the kernels lay out is them,
// and sums of products stay in 32 bits.
func TestInt4Integers(t *testing.T) {
	for _, k := range []int{32, 64, 576, 1536, 8192} {
		const n = 18
		if l := largestScale(k); l*8*255*k > math.MaxInt32 || l < 16 {
			t.Fatalf("%d: scales up to %d", k, l)
		}
		w, q, row := noise(n*k, .05, uint64(k)), NewInt4(n, k), make([]float32, k)
		clear(w[2*k : 3*k])
		for i := range n {
			q.SetRow(i, w[i*k:(i+1)*k])
		}
		f, got := q.Words(NewWork(nil)), make([]float32, k/2*int4Rows)
		if f == nil {
			return
		}
		for i := range n {
			q.Row(row, i)
			sum := 0
			for j, v := range row {
				scale := math.RoundToEven(float64(q.scale(i, j/quantGroup) * f.inverse[i]))
				level := 0.
				if s := q.scale(i, j/quantGroup); s != 0 {
					level = math.Round(float64(v / s))
				}
				integer := int(scale * level)
				sum += integer
				if d := math.Abs(float64(integer)*float64(f.step[i]) - float64(v)); !(d <= 8*.5001*float64(f.step[i])+1e-12) {
					t.Fatalf("%d: weight [%d, %d] is %d of %g, want %g", k, i, j, integer, f.step[i], v)
				}
				if i%int4Rows == 0 && j == 0 {
					f.lay(got, i, 0, k/quantGroup)
				}
				pair := math.Float32bits(got[j/2*int4Rows+i%int4Rows])
				if have := int(int16(pair >> (16 * (j % 2)))); have != integer {
					t.Fatalf("%d: word [%d, %d] is %d, want %d", k, i, j, have, integer)
				}
			}
			if want := float64(f.step[i]) * float64(sum); !(math.Abs(float64(f.shift[i])-want) <= 1e-6*math.Abs(want)) {
				t.Fatalf("%d: row %d adds up to %g, want %g", k, i, f.shift[i], want)
			}
		}
	}
}

// TestGemmInt4: products are those of rounded rows of x by the weights, with scales rounded as GemmInt4 says; the same with a pool; and weights
// that are not finite give no number.
func TestGemmInt4(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachImpl(t, func(t *testing.T) {
		for _, s := range [][3]int{{1, 32, 1}, {7, 96, 17}, {70, 576, 130}, {9, 3104, 33}} {
			m, k, n := s[0], s[1], s[2]
			q, wide := NewInt4(n, k), M(make([]float32, n*k), n, k)
			for i := range n {
				q.SetRow(i, noise(k, .05, uint64(i)))
				q.Row(wide.Row(i), i)
			}
			a, ep := random(0, m, k, 1), Epilogue{Bias: noise(n, 1, 3), Act: ActReLU, Residual: random(0, m, n, 4)}
			y, both := M(make([]float32, m*n), m, n), M(make([]float32, m*n), m, n)
			w, shared := NewWork(nil), NewWork(pool)
			f := q.Words(shared)
			if f == nil {
				return
			}
			GemmInt4(w, y, a, f, ep)
			GemmInt4(shared, both, a, f, ep)
			for i := range m {
				row := a.Row(i)
				lo, hi, _ := spreadGeneric(row)
				half := float64(hi-lo) / 255 * .5001 // a number of x is rounded by at most that
				for j := range n {
					sum, off := 0., 1e-5
					for l, v := range row {
						x := float64(v)
						sum += x * float64(wide.Row(j)[l])
						off += half*math.Abs(float64(wide.Row(j)[l])) + (math.Abs(x)+half)*4.001*float64(f.step[j])
					}
					got := float64(y.Data[i*n+j] - ep.Residual.Row(i)[j])
					if want := max(sum+float64(ep.Bias[j]), 0); !(math.Abs(got-want) <= off) {
						t.Fatalf("%v: c[%d, %d] = %g, want %g ± %g", s, i, j, got, want, off)
					}
					if y.Data[i*n+j] != both.Data[i*n+j] {
						t.Fatalf("%v: c[%d, %d] is %g alone, %g with a pool", s, i, j, y.Data[i*n+j], both.Data[i*n+j])
					}
				}
			}
			bad := make([]float32, k)
			bad[0] = float32(math.Inf(1))
			q.SetRow(0, bad)
			if GemmInt4(w, y, a, q.Words(w), Epilogue{}); y.Data[0] == y.Data[0] {
				t.Errorf("%v: infinite weights give %g", s, y.Data[0])
			}
			if allocs := testing.AllocsPerRun(3, func() { GemmInt4(w, y, a, f, ep) }); allocs > 0 {
				t.Errorf("%v: %g allocations", s, allocs)
			}
		}
	})
}
