package checkpoint

import (
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"fovea/autograd"
	"fovea/tensor"
)

// TestAttach: parameters that are attached read the same values as bound ones, row by row too; bfloat16 is used where the
// file has it, whatever has happened to the file object, and after its pages were given back.
func TestAttach(t *testing.T) {
	const rows, cols = 300, 70
	vals := make([]float32, rows*cols)
	for i := range vals {
		vals[i] = float32(math.Sin(float64(i)))
	}
	for _, d := range []DType{F32, BF16, I8} {
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if err := WriteItems(path, []Item{{"w", tensor.Shape{rows, cols}, vals, d}}, nil, nil); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		param := func() *autograd.Param {
			return &autograd.Param{Name: "w", Tensor: tensor.Tensor{Shape: tensor.Shape{rows, cols}}}
		}
		bound, p := param(), param()
		if err := Bind([]*autograd.Param{bound}, f, nil); err != nil {
			t.Fatal(err)
		}
		if err := Attach([]*autograd.Param{p}, f, nil); err != nil {
			t.Fatal(err)
		}
		f.Leave()
		runtime.GC()
		s := p.Stored
		s.Done()
		part := make([]float32, 3*cols)
		if err := s.Rows(part, 7, 10); err != nil || !slices.Equal(part, bound.Data[7*cols:10*cols]) {
			t.Fatalf("%v: rows 7 … 9 differ: %v", d, err)
		}
		if err := s.Rows(part, 298, 301); err == nil {
			t.Errorf("%v: rows past the end", d)
		}
		h := s.BF16()
		if (h != nil) != (d == BF16) || s.F16() != nil || s.Owner() == nil {
			t.Fatalf("%v: %d bfloat16 in place, owner %v", d, len(h), s.Owner())
		}
		for i, v := range h {
			if math.Float32frombits(uint32(v)<<16) != bound.Data[i] {
				t.Fatalf("element %d is %x, want %g", i, v, bound.Data[i])
			}
		}
		if err := p.Load(); err != nil || !slices.Equal(p.Data, bound.Data) || p.Stored != nil {
			t.Fatalf("%v: loading gave other values: %v", d, err)
		}
		runtime.KeepAlive(s)
	}
}

// TestWords: bytes at an odd address are no numbers of 16 bits.
func TestWords(t *testing.T) {
	b := make([]byte, 9)
	if words(b[1:]) != nil && words(b) != nil {
		t.Error("an odd address was taken")
	}
}
