package all

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"fovea/checkpoint"
	"fovea/model"
	"fovea/nn"
)

// halved copies a fixture's folder with its weights as bfloat16.
func (x *fixture) halved(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files, err := os.ReadDir(x.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.IsDir() || strings.HasSuffix(f.Name(), ".safetensors") || strings.HasSuffix(f.Name(), ".index.json") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(x.dir, f.Name()))
		if err = errors.Join(err, os.WriteFile(filepath.Join(dir, f.Name()), b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	w, err := checkpoint.Open(x.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var items []checkpoint.Item
	for _, name := range w.Names() {
		from, err := w.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		item := checkpoint.Item{Name: name, Shape: from.Shape, Data: make([]float32, from.Shape.Size()), DType: checkpoint.BF16}
		if err := from.Float32(item.Data); err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	if err := checkpoint.WriteItems(filepath.Join(dir, "model.safetensors"), items, map[string]string{"format": "pt"}, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestMappedWeights: networks whose bfloat16 weights stay in the mapped file compute what those of float32 copies do, but for
// the rounding of what is multiplied by them; lowered further from the file, what those lowered from memory do.
func TestMappedWeights(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		dir := x.halved(t)
		plain, err := OpenAs(dir, "f32")
		if err != nil {
			t.Fatal(err)
		}
		memory, err := OpenAs(dir, "f32")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := nn.Lower(memory, "int8"); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			precision string
			like      model.Network
			bound     float64
		}{{"bf16", plain, .02}, {"int8", memory, 0}} {
			net, err := OpenAs(dir, c.precision)
			if err != nil {
				t.Fatal(err)
			}
			runtime.GC() // the file is left to its tensors
			if net.Card().Parameters != plain.Card().Parameters {
				t.Errorf("%d parameters, want %d", net.Card().Parameters, plain.Card().Parameters)
			}
			compared, affix := 0, x.variants()[0]
			want := c.like.Run(newTape(), x.inputs(affix))
			got := net.Run(newTape(), withChoice(x.inputs(affix), want))
			for name := range want {
				if strings.Contains(name, "hidden.") && got[name] != nil {
					if compared++; !(far(got[name].Data, want[name].Data) <= c.bound) {
						t.Errorf("%s, %s: %.3g of its range away", c.precision, name, far(got[name].Data, want[name].Data))
					}
				}
			}
			if compared == 0 {
				t.Error("nothing was compared")
			}
			runtime.KeepAlive(net)
		}
	})
}

// TestLoadAsRefuses: a precision that there is not, and weights that do not fit.
func TestLoadAsRefuses(t *testing.T) {
	dir := filepath.Join(root(), "vit")
	if _, err := OpenAs(dir, "int3"); err == nil || !strings.Contains(err.Error(), `"int3"`) {
		t.Errorf("got %v", err)
	}
	if _, err := model.LoadAs(filepath.Join(root(), "nowhere"), Families(), "bf16"); err == nil {
		t.Error("a folder that is not there")
	}
}
