package hub

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Cache is the folder that holds what has been downloaded.
type Cache struct{ Dir string }

const folderPrefix = "models--"

func (c Cache) folder(repo string) string {
	return filepath.Join(c.Dir, folderPrefix+strings.ReplaceAll(repo, "/", "--"))
}

// Snapshot is a model in the cache at one commit.
type Snapshot struct {
	Repo   string
	Commit string
	Refs   []string // branches and tags that stand for the commit
	Dir    string   // with config.json and everything else
}

// Ref is the shortest name of the snapshot.
func (s *Snapshot) Ref() Ref {
	switch {
	case slices.Contains(s.Refs, DefaultRevision):
		return Ref{s.Repo, DefaultRevision}
	case len(s.Refs) > 0:
		return Ref{s.Repo, s.Refs[0]}
	}
	return Ref{s.Repo, s.Commit}
}

// Find finds a model that is in the cache, whole, without using the network. A model that is not there is an ErrMissing,
// part of one an ErrIncomplete.
func (c Cache) Find(r Ref) (*Snapshot, error) {
	commit := r.Revision
	if !commitForm.MatchString(commit) {
		b, err := os.ReadFile(filepath.Join(c.folder(r.Repo), "refs", filepath.FromSlash(r.Revision)))
		commit = strings.TrimSpace(string(b))
		if err != nil || !commitForm.MatchString(commit) {
			return nil, c.missing(r)
		}
	}
	s, err := c.snapshot(r.Repo, commit)
	if err != nil {
		return nil, c.missing(r)
	}
	if lacks := s.lacks(); lacks != "" {
		return nil, fail(ErrIncomplete, "fovea pull "+r.String(), "of %s only part is in the cache: %s is missing", r, lacks)
	}
	return s, nil
}

// missing says what there is instead.
func (c Cache) missing(r Ref) error {
	e := fail(ErrMissing, "fovea pull "+r.String(), "the model %s is not in the cache", r)
	others, _ := c.snapshots(r.Repo)
	var names []string
	for _, s := range others {
		names = append(names, s.Ref().String())
	}
	if len(names) > 0 {
		e.Hint += "; there is " + strings.Join(names, ", ")
	}
	return e
}

// List lists the models in the cache, by name. Parts of models are among them; see Snapshot.Whole. An absent cache is empty.
func (c Cache) List() ([]*Snapshot, error) {
	entries, err := os.ReadDir(c.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fail(ErrCache, "", "read the cache").because(err)
	}
	var out []*Snapshot
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), folderPrefix)
		if !ok || strings.Count(name, "--") != 1 {
			continue
		}
		repo := strings.Replace(name, "--", "/", 1)
		if _, err := Parse(repo); err != nil {
			continue
		}
		found, err := c.snapshots(repo)
		if err != nil {
			return nil, fail(ErrCache, "", "read the cache").because(err)
		}
		out = append(out, found...)
	}
	return out, nil
}

// snapshots lists a model's commits in the cache.
func (c Cache) snapshots(repo string) (out []*Snapshot, err error) {
	entries, err := os.ReadDir(filepath.Join(c.folder(repo), "snapshots"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if !commitForm.MatchString(e.Name()) {
			continue
		}
		s, err := c.snapshot(repo, e.Name())
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, err
}

// snapshot is a model at a commit, with what else it is called.
func (c Cache) snapshot(repo, commit string) (*Snapshot, error) {
	s := &Snapshot{Repo: repo, Commit: commit, Dir: filepath.Join(c.folder(repo), "snapshots", commit)}
	if _, err := os.Stat(s.Dir); err != nil {
		return nil, err
	}
	refs := filepath.Join(c.folder(repo), "refs")
	_ = filepath.WalkDir(refs, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		if b, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(b)) == commit {
			name, _ := filepath.Rel(refs, path)
			if name = filepath.ToSlash(name); isRevision(name) {
				s.Refs = append(s.Refs, name)
			}
		}
		return nil
	})
	slices.Sort(s.Refs)
	return s, nil
}

// Whole reports that nothing is missing that is needed to open the model.
func (s *Snapshot) Whole() bool { return s.lacks() == "" }

// lacks names the first file that is missing. Weights that are there in pickle files only are for others to refuse.
func (s *Snapshot) lacks() string {
	there := func(name string) bool {
		_, err := os.Stat(filepath.Join(s.Dir, name)) // of what a link leads to
		return err == nil
	}
	if !there("config.json") {
		return "config.json"
	}
	if there(singleWeights) {
		return ""
	}
	if index, err := readSmall(filepath.Join(s.Dir, indexFile)); err == nil {
		names, err := shards(index)
		if err != nil {
			return "" // a malformed index is explained when it is opened
		}
		for _, n := range names {
			if !there(n) {
				return n
			}
		}
		return ""
	}
	entries, _ := os.ReadDir(s.Dir)
	for _, e := range entries {
		if (filepath.Ext(e.Name()) == ".safetensors" || isPickle(e.Name())) && there(e.Name()) {
			return ""
		}
	}
	return singleWeights
}

// Files lists the files of the snapshot, by name, with their sizes. The digest is that of the link's name; it is "" where
// the cache has no links.
func (s *Snapshot) Files() (out []File, err error) {
	err = filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(s.Dir, path)
		if err != nil {
			return err
		}
		f := File{Path: filepath.ToSlash(name)}
		if to, err := os.Readlink(path); err == nil {
			if base := filepath.Base(to); sha1Form.MatchString(base) || sha256Form.MatchString(base) {
				f.Digest = base
			}
		}
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // its content is gone
		}
		if err == nil {
			f.Size = info.Size()
			out = append(out, f)
		}
		return err
	})
	return out, err
}

// Bytes is the size of all files of the snapshot.
func (s *Snapshot) Bytes() (n int64) {
	files, _ := s.Files()
	for _, f := range files {
		n += f.Size
	}
	return n
}
