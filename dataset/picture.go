package dataset

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fovea/annotation"
	"fovea/imageproc"
)

// extensions of files that are taken for pictures.
var extensions = []string{".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff"}

func isPicture(name string) bool {
	return slices.Contains(extensions, strings.ToLower(filepath.Ext(name))) && !strings.HasPrefix(name, ".")
}

// readLabels reads a label map: the grey values or palette indices of a picture, each replaced by what values gives.
func readLabels(path string, values *[256]uint8) (*annotation.LabelMap, error) {
	if _, err := imageproc.OpenInfo(path, imageproc.Limits{}); err != nil { // refuses what is too large
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r := img.Bounds()
	m := &annotation.LabelMap{W: r.Dx(), H: r.Dy(), Pix: make([]uint8, r.Dx()*r.Dy())}
	switch img := img.(type) {
	case *image.Paletted:
		for y := range m.H {
			copy(m.Pix[y*m.W:(y+1)*m.W], img.Pix[y*img.Stride:])
		}
	case *image.Gray:
		for y := range m.H {
			copy(m.Pix[y*m.W:(y+1)*m.W], img.Pix[y*img.Stride:])
		}
	case *image.Gray16:
		for i := range m.Pix {
			m.Pix[i] = uint8(min(img.At(r.Min.X+i%m.W, r.Min.Y+i/m.W).(color.Gray16).Y, annotation.Void))
		}
	default:
		return nil, fmt.Errorf("%s: a label map must be a grey or palette PNG whose values are class numbers, this one is in colour", path)
	}
	for i, v := range m.Pix {
		m.Pix[i] = values[v]
	}
	return m, nil
}

// readPicture decodes a picture, upright.
func readPicture(path string) (*imageproc.RGB, error) {
	m, _, err := imageproc.Open(path)
	return m, err
}

// folders answers whether files exist, reading each folder once.
type folders map[string]map[string]bool

// has reports a file, not a folder, at the path.
func (d folders) has(path string) bool {
	dir, name := filepath.Split(path)
	dir = filepath.Clean(dir)
	names, known := d[dir]
	if !known {
		names = map[string]bool{}
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false
		}
		for _, e := range entries {
			if !e.IsDir() {
				names[e.Name()] = true
			}
		}
		d[dir] = names
	}
	return names[name]
}
