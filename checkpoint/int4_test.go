package checkpoint

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"fovea/autograd"
	"fovea/tensor"
)

// Matrices of four bits come back within half a step of what they were, in a bit more than an eighth of the bytes; tables, odd
// and narrow ones are stored in eight bits, vectors as they are.
func TestInt4(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	param := func(name string, kind autograd.Kind, shape ...int) *autograd.Param {
		p := autograd.NewParam(kind, shape...)
		p.Name = name
		for i := range p.Data {
			p.Data[i] = float32(rng.NormFloat64())
		}
		return p
	}
	params := []*autograd.Param{
		param("m", autograd.Matrix, 6, 80), param("odd", autograd.Matrix, 4, 33), param("narrow", autograd.Matrix, 4, 30),
		param("table", autograd.Table, 5, 64), param("deep", autograd.Matrix, 3, 2, 16), param("v", autograd.Vector, 64),
	}
	clear(params[0].Data[:40]) // a group of nothing
	params[0].Data[50] = float32(math.NaN())
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := Write(path, params, WriteOptions{DType: I4}); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := f.Verify(); err != nil {
		t.Error(err)
	}
	if want := []string{"deep", "m", "narrow", "odd", "table", "v"}; !slices.Equal(f.Names(), want) {
		t.Errorf("names %v, want %v", f.Names(), want)
	}
	for _, p := range params {
		x, err := f.Tensor(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		want := I8
		switch p.Name {
		case "m":
			want = I4
		case "v":
			want = F32
		}
		if x.DType != want || !x.Shape.Equal(p.Shape) {
			t.Errorf("%s: %v %v, want %v %v", p.Name, x.DType, x.Shape, want, p.Shape)
		}
		got := make([]float32, len(p.Data))
		if err := x.Float32(got); err != nil {
			t.Fatal(err)
		}
		if p.Name != "m" {
			continue
		}
		rows := make([]float32, 2*80)
		if err := x.Rows(rows, 3, 5); err != nil || !slices.Equal(rows, got[3*80:5*80]) {
			t.Errorf("rows 3 and 4 differ from the whole: %v", err)
		}
		if part := (piece{"m", 1, 2}).of(x); part == nil {
			t.Error("no half")
		} else if half := make([]float32, 3*80); part.Float32(half) != nil || !slices.Equal(half, got[3*80:]) {
			t.Error("the lower half differs from the whole")
		}
		for r := range 6 {
			for from := 0; from < 80; from += I4Group {
				most, worst := 0., 0.
				for i := r*80 + from; i < r*80+min(from+I4Group, 80); i++ {
					if v := float64(p.Data[i]); v == v {
						most, worst = max(most, math.Abs(v)), max(worst, math.Abs(v-float64(got[i])))
					} else if got[i] != 0 {
						t.Errorf("NaN became %g", got[i])
					}
				}
				if worst > most/6 { // half a step of a seventh, the end cut off by as much again, and bfloat16
					t.Errorf("row %d, columns from %d: off by %g of %g", r, from, worst, most)
				}
			}
		}
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 3000 {
		t.Errorf("%d bytes: %v", info.Size(), err)
	}
	if err := WriteItems(path, []Item{{"x", tensor.Shape{2, 33}, make([]float32, 66), I4}}, nil, nil); err == nil {
		t.Error("a matrix of odd width was written in four bits")
	}
}

// A matrix of bytes beside numbers that are not its groups' scales stays what it is.
func TestInt4ByChance(t *testing.T) {
	q := entry{name: "w", dtype: U8, shape: tensor.Shape{4, 32}}
	for _, c := range []struct {
		dtype DType
		shape tensor.Shape
		want  bool
	}{{BF16, tensor.Shape{4, 2}, true}, {F32, tensor.Shape{4, 2}, false}, {BF16, tensor.Shape{4}, false}, {BF16, tensor.Shape{4, 3}, false}, {BF16, tensor.Shape{3, 2}, false}} {
		if got := isInt4(&q, &entry{dtype: c.dtype, shape: c.shape}); got != c.want {
			t.Errorf("%v %v: %v", c.dtype, c.shape, got)
		}
	}
}
