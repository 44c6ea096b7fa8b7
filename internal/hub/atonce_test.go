package hub

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"fovea/internal/hub/hubtest"
)

// TestPullAtOnce: pulls of one model share the work, and none sees, or makes, half of a file.
func TestPullAtOnce(t *testing.T) {
	for name, noLinks := range map[string]bool{"links": false, "without": true} {
		t.Run(name, func(t *testing.T) { pullAtOnce(t, noLinks) })
	}
}

func pullAtOnce(t *testing.T, noLinks bool) {
	s, c := start(t, func(c *Config) { c.NoLinks = noLinks })
	done := make(chan error, 4)
	for range cap(done) {
		go func() {
			snap, err := c.Pull(context.Background(), parse(t, repo), PullOptions{})
			for _, name := range needed {
				if err == nil {
					_, err = os.Stat(filepath.Join(snap.Dir, name))
				}
			}
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	snap, err := c.config.Cache.Find(parse(t, repo))
	if err != nil {
		t.Fatal(err)
	}
	if !noLinks {
		same(t, snap, files(), needed)
	}
	if p := partials(t, c); p != nil {
		t.Errorf("left behind: %q", p)
	}
	n := 0
	for _, r := range s.Requests() {
		if r.Store {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the weights were fetched %d times", n)
	}
}

// TestLinkAtOnce: a name in a snapshot that stood for something else changes in one step, however many change it.
func TestLinkAtOnce(t *testing.T) {
	for name, noLinks := range map[string]bool{"links": false, "without": true} {
		t.Run(name, func(t *testing.T) { linkAtOnce(t, noLinks) })
	}
}

func linkAtOnce(t *testing.T, noLinks bool) {
	const commit = "0123456789012345678901234567890123456789"
	cache := Cache{t.TempDir()}
	s, err := cache.open(repo)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.noLinks = noLinks
	var both [2]File
	for i := range both {
		b := noise(uint64(i), 100+i)
		both[i] = File{Path: "config.json", Size: int64(len(b)), Digest: hubtest.Digest(b)}
		if err := os.WriteFile(filepath.Join(s.dir, "blobs", both[i].Digest), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.link(commit, both[0]); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for j := range 20 {
				if err := s.link(commit, both[(i+j)%2]); err != nil {
					t.Error(err)
				}
				b, err := os.ReadFile(filepath.Join(s.dir, "snapshots", commit, "config.json"))
				if d := hubtest.Digest(b); err != nil || d != both[0].Digest && d != both[1].Digest {
					t.Errorf("%d bytes, %v", len(b), err)
				}
				if err := s.refer("main", strings.Repeat(strconv.Itoa((i+j)%10), 40)); err != nil {
					t.Error(err)
				}
				if b, err := os.ReadFile(filepath.Join(s.dir, "refs", "main")); err != nil || len(b) != 40 {
					t.Errorf("%q, %v", b, err)
				}
			}
		})
	}
	group.Wait()
	entries, err := os.ReadDir(filepath.Join(s.dir, "blobs"))
	if err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
	if refs, err := os.ReadDir(filepath.Join(s.dir, "refs")); err != nil || len(refs) != 1 {
		t.Errorf("%v, %v", refs, err)
	}
}
