package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fovea/autograd"
	"fovea/tensor"
)

func TestDecode(t *testing.T) {
	le := func(v any) []byte {
		b, err := binary.Append(nil, binary.LittleEndian, v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct {
		d    DType
		raw  []byte
		want []float32
	}{
		{F32, le([]float32{1.5, -inf}), []float32{1.5, -inf}},
		{F64, le([]float64{1.5, 1e300, 0.1}), []float32{1.5, inf, 0.1}},
		{F16, le([]uint16{0x3c00, 0xc000, 0x7c00, 0xfc00, 0x7e00, 1, 0x03ff, 0x0400, 0x8000, 0x7bff}),
			[]float32{1, -2, inf, -inf, nan, 0x1p-24, 1023 * 0x1p-24, 0x1p-14, 0, 65504}},
		{BF16, le([]uint16{0x3f80, 0xc000, 0x7f80, 0x7fc0, 1}), []float32{1, -2, inf, nan, 0x1p-133}},
		{F8E4M3, []byte{0x38, 0xc0, 0x7e, 0x7f, 0xff, 1, 0x08, 0}, []float32{1, -2, 448, nan, nan, 0x1p-9, 0x1p-6, 0}},
		{F8E5M2, []byte{0x3c, 0xc0, 0x7b, 0x7c, 0x7f, 1}, []float32{1, -2, 57344, inf, nan, 0x1p-16}},
		{I8, []byte{0x80, 127}, []float32{-128, 127}},
		{U8, []byte{0x80, 127}, []float32{128, 127}},
		{Bool, []byte{0, 1, 2}, []float32{0, 1, 1}},
		{I16, le([]int16{-3, 9}), []float32{-3, 9}},
		{U16, le([]uint16{65535}), []float32{65535}},
		{I32, le([]int32{-3, 1 << 30}), []float32{-3, 1 << 30}},
		{U32, le([]uint32{1 << 31}), []float32{1 << 31}},
		{I64, le([]int64{-3, 1 << 40}), []float32{-3, 1 << 40}},
		{U64, le([]uint64{1 << 63}), []float32{1 << 63}},
	} {
		got := make([]float32, len(c.want))
		decode(got, c.raw, c.d)
		for i := range got {
			if got[i] != c.want[i] && !(got[i] != got[i] && c.want[i] != c.want[i]) {
				t.Errorf("%s element %d: %g, want %g", c.d, i, got[i], c.want[i])
			}
		}
	}
}

func randomParams(seed uint64) []*autograd.Param {
	rng := rand.New(rand.NewPCG(seed, 1))
	var ps []*autograd.Param
	for _, d := range []struct {
		name  string
		kind  autograd.Kind
		shape []int
	}{{"words", autograd.Table, []int{11, 6}}, {"block.0.up", autograd.Matrix, []int{8, 6}}, {"block.0.bias", autograd.Vector, []int{7}},
		{"conv", autograd.Matrix, []int{3, 2, 2, 5}}, {"norm.mean", autograd.Buffer, []int{3, 3}}, {"zero", autograd.Matrix, []int{2, 3}}} {
		p := autograd.NewParam(d.kind, d.shape...)
		p.Name = d.name
		for i := range p.Data {
			p.Data[i] = float32(rng.NormFloat64())
		}
		if d.name == "zero" {
			clear(p.Data)
		}
		ps = append(ps, p)
	}
	return ps
}

// TestRoundTrip: F32 exact; BF16 within 2⁻⁸ of each value, I8 within half a step of its row, vectors and buffers exact.
func TestRoundTrip(t *testing.T) {
	for _, d := range []DType{F32, BF16, I8} {
		path := filepath.Join(t.TempDir(), "model.safetensors")
		want, got := randomParams(1), randomParams(2)
		if err := Write(path, want, WriteOptions{DType: d, Metadata: map[string]string{"model": "tiny"}}); err != nil {
			t.Fatal(err)
		}
		f, err := Open(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Verify(), Bind(got, f, nil)); err != nil {
			t.Fatalf("%s: %v", d, err)
		}
		if f.Metadata()["model"] != "tiny" || len(f.Names()) != len(want) {
			t.Errorf("%s: metadata %v, names %v", d, f.Metadata(), f.Names())
		}
		for i, p := range want {
			rows := p.Shape[0]
			scales := rowScales(p.Data, rows)
			for j, v := range p.Data {
				bound := 0.0
				if p.Kind == autograd.Matrix || p.Kind == autograd.Table {
					switch d {
					case BF16:
						bound = math.Abs(float64(v)) / 256
					case I8:
						bound = float64(scales[j/(len(p.Data)/rows)]) * .5001
					}
				}
				if e := math.Abs(float64(got[i].Data[j] - v)); e > bound {
					t.Fatalf("%s %s[%d]: %g became %g", d, p.Name, j, v, got[i].Data[j])
				}
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestBF16Rounding(t *testing.T) {
	for _, c := range []struct {
		in   float32
		want uint16
	}{{1, 0x3f80}, {math.Float32frombits(0x3f808000), 0x3f80}, {math.Float32frombits(0x3f818000), 0x3f82}, {math.Float32frombits(0x3f808001), 0x3f81},
		{math.MaxFloat32, 0x7f80}, {float32(math.Inf(-1)), 0xff80}, {math.Float32frombits(0x7f800001), 0x7fc0}} {
		if got := toBF16(c.in); got != c.want {
			t.Errorf("%x: got %x, want %x", math.Float32bits(c.in), got, c.want)
		}
	}
}

func TestBindReportsEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	src := randomParams(1)
	src[0].Name, src[1].Shape = "model.tokens", tensor.Shape{6, 8}
	if err := Write(path, src, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ps := randomParams(2)
	was := append([]float32(nil), ps[2].Data...)
	err = Bind(ps, f, nil)
	var bad *BindError
	if !errors.As(err, &bad) || !slices.Equal(bad.Missing, []string{"words"}) || !slices.Equal(bad.Unexpected, []string{"model.tokens"}) ||
		!slices.Equal(bad.Misshapen, []string{"block.0.up: file has [6 8], model wants [8 6]"}) {
		t.Fatalf("got %v", err)
	}
	if !slices.Equal(was, ps[2].Data) {
		t.Error("a failed Bind changed a parameter")
	}
	ps[1].Shape = tensor.Shape{6, 8}
	if err := Bind(ps, f, []Rename{{`^model\.(t)okens$`, "words"}}); err != nil || ps[0].Data[0] != src[0].Data[0] {
		t.Errorf("renamed: %v", err)
	}
	if err := Bind(ps[1:], f, []Rename{{`tokens`, Drop}}); err != nil {
		t.Errorf("dropped: %v", err)
	}
	for _, r := range []Rename{{`(`, ""}, {`block.*`, "same"}} {
		if err := Bind(ps, f, []Rename{r}); err == nil || errors.As(err, &bad) {
			t.Errorf("rename %v: %v", r, err)
		}
	}
	ps[1].Name = ps[0].Name
	if err := Bind(ps, f, nil); err == nil || !strings.Contains(err.Error(), `"words"`) {
		t.Errorf("same name twice: %v", err)
	}
}

func TestBindSplitsAndAllocates(t *testing.T) {
	fused := autograd.NewParam(autograd.Matrix, 6, 4)
	for i := range fused.Data {
		fused.Data[i] = float32(i)
	}
	for _, format := range []DType{F32, I8} {
		path := filepath.Join(t.TempDir(), "m.safetensors")
		fused.Name = "attn.qkv.weight"
		if err := Write(path, []*autograd.Param{fused}, WriteOptions{DType: format}); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var ps []*autograd.Param
		for _, name := range []string{"q", "k", "v"} {
			ps = append(ps, &autograd.Param{Name: "attn." + name + ".weight", Tensor: tensor.Tensor{Shape: tensor.Shape{2, 4}}})
		}
		split := []Rename{{`^(.*)qkv\.(\w+)$`, "${1}q.$2|${1}k.$2|${1}v.$2"}}
		if err := Bind(ps, f, split); err != nil {
			t.Fatal(err)
		}
		for i, p := range ps {
			for j, x := range p.Data {
				if d := x - float32(8*i+j); d*d > .01 {
					t.Errorf("%v: %s element %d is %g", format, p.Name, j, x)
				}
			}
		}
		split[0].To += "|${1}w.$2" // four parts of six rows, and one that nobody wants
		ps[1] = &autograd.Param{Name: "attn.k.weight", Tensor: tensor.Tensor{Shape: tensor.Shape{1 << 20, 1 << 20}}}
		var bad *BindError
		if err := Bind(ps, f, split); !errors.As(err, &bad) || len(bad.Misshapen) != 3 || !slices.Equal(bad.Unexpected, []string{fused.Name}) || ps[1].Data != nil {
			t.Errorf("%v: got %v", format, err)
		}
	}
}

func TestVerifyFindsDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := Write(path, randomParams(1), WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-3] ^= 1
	f, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Verify(); !errors.Is(err, ErrFormat) {
		t.Errorf("got %v", err)
	}
	if f, err := Parse(big()); err != nil || f.Verify() != nil {
		t.Error("a file without a checksum does not pass")
	}
}

func TestWriteRejects(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	x := []float32{1, 2}
	for name, it := range map[string][]Item{
		"no name":          {{"", tensor.Shape{2}, x, F32}},
		"reserved name":    {{"__metadata__", tensor.Shape{2}, x, F32}},
		"twice":            {{"a", tensor.Shape{2}, x, F32}, {"a", tensor.Shape{2}, x, F32}},
		"scale name taken": {{"a", tensor.Shape{2}, x, I8}, {"a.scale", tensor.Shape{2}, x, F32}},
		"wrong size":       {{"a", tensor.Shape{3}, x, F32}},
		"format":           {{"a", tensor.Shape{2}, x, F16}},
		"scalar I8":        {{"a", nil, x[:1], I8}},
	} {
		if err := WriteItems(path, it, nil, nil); err == nil || exists(path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := WriteItems(path, nil, map[string]string{metaCRC: "0"}, nil); err == nil {
		t.Error("the checksum's key can be overwritten")
	}
	if err := WriteItems(path, []Item{{"s", nil, x[:1], F32}, {"e", tensor.Shape{0, 3}, nil, I8}}, nil, nil); err != nil {
		t.Error(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if e, err := f.Tensor("e"); err != nil || e.Float32(nil) != nil || len(e.Shape) != 2 {
		t.Errorf("empty tensor: %v", err)
	}
}

func TestShards(t *testing.T) {
	dir := t.TempDir()
	ps := randomParams(1)
	write := func(name string, ps []*autograd.Param) {
		if err := Write(filepath.Join(dir, name), ps, WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	write("model-00001-of-00002.safetensors", ps[:2])
	write("model-00002-of-00002.safetensors", ps[2:])
	index := func(first string) string {
		var b strings.Builder
		for i, p := range ps {
			file := "model-00002-of-00002.safetensors"
			if i < 2 {
				file = first
			}
			fmt.Fprintf(&b, `,%q:%q`, p.Name, file)
		}
		return `{"metadata":{"total_size":1},"weight_map":{` + b.String()[1:] + `}}`
	}
	open := func(text string) (*File, error) {
		if err := os.WriteFile(filepath.Join(dir, indexName), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return Open(dir)
	}
	f, err := open(index("model-00001-of-00002.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	got := randomParams(2)
	if err := Bind(got, f, nil); err != nil || got[0].Data[3] != ps[0].Data[3] || got[5].Data[1] != ps[5].Data[1] {
		t.Errorf("bind: %v", err)
	}
	f.Close()
	for name, text := range map[string]string{
		"outside":       index("../x.safetensors"),
		"absolute":      index("/etc/passwd"),
		"missing shard": index("model-9.safetensors"),
		"wrong shard":   index("model-00002-of-00002.safetensors"),
		"no map":        `{}`,
		"not JSON":      `{`,
	} {
		if f, err := open(text); err == nil {
			f.Close()
			t.Errorf("%s: accepted", name)
		}
	}
	write("model-00002-of-00002.safetensors", ps) // now words is in both
	if _, err := open(index("model-00001-of-00002.safetensors")); err == nil || !strings.Contains(err.Error(), "both") {
		t.Errorf("tensor in two shards: %v", err)
	}
}

func TestPickleIsRefused(t *testing.T) {
	for name, content := range map[string]string{
		"pytorch_model.bin":  "PK\x03\x04rest",
		"old.pt":             "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20",
		"disguised.pth":      "anything",
		"liar.safetensors":   "PK\x03\x04rest and more",
		"liar2.safetensors":  "\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00",
		"empty.ckpt":         "",
		"sub/only/model.bin": "x",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "sub/") || name == "pytorch_model.bin" {
			path = filepath.Dir(path)
		}
		var pickle *PickleError
		if _, err := Open(path); !errors.As(err, &pickle) || !strings.Contains(err.Error(), "safetensors") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenFolders(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), singleName) {
		t.Errorf("empty folder: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
	if err := Write(filepath.Join(dir, "x.safetensors"), randomParams(1), WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	f, err := Open(dir)
	if err != nil {
		t.Fatalf("one file: %v", err)
	}
	f.Close()
	// Beside a pickle it may or may not be what the folder is about: what fits is taken, and what does not, says so.
	pickle := filepath.Join(dir, "pytorch_model.bin")
	if err := os.WriteFile(pickle, []byte("PK\x03\x04rest"), 0o666); err != nil {
		t.Fatal(err)
	}
	if f, err = Open(dir); err != nil {
		t.Fatalf("one file beside a pickle: %v", err)
	}
	if err := Bind(randomParams(2), f, nil); err != nil {
		t.Errorf("weights that fit, beside a pickle: %v", err)
	}
	var bad *BindError
	if err := Bind(randomParams(2)[1:], f, nil); !errors.As(err, &bad) || bad.Pickle == nil || bad.Pickle.Path != pickle || !strings.Contains(err.Error(), "can run any code") {
		t.Errorf("weights that do not fit, beside a pickle: %v", err)
	}
	f.Close()
	if err := Write(filepath.Join(dir, "y.safetensors"), randomParams(1), WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "name one of") {
		t.Errorf("two files: %v", err)
	}
}

func BenchmarkWrite(b *testing.B) {
	p := autograd.NewParam(autograd.Matrix, 1000, 4000)
	p.Name = "w"
	path := filepath.Join(b.TempDir(), "m.safetensors")
	b.SetBytes(int64(4 * len(p.Data)))
	for b.Loop() {
		if err := Write(path, []*autograd.Param{p}, WriteOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFloat32(b *testing.B) {
	for _, d := range []DType{F32, BF16, I8} {
		b.Run(d.String(), func(b *testing.B) {
			p := autograd.NewParam(autograd.Matrix, 1000, 1000)
			p.Name = "w"
			path := filepath.Join(b.TempDir(), "m.safetensors")
			if err := Write(path, []*autograd.Param{p}, WriteOptions{DType: d}); err != nil {
				b.Fatal(err)
			}
			f, err := Open(path)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			x, err := f.Tensor("w")
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(4 * len(p.Data)))
			for b.Loop() {
				if err := x.Float32(p.Data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
