package nn

import (
	"math/rand/v2"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/ops"
)

// TestSpread: blocks whose rows are spread over threads give what one thread gives, with what layers may have besides: norms of
// queries and keys, scales, gates, narrow weights, several pictures, taps and kept keys and values.
func TestSpread(t *testing.T) {
	const d, patches = 64, 300
	pool := kernel.NewPool(2)
	defer pool.Close()
	for name, c := range map[string]struct {
		images    int
		precision string
		change    func(b *Block, rng *rand.Rand)
		whole     bool // without kept keys, so that a thread takes a picture as a whole
		untapped  bool
	}{
		"whole pictures": {4, "f32", nil, true, true},
		"whole blocks":   {4, "f32", nil, true, false},
		"plain":          {images: 1, precision: "f32"},
		"three pictures": {images: 3, precision: "f32"},
		"norms of heads": {2, "f32", func(b *Block, _ *rand.Rand) {
			b.Attn.QNorm, b.Attn.KNorm = NewLayerNorm(d/4, false), NewLayerNorm(d/4, false)
		}, false, false},
		"scales": {2, "f32", func(b *Block, rng *rand.Rand) { b.Scale1, b.Scale2 = newScale(rng, d), newScale(rng, d) }, false, false},
		"gate": {1, "f32", func(b *Block, rng *rand.Rand) {
			b.MLP = &GatedMLP{NewDense(rng, d, 96, true), NewDense(rng, d, 96, true), NewDense(rng, 96, d, true), nil}
		}, false, false},
		"pairs":           {images: 2, precision: "bf16"},
		"bytes":           {images: 1, precision: "int8"},
		"halves of bytes": {images: 1, precision: "int4"},
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			s := &Stack{Norm: NewLayerNorm(d, true)}
			for range 2 {
				b := NewBlock(rng, BlockConfig{Width: d, Heads: 4, MLPRatio: 4, Bias: true})
				Normal(rng, b.Attn.O.(*Dense).Weight, .1)
				Normal(rng, b.MLP.(*MLP).Down.(*Dense).Weight, .1)
				if c.change != nil {
					c.change(b, rng)
				}
				s.Blocks = append(s.Blocks, b)
			}
			if c.precision != "f32" {
				if _, _, err := Lower(s, c.precision); err != nil {
					t.Fatal(err)
				}
			}
			Fix(Params(s))
			x := make([]float32, c.images*patches*d)
			for i := range x {
				x[i] = float32(rng.NormFloat64())
			}
			run := func(work *kernel.Work) (out []float32, keep *ImageCache, taps [][]float32) {
				tape := autograd.NewTape(work, 0, false)
				in := tape.Input(x, c.images*patches, d)
				p := &Pass{Layout: &ops.Layout{Images: c.images, Patches: patches}}
				if !c.whole {
					p.Keep = &ImageCache{}
				} else if n := p.spreads(in); n > 1 {
					t.Fatalf("%d parts of each picture", n)
				}
				if parts := p.spreads(in); (parts > 0) != (work.Workers() > 1) {
					t.Fatalf("%d threads, %d parts", work.Workers(), parts)
				}
				if !c.untapped {
					p.Tap = func(_ int, x *Value) *Value { taps = append(taps, x.Data); return x }
				}
				return s.Forward(p, in).Data, p.Keep, taps
			}
			want, wantKeep, wantTaps := run(kernel.NewWork(nil))
			got, keep, taps := run(kernel.NewWork(pool))
			near := func(what string, got, want []float32) {
				t.Helper()
				if len(got) != len(want) {
					t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
				}
				for i, v := range want {
					if d := got[i] - v; !(d < 1e-4 && d > -1e-4) {
						t.Fatalf("%s: element %d is %g, want %g", what, i, got[i], v)
					}
				}
			}
			near("result", got, want)
			if !c.whole {
				for i, l := range wantKeep.Layers {
					near("kept keys", keep.Layers[i].K, l.K)
					near("kept values", keep.Layers[i].V, l.V)
				}
			}
			for i, h := range wantTaps {
				near("tapped state", taps[i], h)
			}
		})
	}
}

func newScale(rng *rand.Rand, d int) *Scale {
	s := &Scale{autograd.NewParam(autograd.Vector, d)}
	Normal(rng, s.Weight, 1)
	return s
}

// TestSideBySide: every call has a tape of its own, and a panic in one is the caller's.
func TestSideBySide(t *testing.T) {
	pool := kernel.NewPool(2)
	defer pool.Close()
	tape := autograd.NewTape(kernel.NewWork(pool), 0, false)
	sums := make([]float32, 40)
	for range 3 {
		clear(sums)
		tape.Side(len(sums), func(side *autograd.Tape, i int) {
			v := side.New(false, 100)
			for j := range v.Data {
				v.Data[j] = float32(i)
			}
			for _, u := range v.Data {
				sums[i] += u
			}
		})
		for i, s := range sums {
			if s != float32(100*i) {
				t.Fatalf("call %d gives %g", i, s)
			}
		}
	}
	defer func() {
		if recover() != "lost" {
			t.Error("no panic")
		}
	}()
	tape.Side(4, func(_ *autograd.Tape, i int) {
		if i == 2 {
			panic("lost")
		}
	})
}
