package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestAttend compares with attention in float64 of the same rounded operands: what is left is the rounding of probabilities, which
// partly cancels.
func TestAttend(t *testing.T) {
	t.Run("without tiles", func(t *testing.T) {
		restore, ok := withoutTiles()
		defer restore()
		if ok {
			testAttends(t)
		}
	})
	testAttends(t)
}

func testAttends(t *testing.T) {
	eachImpl(t, func(t *testing.T) {
		if _, ok := bf16Shape(); !ok {
			if w := NewWork(nil); Attend(w, Mat{}, Mat{}, Mat{}, Mat{}, 1, nil, nil) {
				t.Fatal("without such products nothing is done")
			}
			return
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for _, c := range [][3]int{{1, 1, 1}, {1, 31, 64}, {197, 197, 64}, {256, 320, 64}, {33, 64, 64}, {14, 33, 48}, {65, 100, 80}, {7, 1000, 17}, {40, 15, 96}} {
			t.Run(fmt.Sprint(c), func(t *testing.T) { testAttend(t, rng, c[0], c[1], c[2], Sight{}) })
		}
		for _, sight := range []Sight{{1, 0}, {1, 40}, {300, 0}, {480, 500}} {
			t.Run(fmt.Sprint(sight), func(t *testing.T) { testAttend(t, rng, 197, 512, 64, sight) })
		}
	})
}

func testAttend(t *testing.T, rng *rand.Rand, rows, n, d int, sight Sight) {
	w := NewWork(nil)
	w.RoundBF16()
	const sentinel = 12345
	random := func(rows int) Mat {
		m := Mat{Data: make([]float32, rows*(d+3)), Rows: rows, Cols: d, RS: d + 3, CS: 1}
		half := make([]uint16, len(m.Data))
		for i := range m.Data {
			m.Data[i] = float32(rng.NormFloat64() * 2)
		}
		toBF16(half, m.Data)
		fromBF16(m.Data, half)
		return m
	}
	q, k, v, y := random(rows), random(n), random(n), random(rows)
	for i := range y.Data {
		y.Data[i] = sentinel
	}
	scale := 1 / math.Sqrt(float64(d))
	top, inv := make([]float32, rows), make([]float32, rows)
	attend := func(top, inv []float32) {
		if sight == (Sight{}) {
			if !Attend(w, y, q, k, v, float32(scale), top, inv) {
				t.Fatal("nothing was done")
			}
			return
		}
		AttendKeys(w, k, v)
		AttendRows(w, y, q, float32(scale), sight, top, inv)
	}
	attend(top, inv)
	all, want := make([]float64, n), make([]float64, d)
	for i := range rows {
		p := all
		if sight.First > 0 {
			p = all[:min(max(sight.First+i, sight.Least), n)]
		}
		most, sum := math.Inf(-1), 0.0
		for j := range p {
			p[j] = 0
			for x := range d {
				p[j] += float64(q.Data[i*q.RS+x]) * float64(k.Data[j*k.RS+x]) * scale
			}
			most = max(most, p[j])
		}
		for j := range p {
			p[j] = math.Exp(p[j] - most)
			sum += p[j]
		}
		clear(want)
		for j := range p {
			for x := range want {
				want[x] += p[j] / sum * float64(v.Data[j*v.RS+x])
			}
		}
		if math.Abs(float64(top[i])-most) > 1e-4 || math.Abs(float64(inv[i])*sum-1) > 1e-4 {
			t.Fatalf("row %d: largest score %g and one over the sum %g, want %g and %g", i, top[i], inv[i], most, 1/sum)
		}
		for x, f := range want {
			if got := float64(y.Data[i*y.RS+x]); !(math.Abs(got-f) <= .008) {
				t.Fatalf("row %d, column %d: %g, want %g", i, x, got, f)
			}
		}
	}
	for i := range rows - 1 {
		for _, f := range y.Data[i*y.RS+d : (i+1)*y.RS] {
			if f != sentinel {
				t.Fatal("what lies between rows was written")
			}
		}
	}
	if a := testing.AllocsPerRun(3, func() { attend(nil, nil) }); a > 0 {
		t.Errorf("%g allocations", a)
	}
	q.Data[0] = float32(math.NaN())
	attend(nil, nil)
	for x := range d {
		if f := y.Data[x]; f == f {
			t.Fatalf("a query that is not a number gives %g", f)
		}
	}
	if rows > 1 && y.Data[y.RS] != y.Data[y.RS] {
		t.Fatal("a row without it is not a number")
	}
}
