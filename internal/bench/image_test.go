package bench

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// npz writes arrays of bytes as NumPy does.
func npz(t *testing.T, descr string, arrays ...[]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pictures.npz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for i, a := range arrays {
		w, err := z.Create(string(rune('a'+i)) + ".npy")
		if err != nil {
			t.Fatal(err)
		}
		head := "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (1,), }\n"
		_, _ = w.Write(append([]byte("\x93NUMPY\x01\x00"+string([]byte{byte(len(head)), 0})+head), a...))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestImages(t *testing.T) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 30)), nil); err != nil {
		t.Fatal(err)
	}
	files, err := ReadJPEGs(npz(t, "|u1", b.Bytes(), b.Bytes(), b.Bytes()))
	if err != nil || len(files) != 3 || !bytes.Equal(files[2], b.Bytes()) {
		t.Fatalf("%d files, %v", len(files), err)
	}
	images, err := NewImages(files, 16, 2)
	if err != nil || images.Len() != 3 {
		t.Fatal(images, err)
	}
	var out bytes.Buffer
	if err := ImageWorker(strings.NewReader("decode 0 1\nresize 0 2\ndecode+resize 0 1\n"), &out, images); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 4 || !strings.Contains(lines[0], `"ready":true`) {
		t.Fatalf("%q", lines)
	}
	var r struct {
		Times []float64 `json:"times_s"`
	}
	if err := json.Unmarshal([]byte(lines[2]), &r); err != nil || len(r.Times) != 2 || r.Times[0] <= 0 {
		t.Errorf("%s: %v", lines[2], err)
	}
	if err := ImageWorker(strings.NewReader("draw 0 1\n"), &out, images); err == nil || !strings.Contains(err.Error(), "decode+resize") {
		t.Errorf("unknown item: %v", err)
	}
}

func TestImagesBadFiles(t *testing.T) {
	if _, err := NewImages(nil, 16, 1); err == nil {
		t.Error("no pictures were taken")
	}
	if _, err := NewImages([][]byte{[]byte("\xff\xd8\xff\xd9")}, 16, 1); err == nil || !strings.Contains(err.Error(), "picture 0") {
		t.Errorf("a damaged picture: %v", err)
	}
	if _, err := ReadJPEGs(npz(t, "<f4", []byte("1234"))); err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("floats: %v", err)
	}
	if _, err := ReadJPEGs(filepath.Join(t.TempDir(), "none.npz")); err == nil {
		t.Error("a missing file was read")
	}
}
