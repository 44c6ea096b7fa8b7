package nn

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// drawn gives blank parameters random values.
func drawn(m any) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, p := range Params(m) {
		p.Data = make([]float32, p.Shape.Size())
		Normal(rng, p, .3)
	}
}

// decoders are small networks with each of the parts that a configuration can switch on.
func decoders(t *testing.T) map[string]*Decoder {
	t.Helper()
	base := DecoderConfig{Width: 16, Layers: 2, Heads: 4, KVHeads: 2, Inner: 24, Act: "silu", Eps: 1e-6, Vocab: 30, MaxLen: 64, Theta: 1e4}
	two := 3
	out := map[string]*Decoder{}
	for name, change := range map[string]func(c *DecoderConfig){
		"llama": func(c *DecoderConfig) {},
		"gemma": func(c *DecoderConfig) { c.PlusOne, c.Scaled, c.Tied, c.KVHeads, c.HeadDim = true, true, true, 1, 8 },
		"gemma2": func(c *DecoderConfig) {
			c.PlusOne, c.PostNorms, c.ScoreLimit, c.LogitLimit, c.QueryScalar, c.Window, c.Alternate = true, true, 5, 3, 7, &two, true
		},
		"qwen": func(c *DecoderConfig) {
			c.QKVBias, c.Parameters = true, &RoPEConfig{Theta: 1e6, Sections: []int{1, 1, 0}}
		},
		"qwen3": func(c *DecoderConfig) {
			c.QKNorm, c.Scaling = true, &RoPEConfig{Type: "default", Sections: []int{0, 1, 1}, Interleaved: true}
		},
	} {
		c := base
		change(&c)
		d, err := NewDecoder(c)
		if err != nil {
			t.Fatal(err)
		}
		drawn(d)
		out[name] = d
	}
	return out
}

func blankTape() *autograd.Tape { return autograd.NewTape(kernel.NewWork(nil), 0, false) }

// full gives the logits at every token of a text that is read in one go.
func full(d *Decoder, ids []int32) []float32 {
	t := blankTape()
	h := d.Forward(&Pass{}, d.Embed(t, ids, 0, nil), Reading{Texts: []*KVCache{NewKVCache(d.Config.Layers)}, Lens: []int{len(ids)}, Places: Line(0, len(ids))})
	return d.Logits(h).Data
}

func close32(a, b []float32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !(math.Abs(float64(a[i]-b[i])) <= 1e-4) {
			return false
		}
	}
	return true
}

// TestDecodersRememberWhatTheyRead: pieces that are read one after the other, shared and reordered beginnings, and texts side
// by side give what reading all at once gives.
func TestDecodersRememberWhatTheyRead(t *testing.T) {
	ids := []int32{3, 14, 15, 9, 26, 5, 3, 5, 8, 9, 7, 9}
	for name, d := range decoders(t) {
		t.Run(name, func(t *testing.T) {
			v := d.Config.Vocab
			at := func(ids []int32) []float32 { all := full(d, ids); return all[len(all)-v:] }
			w := NewTeller(d, blankTape())
			w.Weigh = true
			for _, shared := range []int{0, 2, 5, 8} {
				p := &Prompt{IDs: ids[:6], Places: Line(0, 6), Next: 6, Shared: shared}
				logits, err := w.Read(p)
				if err != nil || !close32(logits, at(ids[:6])) {
					t.Fatalf("prompt, %d shared: %v", shared, err)
				}
				for i, id := range ids[6:9] {
					if logits, err = w.Step([]int32{id}); err != nil || !close32(logits, at(ids[:7+i])) {
						t.Fatalf("step %d: %v", i, err)
					}
				}
				if len(w.Chances) != 3 {
					t.Fatalf("%d chances", len(w.Chances))
				}
				row, sum := at(ids[:6]), 0.
				for _, l := range row {
					sum += math.Exp(float64(l))
				}
				if want := math.Exp(float64(row[ids[6]])) / sum; math.Abs(w.Chances[0]-want) > 1e-5 {
					t.Errorf("chance %g, want %g", w.Chances[0], want)
				}
				if err := w.Reorder([]int{0, 0, 0}); err != nil {
					t.Fatal(err)
				}
				tails := [][]int32{{1, 2}, {4, 5}, {7, 8}}
				if _, err = w.Step([]int32{1, 4, 7}); err != nil {
					t.Fatal(err)
				}
				if err := w.Reorder([]int{2, 0}); err != nil {
					t.Fatal(err)
				}
				if logits, err = w.Step([]int32{8, 2}); err != nil {
					t.Fatal(err)
				}
				want := append(slices.Clone(at(append(slices.Clone(ids[:9]), tails[2]...))), at(append(slices.Clone(ids[:9]), tails[0]...))...)
				if !close32(logits, want) {
					t.Error("beams differ")
				}
			}
		})
	}
}

