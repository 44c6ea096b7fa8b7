package lite

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/model"
	"fovea/nn"
)

// waves is a network whose parameters are sines, weights with variance 2/n for n inputs of a sum.
func waves() *Net {
	rng := rand.New(rand.NewPCG(1, 2))
	n := &Net{Maps: nn.NewLite(rng), Wide: nn.NewDense(rng, nn.Lite32, width, true), Head: nn.NewDense(rng, width, 1000, true)}
	for j, p := range nn.Params(n) {
		scale := .3
		if p.Kind != autograd.Vector {
			scale = math.Sqrt(4 / float64(len(p.Data)/p.Shape[0]))
		}
		for i := range p.Data {
			p.Data[i] = float32(math.Sin(.37*float64(i)+1.3*float64(j)) * scale)
		}
	}
	return n
}

// TestReference compares the logits with those of efficientnet_lite_pytorch 0.1.0 (PyTorch 2.15) for the same weights and pictures,
// whose batch norms pass their input through.
func TestReference(t *testing.T) {
	in, x := model.Inputs{}, make([]float32, 2*64*96*3)
	for i := range x {
		x[i] = float32(math.Sin(.11 * float64(i)))
	}
	in.Put("pixel_values", x, 2, 64, 96, 3)
	got := waves().Run(autograd.NewTape(kernel.NewWork(nil), 0, false), in)["logits"].Data
	var size float64
	for _, v := range got {
		size += math.Abs(float64(v)) / float64(len(got))
	}
	if want := 3.7688256578948347; math.Abs(size-want) > 1e-4*want {
		t.Errorf("mean size %g, want %g", size, want)
	}
	n := len(got)
	for i, want := range map[int]float32{0: 1.804227352142334, 5: 4.880290985107422, 1000: 1.8042197227478027, n - 3: 3.915480613708496, n - 2: 1.0025981664657593, n - 1: -4.354724407196045} {
		if math.Abs(float64(got[i]-want)) > 1e-3 {
			t.Errorf("logit %d is %g, want %g", i, got[i], want)
		}
	}
}

// TestRefused: a size that the convolutions would cut is an error.
func TestRefused(t *testing.T) {
	p, err := imageproc.ParseProcessor([]byte(`{"size":{"shortest_edge":40},"crop_size":40}`), "CLIP")
	if err != nil {
		t.Fatal(err)
	}
	n := waves()
	n.pixels = p
	if _, err := n.Process(model.Sample{Pictures: []*imageproc.RGB{imageproc.NewRGB(50, 60)}}); err == nil || !strings.Contains(err.Error(), "multiples of 32") {
		t.Errorf("40 × 40 pixels: %v", err)
	}
}
