package checkpoint

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"unsafe"

	"fovea/internal/kernel"
	"fovea/tensor"
)

// Source is a set of named tensors.
type Source interface {
	Names() []string // in alphabetical order
	Tensor(name string) (*Tensor, error)
}

// Tensor is one stored tensor. It points into its file's memory and is valid until the file is closed.
type Tensor struct {
	Name  string
	DType DType
	Shape tensor.Shape
	Raw   []byte // little-endian, row by row, Shape.Size()·DType.Size() bytes, of I4 half a byte each

	scale []byte // F32, one for each row of an I8 tensor; BF16, one for each group of an I4 tensor; nil: values stand for themselves
	from  *shard // whose memory Raw is
}

// Float32 converts the elements into dst, which must have Shape.Size() of them. I8 tensors that have a scale are multiplied
// by it, row by row, and I4 tensors group by group.
func (t *Tensor) Float32(dst []float32) error {
	if len(dst) != t.Shape.Size() {
		return fmt.Errorf("checkpoint: tensor %q has %d elements, the destination %d", t.Name, t.Shape.Size(), len(dst))
	}
	if t.scale == nil || len(dst) == 0 {
		decode(dst, t.Raw, t.DType)
		return nil
	}
	rows := t.Shape[0]
	cols := len(dst) / rows
	if t.DType == I4 {
		for i := range rows {
			dequantInt4(dst[i*cols:(i+1)*cols], t.Raw[i*cols/2:], t.scale[i*t.scaleBytes():])
		}
		return nil
	}
	q := unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(t.Raw))), len(dst))
	var s [1]float32
	for i := range rows {
		decode(s[:], t.scale[4*i:], F32)
		kernel.DequantInt8(dst[i*cols:(i+1)*cols], q[i*cols:(i+1)*cols], s[0])
	}
	return nil
}

// scaleBytes are the bytes of a row's scales.
func (t *Tensor) scaleBytes() int {
	if t.DType == I4 {
		return 2 * groupsOf(t.Shape[1])
	}
	return 4
}

// scaleSuffix names the scales of an I8 or I4 tensor.
const scaleSuffix = ".scale"

// metaCRC is the metadata key of the data's checksum.
const metaCRC = "crc32c"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// File is an open checkpoint: one safetensors file or several shards. Several goroutines may read it at once.
type File struct {
	path   string
	shards []*shard
	names  []string
	where  map[string]location

	instead string // the pickle that lies beside a file of no usual name, and is perhaps what the folder's weights are in
}

type shard struct {
	file    string
	entries []entry
	meta    []pair
	data    []byte
	free    func() error
	drop    func(b []byte) // takes some of the memory out of this process until it is read again; nil: it cannot be
}

type location struct {
	shard *shard
	entry *entry
	scale []byte
	int4  bool
}

// Parse reads a safetensors file that is in memory, as from go:embed. The tensors point into data.
func Parse(data []byte) (*File, error) {
	s := &shard{file: "embedded", free: func() error { return nil }}
	if err := s.parse(data); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return newFile("embedded", []*shard{s})
}

func (s *shard) parse(file []byte) (err error) {
	s.entries, s.meta, s.data, err = parse(file)
	return err
}

func openShard(path string) (*shard, error) {
	b, free, err := load(path)
	if err != nil {
		return nil, err
	}
	if magic := pickleMagic(b); magic != "" {
		_ = free()
		return nil, &PickleError{Path: path, Kind: magic}
	}
	s := &shard{file: path, free: free, drop: drop}
	if err := s.parse(b); err != nil {
		_ = free()
		return nil, err
	}
	return s, nil
}

