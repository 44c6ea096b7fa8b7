package hub

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"fovea/internal/filelock"
)

// store is one model's folder in the cache, open for writing. Everything is written through an os.Root, so that no name and
// no link, whoever made them, leads out of it.
type store struct {
	root    *os.Root // of the model's folder
	locks   *os.Root // of the folder for its locks
	dir     string
	noLinks bool // make no symbolic links
}

const folderMode = 0o755

// open makes a model's folder ready for writing.
func (c Cache) open(repo string) (*store, error) {
	if err := os.MkdirAll(c.Dir, folderMode); err != nil {
		return nil, writeFailed(err)
	}
	c.tag()
	s := &store{dir: c.folder(repo)}
	locks := filepath.Join(c.Dir, ".locks", filepath.Base(s.dir))
	for _, dir := range []string{locks, filepath.Join(s.dir, "blobs"), filepath.Join(s.dir, "refs"), filepath.Join(s.dir, "snapshots")} {
		if err := os.MkdirAll(dir, folderMode); err != nil {
			return nil, writeFailed(err)
		}
	}
	var err error
	if s.root, err = os.OpenRoot(s.dir); err != nil {
		return nil, writeFailed(err)
	}
	if s.locks, err = os.OpenRoot(locks); err != nil {
		_ = s.root.Close()
		return nil, writeFailed(err)
	}
	return s, nil
}

func (s *store) close() {
	_ = s.root.Close()
	_ = s.locks.Close()
}

// tag tells backup programs that the folder is a cache (bford.info/cachedir), as the Python tools do.
func (c Cache) tag() {
	f, err := os.OpenFile(filepath.Join(c.Dir, "CACHEDIR.TAG"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return
	}
	_, _ = io.WriteString(f, "Signature: 8a477f597d28d172789f06886806bc55\n# This is a cache of models from the Hugging Face hub.\n")
	_ = f.Close()
}

// has reports that a file's content is there. The Python tools may keep it elsewhere in the cache, behind a link.
func (s *store) has(f File) bool {
	info, err := os.Stat(filepath.Join(s.dir, "blobs", f.Digest))
	return err == nil && info.Mode().IsRegular() && info.Size() == f.Size
}

// placed reports that a file lies in a snapshot by itself, without a link, as where a system has none.
func (s *store) placed(commit string, f File) bool {
	info, err := os.Lstat(filepath.Join(s.dir, "snapshots", commit, filepath.FromSlash(f.Path)))
	return err == nil && info.Mode().IsRegular() && info.Size() == f.Size
}

// lock waits until nobody else, this program or a Python tool, downloads the file.
func (s *store) lock(ctx context.Context, f File) (unlock func(), err error) {
	l, err := s.locks.OpenFile(f.Digest+".lock", os.O_RDWR|os.O_CREATE, 0o664)
	if err != nil {
		return nil, s.failed(err)
	}
	for !filelock.Try(l) {
		select {
		case <-ctx.Done():
			_ = l.Close()
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return func() { _ = l.Close() }, nil
}

// link puts a file's content into a snapshot. Others may be doing the same, or reading it.
func (s *store) link(commit string, f File) error {
	name, blob := path.Join("snapshots", commit, f.Path), "blobs/"+f.Digest
	if to, err := s.root.Readlink(name); err == nil && path.Base(filepath.ToSlash(to)) == f.Digest || s.placed(commit, f) {
		return nil
	}
	up := strings.Repeat("../", strings.Count(name, "/"))
	return s.failed(s.put(name, func(temp string) error {
		if !s.noLinks && s.root.Symlink(up+blob, temp) == nil {
			return nil
		}
		// Some systems have no symbolic links for everyone.
		if s.root.Link(blob, temp) == nil {
			return nil
		}
		return s.copyFile(blob, temp)
	}))
}

func (s *store) copyFile(from, to string) error {
	in, err := s.root.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return s.write(to, in)
}

func (s *store) write(name string, from io.Reader) error {
	out, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	return errors.Join(err, out.Sync(), out.Close())
}

// put gives a name to what fill makes, in one step: whoever reads the name, at whatever time, sees what was there before or
// all of the new. fill gets a name that nobody else has, and that stands for nothing should it be left behind.
func (s *store) put(name string, fill func(temp string) error) error {
	if err := s.root.MkdirAll(path.Dir(name), folderMode); err != nil {
		return err
	}
	temp := "blobs/" + rand.Text() + ".tmp"
	err := fill(temp)
	if err == nil {
		err = s.root.Rename(temp, name)
	}
	_ = s.root.Remove(temp) // renaming a file to its own other name leaves both
	return err
}

// refer writes down what commit a branch or tag stands for; a commit stands for itself.
func (s *store) refer(revision, commit string) error {
	name := "refs/" + revision
	if old, err := s.root.ReadFile(name); revision == commit || err == nil && string(old) == commit {
		return nil
	}
	return s.failed(s.put(name, func(temp string) error { return s.write(temp, strings.NewReader(commit)) }))
}

// failed explains an error of the file system.
func (s *store) failed(err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return err
	}
	var status *statusError
	if errors.As(err, &status) || !isFile(err) {
		return err
	}
	return writeFailed(err)
}

func isFile(err error) bool {
	var p *os.PathError
	var l *os.LinkError
	return errors.As(err, &p) || errors.As(err, &l) || isFull(err)
}