// TestDecoderMemory: without a Tap, more layers take no more memory of the tape, and the feed-forward layers no more than
// rowsAtOnce rows of theirs.
func TestDecoderMemory(t *testing.T) {
	size := func(layers, n int) int {
		d, err := NewDecoder(DecoderConfig{Width: 8, Layers: layers, Heads: 2, KVHeads: 1, Inner: 512, Act: "silu", Eps: 1e-6, Vocab: 10, MaxLen: 4096, Theta: 1e4})
		if err != nil {
			t.Fatal(err)
		}
		drawn(d)
		tape := blankTape()
		ids := make([]int32, n)
		d.Forward(&Pass{}, d.Embed(tape, ids, 0, nil), Reading{Texts: []*KVCache{NewKVCache(layers)}, Lens: []int{n}, Places: Line(0, n)})
		return tape.Bytes()
	}
	if one, six := size(1, 600), size(6, 600); six != one {
		t.Errorf("a layer takes %d bytes, six take %d", one, six)
	}
	// 600 rows of 8 features, a dozen times; scores of 128 queries; 256 rows of 512 features, three or four times
	if got, most := size(1, 600), 4*(600*8*16+128*600+256*512*5); got > most {
		t.Errorf("%d bytes, at most %d", got, most)
	}
}

func TestDecoderConfigs(t *testing.T) {
	zero := 0
	for want, change := range map[string]func(c *DecoderConfig){
		"hidden_size 0":               func(c *DecoderConfig) { c.Width = 0 },
		"num_key_value_heads 3":       func(c *DecoderConfig) { c.KVHeads = 3 },
		"rms_norm_eps 2":              func(c *DecoderConfig) { c.Eps = 2 },
		`rope_type "yarn"`:            func(c *DecoderConfig) { c.Scaling = &RoPEConfig{Type: "yarn"} },
		"rope_theta 0":                func(c *DecoderConfig) { c.Theta = 0 },
		"mrope_section [1 1 1]":       func(c *DecoderConfig) { c.Parameters = &RoPEConfig{Sections: []int{1, 1, 1}} },
		"mrope_section [4611686018":   func(c *DecoderConfig) { c.Parameters = &RoPEConfig{Sections: []int{1 << 62, 1 << 62, 2}} },
		"factor 0":                    func(c *DecoderConfig) { c.Parameters = &RoPEConfig{Type: "linear"} },
		`unknown hidden_act "square"`: func(c *DecoderConfig) { c.Act = "square" },
		"1 layer_types":               func(c *DecoderConfig) { c.LayerTypes = []string{"full_attention"} },
		"sliding_window": func(c *DecoderConfig) {
			c.LayerTypes, c.Window = []string{"full_attention", "sliding_attention"}, &zero
		},
		"even number of features":   func(c *DecoderConfig) { c.HeadDim = 3 },
		"attn_logit_softcapping -1": func(c *DecoderConfig) { c.ScoreLimit = -1 },
	} {
		c := DecoderConfig{Width: 16, Layers: 2, Heads: 4, KVHeads: 2, Inner: 24, Act: "silu", Eps: 1e-6, Vocab: 30, MaxLen: 64, Theta: 1e4}
		change(&c)
		if _, err := NewDecoder(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestTellerRefuses(t *testing.T) {
	d := decoders(t)["llama"]
	w := NewTeller(d, blankTape())
	if _, err := w.Read(&Prompt{IDs: make([]int32, 65), Places: Line(0, 65)}); err == nil || !strings.Contains(err.Error(), "65 tokens") {
		t.Errorf("got %v", err)
	}
	if _, err := w.Read(&Prompt{IDs: []int32{1, 2, 1}, Places: Line(0, 3), Image: 1, Features: make([]float32, 16)}); err == nil || !strings.Contains(err.Error(), "2 tokens of the prompt stand for pictures") {
		t.Errorf("got %v", err)
	}
	if _, err := w.Read(&Prompt{IDs: make([]int32, 63), Places: Line(0, 63), Next: 63}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Step([]int32{99}); err == nil || !strings.Contains(err.Error(), "token 99") {
		t.Errorf("got %v", err)
	}
	if err := w.Reorder([]int{1}); err == nil {
		t.Error("a text that is not there")
	}
	if _, err := w.Step([]int32{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Step([]int32{1}); err == nil || !strings.Contains(err.Error(), "has reached 64 tokens") {
		t.Errorf("got %v", err)
	}
}

// TestHalfCache: texts held as bfloat16 go on as those of float32 do, within its rounding, from half of the memory.
func TestHalfCache(t *testing.T) {
	for name, d := range decoders(t) {
		var logits [2][]float32
		var bytes [2]int
		for i, half := range []bool{false, true} {
			w := NewTeller(d, blankTape())
			w.Half = half
			x, err := w.Read(&Prompt{IDs: []int32{3, 14, 15, 9, 26}, Places: Line(0, 5), Next: 5, Shared: 2})
			for _, id := range []int32{5, 8, 9, 7} {
				if err == nil {
					x, err = w.Step([]int32{id})
				}
			}
			if err == nil {
				err = w.Reorder([]int{0, 0})
			}
			if err == nil {
				x, err = w.Step([]int32{1, 2})
			}
			if err != nil {
				t.Fatal(err)
			}
			logits[i], bytes[i] = slices.Clone(x), w.Bytes()
		}
		worst, most := float32(0), kernel.MaxAbs(logits[0])
		for i, v := range logits[0] {
			worst = max(worst, max(v-logits[1][i], logits[1][i]-v))
		}
		if !(worst > 0 && worst <= .02*most) || 2*bytes[1] > bytes[0]+256 {
			t.Errorf("%s: %g of %g away, %d bytes of %d", name, worst, most, bytes[1], bytes[0])
		}
	}
}

// TestStepAllocates nothing, whatever the weights are held in, once a text has room for more tokens.
func TestStepAllocates(t *testing.T) {
	for _, precision := range []string{"f32", "bf16", "int8", "int4"} {
		for name, d := range decoders(t) {
			if precision != "f32" {
				if _, _, err := Lower(d, precision); err != nil {
					t.Fatal(err)
				}
			}
			pool := kernel.NewPool(2)
			w := NewTeller(d, autograd.NewTape(kernel.NewWork(pool), 0, false))
			if _, err := w.Read(&Prompt{IDs: []int32{1, 2, 3}, Places: Line(0, 3), Next: 3}); err != nil {
				t.Fatal(err)
			}
			w.Weigh = true
			one := []int32{4}
			step := func() {
				if _, err := w.Step(one); err != nil {
					t.Fatal(err)
				}
			}
			step()
			w.Chances = make([]float64, 0, 64) // they are the text's, not the step's
			if n := testing.AllocsPerRun(20, step); n != 0 {
				t.Errorf("%s in %s: %g allocations", name, precision, n)
			}
			pool.Close()
		}
	}
}
