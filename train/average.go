package train

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// average keeps an exponential moving average of the trained parameters (Polyak and Juditsky 1992; the ramp of the decay is
// TensorFlow's ExponentialMovingAverage). Buffers are averages already.
type average struct {
	decay  float64
	params []*autograd.Param // the trained ones
	data   [][]float32
	t      float32 // share of the current weights that goes in at this step
	job    func(worker, i int)
}

func newAverage(params []*autograd.Param, decay float64) *average {
	a := &average{decay: decay}
	if decay > 0 {
		for _, p := range params {
			if trained(p) {
				a.params = append(a.params, p)
				a.data = append(a.data, append([]float32(nil), p.Data...))
			}
		}
	}
	a.job = func(_, i int) { kernel.Lerp(a.data[i], a.params[i].Data, a.t) }
	return a
}

// update takes the weights after a step counted from 0 into account.
func (a *average) update(c *crew, step int) {
	ramp := float64(1+step) / float64(10+step)
	a.t = float32(1 - min(a.decay, ramp))
	c.must(len(a.params), a.job)
}

// swap exchanges the averaged and the current weights, in place.
func (a *average) swap() {
	for i, p := range a.params {
		for j, v := range a.data[i] {
			a.data[i][j], p.Data[j] = p.Data[j], v
		}
	}
}
