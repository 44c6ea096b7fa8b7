package checkpoint_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/checkpoint/checkpointtest"
)

func params() []*autograd.Param {
	w := autograd.NewParam(autograd.Matrix, 3, 4)
	b := autograd.NewParam(autograd.Vector, 4)
	w.Name, b.Name = "layer.weight", "layer.bias"
	for i := range w.Data {
		w.Data[i] = float32(i) - 5.5
	}
	copy(b.Data, []float32{1, -2, 3e-9, 4e9})
	return []*autograd.Param{w, b}
}

// TestFaultsKeepTheOldFile fails a save at every byte and at every system call after it: the old file must stay as it
// was (or, once renamed, the new one be there), and nothing may be left beside it.
func TestFaultsKeepTheOldFile(t *testing.T) {
	for name, fault := range map[string]error{"ENOSPC": syscall.ENOSPC, "EIO": syscall.EIO, "short write": nil} {
		dir := t.TempDir()
		path := filepath.Join(dir, "model.safetensors")
		ps := params()
		if err := checkpoint.Write(path, ps, checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		old, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		ps[0].Data[0] = 77
		faults := 0
		for budget := 0; ; budget++ {
			fs := &checkpointtest.FaultFS{Budget: budget, Err: fault}
			err := checkpoint.Write(path, ps, checkpoint.WriteOptions{FS: fs})
			now, rerr := os.ReadFile(path)
			if rerr != nil {
				t.Fatalf("%s after %d: %v", name, budget, rerr)
			}
			if !fs.Failed {
				if err != nil || string(now) == string(old) {
					t.Fatalf("%s: enough budget %d, but %v", name, budget, err)
				}
				break
			}
			faults++
			want := fault
			if want == nil {
				want = io.ErrShortWrite
			}
			// A short write can only strike while bytes are written; with Err nil the calls after them succeed.
			if err == nil && fault == nil && budget >= len(old) {
				break
			}
			if !errors.Is(err, want) {
				t.Fatalf("%s after %d: got %v", name, budget, err)
			}
			if string(now) != string(old) && !strings.Contains(err.Error(), "durable") {
				t.Fatalf("%s after %d: the old file changed", name, budget)
			}
			if es, _ := os.ReadDir(dir); len(es) != 1 {
				t.Fatalf("%s after %d: %d files are left", name, budget, len(es))
			}
			if string(now) != string(old) {
				if f, err := checkpoint.Open(path); err != nil || f.Verify() != nil {
					t.Fatalf("%s after %d: the new file is not whole", name, budget)
				}
				if err := os.WriteFile(path, old, 0o666); err != nil {
					t.Fatal(err)
				}
			}
		}
		if faults < len(old) {
			t.Errorf("%s: only %d faults for %d bytes", name, faults, len(old))
		}
	}
}

// TestMode: a written file may be read by whom an ordinary new file may be read.
func TestMode(t *testing.T) {
	dir := t.TempDir()
	plain, path := filepath.Join(dir, "plain"), filepath.Join(dir, "model.safetensors")
	f, err := os.Create(plain)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := checkpoint.Write(path, params(), checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	a, _ := os.Stat(plain)
	b, err := os.Stat(path)
	if err != nil || a.Mode() != b.Mode() {
		t.Errorf("mode %v, want %v (%v)", b.Mode(), a.Mode(), err)
	}
}

func TestRemovePartial(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{".a.partial-123", "a", ".hidden", "b.partial-1"} {
		if err := os.WriteFile(filepath.Join(dir, n), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := checkpoint.RemovePartial(dir); err != nil {
		t.Fatal(err)
	}
	if es, _ := os.ReadDir(dir); len(es) != 3 || es[0].Name() != ".hidden" {
		t.Errorf("left %v", es)
	}
	if err := checkpoint.RemovePartial(filepath.Join(dir, "none")); err == nil {
		t.Error("a missing folder is no error")
	}
}

func TestWriteIntoMissingFolder(t *testing.T) {
	err := checkpoint.Write(filepath.Join(t.TempDir(), "no", "m.safetensors"), params(), checkpoint.WriteOptions{})
	if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "checkpoint: write ") {
		t.Errorf("got %v", err)
	}
}
