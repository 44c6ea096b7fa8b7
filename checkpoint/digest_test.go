package checkpoint

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestDigest: equal folders have equal digests, also as another file lies beside; other weights, of which a large file is not read as a
// whole, and another configuration have others.
func TestDigest(t *testing.T) {
	write := func(dir, name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	folder := func(weights []byte, config string) string {
		dir := t.TempDir()
		write(dir, "model.safetensors", weights)
		write(dir, "config.json", []byte(config))
		return dir
	}
	digest := func(dir string) string {
		d, err := Digest(os.DirFS(dir))
		if err != nil || len(d) != 16 {
			t.Fatalf("%q, %v", d, err)
		}
		return d
	}
	weights := bytes.Repeat([]byte("0123456789abcdef"), 3<<16)
	dir := folder(weights, "{}")
	want := digest(dir)
	write(dir, "README.md", []byte("notes"))
	if got := digest(dir); got != want {
		t.Errorf("with a README: %s, want %s", got, want)
	}
	trained := bytes.Repeat([]byte("0123456789abcdeg"), 3<<16)
	last := bytes.Clone(weights)
	last[len(last)-1]++
	for name, other := range map[string]string{
		"trained": folder(trained, "{}"), "configuration": folder(weights, "{ }"), "longer": folder(append(bytes.Clone(weights), 0), "{}"),
		"small": folder(weights[:100], "{}"), "small, other": folder(trained[:100], "{}"), "last byte": folder(last, "{}"),
	} {
		if got := digest(other); got == want {
			t.Errorf("%s: the digest is the same", name)
		}
	}
	if _, err := Digest(os.DirFS(filepath.Join(dir, "none"))); err == nil {
		t.Error("no error without a folder")
	}
}
