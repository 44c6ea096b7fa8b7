package hub

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fovea/internal/hub/hubtest"
)

func TestEnvironment(t *testing.T) {
	for _, v := range []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_ENDPOINT", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_IMPLICIT_TOKEN"} {
		t.Setenv(v, "")
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	is := func(want string) {
		t.Helper()
		if got := EnvironmentCache().Dir; got != want {
			t.Errorf("the cache %q, want %q", got, want)
		}
	}
	is(filepath.Join(home, ".cache/huggingface/hub"))
	t.Setenv("XDG_CACHE_HOME", "/x")
	is("/x/huggingface/hub")
	t.Setenv("HF_HOME", "~/hf")
	is(filepath.Join(home, "hf/hub"))
	t.Setenv("HUGGINGFACE_HUB_CACHE", "$HOME/old")
	is(filepath.Join(home, "old"))
	t.Setenv("HF_HUB_CACHE", "/c")
	is("/c")
	if err := os.MkdirAll(filepath.Join(home, "hf"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "hf/token"), []byte("hf_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := Environment(); c.Token != "hf_file" || c.Offline || c.Endpoint != "" {
		t.Errorf("%+v", c)
	}
	t.Setenv("HF_TOKEN", " hf_env ")
	t.Setenv("HF_HUB_OFFLINE", "yes")
	t.Setenv("HF_ENDPOINT", "https://mirror.example/")
	if c := Environment(); c.Token != "hf_env" || !c.Offline || c.Endpoint != "https://mirror.example/" {
		t.Errorf("%+v", c)
	}
	t.Setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
	if c := Environment(); c.Token != "" {
		t.Errorf("%+v", c)
	}
	for _, e := range []string{"ftp://x", "x", "https://", "https://a:b@c"} {
		if _, err := New(Config{Endpoint: e}); !errors.Is(err, ErrName) || strings.Contains(err.Error(), "a:b") && e != "https://a:b@c" {
			t.Errorf("%q: %v", e, err)
		}
	}
}

func TestSecret(t *testing.T) {
	for address, want := range map[string]bool{"https://huggingface.co": true, "http://huggingface.co": false, "http://127.0.0.1:99": true, "http://localhost": true,
		"http://[::1]:8": true, "http://10.0.0.1": false, "http://localhost.evil.example": false} {
		o, err := originOf(address)
		if err != nil || o.secret() != want {
			t.Errorf("%s: %v, %v", address, o, err)
		}
	}
}

func TestRemove(t *testing.T) {
	s, c := start(t)
	cache := c.config.Cache
	mustPull(t, c, repo)
	second := files()
	second["model.safetensors"] = noise(8, 200_000)
	s.Add(repo, "v2", second)
	mustPull(t, c, repo+"@v2")
	if _, err := cache.Remove(parse(t, repo+"@v3")); !errors.Is(err, ErrMissing) {
		t.Errorf("%v", err)
	}
	freed, err := cache.Remove(parse(t, repo+"@v2"))
	if err != nil || freed != 200_000 {
		t.Errorf("%d, %v", freed, err)
	}
	if _, err := cache.Find(parse(t, repo+"@v2")); !errors.Is(err, ErrMissing) {
		t.Errorf("%v", err)
	}
	left, err := cache.Find(parse(t, repo))
	if err != nil {
		t.Fatal(err)
	}
	same(t, left, files(), needed)
	if freed, err = cache.Remove(Ref{Repo: repo}); err != nil || freed < 300_000 {
		t.Errorf("%d, %v", freed, err)
	}
	if all, err := cache.List(); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := cache.Remove(Ref{Repo: repo}); !errors.Is(err, ErrMissing) {
		t.Errorf("%v", err)
	}
}

// TestRemoveShared: newer Python tools keep a file once for several models; it goes with the last of them.
func TestRemoveShared(t *testing.T) {
	s, c := start(t)
	s.Add("acme/twin", "main", files())
	digest := hubtest.Digest(files()["model.safetensors"])
	hash := strings.Repeat("ab", 32)
	dir := c.config.Cache.Dir
	shared := filepath.Join(dir, "blobs", "ab", hash)
	if err := os.MkdirAll(filepath.Dir(shared), 0o755); err != nil {
		t.Fatal(err)
	}
	refs := ""
	for _, name := range []string{repo, "acme/twin"} {
		snap := mustPull(t, c, name)
		blob := filepath.Join(c.config.Cache.folder(name), "blobs", digest)
		if err := os.Rename(blob, shared); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("../../blobs/ab/"+hash, blob); err != nil {
			t.Skipf("no links here: %v", err)
		}
		rel, _ := filepath.Rel(dir, blob)
		refs += rel + "\n"
		same(t, snap, files(), needed)
	}
	if err := os.WriteFile(shared+".refs", []byte(refs), 0o644); err != nil {
		t.Fatal(err)
	}
	s.Requests()
	mustPull(t, c, repo)
	if n := len(s.Requests()); n != 1 {
		t.Errorf("%d requests although all is there", n)
	}
	if _, err := c.config.Cache.Remove(Ref{Repo: repo}); err != nil {
		t.Fatal(err)
	}
	twin, err := c.config.Cache.Find(parse(t, "acme/twin"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, twin, files(), needed)
	freed, err := c.config.Cache.Remove(Ref{Repo: "acme/twin"})
	if err != nil || freed < 300_000 {
		t.Errorf("%d, %v", freed, err)
	}
	if _, err := os.Lstat(shared); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the shared file stays: %v", err)
	}
}

// TestListPassesOver: other things in the cache are nobody's business.
func TestListPassesOver(t *testing.T) {
	_, c := start(t)
	dir := c.config.Cache.Dir
	for _, name := range []string{"datasets--a--b", "models--gpt2", "models--a--b--c", "models--..--x", "version.txt", "models--a--b/snapshots/notacommit", "models--a--b/refs", ".locks"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mustPull(t, c, repo)
	all, err := c.config.Cache.List()
	if err != nil || len(all) != 1 || all[0].Repo != repo {
		t.Errorf("%v, %v", all, err)
	}
	if none, err := (Cache{filepath.Join(dir, "absent")}).List(); err != nil || none != nil {
		t.Errorf("%v, %v", none, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "models--a--b/refs/main"), []byte("../../../etc"), 0o644); err != nil {
		t.Fatal(err)
	}
	if s, err := c.config.Cache.Find(Ref{"a/b", "main"}); !errors.Is(err, ErrMissing) {
		t.Errorf("a hostile ref: %+v, %v", s, err)
	}
}
