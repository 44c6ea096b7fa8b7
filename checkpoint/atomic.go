package checkpoint

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// FS is what writing needs of a file system. OS is the real one; tests put failures in its place.
type FS interface {
	// CreateTemp makes a new file in dir; the last * of pattern becomes a random string.
	CreateTemp(dir, pattern string) (Temp, error)
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes dir's entries durable.
	SyncDir(dir string) error
}

// Temp is a file that is being written.
type Temp interface {
	io.Writer
	Name() string
	Sync() error
	Close() error
}

// OS is the operating system's file system.
var OS FS = osFS{}

type osFS struct{}

// CreateTemp is os.CreateTemp, except that the file may be read by whom the umask lets read: it becomes a result, not a secret.
func (osFS) CreateTemp(dir, pattern string) (Temp, error) {
	prefix, suffix := pattern, ""
	if i := strings.LastIndexByte(pattern, '*'); i >= 0 {
		prefix, suffix = pattern[:i], pattern[i+1:]
	}
	for {
		name := filepath.Join(dir, prefix+strconv.FormatUint(rand.Uint64(), 36)+suffix)
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err // not f: a nil *os.File in an interface is not nil
		}
		return f, nil
	}
}

func (osFS) Rename(from, to string) error { return os.Rename(from, to) }
func (osFS) Remove(name string) error     { return os.Remove(name) }
func (osFS) SyncDir(dir string) error     { return syncDir(dir) }

const tempMark = ".partial-"

// AtomicWrite replaces the file at path by what fill writes, or leaves it as it was: the bytes go to a temporary file in the
// same directory (".NAME.partial-…"), are made durable, and only then take the name (the pattern of renameio and SQLite's
// atomic commit). After a crash the old or the new file is there, complete. A nil fs means OS.
func AtomicWrite(fs FS, path string, fill func(w io.Writer) error) (err error) {
	if fs == nil {
		fs = OS
	}
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	f, err := fs.CreateTemp(dir, "."+base+tempMark+"*")
	if err != nil {
		return fmt.Errorf("checkpoint: write %s: %w", path, err)
	}
	open := true
	defer func() {
		if err == nil {
			return
		}
		if open {
			_ = f.Close()
		}
		err = errors.Join(fmt.Errorf("checkpoint: write %s: %w", path, err), ignoreMissing(fs.Remove(f.Name())))
	}()
	w := bufio.NewWriterSize(checkedWriter{f}, 1<<18)
	if err := fill(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	open = false
	if err := f.Close(); err != nil {
		return err
	}
	if err := fs.Rename(f.Name(), path); err != nil {
		return err
	}
	if err := fs.SyncDir(dir); err != nil {
		return fmt.Errorf("written, but not known to be durable: %w", err)
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// checkedWriter turns a short write that reports no error into one.
type checkedWriter struct{ w io.Writer }

func (c checkedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}

// RemovePartial deletes what writers that were killed have left in dir. Nobody else may be writing there.
func RemovePartial(dir string) error {
	es, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	var errs []error
	for _, e := range es {
		if e.Type().IsRegular() && strings.HasPrefix(e.Name(), ".") && strings.Contains(e.Name(), tempMark) {
			errs = append(errs, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
