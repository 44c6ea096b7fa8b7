package bench

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"fovea/imageproc"
)

// Images decodes and resizes JPEG pictures to Size × Size pixels, bicubic.
type Images struct {
	Size int

	files   [][]byte
	decoded []*imageproc.RGB
	threads int
}

// NewImages decodes the pictures once. The threads share them, each taking every threads-th.
func NewImages(files [][]byte, size, threads int) (*Images, error) {
	b := &Images{size, files, make([]*imageproc.RGB, len(files)), threads}
	if len(files) == 0 {
		return nil, errors.New("bench: no pictures")
	}
	for i, f := range files {
		var err error
		if b.decoded[i], _, err = imageproc.DecodeBytes(f, imageproc.Limits{}); err != nil {
			return nil, fmt.Errorf("bench: picture %d: %w", i, err)
		}
	}
	return b, nil
}

// Len is the number of pictures, which every item goes through once.
func (b *Images) Len() int { return len(b.files) }

// ImageItems lists what Run knows.
func ImageItems() []string { return slices.Sorted(maps.Keys(imageItems)) }

var imageItems = map[string]func(b *Images, i int){
	"decode":        func(b *Images, i int) { b.decode(i) },
	"resize":        func(b *Images, i int) { b.resize(b.decoded[i]) },
	"decode+resize": func(b *Images, i int) { b.resize(b.decode(i)) },
}

// Run does an item for every picture.
func (b *Images) Run(item string) error {
	f := imageItems[item]
	if f == nil {
		return fmt.Errorf("bench: unknown item %q; there are %q", item, ImageItems())
	}
	var wg sync.WaitGroup
	for t := range b.threads {
		wg.Go(func() {
			for i := t; i < len(b.files); i += b.threads {
				f(b, i)
			}
		})
	}
	wg.Wait()
	return nil
}

func (b *Images) decode(i int) *imageproc.RGB {
	m, _, err := imageproc.DecodeBytes(b.files[i], imageproc.Limits{})
	if err != nil {
		panic(err) // NewImages decoded it
	}
	return m
}

func (b *Images) resize(m *imageproc.RGB) {
	imageproc.Resize(m, b.Size, b.Size, imageproc.Bicubic)
}

// ImageWorker lets pictures take part in a comparison; keys are those of ImageItems.
func ImageWorker(in io.Reader, out io.Writer, b *Images) error {
	bytes := 0
	for _, f := range b.files {
		bytes += len(f)
	}
	ready := map[string]any{"ready": true, "jpeg_kb": float64(bytes) / float64(len(b.files)) / 1024}
	return answer(in, out, ready, func(key string) (func(), error) {
		if err := b.Run(key); err != nil {
			return nil, err
		}
		return func() { _ = b.Run(key) }, nil
	})
}

// ReadJPEGs reads the pictures of a .npz file, a ZIP of NumPy arrays of bytes, in the order of the archive.
func ReadJPEGs(path string) (files [][]byte, err error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("bench: open %s: %w", path, err)
	}
	defer func() { _ = z.Close() }()
	for _, f := range z.File {
		data, err := readZipped(f)
		if err != nil {
			return nil, fmt.Errorf("bench: read %s in %s: %w", f.Name, path, err)
		}
		files = append(files, data)
	}
	return files, nil
}

// readZipped reads a NumPy file of bytes: a magic string, a version, the length of a header, the header, the bytes.
func readZipped(f *zip.File) ([]byte, error) {
	const most = 64 << 20
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return nil, err
	}
	if len(data) < 10 || string(data[:7]) != "\x93NUMPY\x01" {
		return nil, errors.New("no NumPy file of version 1")
	}
	start := 10 + int(data[8]) + int(data[9])<<8
	if start > len(data) || !strings.Contains(string(data[10:start]), "'descr': '|u1'") {
		return nil, errors.New("no array of bytes")
	}
	return data[start:], nil
}
