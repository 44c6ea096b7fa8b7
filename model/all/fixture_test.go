package all

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fovea/annotation"
	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/model"
	"fovea/tensor"
)

// fixture is a folder with a tiny model of the reference implementation, laid out like a repository of the Hugging Face
// hub, its inputs and outputs in io.safetensors and its results in expected.json.
type fixture struct {
	dir      string
	folder   *model.Folder
	io       model.Inputs // pictures and maps of features channels last
	expected map[string]json.RawMessage
	pictures []*imageproc.RGB
}

// root is the folder of the fixtures: $FOVEA_FIXTURES/parity, or those of the repository.
func root() string {
	if dir := os.Getenv("FOVEA_FIXTURES"); dir != "" {
		return filepath.Join(dir, "parity")
	}
	return filepath.Join("..", "..", "testdata", "fixtures", "parity")
}

// forEach runs f for every fixture of a family that there is; the others are skipped by name.
func forEach(t *testing.T, f func(t *testing.T, x *fixture)) {
	dirs, err := filepath.Glob(filepath.Join(root(), "*", "config.json"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no fixtures in %s: %v", root(), err)
	}
	for _, path := range dirs {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			folder, err := model.OpenFolder(dir)
			if err != nil {
				t.Fatal(err)
			}
			if !Supports(folder) {
				var unknown *model.UnknownError
				if _, err := Open(dir); !errors.As(err, &unknown) {
					t.Fatalf("got %v, want an UnknownError", err)
				}
				t.Skipf("no family loads %s yet", folder.Class)
			}
			f(t, open(t, folder))
		})
	}
}

// mapNames are those of pictures and maps of features, which the reference has channels first.
var mapNames = regexp.MustCompile(`pixel_values|^(backbone|encoder_out)\.|^vision\.(stage|neck)`)

func open(t *testing.T, folder *model.Folder) *fixture {
	t.Helper()
	x := &fixture{dir: folder.Dir, folder: folder, io: model.Inputs{}}
	w, err := checkpoint.Open(filepath.Join(x.dir, "io.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, name := range w.Names() {
		s, err := w.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		v := tensor.New(s.Shape...)
		if err := s.Float32(v.Data); err != nil {
			t.Fatal(err)
		}
		if len(v.Shape) == 4 && mapNames.MatchString(name) {
			v = channelsLast(v)
		} else if len(v.Shape) == 5 && strings.Contains(name, "pixel_values") { // tiles
			b, n := v.Shape[0], v.Shape[1]
			v = channelsLast(&tensor.Tensor{Data: v.Data, Shape: append(tensor.Shape{b * n}, v.Shape[2:]...)})
			v.Shape = append(tensor.Shape{b, n}, v.Shape[1:]...)
		}
		x.io[name] = v
	}
	b, err := os.ReadFile(filepath.Join(x.dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	b = regexp.MustCompile(`\bInfinity\b`).ReplaceAll(b, []byte("null")) // Python writes what JSON does not know
	if err := json.Unmarshal(b, &x.expected); err != nil {
		t.Fatal(err)
	}
	x.masked(t)
	for _, name := range []string{"image.png", "image2.png"} {
		img, _, err := imageproc.Open(filepath.Join(x.dir, name))
		if err == nil {
			x.pictures = append(x.pictures, img)
		}
	}
	return x
}

// channelsLast turns [B, C, H, W] into [B, H, W, C].
func channelsLast(x *tensor.Tensor) *tensor.Tensor {
	b, c, n := x.Shape[0], x.Shape[1], x.Shape[2]*x.Shape[3]
	y := tensor.New(b, x.Shape[2], x.Shape[3], c)
	for i := range x.Data {
		k, j, p := i/(c*n), i/n%c, i%n
		y.Data[(k*n+p)*c+j] = x.Data[i]
	}
	return y
}

// want decodes a part of expected.json, if it is there.
func (x *fixture) want(t *testing.T, key string, v any) bool {
	t.Helper()
	raw, ok := x.expected[key]
	if ok {
		if err := json.Unmarshal(raw, v); err != nil {
			t.Fatalf("expected.json: %s: %v", key, err)
		}
	}
	return ok
}

func (x *fixture) load(t *testing.T) model.Network {
	t.Helper()
	net, err := Open(x.dir)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

func newTape() *autograd.Tape { return autograd.NewTape(kernel.NewWork(nil), 0, false) }

// far is the largest difference of two lists of numbers, divided by the range of the second (of a single number, by how far it
// is from 0), and infinite when one of them is not a number or their lengths differ.
func far(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	worst, lo, hi := 0., math.Inf(1), math.Inf(-1)
	for i, w := range want {
		d := math.Abs(float64(got[i]) - float64(w))
		if !(d >= 0) {
			return math.Inf(1)
		}
		worst, lo, hi = max(worst, d), min(lo, float64(w)), max(hi, float64(w))
	}
	if worst == 0 {
		return 0
	}
	if len(want) == 1 {
		lo, hi = min(lo, 0), max(hi, 0)
	}
	return worst / max(hi-lo, 1e-6)
}

// kept are the rows of a reference tensor that mask has ones for; without a mask, all.
func kept(x *tensor.Tensor, mask *autograd.Value) []float32 {
	if mask == nil || len(x.Data)%len(mask.Data) != 0 {
		return x.Data
	}
	n := len(x.Data) / len(mask.Data)
	var out []float32
	for i, m := range mask.Data {
		if m != 0 {
			out = append(out, x.Data[i*n:(i+1)*n]...)
		}
	}
	return out
}

// source is a checkpoint in memory.
type source map[string]*checkpoint.Tensor

func (s source) Names() []string {
	var names []string
	for n := range s {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func (s source) Tensor(name string) (*checkpoint.Tensor, error) {
	if t, ok := s[name]; ok {
		return t, nil
	}
	return nil, fmt.Errorf("no tensor %q", name)
}

// weights are the fixture's weights; they live as long as the test.
func (x *fixture) weights(t *testing.T) source {
	t.Helper()
	w, err := checkpoint.Open(x.dir)
	if err != nil {
		w, err = checkpoint.Open(filepath.Join(x.dir, "model.safetensors"))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	s := source{}
	for _, n := range w.Names() {
		if s[n], err = w.Tensor(n); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

type rgb = imageproc.RGB

// picture opens another picture of the fixture.
func (x *fixture) picture(t *testing.T, name string) *rgb {
	t.Helper()
	img, _, err := imageproc.Open(filepath.Join(x.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// boxes are those of people that the fixture gives for each picture.
func (x *fixture) boxes(t *testing.T) (out [][]annotation.Box) {
	t.Helper()
	var xywh [][][4]float64
	x.want(t, "boxes_xywh", &xywh)
	for _, list := range xywh {
		var in []annotation.Box
		for _, b := range list {
			in = append(in, annotation.Box{X0: b[0], Y0: b[1], X1: b[0] + b[2], Y1: b[1] + b[3]})
		}
		out = append(out, in)
	}
	return out
}
