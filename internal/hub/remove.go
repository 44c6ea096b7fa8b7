package hub

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fovea/internal/filelock"
)

// Remove takes a model out of the cache: one revision of it, or, when r.Revision is "", all of it. It returns the bytes that
// came free. Files that other revisions need stay.
func (c Cache) Remove(r Ref) (freed int64, err error) {
	all, err := c.snapshots(r.Repo)
	if err != nil {
		return 0, fail(ErrCache, "", "read the cache").because(err)
	}
	root, err := os.OpenRoot(c.Dir)
	if err != nil {
		return 0, c.missing(r)
	}
	defer func() { _ = root.Close() }()
	base := filepath.Base(c.folder(r.Repo))
	shared := c.sharedBlobs(r.Repo)
	if r.Revision == "" {
		if _, err := root.Lstat(base); err != nil {
			return 0, c.missing(Ref{r.Repo, DefaultRevision})
		}
		freed = sizeOf(c.folder(r.Repo))
		err = errors.Join(root.RemoveAll(base), root.RemoveAll(filepath.Join(".locks", base)))
	} else {
		freed, err = c.removeOne(root, base, r, all)
	}
	if err != nil {
		var known *Error
		if errors.As(err, &known) {
			return 0, err
		}
		return freed, fail(ErrCache, "", "remove %s", r).because(err)
	}
	return freed + c.sweep(root, shared), nil
}

// removeOne removes a revision, the names that stand for it, and what only it needs.
func (c Cache) removeOne(root *os.Root, base string, r Ref, all []*Snapshot) (freed int64, err error) {
	var gone *Snapshot
	needed := map[string]bool{}
	for _, s := range all {
		if s.Commit == r.Revision || slices.Contains(s.Refs, r.Revision) {
			gone = s
		}
	}
	if gone == nil {
		return 0, c.missing(r)
	}
	if len(all) == 1 {
		return c.Remove(Ref{r.Repo, ""})
	}
	for _, s := range all {
		if s == gone {
			continue
		}
		files, err := s.Files()
		if err != nil {
			return 0, err
		}
		for _, f := range files {
			needed[f.Digest] = true
		}
	}
	files, err := gone.Files()
	if err != nil {
		return 0, err
	}
	for _, ref := range gone.Refs {
		err = errors.Join(err, root.Remove(filepath.Join(base, "refs", filepath.FromSlash(ref))))
	}
	err = errors.Join(err, root.RemoveAll(filepath.Join(base, "snapshots", gone.Commit)))
	for _, f := range files {
		if f.Digest == "" {
			freed += f.Size
		}
		blob := filepath.Join(base, "blobs", f.Digest)
		if f.Digest == "" || needed[f.Digest] {
			continue
		}
		needed[f.Digest] = true // two names may share a content
		if info, e := root.Lstat(blob); e == nil && info.Mode().IsRegular() {
			freed += info.Size()
		}
		if e := root.Remove(blob); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return freed, err
}

// sizeOf is the size of the plain files in a folder. A file of two names counts once where the content has one.
func sizeOf(dir string) (n int64) {
	var seen []os.FileInfo
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil || slices.ContainsFunc(seen, func(o os.FileInfo) bool { return os.SameFile(o, info) }) {
			return nil
		}
		seen = append(seen, info)
		n += info.Size()
		return nil
	})
	return n
}

// Newer Python tools keep large files once for all models, at blobs/HH/HASH of the cache, beside HASH.refs, which lists the
// links to it; a model's own blobs/DIGEST is then such a link.

// sharedBlobs are those of them that a model links to, as paths in the cache.
func (c Cache) sharedBlobs(repo string) (out []string) {
	dir := filepath.Join(c.folder(repo), "blobs")
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if hash := c.sharedTarget(filepath.Join(dir, e.Name())); hash != "" {
			out = append(out, hash)
		}
	}
	return out
}

// sharedTarget is where a link leads to among the shared files, or "".
func (c Cache) sharedTarget(link string) string {
	to, err := os.Readlink(link)
	if err != nil {
		return ""
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(filepath.Dir(link), to)
	}
	name, err := filepath.Rel(c.Dir, to)
	parts := strings.Split(filepath.ToSlash(name), "/")
	if err != nil || len(parts) != 3 || parts[0] != "blobs" || !sha256Form.MatchString(parts[2]) || parts[1] != parts[2][:2] {
		return ""
	}
	return name
}

// sweep removes shared files that no link leads to any more. When the list of links cannot be read, the file stays.
func (c Cache) sweep(root *os.Root, shared []string) (freed int64) {
	for _, name := range shared {
		lock, err := root.OpenFile(name+".lock", os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			continue
		}
		if info, err := root.Lstat(name); filelock.Try(lock) && err == nil && info.Mode().IsRegular() && !c.linked(root, name) {
			if root.Remove(name) == nil {
				freed += info.Size()
				_ = root.Remove(name + ".refs")
			}
		}
		_ = lock.Close()
	}
	return freed
}

// linked reports that a shared file is, or may be, still in use.
func (c Cache) linked(root *os.Root, name string) bool {
	refs, err := root.Open(name + ".refs")
	if err != nil {
		return true
	}
	defer refs.Close()
	lines := bufio.NewScanner(refs)
	for lines.Scan() {
		if link := filepath.FromSlash(lines.Text()); filepath.IsLocal(link) && c.sharedTarget(filepath.Join(c.Dir, link)) == name {
			return true
		}
	}
	return lines.Err() != nil
}
