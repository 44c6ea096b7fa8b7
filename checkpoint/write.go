package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"sort"

	"fovea/autograd"
	"fovea/tensor"
)

// WriteOptions says how weights are stored.
type WriteOptions struct {
	// DType of Matrix and Table parameters: F32, BF16, I8 with one symmetric scale a row (stored as NAME.scale), or I4 with one for
	// each 32. I4 is for matrices of an even number of columns, at least 32; others, and tables, are then I8. Vectors and
	// buffers, and every parameter of fewer than two axes, are always F32: they are few and sensitive.
	DType    DType
	Metadata map[string]string
	FS       FS // nil: OS
}

// Item is one tensor to be written.
type Item struct {
	Name  string
	Shape tensor.Shape
	Data  []float32
	DType DType // F32, BF16, I8 or I4
}

// Write stores params under their names in a safetensors file at path, atomically.
func Write(path string, params []*autograd.Param, o WriteOptions) error {
	items := make([]Item, len(params))
	for i, p := range params {
		items[i] = Item{p.Name, p.Shape, p.Data, F32}
		if len(p.Shape) >= 2 && (p.Kind == autograd.Matrix || p.Kind == autograd.Table) {
			items[i].DType = o.DType
			if o.DType == I4 && (p.Kind != autograd.Matrix || !fitsInt4(p.Shape)) {
				items[i].DType = I8
			}
		}
	}
	return WriteItems(path, items, o.Metadata, o.FS)
}

// WriteItems stores tensors in a safetensors file at path, atomically, with a CRC-32C of the data among the metadata
// (File.Verify). A nil fs means OS.
func WriteItems(path string, items []Item, metadata map[string]string, fs FS) error {
	stored, err := plan(items)
	if err != nil {
		return fmt.Errorf("checkpoint: write %s: %w", path, err)
	}
	sum := crc32.New(castagnoli)
	buf := make([]byte, 0, 1<<16)
	for _, s := range stored {
		if buf, err = s.encode(sum, buf); err != nil {
			return fmt.Errorf("checkpoint: write %s: %w", path, err)
		}
	}
	header, err := encodeHeader(stored, metadata, sum.Sum32())
	if err != nil {
		return fmt.Errorf("checkpoint: write %s: %w", path, err)
	}
	return AtomicWrite(fs, path, func(w io.Writer) error {
		if _, err := w.Write(header); err != nil {
			return err
		}
		for _, s := range stored {
			if buf, err = s.encode(w, buf); err != nil {
				return err
			}
		}
		return nil
	})
}

// stored is one tensor as it lies in the file.
type stored struct {
	name   string
	dtype  DType
	shape  tensor.Shape
	data   []float32
	scales []float32 // of I8
	raw    []byte    // in place of data, ready to be written
}

func (s *stored) bytes() int {
	if s.raw != nil {
		return len(s.raw)
	}
	return len(s.data) * s.dtype.Size()
}

