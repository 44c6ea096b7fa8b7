package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

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

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{`a\"\\\/\b\f\n\r\t`: "a\"\\/\b\f\n\r\t", `\u00e9\u00E9`: "éé", `\ud83d\ude00!`: "😀!", `\u0000`: "\x00"} {
		if got, ok := unescape([]byte(in)); !ok || string(got) != want {
			t.Errorf("%s: %q, %v", in, got, ok)
		}
	}
}
