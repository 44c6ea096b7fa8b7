package unified

import (
	"math"
	"math/rand/v2"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/nn"
	"fovea/ops"
)

// The recomputed attention is the block's: with one head, map · V through the output layer is what the block's attention
// gives (max |Δ| ≤ 1e-4), for image tokens and for a prompt with a prefix. No row attends to what its layout hides.
func TestAttentionMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const d, patches, text = 16, 9, 5
	b := nn.NewBlock(rng, nn.BlockConfig{Width: d, Heads: 1, MLPRatio: 1, QKNorm: true})
	nn.Normal(rng, b.Attn.O.(*nn.Dense).Weight, .3)
	tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
	x := tape.New(false, patches+text, d)
	for i := range x.Data {
		x.Data[i] = float32(rng.NormFloat64())
	}
	l := &ops.Layout{Images: 1, Patches: patches, Groups: []ops.Group{{Start: patches, Len: text, Causal: true, Prefix: 2}}}
	n := patches + text
	y := b.Norm1.Forward(x)
	want := b.Attn.Forward(&nn.Pass{Layout: l}, y)
	v := b.Attn.V.Forward(y)
	q, k := b.Attn.QNorm.Forward(b.Attn.Q.Forward(y)), b.Attn.KNorm.Forward(b.Attn.K.Forward(y))
	a := meanAttention(&attended{1, q, k}, l)
	mixed := tape.New(false, n, d)
	for i := range n {
		sum := 0.
		for j := range n {
			w := a[i*n+j]
			sum += w
			if w != 0 && j >= visible(l, i) {
				t.Errorf("row %d attends to the hidden row %d", i, j)
			}
			for k := range d {
				mixed.Data[i*d+k] += float32(w) * v.Data[j*d+k]
			}
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("row %d sums to %g", i, sum)
		}
	}
	got := b.Attn.O.Forward(mixed)
	for i := range got.Data {
		if math.Abs(float64(got.Data[i]-want.Data[i])) > 1e-4 {
			t.Fatalf("element %d is %g, want %g", i, got.Data[i], want.Data[i])
		}
	}
}
