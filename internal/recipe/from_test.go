package recipe

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/model/unified"
	"fovea/train"
)

// parity is a folder of the tiny published models.
func parity(name string) string {
	return filepath.Join("..", "..", "testdata", "fixtures", "parity", name)
}

func quiet() Options {
	return Options{Hooks: train.Hooks{Stdout: io.Discard, Stderr: io.Discard, Quiet: true, NoReport: true}}
}

// fromConfig is a short run on scenes that starts from a model.
func fromConfig(t *testing.T, from string) *Config {
	t.Helper()
	c, err := Parse([]byte("model: {variant: tiny}\ndata: [{task: all, scenes: 16, seed: 7}]\n" +
		"train: {epochs: 1, epoch_images: 32, batch: 4, replicas: 2, ema: 0}"))
	if err != nil {
		t.Fatal(err)
	}
	c.Model.From, c.Out = from, t.TempDir()
	return c
}

// TestFromEncoder trains a joint model whose stack is a published encoder's, opens what was saved and goes on from it with larger
// pictures.
func TestFromEncoder(t *testing.T) {
	for _, name := range []string{"vit", "dinov2_registers", "dinov2_swiglu", "clip", "siglip"} {
		t.Run(name, func(t *testing.T) {
			c := fromConfig(t, parity(name))
			r, err := Open(c, quiet())
			if err != nil {
				t.Fatal(err)
			}
			before := map[string][]float32{}
			for _, p := range r.Model.Params() {
				before[p.Name] = slices.Clone(p.Data)
			}
			if err := r.Train(context.Background()); err != nil {
				t.Fatal(err)
			}
			moved := 0
			for _, p := range r.Model.Params() {
				if strings.HasPrefix(p.Name, "stack.") || strings.HasPrefix(p.Name, "stem.trunk.") {
					if slices.Equal(p.Data, before[p.Name]) {
						t.Errorf("%s was not trained", p.Name)
					}
					moved++
				}
			}
			if moved < 20 {
				t.Errorf("only %d weights of a trunk", moved)
			}
			dir := filepath.Join(c.Out, "model")
			m, err := unified.Open(os.DirFS(dir))
			if err != nil {
				t.Fatal(err)
			}
			img := imageproc.NewRGB(m.Config.Size, m.Config.Size)
			for i := range img.Pix {
				img.Pix[i] = uint8(i * 7)
			}
			see := func(m *unified.Model) []float32 {
				return unified.NewRunner(m, kernel.NewWork(nil)).Encode(img).Tokens
			}
			if !slices.Equal(see(m), see(r.Model)) {
				t.Error("the saved model sees something else")
			}
			next := fromConfig(t, dir)
			next.Model.Size = 2 * m.Config.Size
			larger, err := Open(next, quiet())
			if err != nil {
				t.Fatal(err)
			}
			if larger.Model.Config.Patches() != 4*m.Config.Patches() || larger.Model.Config.Trunk == nil {
				t.Errorf("%d patches of %d", larger.Model.Config.Patches(), m.Config.Patches())
			}
			if err := larger.Loop.Run(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFromNoEncoder: what cannot become a trunk, or is not there, is named.
func TestFromNoEncoder(t *testing.T) {
	for from, want := range map[string]string{
		parity("yolos"):          "YolosForObjectDetection is no encoder",
		parity("siglip2_naflex"): "NaFlex",
		"no/such-model":          "no/such-model",
		"nothing":                `no model "nothing"`,
	} {
		t.Setenv("HF_HUB_CACHE", t.TempDir())
		if _, err := Open(fromConfig(t, from), quiet()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", from, err, want)
		}
	}
	c := fromConfig(t, parity("vit"))
	c.Model.Grow = true
	if _, err := Open(c, quiet()); err == nil || !strings.Contains(err.Error(), "model.grow") {
		t.Errorf("grown: %v", err)
	}
	c = fromConfig(t, parity("vit"))
	c.Model.Size = 48 + 16
	if _, err := Open(c, quiet()); err != nil {
		t.Error(err)
	}
}
