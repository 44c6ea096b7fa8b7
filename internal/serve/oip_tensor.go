package serve

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
)

// oipHeader says how many bytes of a body are JSON; tensors follow them.
const oipHeader = "Inference-Header-Content-Length"

// tensor is a tensor of one of the three datatypes that are used here.
type tensor struct {
	name     string
	datatype string // BYTES, FP32 or UINT8
	shape    []int64
	binary   bool // it came as bytes rather than JSON

	texts  [][]byte
	floats []float32
	bytes  []byte
}

func newTexts(name string) *tensor {
	return &tensor{name: name, datatype: "BYTES", shape: []int64{0}, texts: [][]byte{}}
}

// newFloats makes a tensor of no rows.
func newFloats(name string, row ...int64) *tensor {
	return &tensor{name: name, datatype: "FP32", shape: append([]int64{0}, row...), floats: []float32{}}
}

func (t *tensor) addText(s string) {
	t.texts = append(t.texts, []byte(s))
	t.shape[0]++
}

// addFloats adds numbers; every full row counts.
func (t *tensor) addFloats(v ...float32) {
	t.floats = append(t.floats, v...)
	row := 1
	for _, n := range t.shape[1:] {
		row *= int(n)
	}
	t.shape[0] = int64(len(t.floats) / max(row, 1))
}

// encode is the tensor as bytes: numbers with the lowest byte first, texts with their length in four bytes before them.
func (t *tensor) encode() []byte {
	b := []byte{}
	for _, s := range t.texts {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	for _, x := range t.floats {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func (t *tensor) json() (json.RawMessage, error) {
	if t.datatype == "FP32" {
		return encode(t.floats)
	}
	list := make([]string, len(t.texts))
	for i, s := range t.texts {
		list[i] = string(s)
	}
	return encode(list)
}

// elements is the number of elements of a shape, or an error when it is nonsense.
func elements(name string, shape []int64) (int, error) {
	n := int64(1)
	for _, d := range shape {
		if d < 0 || d > math.MaxInt32 || d > 0 && n > math.MaxInt32/d {
			return 0, bad("inputs", "the input %.100q has the shape %v", name, shape)
		}
		n *= d
	}
	return int(n), nil
}

// oipRead reads a request: JSON, and after it the tensors that are not in it, in their order.
func (c *call) oipRead(body []byte) (*oipRequest, map[string]*tensor, error) {
	head, raw := body, []byte(nil)
	if v := c.r.Header.Get(oipHeader); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > len(body) {
			return nil, nil, bad("", "%s is %.50q, and the body has %d bytes", oipHeader, v, len(body))
		}
		head, raw = body[:n], body[n:]
	}
	var q oipRequest
	if err := decode(head, &q); err != nil {
		return nil, nil, err
	}
	out := map[string]*tensor{}
	for i := range q.Inputs {
		in := &q.Inputs[i]
		if out[in.Name] != nil {
			return nil, nil, bad("inputs", "the input %.100q is there twice", in.Name)
		}
		var data []byte
		if size := in.Parameters.BinaryDataSize; size != nil {
			if *size < 0 || *size > len(raw) {
				return nil, nil, bad("inputs", "the input %.100q has %d bytes, and the body has %d left", in.Name, *size, len(raw))
			}
			data, raw = raw[:*size], raw[*size:]
		}
		t, err := in.read(data)
		if err != nil {
			return nil, nil, err
		}
		out[in.Name] = t
	}
	if len(raw) > 0 {
		return nil, nil, bad("inputs", "%d bytes at the body's end belong to no input", len(raw))
	}
	return &q, out, nil
}

// read takes a tensor from bytes or from JSON, and checks that it has as many elements as its shape says.
func (in *oipTensor) read(raw []byte) (*tensor, error) {
	t := &tensor{name: in.Name, datatype: in.Datatype, shape: in.Shape, binary: in.Parameters.BinaryDataSize != nil}
	want, err := elements(in.Name, in.Shape)
	if err != nil {
		return nil, err
	}
	got := 0
	switch {
	case in.Datatype == "BYTES" && t.binary:
		if t.texts, err = unpackTexts(in.Name, raw); err != nil {
			return nil, err
		}
		got = len(t.texts)
	case in.Datatype == "FP32" && t.binary:
		for ; len(raw) >= 4; raw = raw[4:] {
			t.floats = append(t.floats, math.Float32frombits(binary.LittleEndian.Uint32(raw)))
		}
		if got = len(t.floats); len(raw) > 0 {
			got = -1
		}
	case in.Datatype == "UINT8" && t.binary:
		t.bytes, got = raw, len(raw)
	case in.Datatype == "BYTES" || in.Datatype == "FP32" || in.Datatype == "UINT8":
		got, err = t.fromJSON(in.Data)
		if err != nil {
			return nil, bad("inputs", "the data of the input %.100q cannot be read: %v", in.Name, err)
		}
	default:
		return nil, errDatatype(t)
	}
	if got != want {
		return nil, errElements(t, want)
	}
	return t, nil
}

func errElements(t *tensor, want int) error {
	return bad("inputs", "the input %.100q has the shape %v, and its data do not have %d elements", t.name, t.shape, want)
}

func errDatatype(t *tensor) error {
	return bad("inputs", "the input %.100q is of the datatype %.20q, want BYTES, FP32 or UINT8", t.name, t.datatype)
}

func unpackTexts(name string, raw []byte) (out [][]byte, err error) {
	for len(raw) > 0 {
		if len(raw) < 4 || uint64(binary.LittleEndian.Uint32(raw)) > uint64(len(raw)-4) {
			return nil, bad("inputs", "the texts of the input %.100q end in the middle of one", name)
		}
		n := 4 + int(binary.LittleEndian.Uint32(raw))
		out, raw = append(out, raw[4:n]), raw[n:]
	}
	return out, nil
}

// fromJSON reads data, flat or nested, and counts its elements.
func (t *tensor) fromJSON(data json.RawMessage) (int, error) {
	n := 0
	d := json.NewDecoder(bytes.NewReader(data))
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return 0, err
		}
		switch v := tok.(type) {
		case json.Delim:
			if v == '{' || v == '}' {
				return 0, bad("inputs", "there is an object in it")
			}
			continue
		case string:
			t.texts = append(t.texts, []byte(v))
		case float64:
			if t.datatype == "UINT8" {
				if v != math.Trunc(v) || v < 0 || v > 255 {
					return 0, bad("inputs", "%g is no UINT8", v)
				}
				t.bytes = append(t.bytes, byte(v))
			} else {
				t.floats = append(t.floats, float32(v))
			}
		default:
			return 0, bad("inputs", "there is a %v in it", tok)
		}
		n++
	}
	kinds := map[string]int{"BYTES": len(t.texts), "FP32": len(t.floats), "UINT8": len(t.bytes)}
	if kinds[t.datatype] != n {
		return 0, bad("inputs", "it holds something else than %s", t.datatype)
	}
	return n, nil
}
