// Package checkpointtest provides a file system that fails on purpose, for tests of what is left behind.
package checkpointtest

import (
	"fovea/checkpoint"
)

// FaultFS is the real file system until its budget is used up: every byte written costs one, every Sync, Close, Rename and
// SyncDir costs one too. Then the operation at hand fails with Err, and so does every later one except Remove. A Write fails
// after the part that the budget covers, as a full disk does; with Err nil it reports that part and no error, which is the
// short write that a careless writer would miss.
type FaultFS struct {
	Budget int
	Err    error
	Failed bool // the budget was used up
}

// spend takes n from the budget and returns how much of it was there.
func (f *FaultFS) spend(n int) int {
	if f.Failed {
		return 0
	}
	if n > f.Budget {
		n = f.Budget
		f.Failed = true
	}
	f.Budget -= n
	return n
}

func (f *FaultFS) step(do func() error) error {
	if f.spend(1) < 1 && f.Err != nil {
		return f.Err
	}
	return do()
}

// CreateTemp implements checkpoint.FS.
func (f *FaultFS) CreateTemp(dir, pattern string) (checkpoint.Temp, error) {
	t, err := checkpoint.OS.CreateTemp(dir, pattern)
	return &temp{f, t}, err
}

// Rename implements checkpoint.FS.
func (f *FaultFS) Rename(from, to string) error {
	return f.step(func() error { return checkpoint.OS.Rename(from, to) })
}

// Remove implements checkpoint.FS; it never fails on purpose.
func (f *FaultFS) Remove(name string) error { return checkpoint.OS.Remove(name) }

// SyncDir implements checkpoint.FS.
func (f *FaultFS) SyncDir(dir string) error {
	return f.step(func() error { return checkpoint.OS.SyncDir(dir) })
}

type temp struct {
	fs   *FaultFS
	file checkpoint.Temp
}

func (t *temp) Write(p []byte) (int, error) {
	n := t.fs.spend(len(p))
	written, err := t.file.Write(p[:n])
	if err == nil && n < len(p) {
		err = t.fs.Err
	}
	return written, err
}

func (t *temp) Name() string { return t.file.Name() }
func (t *temp) Sync() error  { return t.fs.step(t.file.Sync) }

// Close closes the file even where it then reports a failure, as close(2) does.
func (t *temp) Close() error {
	err := t.file.Close()
	if ferr := t.fs.step(func() error { return nil }); ferr != nil {
		return ferr
	}
	return err
}
