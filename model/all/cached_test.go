package all

import (
	"slices"
	"testing"

	"fovea/model"
	"fovea/nn"
	"fovea/ops"
)

// TestCachedDecode: each step of a text that is written piece by piece after the fixture's prompt has the logits that reading all of
// it at once gives at that place. BLIP's and Florence-2's caches, of texts that look at other rows, have tests of their own.
func TestCachedDecode(t *testing.T) {
	tried := 0
	forEach(t, func(t *testing.T, x *fixture) {
		net, ok := x.load(t).(model.Speaker)
		if !ok {
			t.Skip("the network does not write on from a prompt")
		}
		tried++
		tape := newTape()
		sight, err := net.Look(tape, x.pictures)
		if err != nil {
			t.Fatal(err)
		}
		p, err := net.Prompt(sight, nil, "What is it?")
		if err != nil {
			t.Fatal(err)
		}
		d := net.Voice().Decoder
		w := nn.NewTeller(d, tape)
		row, err := w.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		steps := [][]float32{slices.Clone(row)}
		said := []int32{7, 11, 300, 7, 42, 9, 100, 8}
		for _, id := range said {
			if row, err = w.Step([]int32{id}); err != nil {
				t.Fatal(err)
			}
			steps = append(steps, slices.Clone(row))
		}
		whole := *p
		whole.IDs, whole.Places = slices.Concat(p.IDs, said), slices.Concat(p.Places, nn.Line(p.Next, len(said)))
		n := len(whole.IDs)
		full := newTape()
		h := d.Read(full, &nn.Pass{}, nn.NewKVCache(d.Config.Layers), &whole, 0, n)
		want := d.Logits(ops.Slice(h, n-len(steps), n))
		v := want.Shape.Last()
		for i, got := range steps {
			if f := far(got, want.Data[i*v:(i+1)*v]); !(f <= 1e-5) {
				t.Errorf("step %d: logits %.2g of their range away", i, f)
			}
		}
	})
	if tried == 0 {
		t.Error("no fixture writes")
	}
}
