package filelock

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestTry: a lock is held until the file is closed.
func TestTry(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("a temporary folder may be on a file system without locks")
	}
	path := filepath.Join(t.TempDir(), "x")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	a, b := open(), open()
	if !Try(a) || Try(b) || !Try(a) {
		t.Error("two have the lock, or none")
	}
	a.Close()
	if !Try(b) {
		t.Error("the lock was not given back")
	}
}
