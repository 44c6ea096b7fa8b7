package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/nn"
)

// TestEncoderFile: an encoder computes the same on one thread and on two, alone and in a batch, and again from a file of its
// weights in the names that comparisons use.
func TestEncoderFile(t *testing.T) {
	e, err := NewEncoder("vit_tiny", "", "f32", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	pixels := e.Pixels(2)
	want := append([]float32(nil), e.Run(pixels, 2)...)
	file := filepath.Join(t.TempDir(), "vit.safetensors")
	if err := checkpoint.Write(file, published(e), checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	two, err := NewEncoder("vit_tiny", file, "f32", 2)
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	same := func(what string, got, want []float32) {
		t.Helper()
		for i, v := range got {
			if math.Abs(float64(v-want[i])) > 1e-4 {
				t.Fatalf("%s: element %d is %g, want %g", what, i, v, want[i])
			}
		}
	}
	same("two threads, from the file", two.Run(pixels, 2), want)
	same("second picture alone", two.Run(pixels[len(pixels)/2:], 1), want[len(want)/2:])
	if _, err := NewEncoder("vit_small320", file, "f32", 1); err == nil {
		t.Error("a file of another size was taken")
	}
}

// published renames the encoder's weights, with queries, keys and values in one tensor.
func published(e *Encoder) []*autograd.Param {
	var out []*autograd.Param
	add := func(name string, shape []int, parts ...*autograd.Param) {
		p := autograd.NewParam(autograd.Table, shape...)
		p.Name = name
		at := 0
		for _, q := range parts {
			at += copy(p.Data[at:], q.Data)
		}
		out = append(out, p)
	}
	for _, p := range nn.Params(e) {
		name := strings.NewReplacer("norm1", "n1", "norm2", "n2", "attn.o", "o", "mlp.up", "f1", "mlp.down", "f2").Replace(p.Name)
		if !strings.Contains(name, "attn.") {
			add(name, p.Shape, p)
		}
	}
	for i, b := range e.Stack.Blocks {
		q, k, v := b.Attn.Q.(*nn.Dense), b.Attn.K.(*nn.Dense), b.Attn.V.(*nn.Dense)
		prefix := fmt.Sprintf("blocks.%d.qkv", i)
		d := e.shape.width
		add(prefix+".weight", []int{3 * d, d}, q.Weight, k.Weight, v.Weight)
		add(prefix+".bias", []int{3 * d}, q.Bias, k.Bias, v.Bias)
	}
	return out
}

func TestEncoderWorker(t *testing.T) {
	var out bytes.Buffer
	if err := EncoderWorker(strings.NewReader("1 0 2\n2 0 1\n"), &out, "vit_tiny", "", "f32", 1); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines: %s", len(lines), &out)
	}
	for i, want := range []int{2, 1} {
		var r struct {
			Times []float64 `json:"times_s"`
		}
		if err := json.Unmarshal([]byte(lines[i+1]), &r); err != nil || len(r.Times) != want || r.Times[0] <= 0 {
			t.Errorf("%s: %v", lines[i+1], err)
		}
	}
	for _, in := range []string{"0 0 1\n", "x 0 1\n", "1 0\n", "1 -1 1\n"} {
		if err := EncoderWorker(strings.NewReader(in), &out, "vit_tiny", "", "f32", 1); err == nil {
			t.Errorf("%q was taken", in)
		}
	}
	if _, err := NewEncoder("vit_huge", "", "f32", 1); err == nil || !strings.Contains(err.Error(), "vit_b16") {
		t.Errorf("unknown case: %v", err)
	}
}
