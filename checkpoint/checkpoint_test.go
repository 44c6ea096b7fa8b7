package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"fovea/autograd"
	"fovea/tensor"
)

// raw builds a file from a header and data.
func raw(header, data string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header+data...)
}

func TestParseRejects(t *testing.T) {
	one := `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
	for name, c := range map[string]struct{ header, data, want string }{
		"empty header":        {``, ``, "expected"},
		"leading space":       {` ` + one, `1234`, "expected"},
		"array":               {`[]`, ``, "expected"},
		"trailing":            {one + `x`, `1234`, "follows"},
		"unknown dtype":       {`{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}`, `1234`, `unsupported dtype "F31"`},
		"unknown key":         {`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}`, `1234`, "unexpected or repeated"},
		"repeated key":        {`{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, `1234`, "unexpected or repeated"},
		"missing key":         {`{"a":{"dtype":"F32","shape":[1]}}`, `1234`, "lacks"},
		"twice":               {`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, `12345678`, `"a" appears twice`},
		"twice, escaped":      {`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, `12345678`, `"a" appears twice`},
		"metadata twice":      {`{"__metadata__":{},"__metadata__":{}}`, ``, "appears twice"},
		"metadata key twice":  {`{"__metadata__":{"k":"1","k":"2"}}`, ``, `"k" appears twice`},
		"metadata not text":   {`{"__metadata__":{"k":1}}`, ``, "expected"},
		"overlap":             {`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}`, `123456`, "overlap or hole"},
		"hole":                {`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[5,9]}}`, `123456789`, "overlap or hole"},
		"past the end":        {`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, `1234`, "outside"},
		"unused data":         {one, `12345`, "the tensors use 4"},
		"backwards":           {`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, `1234`, "outside"},
		"wrong size":          {`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,3]}}`, `123`, "needs 4 bytes"},
		"overflowing shape":   {`{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}`, ``, "too large"},
		"overflow to zero":    {`{"a":{"dtype":"F32","shape":[99999999999999999,99999999999999999,0],"data_offsets":[0,0]}}`, ``, "too large"},
		"negative":            {`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, `1234`, "whole number"},
		"fraction":            {`{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}`, `1234`, "expected"},
		"leading zero":        {`{"a":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}}`, `1234`, "whole number"},
		"huge number":         {`{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}}`, `1234`, "too large"},
		"too many axes":       {`{"a":{"dtype":"F32","shape":[1` + strings.Repeat(",1", 16) + `],"data_offsets":[0,4]}}`, `1234`, "more than 16"},
		"three offsets":       {`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}`, `1234`, "more than 2"},
		"one offset":          {`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}`, `1234`, "1 numbers, want 2"},
		"control character":   {"{\"a\n\":{}}", ``, "control character"},
		"bad escape":          {`{"\x":{}}`, ``, "bad escape"},
		"short escape":        {`{"\u12":{}}`, ``, "bad escape"},
		"bad hex":             {`{"\u12g4":{}}`, ``, "bad escape"},
		"half a pair":         {`{"\ud83d":{}}`, ``, "bad escape"},
		"half a pair, then x": {`{"\ud83dx":{}}`, ``, "bad escape"},
		"two first halves":    {`{"\ud83d\ud83d":{}}`, ``, "bad escape"},
		"not UTF-8":           {"{\"\xff\":{}}", ``, "UTF-8"},
		"trailing comma":      {`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},}`, `1234`, "expected"},
		"string without end":  {`{"a`, ``, "does not end"},
		"string ends in \\":   {`{"a\`, ``, "does not end"},
		"null instead of map": {`{"a":null}`, ``, "expected"},
	} {
		_, err := Parse(raw(c.header, c.data))
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	for _, n := range []uint64{maxHeader + 1, math.MaxUint64, 100} {
		if _, err := Parse(append(binary.LittleEndian.AppendUint64(nil, n), "{}"...)); !errors.Is(err, ErrFormat) {
			t.Errorf("header length %d: %v", n, err)
		}
	}
}

func TestParseAccepts(t *testing.T) {
	f, err := Parse(raw("{ \"\\u00e9\\\"\" : {\"shape\":[ ],\n\"dtype\":\"U8\", \"data_offsets\":[0,1]}, \"z\":{\"dtype\":\"I64\",\"shape\":[0,7],\"data_offsets\":[1,1]},\"__metadata__\":{\"format\":\"pt\"}}   ", "\xff"))
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Names(); !slices.Equal(got, []string{"z", "é\""}) || f.Metadata()["format"] != "pt" {
		t.Errorf("names %q, metadata %v", got, f.Metadata())
	}
	x, err := f.Tensor("é\"")
	if err != nil {
		t.Fatal(err)
	}
	var v [1]float32
	if err := x.Float32(v[:]); err != nil || v[0] != 255 {
		t.Errorf("%v, %v", v, err)
	}
	if err := x.Float32(make([]float32, 2)); err == nil {
		t.Error("a destination of another size is no error")
	}
	if _, err := f.Tensor("y"); err == nil || !strings.Contains(err.Error(), `"y"`) {
		t.Errorf("unknown tensor: %v", err)
	}
	if f, err := Parse(raw("{}", "")); err != nil || len(f.Names()) != 0 {
		t.Errorf("empty file: %v", err)
	}
}

// big is a file with an 8 KB header.
func big() []byte {
	var h, d strings.Builder
	h.WriteString(`{"__metadata__":{"format":"pt","note":"\u00e4 note"}`)
	for i := 0; h.Len() < 8100; i++ {
		fmt.Fprintf(&h, `,"blocks.%d.weight":{"dtype":"F16","shape":[2,3],"data_offsets":[%d,%d]}`, i, d.Len(), d.Len()+12)
		d.WriteString(strings.Repeat("\x01\x3c", 6))
	}
	h.WriteString("}")
	return raw(h.String(), d.String())
}

// TestEveryBitOfAHeader flips each bit of the length and of an 8 KB header: no panic, and what is accepted is whole.
func TestEveryBitOfAHeader(t *testing.T) {
	file := big()
	n := 8 + int(binary.LittleEndian.Uint64(file))
	accepted := 0
	for bit := range 8 * n {
		file[bit/8] ^= 1 << (bit % 8)
		if es, _, data, err := parse(file); err == nil {
			accepted++
			for _, e := range es {
				if raw := data[e.from:e.to]; len(raw) != tensor.Shape(e.shape).Size()*e.dtype.Size() {
					t.Fatalf("bit %d: %q has %d bytes", bit, e.name, len(raw))
				}
			}
		} else if !errors.Is(err, ErrFormat) {
			t.Fatalf("bit %d: %v", bit, err)
		}
		file[bit/8] ^= 1 << (bit % 8)
	}
	if accepted == 0 || accepted > 4*n { // bits of names and notes may change freely, structure may not
		t.Errorf("%d of %d flips accepted", accepted, 8*n)
	}
}

func TestEveryTruncation(t *testing.T) {
	file := big()
	dir := t.TempDir()
	for n := range len(file) {
		if _, err := Parse(file[:n:n]); !errors.Is(err, ErrFormat) {
			t.Fatalf("%d of %d bytes: %v", n, len(file), err)
		}
		if n%500 == 0 {
			path := filepath.Join(dir, "cut.safetensors")
			if err := os.WriteFile(path, file[:n], 0o666); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(path); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), path) {
				t.Fatalf("%d bytes on disk: %v", n, err)
			}
		}
	}
}

// TestHeaderAllocation: at most four times the header, whatever it says.
func TestHeaderAllocation(t *testing.T) {
	tensors := func(entry func(i int) string) string {
		var b strings.Builder
		b.WriteString("{")
		for i := 0; b.Len() < 1<<20; i++ {
			if i > 0 {
				b.WriteString(",")
			}
			b.WriteString(entry(i))
		}
		return b.String() + "}"
	}
	for name, h := range map[string]string{
		"short entries": tensors(func(i int) string { return fmt.Sprintf(`"%x":{"dtype":"I8","shape":[],"data_offsets":[0,0]}`, i) }),
		"many axes": tensors(func(i int) string {
			return fmt.Sprintf(`"%x":{"dtype":"I8","shape":[0%s],"data_offsets":[0,0]}`, i, strings.Repeat(",0", 15))
		}),
		"long names": tensors(func(i int) string { return fmt.Sprintf(`"%0900d":{"dtype":"I8","shape":[],"data_offsets":[0,0]}`, i) }),
		"escaped names": tensors(func(i int) string {
			return fmt.Sprintf(`"\u0041%0300d":{"dtype":"I8","shape":[0],"data_offsets":[0,0]}`, i)
		}),
		"metadata":   `{"__metadata__":` + tensors(func(i int) string { return fmt.Sprintf(`"%x":""`, i) }) + "}",
		"huge claim": `{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]},"b":` + strings.Repeat("[", 1<<20) + `}`,
		"one string": `{"` + strings.Repeat("a", 1<<20),
	} {
		file := raw(h, "")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, _, err := parse(file)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 4*uint64(len(h))+4096 {
			t.Errorf("%s: %d bytes for a header of %d (%.1f×); %v", name, used, len(h), float64(used)/float64(len(h)), err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(big())
	f.Add(raw(`{"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]},"a.scale":{"dtype":"F32","shape":[2],"data_offsets":[2,10]}}`, "0123456789"))
	f.Add(raw(`{"__metadata__":{"k":"\ud83d"}}`, ""))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		for _, name := range c.Names() {
			x, err := c.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := x.Float32(make([]float32, x.Shape.Size())); err != nil {
				t.Fatal(err)
			}
		}
		c.Metadata()
		c.Verify()
	})
}

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

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{`a\"\\\/\b\f\n\r\t`: "a\"\\/\b\f\n\r\t", `\u00e9\u00E9`: "éé", `\ud83d\ude00!`: "😀!", `\u0000`: "\x00"} {
		if got, ok := unescape([]byte(in)); !ok || string(got) != want {
			t.Errorf("%s: %q, %v", in, got, ok)
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
