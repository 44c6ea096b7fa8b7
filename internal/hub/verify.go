package hub

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Verify computes the digest of every file anew and lists those that are not what the hub has sent. progress, when not nil,
// receives the bytes that have been read. A cache without links does not say what the digests are: that is an ErrCache.
func (s *Snapshot) Verify(progress func(done int64)) (damaged []string, err error) {
	files, err := s.Files()
	if err != nil {
		return nil, fail(ErrCache, "", "read the cache").because(err)
	}
	done := int64(0)
	for _, f := range files {
		if f.Digest == "" {
			return nil, fail(ErrCache, "remove it and pull it again", "%s has no link in the cache, so that its digest is not known", f.Path)
		}
		in, err := os.Open(filepath.Join(s.Dir, filepath.FromSlash(f.Path)))
		if err != nil {
			return nil, err
		}
		sum := f.newDigest()
		_, err = io.Copy(sum, counter{in, func(n int) {
			if done += int64(n); progress != nil {
				progress(done)
			}
		}})
		_ = in.Close()
		if err != nil {
			return nil, fmt.Errorf("hub: read %s: %w", f.Path, err)
		}
		if hex.EncodeToString(sum.Sum(nil)) != f.Digest {
			damaged = append(damaged, f.Path)
		}
	}
	return damaged, nil
}

type counter struct {
	io.Reader
	count func(int)
}

func (c counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.count(n)
	return n, err
}