func newFile(path string, shards []*shard) (*File, error) {
	f := &File{path: path, shards: shards, where: map[string]location{}}
	for _, s := range shards {
		for i := range s.entries {
			e := &s.entries[i]
			if old, twice := f.where[e.name]; twice {
				return nil, fmt.Errorf("checkpoint: %s: tensor %q is in both %s and %s", path, e.name, old.shard.file, s.file)
			}
			f.where[e.name] = location{shard: s, entry: e}
		}
	}
	for name, l := range f.where {
		base, ok := strings.CutSuffix(name, scaleSuffix)
		q, has := f.where[base]
		if !ok || !has || !isScale(q.entry, l.entry) && !isInt4(q.entry, l.entry) {
			f.names = append(f.names, name)
		}
	}
	for name, l := range f.where {
		if s, ok := f.where[name+scaleSuffix]; ok && (isScale(l.entry, s.entry) || isInt4(l.entry, s.entry)) {
			l.scale, l.int4 = s.shard.data[s.entry.from:s.entry.to], isInt4(l.entry, s.entry)
			f.where[name] = l
		}
	}
	sort.Strings(f.names)
	return f, nil
}

// isScale reports that s holds the scales of the rows of q.
func isScale(q, s *entry) bool {
	return q.dtype == I8 && len(q.shape) > 0 && s.dtype == F32 && len(s.shape) == 1 && s.shape[0] == q.shape[0]
}

// Close gives the file's memory back. Tensors read from it must no longer be used.
func (f *File) Close() error {
	var first error
	for _, s := range f.shards {
		if err := s.free(); err != nil && first == nil {
			first = fmt.Errorf("checkpoint: close %s: %w", s.file, err)
		}
	}
	f.shards, f.where, f.names = nil, nil, nil
	return first
}

// Names implements Source. The scales of 8-bit and 4-bit tensors are not listed; they belong to their tensors.
func (f *File) Names() []string { return append([]string(nil), f.names...) }

// Tensor implements Source.
func (f *File) Tensor(name string) (*Tensor, error) {
	l, ok := f.where[name]
	if !ok {
		return nil, fmt.Errorf("checkpoint: %s has no tensor %q", f.path, name)
	}
	e := l.entry
	t := &Tensor{Name: name, DType: e.dtype, Shape: append(tensor.Shape(nil), e.shape...), Raw: l.shard.data[e.from:e.to:e.to], scale: l.scale, from: l.shard}
	if l.int4 {
		t.DType, t.Shape[1] = I4, 2*t.Shape[1]
	}
	return t, nil
}

// Metadata is the text that the file carries ("format": "pt" and the like); shards are merged, the first wins.
func (f *File) Metadata() map[string]string {
	m := map[string]string{}
	for _, s := range f.shards {
		for _, p := range s.meta {
			if _, ok := m[p.key]; !ok {
				m[p.key] = p.value
			}
		}
	}
	return m
}

// Verify compares the data with the checksum that Write leaves in the metadata, reading every byte. A file without one
// passes.
func (f *File) Verify() error {
	for _, s := range f.shards {
		for _, p := range s.meta {
			if p.key != metaCRC {
				continue
			}
			if got := fmt.Sprintf("%08x", crc32.Checksum(s.data, castagnoli)); got != p.value {
				return fmt.Errorf("checkpoint: %s: %w: checksum of the data is %s, the header says %q: the file is damaged", s.file, ErrFormat, got, p.value)
			}
		}
	}
	return nil
}

// PickleError refuses a PyTorch pickle: reading one would run the program that it contains.
type PickleError struct {
	Path string
	Kind string // "zip archive", "pickle stream" or "file name"
}

func (e *PickleError) Error() string {
	return fmt.Sprintf("checkpoint: %s is a PyTorch pickle (%s), which can run any code when loaded and is not read; "+
		"use the repository's .safetensors file, or convert it where you trust it: python -c \"import torch, safetensors.torch as s; "+
		"s.save_file({k: v.clone().contiguous() for k, v in torch.load('%s', weights_only=True).items()}, 'model.safetensors')\"", e.Path, e.Kind, filepath.Base(e.Path))
}

// pickleMagic recognises PyTorch's containers: a zip archive, or a bare pickle of protocol 2 to 5.
func pickleMagic(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		return "zip archive"
	case len(b) >= 3 && b[0] == 0x80 && b[1] >= 2 && b[1] <= 5 && (len(b) < 9 || b[8] != '{'):
		return "pickle stream"
	}
	return ""
}

func pickleName(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".bin", ".pt", ".pth", ".ckpt", ".pkl":
		return true
	}
	return false
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
