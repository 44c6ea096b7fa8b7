package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// TestAttendRow compares with the definition in double precision, with and without a pool, which must not change a bit.
func TestAttendRow(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	eachImpl(t, func(t *testing.T) {
		one, two := NewWork(nil), NewWork(pool)
		for _, c := range []struct {
			heads, groups, k int
			stretches        []int
			limit            float32
		}{
			{1, 1, 32, []int{1}, 0}, {3, 1, 64, []int{7}, 0}, {9, 3, 64, []int{100, 0, 29}, 0}, {8, 8, 32, []int{5, 300}, 2},
			{7, 1, 96, []int{33}, 0}, {12, 2, 160, []int{64, 1}, 1.5}, {10, 2, 128, []int{1000}, 0},
		} {
			d := c.groups * c.k
			q, got, want := noise(c.heads*c.k, 1, 3), make([]float32, c.heads*c.k), make([]float32, c.heads*c.k)
			a := RowAttention{Q: q, Heads: c.heads, Groups: c.groups, K: c.k, Scale: .3, Limit: c.limit}
			var keys, values []float32
			var text []Stretch
			for i, n := range c.stretches {
				k, v := halves(n*d, uint64(10*i+4)), halves(n*d, uint64(10*i+5))
				text = append(text, Stretch{k, v})
				keys, values = append(keys, wide(k)...), append(values, wide(v)...)
			}
			a.Y = got
			AttendRow(two, a, text)
			a.Y = want
			AttendRow(one, a, text)
			if !slices.Equal(got, want) {
				t.Errorf("%v: a pool changes the result", c)
			}
			for h := range c.heads {
				at, sum, y := h/(c.heads/c.groups)*c.k, 0., make([]float64, c.k)
				for n := 0; n < len(keys); n += d {
					s := 0.
					for l := range c.k {
						s += float64(q[h*c.k+l]) * float64(keys[n+at+l])
					}
					if s *= float64(a.Scale); c.limit > 0 {
						s = float64(c.limit) * math.Tanh(s/float64(c.limit))
					}
					p := math.Exp(s)
					sum += p
					for l := range y {
						y[l] += p * float64(values[n+at+l])
					}
				}
				for l, v := range y {
					if g := float64(got[h*c.k+l]); !(math.Abs(g-v/sum) <= 4e-6*(1+math.Abs(v/sum))) {
						t.Fatalf("%v: head %d, feature %d is %g, want %g", c, h, l, g, v/sum)
					}
				}
			}
		}
		a := RowAttention{Q: noise(576, 1, 1), Y: make([]float32, 576), Heads: 9, Groups: 3, K: 64, Scale: 1}
		text := []Stretch{{halves(400*192, 1), halves(400*192, 2)}}
		if n := testing.AllocsPerRun(10, func() { AttendRow(two, a, text) }); n != 0 {
			t.Errorf("%g allocations", n)
		}
	})
}

// TestMixBF16 writes its columns alone, for every number of rows and of registers.
func TestMixBF16(t *testing.T) {
	eachImpl(t, func(t *testing.T) {
		for m := 1; m <= fewPass; m++ {
			for k := 16; k <= 112; k += 16 {
				for _, n := range []int{1, 2, 9} {
					t.Run(fmt.Sprint(m, n, k), func(t *testing.T) {
						y, check := guarded(t, make([]float32, m*(k+3)), k%16)
						for i := range y {
							y[i] = sentinel
						}
						for j := range m {
							copy(y[j*(k+3):], noise(k, 1, uint64(j)))
						}
						want := slices.Clone(y)
						s, v := noise(m*(n+2), 1, 8), halves(n*(k+5), 9)
						mixBF16(m, y, s, v, n, k, k+5, k+3, n+2)
						mixBF16Generic(m, want, s, v, n, k, k+5, k+3, n+2)
						check()
						for i, w := range want {
							if math.Float32bits(y[i]) != math.Float32bits(w) && !(abs(y[i]-w) <= 1e-5) { // the sentinel is NaN
								t.Fatalf("element %d is %g, want %g", i, y[i], w)
							}
						}
					})
				}
			}
		}
	})
}

// halves are bfloat16 at an odd multiple of two bytes.
func halves(n int, seed uint64) []uint16 {
	h := make([]uint16, n+1)[1:]
	ToBF16(h, noise(n, 1, seed))
	return h
}

func wide(h []uint16) []float32 {
	x := make([]float32, len(h))
	FromBF16(x, h)
	return x
}
