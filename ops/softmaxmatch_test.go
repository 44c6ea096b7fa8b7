package ops

import (
	"math"
	"math/rand/v2"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
)

func TestSoftmaxMatch(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	same := []bool{true, false, false, false, true, true, false, false, true} // text 2 fits picture 1, but not the other way round
	in := []*autograd.Param{param(rng, 3, 4), param(rng, 3, 4), param(rng, 1)}
	f := func(t *autograd.Tape, in []*Value) *Value {
		return SoftmaxMatch(Normalize(in[0]), Normalize(in[1]), in[2], same)
	}
	if worst, err := autograd.Check(f, in, 2e-3, 5e-3); err != nil {
		t.Errorf("%v (worst %g)", err, worst)
	}
	tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
	x := []*Value{Normalize(tape.Use(in[0])), Normalize(tape.Use(in[1]))}
	logit := func(i, j int) float64 {
		return math.Exp(float64(in[2].Data[0])) * float64(kernel.Dot(x[0].Data[4*i:4*i+4], x[1].Data[4*j:4*j+4]))
	}
	want := 0.
	for i := range 3 {
		row, column := 0., 0.
		for j := range 3 {
			if i == j || !same[3*i+j] {
				row += math.Exp(logit(i, j))
			}
			if i == j || !same[3*j+i] {
				column += math.Exp(logit(j, i))
			}
		}
		want += (math.Log(row) + math.Log(column) - 2*logit(i, i)) / 6
	}
	near(t, f(tape, []*Value{tape.Use(in[0]), tape.Use(in[1]), tape.Use(in[2])}).Data, []float32{float32(want)})
}
