package all

import (
	"io/fs"
	"math"
	"math/rand/v2"
	"testing"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/internal/nano"
	"fovea/model"
	"fovea/model/unified"
	"fovea/nn"
	"fovea/task"
	"fovea/tokenizer"
)

// vocabulary is that of the program's own model.
func vocabulary(t *testing.T) *task.Vocabulary {
	t.Helper()
	b, err := fs.ReadFile(nano.FS(), "tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	v, err := task.NewVocabulary(tok)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// trunk makes a joint model of the fixture's encoder; it skips those that are none.
func (x *fixture) trunk(t *testing.T) (model.Trunk, *unified.Model) {
	t.Helper()
	e, ok := x.load(t).(model.Encoder)
	if !ok {
		t.Skip("the network is no plain encoder")
	}
	trunk, err := e.Trunk()
	if err != nil {
		t.Skip(err)
	}
	v := vocabulary(t)
	like, err := unified.Variant("tiny")
	if err != nil {
		t.Fatal(err)
	}
	like.Size, like.Labels = 0, []string{"cat"}
	m, err := unified.FromEncoder(trunk.Vision, trunk.Post, trunk.Pixels, x.folder.Name, like, v, 1)
	if err != nil {
		t.Fatal(err)
	}
	return trunk, m
}

// TestTrunkParity: the image tokens of a joint model that starts from an encoder are those of the encoder's patches, for pictures
// of the size that the joint model sees; and they are the same when prompts are put beside the picture.
func TestTrunkParity(t *testing.T) {
	tried := 0
	forEach(t, func(t *testing.T, x *fixture) {
		trunk, m := x.trunk(t)
		tried++
		s := m.Config.Size
		img := imageproc.Resize(x.pictures[0], s, s, imageproc.Bilinear)

		tape := newTape()
		h := trunk.Vision.Forward(&nn.Pass{}, tape.Input(trunk.Pixels.Normalize(img), 1, s, s, 3))
		if trunk.Vision.Stack.Norm == nil {
			h = trunk.Post.Forward(h)
		}
		first := m.Config.Tokens() - m.Config.Patches()
		want := nn.RowsOfEach(h, 1, first, m.Config.Tokens()).Data

		run := unified.NewRunner(m, kernel.NewWork(nil))
		got := run.Encode(img).Tokens
		compare := func(what string, got []float32) {
			t.Helper()
			if len(got) != len(want) {
				t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
			}
			worst := 0.
			for i, w := range want {
				worst = max(worst, math.Abs(float64(got[i]-w)))
			}
			t.Logf("%s: %d pixels, patches of %d, %d tokens before: %.2g", what, s, m.Config.Stride, first, worst)
			if !(worst <= 1e-4) {
				t.Errorf("%s: %g from the encoder's", what, worst)
			}
		}
		compare("alone", got)

		g := task.CaptionPrompt(m.Vocab)
		two := autograd.NewTape(kernel.NewWork(nil), 0, false)
		pixels := make([]float32, 2*s*s*3)
		for i := range pixels {
			pixels[i] = (float32(img.Pix[i%len(img.Pix)])/255 - .45) / .25
		}
		out := m.Forward(two, two.Input(pixels, 2, s, s, 3), []unified.Prompt{{Image: 0, Group: &g}, {Image: 1, Group: &g}}, &unified.Scratch{}, nil)
		compare("second of two, with prompts", out.Tokens.Data[len(want):])
	})
	if tried == 0 {
		t.Error("no fixture is an encoder")
	}
}

// TestSavedEncoder: the encoder that is taken out of a joint model opens as a published one and gives the same tokens, and a joint
// model that starts from it has them again.
func TestSavedEncoder(t *testing.T) {
	v := vocabulary(t)
	c, err := unified.Variant("vit")
	if err != nil {
		t.Fatal(err)
	}
	m, err := unified.New(c, v, 3)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, p := range m.Params() { // branches start at zero
		for i := range p.Data {
			p.Data[i] += float32(rng.NormFloat64()) * .05
		}
	}
	dir := t.TempDir()
	if err := m.SaveEncoder(dir); err != nil {
		t.Fatal(err)
	}
	net, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	img := imageproc.NewRGB(c.Size, c.Size)
	for i := range img.Pix {
		img.Pix[i] = uint8(i * i >> 3)
	}
	in, err := net.Process(model.Sample{Pictures: []*rgb{img}})
	if err != nil {
		t.Fatal(err)
	}
	want := unified.NewRunner(m, kernel.NewWork(nil)).Encode(img).Tokens
	if d := far(net.Run(newTape(), in)["vision.norm"].Data[c.Width:], want); !(d <= 1e-5) {
		t.Errorf("tokens %g of their range away", d)
	}
	trunk, err := net.(model.Encoder).Trunk()
	if err != nil {
		t.Fatal(err)
	}
	again, err := unified.FromEncoder(trunk.Vision, trunk.Post, trunk.Pixels, "saved", c, v, 4)
	if err != nil {
		t.Fatal(err)
	}
	if d := far(unified.NewRunner(again, kernel.NewWork(nil)).Encode(img).Tokens, want); !(d <= 1e-5) {
		t.Errorf("after a start from it %g of their range away", d)
	}
	if c.Trunk.Before = 2; (&unified.Model{Config: c}).SaveEncoder(dir) == nil {
		t.Error("a model with registers was saved as a plain encoder")
	}
}
