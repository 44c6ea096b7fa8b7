package unified

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"fovea/checkpoint"
	"fovea/internal/kernel"
	"fovea/nn"
)

// TestBackbone: a model that gets pretrained convolutions keeps its blocks and read-outs, finds the weights in the file, can be
// saved and opened, and refuses what does not fit.
func TestBackbone(t *testing.T) {
	m := newTestModel(t, "tiny")
	c := m.Config
	c.Backbone = Lite0
	n, err := m.Regrown(c, 7)
	if err != nil {
		t.Fatal(err)
	}
	if n.Stem.Lite == nil || n.Stem.S2 != nil {
		t.Fatal("the stem is still the model's own")
	}
	if got, want := n.Stack.Blocks[0], m.Stack.Blocks[0]; nn.Params(got)[0].Data[0] != nn.Params(want)[0].Data[0] {
		t.Error("the blocks are not the old ones")
	}
	nn.Params(n) // names of the whole model again
	nn.Params(m)

	file := filepath.Join(t.TempDir(), "lite0.safetensors")
	eyes := nn.NewLite(rand.New(rand.NewPCG(3, 4)))
	if err := checkpoint.Write(file, nn.Params(eyes), checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := n.LoadBackbone(file); err != nil {
		t.Fatal(err)
	}
	if got, want := n.Stem.Lite.Net.Blocks[3].Project.Weight.Data[5], eyes.Blocks[3].Project.Weight.Data[5]; got != want {
		t.Errorf("a weight of the backbone is %g, want %g", got, want)
	}
	whole := filepath.Join(t.TempDir(), weightsFile)
	if err := checkpoint.Write(whole, n.Params(), checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Open(whole)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	again, err := build(n.Config, n.Vocab, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkpoint.Bind(again.Params(), f, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := again.Stem.Lite.Deep.Weight.Data[9], n.Stem.Lite.Deep.Weight.Data[9]; got != want {
		t.Errorf("a weight read back is %g, want %g", got, want)
	}
	if !again.Stem.Lite.Net.Stem.Weight.Frozen {
		t.Error("the first convolution would be trained")
	}

	if err := m.LoadBackbone(file); err == nil {
		t.Error("a model without a backbone took one")
	}
	if err := n.LoadBackbone(whole); err == nil {
		t.Error("a whole model was taken as a backbone")
	}
	detailed := c
	detailed.Detailed = true
	d, err := n.Regrown(detailed, 7)
	if err != nil {
		t.Fatal(err)
	}
	_, exs := samples(t, d, 1)
	tokens := func(m *Model) []float32 {
		r := NewRunner(m, kernel.NewWork(nil))
		return r.Encode(exs[0].Image).Tokens
	}
	before := tokens(n)
	if !slices.Equal(before, tokens(d)) {
		t.Error("patches that get their detail answer otherwise before anything is learnt")
	}
	d.Stem.Lite.Detail8.Map.Data[0] = 1
	if slices.Equal(before, tokens(d)) {
		t.Error("the detail of patches reaches nothing")
	}
	c.Size = 48
	if _, err := m.Regrown(c, 7); err == nil {
		t.Error("48 pixels do not divide by 32 and were taken")
	}
}