// plan checks items and adds the scales of 8-bit ones. Wider formats come first and names are in order, which keeps every
// tensor aligned to its element size.
func plan(items []Item) ([]stored, error) {
	var out []stored
	seen := map[string]bool{}
	add := func(s stored) error {
		switch {
		case s.name == "" || s.name == "__metadata__":
			return fmt.Errorf("%q cannot be a tensor's name", s.name)
		case seen[s.name]:
			return fmt.Errorf("two tensors are called %q", s.name)
		case len(s.shape) > maxAxes || s.raw == nil && s.shape.Size() != len(s.data):
			return fmt.Errorf("tensor %q: %d values for shape %v", s.name, len(s.data), s.shape)
		}
		seen[s.name] = true
		out = append(out, s)
		return nil
	}
	for _, it := range items {
		s := stored{it.Name, it.DType, it.Shape, it.Data, nil, nil}
		switch it.DType {
		case F32, BF16:
		case I8:
			if len(it.Shape) == 0 {
				return nil, fmt.Errorf("tensor %q: a scalar cannot be stored as I8", it.Name)
			}
			s.scales = rowScales(it.Data, it.Shape[0])
			if err := add(stored{it.Name + scaleSuffix, F32, tensor.Shape{it.Shape[0]}, s.scales, nil, nil}); err != nil {
				return nil, err
			}
		case I4:
			if !fitsInt4(it.Shape) || it.Shape.Size() != len(it.Data) {
				return nil, fmt.Errorf("tensor %q: %d values of shape %v cannot be stored as I4: want an even number of columns, at least %d", it.Name, len(it.Data), it.Shape, I4Group)
			}
			q, scales := quantizeInt4(it.Data, it.Shape[0], it.Shape[1])
			s = stored{name: it.Name, dtype: U8, shape: tensor.Shape{it.Shape[0], it.Shape[1] / 2}, raw: q}
			if err := add(stored{name: it.Name + scaleSuffix, dtype: BF16, shape: tensor.Shape{it.Shape[0], groupsOf(it.Shape[1])}, raw: scales}); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("tensor %q: cannot write %s; F32, BF16, I8 and I4 can be written", it.Name, it.DType)
		}
		if err := add(s); err != nil {
			return nil, err
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if a, b := out[i].dtype.Size(), out[j].dtype.Size(); a != b {
			return a > b
		}
		return out[i].name < out[j].name
	})
	return out, nil
}

// rowScales are the steps that map each row's largest magnitude to 127.
func rowScales(data []float32, rows int) []float32 {
	s := make([]float32, rows)
	for i := range s {
		cols := len(data) / rows
		for _, v := range data[i*cols : (i+1)*cols] {
			s[i] = max(s[i], float32(math.Abs(float64(v)))/127)
		}
	}
	return s
}

// encode writes the tensor's bytes through buf, whose memory is reused.
func (s *stored) encode(w io.Writer, buf []byte) ([]byte, error) {
	if s.raw != nil {
		_, err := w.Write(s.raw)
		return buf, err
	}
	if s.dtype == F32 && littleEndian {
		_, err := w.Write(bytesOf(s.data))
		return buf, err
	}
	const chunk = 1 << 14
	cols := 1
	if s.dtype == I8 && len(s.scales) > 0 {
		cols = len(s.data) / len(s.scales)
	}
	for from := 0; from < len(s.data); from += chunk {
		buf = buf[:0]
		for i, v := range s.data[from:min(from+chunk, len(s.data))] {
			switch s.dtype {
			case F32:
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
			case BF16:
				buf = binary.LittleEndian.AppendUint16(buf, toBF16(v))
			default:
				buf = append(buf, byte(quantize(v, s.scales[(from+i)/cols])))
			}
		}
		if _, err := w.Write(buf); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// quantize is the nearest multiple of step, at most 127 of them; NaN becomes 0.
func quantize(v, step float32) int8 {
	if step == 0 || v != v {
		return 0
	}
	return int8(min(max(math.RoundToEven(float64(v)/float64(step)), -127), 127))
}

func encodeHeader(ss []stored, metadata map[string]string, crc uint32) ([]byte, error) {
	type tensorJSON struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	meta := map[string]string{metaCRC: fmt.Sprintf("%08x", crc)}
	for k, v := range metadata {
		if k == metaCRC {
			return nil, fmt.Errorf("metadata key %q is taken", k)
		}
		meta[k] = v
	}
	if len(meta) > maxMetadata {
		return nil, fmt.Errorf("%d metadata entries, at most %d", len(meta), maxMetadata)
	}
	header := map[string]any{"__metadata__": meta}
	at := 0
	for _, s := range ss {
		shape := s.shape
		if shape == nil {
			shape = tensor.Shape{}
		}
		header[s.name] = tensorJSON{s.dtype.String(), shape, [2]int{at, at + s.bytes()}}
		at += s.bytes()
	}
	b, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	for len(b)%8 != 0 { // the data starts aligned
		b = append(b, ' ')
	}
	if len(b) > maxHeader {
		return nil, fmt.Errorf("header of %d bytes, at most %d", len(b), maxHeader)
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(b))), b...), nil
}
