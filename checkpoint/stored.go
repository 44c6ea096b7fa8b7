package checkpoint

import (
	"fmt"
	"runtime"
	"unsafe"

	"fovea/autograd"
	"fovea/tensor"
)

// Attach checks src against params as Bind does, but reads no values: every parameter is told where the file holds them
// (autograd.Param.Stored), for layers that use them there or want them in fewer bits than float32. What is left is read by
// Param.Load. Leave the file to its tensors afterwards: see File.Leave.
func Attach(params []*autograd.Param, src Source, renames []Rename) error {
	found, err := match(params, src, renames)
	if err != nil {
		return err
	}
	for i, p := range params {
		p.Data, p.Stored = nil, found[i]
	}
	return nil
}

// Halves is the number of bytes of tensors of 16-bit floating point.
func (f *File) Halves() int64 {
	n := int64(0)
	for _, s := range f.shards {
		for _, e := range s.entries {
			if e.dtype == BF16 || e.dtype == F16 {
				n += e.to - e.from
			}
		}
	}
	return n
}

// Leave is Close at the time when nothing refers to the file's tensors any more. As long as something does, the file must not
// be overwritten or cut off in its place: replacing it by another one (a rename, as every package manager does) is safe.
func (f *File) Leave() {
	for _, s := range f.shards {
		runtime.SetFinalizer(s, func(s *shard) { _ = s.free() })
	}
	f.shards, f.where, f.names = nil, nil, nil
}

// Rows converts rows [from, to) of the first axis into dst, which must have as many elements.
func (t *Tensor) Rows(dst []float32, from, to int) error {
	if len(t.Shape) == 0 || from < 0 || to < from || to > t.Shape[0] {
		return fmt.Errorf("checkpoint: rows %d … %d of tensor %q, which has shape %v", from, to, t.Name, t.Shape)
	}
	part := *t
	part.Shape = append(tensor.Shape{to - from}, t.Shape[1:]...)
	size := len(t.Raw) / max(t.Shape[0], 1)
	part.Raw = t.Raw[from*size : to*size]
	if t.scale != nil {
		part.scale = t.scale[t.scaleBytes()*from:]
	}
	return part.Float32(dst)
}

// BF16 implements autograd.Stored.
func (t *Tensor) BF16() []uint16 { return t.halves(BF16) }

// F16 implements autograd.Stored.
func (t *Tensor) F16() []uint16 { return t.halves(F16) }

func (t *Tensor) halves(d DType) []uint16 {
	if t.DType != d || len(t.Raw) == 0 {
		return nil
	}
	return words(t.Raw)
}

// words is raw as numbers of 16 bits, nil when this machine cannot read them there.
func words(raw []byte) []uint16 {
	at := unsafe.Pointer(unsafe.SliceData(raw))
	if !littleEndian || uintptr(at)%2 != 0 {
		return nil
	}
	return unsafe.Slice((*uint16)(at), len(raw)/2)
}

// Owner implements autograd.Stored: the mapped file, nil for memory of the program's own.
func (t *Tensor) Owner() any { return t.from }

// Done implements autograd.Stored. The file's pages leave this process; they are read again when they are needed.
func (t *Tensor) Done() {
	if t.from != nil && t.from.drop != nil {
		t.from.drop(t.Raw)
	}
}
