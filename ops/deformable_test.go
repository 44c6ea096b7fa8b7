package ops

import (
	"math"
	"math/rand/v2"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// looks is deformable attention of 2 heads and 2 queries over maps of 2 × 3 and 1 × 2 cells.
var looks = Deformable{Heads: 2, Maps: [][2]int{{2, 3}, {1, 2}}, Points: []int{3, 2}, Scale: .5}

// views makes its operands for two pictures; all points lie apart from the cells' middles, where the derivative jumps.
func views(rng *rand.Rand) (v, off, logits *autograd.Param, boxes []float32) {
	v, off, logits = param(rng, 16, 6), param(rng, 4, 20), param(rng, 4, 10)
	for range 4 {
		boxes = append(boxes, rng.Float32(), rng.Float32(), .2+rng.Float32(), .2+rng.Float32())
	}
	for i := range logits.Data {
		c, n := looks.Maps[0], float32(looks.Points[0])
		if i%5 >= 3 {
			c, n = looks.Maps[1], float32(looks.Points[1])
		}
		box := boxes[i/10*4:]
		for axis, cells := range []float32{float32(c[1]), float32(c[0])} {
			at := &off.Data[2*i+axis]
			move := looks.Scale / n * box[2+axis] * cells
			x := float64(box[axis]*cells - .5 + *at*move)
			x = math.Floor(x) + .2 + .6*(x-math.Floor(x))
			*at = (float32(x) - box[axis]*cells + .5) / move
		}
	}
	return v, off, logits, boxes
}

func TestDeformableGradient(t *testing.T) {
	v, off, logits, boxes := views(rand.New(rand.NewPCG(1, 2)))
	f := func(t *autograd.Tape, in []*Value) *Value {
		return DeformableAttention(in[0], in[1], in[2], boxes, &looks)
	}
	if worst, err := autograd.Check(f, []*autograd.Param{v, off, logits}, 1e-2, 5e-3); err != nil {
		t.Errorf("%v (worst %g)", err, worst)
	}
}

// TestDeformable follows the definition, number by number.
func TestDeformable(t *testing.T) {
	v, off, logits, boxes := views(rand.New(rand.NewPCG(3, 4)))
	off.Data[7], boxes[6] = float32(math.NaN()), 1e30 // points that are nowhere see nothing
	tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
	got := DeformableAttention(tape.Use(v), tape.Use(off), tape.Use(logits), boxes, &looks)
	want := make([]float32, len(got.Data))
	for q := range 4 {
		for h := range 2 {
			sum := 0.
			for p := range 5 {
				sum += math.Exp(float64(logits.Data[q*10+h*5+p]))
			}
			for p := range 5 {
				i := q*10 + h*5 + p
				first, rows, cols, n := 8*(q/2), 2, 3, 3.
				if p >= 3 {
					first, rows, cols, n = first+6, 1, 2, 2
				}
				x := float64(boxes[4*q]) + float64(off.Data[2*i])/n*float64(boxes[4*q+2])*.5
				y := float64(boxes[4*q+1]) + float64(off.Data[2*i+1])/n*float64(boxes[4*q+3])*.5
				for r := range rows {
					for c := range cols {
						w := max(0, 1-math.Abs(x*float64(cols)-.5-float64(c))) * max(0, 1-math.Abs(y*float64(rows)-.5-float64(r)))
						if !(w > 0) {
							continue
						}
						for k := range 3 {
							want[q*6+h*3+k] += float32(w * math.Exp(float64(logits.Data[i])) / sum * float64(v.Data[(first+r*cols+c)*6+h*3+k]))
						}
					}
				}
			}
		}
	}
	near(t, got.Data, want)
}

// TestMapGradients compares the gradients of the operations on maps of features with finite differences.
func TestMapGradients(t *testing.T) {
	for name, c := range map[string]struct {
		shapes [][]int
		f      func(in []*Value) *Value
	}{
		"maxpool 3x3":      {[][]int{{2, 5, 4, 3}}, func(in []*Value) *Value { return MaxPool(in[0], 3, 2, 1) }},
		"maxpool, halving": {[][]int{{2, 4, 6, 5}}, func(in []*Value) *Value { return MaxPool(in[0], 2, 2, 0) }},
		"maxpool 2x2":      {[][]int{{1, 3, 4, 2}}, func(in []*Value) *Value { return MaxPool(in[0], 2, 1, 0) }},
		"pad":              {[][]int{{2, 2, 3, 2}}, func(in []*Value) *Value { return PadEnd(in[0], 2, 1) }},
		"join all":         {[][]int{{2, 3, 2, 1}, {2, 3, 2, 4}, {2, 3, 2, 2}}, func(in []*Value) *Value { return JoinAll(in[0], in[1], in[2], in[0]) }},
		"columns":          {[][]int{{2, 3, 7}}, func(in []*Value) *Value { return JoinAll(Columns(in[0], 2, 5), Columns(in[0], 4, 7)) }},
		"clamp":            {[][]int{{5, 7}}, func(in []*Value) *Value { return Clamp(in[0], -.5, .8) }},
		"scale and shift":  {[][]int{{5, 7}, {1}, {1}}, func(in []*Value) *Value { return ScaleShift(in[0], in[1], in[2]) }},
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			var ps []*autograd.Param
			for _, s := range c.shapes {
				ps = append(ps, param(rng, s...))
			}
			if worst, err := autograd.Check(func(_ *autograd.Tape, in []*Value) *Value { return c.f(in) }, ps, 1e-3, 5e-3); err != nil {
				t.Errorf("%v (worst %g)", err, worst)
			}
		})
	}
}

// TestMaps: pooling, padding and joining by hand.
func TestMaps(t *testing.T) {
	tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
	x := tape.Input([]float32{-1, -2, -3, -4, -5, -6}, 1, 2, 3, 1)
	near(t, MaxPool(x, 3, 2, 1).Data, []float32{-1, -2})
	near(t, MaxPool(x, 2, 1, 0).Data, []float32{-1, -2})
	near(t, PadEnd(x, 1, 1).Data, []float32{-1, -2, -3, 0, -4, -5, -6, 0, 0, 0, 0, 0})
	near(t, JoinAll(x, x).Data, []float32{-1, -1, -2, -2, -3, -3, -4, -4, -5, -5, -6, -6})
	near(t, Columns(tape.View(x, 2, 3), 1, 3).Data, []float32{-2, -3, -5, -6})
	near(t, Clamp(x, -4, -3).Data, []float32{-3, -3, -3, -4, -4, -4})
}
