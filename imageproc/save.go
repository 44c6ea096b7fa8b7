package imageproc

import (
	"bufio"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Quality is the JPEG quality of Save: artefacts are hard to see at it, and files a tenth of PNG's.
const Quality = 92

// Save writes the picture to a file, as PNG or JPEG by the extension (.png, .jpg, .jpeg). The file appears whole or not
// at all: it is written beside its place under another name, flushed to the disk and renamed.
func Save(path string, m *RGB) error {
	var encode func(io.Writer) error
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".png":
		encode = func(w io.Writer) error { return EncodePNG(w, m) }
	case ".jpg", ".jpeg":
		encode = func(w io.Writer) error { return EncodeJPEG(w, m, Quality) }
	default:
		return fmt.Errorf("imageproc: save %q: cannot write pictures as %q; name the file .png or .jpg", path, ext)
	}
	if err := writeFile(path, encode); err != nil {
		return fmt.Errorf("imageproc: save %q: %w", path, err)
	}
	return nil
}

// EncodeJPEG writes the picture as JPEG; quality is 1 to 100.
func EncodeJPEG(w io.Writer, m *RGB, quality int) error {
	if m.W < 1 || m.H < 1 {
		return fmt.Errorf("imageproc: a picture of %d × %d pixels cannot be written", m.W, m.H)
	}
	return jpeg.Encode(w, m.rgba(), &jpeg.Options{Quality: quality})
}

// rgba copies the picture to the type that encoders have fast paths for.
func (m *RGB) rgba() *image.RGBA {
	out := image.NewRGBA(m.Bounds())
	o, p := out.Pix, m.Pix
	for len(p) >= 3 && len(o) >= 4 {
		o[0], o[1], o[2], o[3] = p[0], p[1], p[2], 255
		o, p = o[4:], p[3:]
	}
	return out
}

func writeFile(path string, encode func(io.Writer) error) (err error) {
	f, err := createBeside(path)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<16)
	if err = encode(w); err != nil {
		return err
	}
	if err = w.Flush(); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// createBeside makes a file of a new name in the folder of path. Unlike os.CreateTemp it leaves the permissions to the
// user's umask, because the file is going to be a plain result.
func createBeside(path string) (*os.File, error) {
	dir, base := filepath.Split(path)
	for i := 0; ; i++ {
		name := filepath.Join(dir, fmt.Sprintf(".%s.%d-%d.tmp", base, os.Getpid(), i))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !os.IsExist(err) || i == 1000 {
			return f, err
		}
	}
}
