package unified

import (
	"math"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/task"
)

// TestMapsOnDemand: pictures that are matched with captions leave the stride-4 maps alone, their running statistics included;
// scenes with masks and joints teach them.
func TestMapsOnDemand(t *testing.T) {
	m := newTestModel(t, "tiny")
	scenes, _ := samples(t, m, 4)
	var captions []*task.Sample
	for _, s := range matched(t, m) {
		captions = append(captions, &task.Sample{Image: s.Image, Groups: s.Groups[len(s.Groups)-1:]})
	}
	for _, c := range []struct {
		name  string
		batch []*task.Sample
		want  bool
	}{{"captions", captions, false}, {"scenes", scenes, true}} {
		for _, p := range m.Params() {
			p.Replicate(1)
			clear(p.Grads[0])
		}
		mean := m.Readout.Mix.Mean.Grads[0]
		mean[0] = float32(math.NaN()) // as train marks statistics that nothing was observed of
		tape := autograd.NewTape(kernel.NewWork(nil), 0, true)
		var sc Scratch
		loss, _ := m.Loss(tape, c.batch, DefaultWeights, nil, &sc)
		tape.Backward(loss, 1)
		if taught := kernel.SumSq(m.Readout.Up.Weight.Grads[0]) > 0; taught != c.want {
			t.Errorf("%s: the maps are taught: %v, want %v", c.name, taught, c.want)
		}
		if observed := mean[0] == mean[0]; observed != c.want {
			t.Errorf("%s: the maps' statistics are observed: %v, want %v", c.name, observed, c.want)
		}
		if loss.Data[0] == 0 {
			t.Errorf("%s: nothing is learnt", c.name)
		}
	}
}
