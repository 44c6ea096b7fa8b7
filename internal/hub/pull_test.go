package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"fovea/internal/hub/hubtest"
)

// noise are bytes that are a function of a seed.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewPCG(seed, 7)
	for i := range b {
		b[i] = byte(r.Uint64())
	}
	return b
}

const repo = "acme/eye-small"

// files are those of a small model, and some that nobody needs.
func files() map[string][]byte {
	return map[string][]byte{
		"config.json": []byte(`{"model_type":"vit"}`), "preprocessor_config.json": []byte("{}"), "README.md": []byte("---\nlicense: mit\n---\n"),
		"model.safetensors": noise(1, 300_000), "pytorch_model.bin": noise(2, 300_000), "onnx/model.onnx": noise(3, 20_000), ".gitattributes": []byte("x"),
	}
}

var needed = []string{"README.md", "config.json", "model.safetensors", "preprocessor_config.json"}

// start makes a hub with a model, and a client that is in a hurry.
func start(t *testing.T, change ...func(*Config)) (*hubtest.Server, *Client) {
	t.Helper()
	s := hubtest.New()
	t.Cleanup(s.Close)
	s.Add(repo, "main", files())
	cfg := Config{Endpoint: s.URL, Cache: Cache{t.TempDir()}}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.pause, c.stall = time.Millisecond, 2*time.Second
	return s, c
}

func parse(t *testing.T, name string) Ref {
	t.Helper()
	r, err := Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustPull(t *testing.T, c *Client, name string) *Snapshot {
	t.Helper()
	s, err := c.Pull(context.Background(), parse(t, name), PullOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// same checks that a snapshot holds what it should, and nothing else.
func same(t *testing.T, s *Snapshot, want map[string][]byte, names []string) {
	t.Helper()
	got, err := s.Files()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range got {
		list = append(list, f.Path)
		b, err := os.ReadFile(filepath.Join(s.Dir, f.Path))
		if err != nil || !bytes.Equal(b, want[f.Path]) {
			t.Errorf("%s: %d bytes, %v", f.Path, len(b), err)
		}
		if f.Digest != hubtest.Digest(want[f.Path]) {
			t.Errorf("%s: the digest %q", f.Path, f.Digest)
		}
	}
	slices.Sort(list)
	if !slices.Equal(list, names) {
		t.Errorf("files %q, want %q", list, names)
	}
}

// partials are files that are half there.
func partials(t *testing.T, c *Client) (out []string) {
	t.Helper()
	_ = filepath.WalkDir(c.config.Cache.Dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && (strings.HasSuffix(path, ".incomplete") || strings.HasSuffix(path, ".tmp")) {
			out = append(out, path)
		}
		return nil
	})
	return out
}

func TestPull(t *testing.T) {
	s, c := start(t)
	snap := mustPull(t, c, repo)
	same(t, snap, files(), needed)
	if snap.Ref().String() != repo || !slices.Equal(snap.Refs, []string{"main"}) || !snap.Whole() {
		t.Errorf("%+v", snap)
	}
	if found, err := c.config.Cache.Find(parse(t, repo)); err != nil || found.Dir != snap.Dir {
		t.Errorf("find: %+v, %v", found, err)
	}
	if to, err := os.Readlink(filepath.Join(snap.Dir, "config.json")); err != nil || to != "../../blobs/"+hubtest.Digest(files()["config.json"]) {
		t.Errorf("the link %q, %v", to, err)
	}
	if p := partials(t, c); p != nil {
		t.Errorf("left behind: %q", p)
	}
	s.Requests()
	mustPull(t, c, repo)
	if again := s.Requests(); len(again) != 1 {
		t.Errorf("a second pull asks %v", again)
	}
	bad, err := snap.Verify(nil)
	if err != nil || bad != nil {
		t.Errorf("verify: %q, %v", bad, err)
	}
}

func TestPullRevisions(t *testing.T) {
	s, c := start(t)
	first := mustPull(t, c, repo)
	next := files()
	next["config.json"] = []byte(`{"model_type":"vit","x":1}`)
	commit := s.Add(repo, "refs/pr/3", next)
	s.Requests()
	snap := mustPull(t, c, repo+"@refs/pr/3")
	same(t, snap, next, needed)
	for _, r := range s.Requests() {
		if r.Store {
			t.Errorf("the weights are fetched twice: %+v", r)
		}
	}
	if snap.Commit != commit || snap.Ref().String() != repo+"@refs/pr/3" {
		t.Errorf("%+v", snap)
	}
	mustPull(t, c, repo+"@"+first.Commit)
	if got, err := c.config.Cache.Find(parse(t, repo)); err != nil || got.Commit != first.Commit {
		t.Errorf("main: %+v, %v", got, err)
	}
	all, err := c.config.Cache.List()
	if err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	_, err = c.Pull(context.Background(), parse(t, repo+"@nowhere"), PullOptions{})
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), `no revision "nowhere"`) {
		t.Errorf("%v", err)
	}
	if _, err := c.config.Cache.Find(parse(t, repo+"@nowhere")); !errors.Is(err, ErrMissing) || !strings.Contains(hint(err), repo+"@refs/pr/3") {
		t.Errorf("%v (%s)", err, hint(err))
	}
}

func hint(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}

func TestPullShards(t *testing.T) {
	s, c := start(t)
	f := map[string][]byte{"config.json": []byte("{}"), "model-00001-of-00002.safetensors": noise(5, 40_000), "model-00002-of-00002.safetensors": noise(6, 40_000),
		"consolidated.safetensors": noise(7, 50_000)}
	f["model.safetensors.index.json"], _ = json.Marshal(map[string]any{"weight_map": map[string]string{"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}})
	s.Add("acme/sharded", "main", f)
	snap := mustPull(t, c, "acme/sharded")
	want := []string{"config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"}
	same(t, snap, f, want)
	if err := os.Remove(filepath.Join(snap.Dir, "model-00002-of-00002.safetensors")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.config.Cache.Find(parse(t, "acme/sharded")); !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), "model-00002") {
		t.Errorf("half a model: %v", err)
	}
	same(t, mustPull(t, c, "acme/sharded"), f, want)
	f["model.safetensors.index.json"] = []byte(`{"weight_map":{"a":"../../../../evil.safetensors"}}`)
	s.Add("acme/sharded", "main", f)
	if _, err := c.Pull(context.Background(), parse(t, "acme/sharded"), PullOptions{}); !errors.Is(err, ErrUnsafe) {
		t.Errorf("a shard outside: %v", err)
	}
}

// TestPullCut: the connection breaks at random places, over and over, within one pull and between pulls; what has arrived is not
// fetched again.
func TestPullCut(t *testing.T) {
	s, c := start(t)
	rng := rand.New(rand.NewPCG(3, 4))
	sent := 0
	s.Cut = func(path string, size int) int {
		n := rng.IntN(60_000)
		sent += min(n, size)
		return n
	}
	c.tries = 2
	var snap *Snapshot
	pulls := 0
	for snap == nil && pulls < 100 {
		pulls++
		ctx, cancel := context.WithCancel(context.Background())
		var err error
		snap, err = c.Pull(ctx, parse(t, repo), PullOptions{Progress: func(p Progress) {
			if p.File == "model.safetensors" && rng.IntN(4) == 0 {
				cancel() // the user ends it
			}
		}})
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, ErrNetwork) {
			t.Fatal(err)
		}
		if snap == nil {
			if _, err := c.config.Cache.Find(parse(t, repo)); err == nil {
				t.Fatal("half a model is found")
			}
		}
		cancel()
	}
	same(t, snap, files(), needed)
	resumed := 0
	for _, r := range s.Requests() {
		if r.Store && r.Range != "" {
			resumed++
		}
	}
	if pulls < 2 || resumed < 3 {
		t.Errorf("%d pulls, %d resumed", pulls, resumed)
	}
	t.Logf("%d pulls, %d times resumed", pulls, resumed)
}

// TestPullSpoilt: what an earlier try has left may be anything; the result is right or refused.
func TestPullSpoilt(t *testing.T) {
	for _, left := range [][]byte{{}, noise(9, 1000), noise(1, 1000), noise(1, 299_999), noise(9, 300_000), noise(9, 400_000), noise(1, 300_000)} {
		_, c := start(t)
		blobs := filepath.Join(c.config.Cache.folder(repo), "blobs")
		if err := os.MkdirAll(blobs, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(blobs, hubtest.Digest(files()["model.safetensors"])+".incomplete"), left, 0o644); err != nil {
			t.Fatal(err)
		}
		same(t, mustPull(t, c, repo), files(), needed)
	}
}

func TestPullWithoutRanges(t *testing.T) {
	s, c := start(t)
	s.NoRange = true
	cuts := 0
	s.Cut = func(path string, size int) int {
		if cuts++; size > hubtest.Large && cuts < 6 {
			return 50_000
		}
		return -1
	}
	same(t, mustPull(t, c, repo), files(), needed)
	s.Cut = func(string, int) int { return 50_000 } // always at the same place: it never gets there, and gives up
	s.Add("acme/other", "main", map[string][]byte{"config.json": []byte("{}"), "model.safetensors": noise(4, 100_000)})
	if _, err := c.Pull(context.Background(), parse(t, "acme/other"), PullOptions{}); !errors.Is(err, ErrNetwork) {
		t.Errorf("%v", err)
	}
}

func TestPullFlippedBit(t *testing.T) {
	s, c := start(t)
	s.Flip = true
	_, err := c.Pull(context.Background(), parse(t, repo), PullOptions{})
	if !errors.Is(err, ErrDigest) || !strings.Contains(err.Error(), "model.safetensors") {
		t.Fatalf("%v", err)
	}
	if p := partials(t, c); p != nil {
		t.Errorf("left behind: %q", p)
	}
	if _, err := c.config.Cache.Find(parse(t, repo)); !errors.Is(err, ErrMissing) {
		t.Errorf("%v", err)
	}
	s.Flip = false
	snap := mustPull(t, c, repo)
	// A bit that flips on the disk later is found by Verify, and a file of another size by the next pull.
	blob := filepath.Join(snap.Dir, "model.safetensors")
	b := bytes.Clone(files()["model.safetensors"])
	b[77] ^= 1
	if err := os.WriteFile(blob, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if bad, err := snap.Verify(nil); err != nil || !slices.Equal(bad, []string{"model.safetensors"}) {
		t.Errorf("verify: %q, %v", bad, err)
	}
	if err := os.WriteFile(blob, b[:100], 0o644); err != nil {
		t.Fatal(err)
	}
	same(t, mustPull(t, c, repo), files(), needed)
}

func TestPullRedirects(t *testing.T) {
	for _, xet := range []bool{false, true} {
		s, c := start(t, func(c *Config) { c.Token = "hf_good_token" })
		s.Tokens, s.Xet, s.Signatures = []string{"hf_good_token"}, xet, 1
		s.Moved = map[string]string{"old/eye": repo}
		s.Fail = 2
		cut := 0
		s.Cut = func(_ string, size int) int {
			if cut++; size > hubtest.Large && cut < 8 {
				return 40_000
			}
			return -1
		}
		snap := mustPull(t, c, "old/eye")
		same(t, snap, files(), needed)
		store := 0
		for _, r := range s.Requests() {
			if r.Store {
				store++
				if r.Token != "" {
					t.Errorf("the token was sent to the store: %+v", r)
				}
			} else if r.Token != "hf_good_token" {
				t.Errorf("no token for the hub: %+v", r)
			}
		}
		if store < 3 {
			t.Errorf("%d requests to the store", store)
		}
	}
}

func TestPullRefusesRedirects(t *testing.T) {
	for to, want := range map[string]string{
		"file:///etc/passwd": "redirects to", "gopher://127.0.0.1/": "redirects to", "http://user:secret@127.0.0.1/x": "redirects to", "": "nowhere",
	} {
		s, c := start(t)
		s.Redirect = func(string) string { return to }
		if _, err := c.Pull(context.Background(), parse(t, repo), PullOptions{}); !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", to, err)
		}
	}
	s, c := start(t)
	s.Redirect = func(string) string { return s.URL + "/" + repo + "/resolve/main/model.safetensors" }
	if _, err := c.Pull(context.Background(), parse(t, repo), PullOptions{}); !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), "more than 8 redirects") {
		t.Errorf("a loop: %v", err)
	}
}

// TestPullHostileListing: nothing that the hub says leads out of the model's folder.
func TestPullHostileListing(t *testing.T) {
	entry := func(name, digest string, size any) map[string]any {
		return map[string]any{"rfilename": name, "blobId": digest, "size": size}
	}
	good := strings.Repeat("a", 40)
	for name, change := range map[string]func(map[string]any){
		"a path upwards":      func(m map[string]any) { m["siblings"] = []any{entry("../../../evil", good, 3)} },
		"an absolute path":    func(m map[string]any) { m["siblings"] = []any{entry("/etc/evil", good, 3)} },
		"a backslash":         func(m map[string]any) { m["siblings"] = []any{entry(`..\evil`, good, 3)} },
		"a drive":             func(m map[string]any) { m["siblings"] = []any{entry(`c:evil`, good, 3)} },
		"a hidden path":       func(m map[string]any) { m["siblings"] = []any{entry("a/../../evil", good, 3)} },
		"a control character": func(m map[string]any) { m["siblings"] = []any{entry("a\nb", good, 3)} },
		"no name":             func(m map[string]any) { m["siblings"] = []any{entry("", good, 3)} },
		"a digest upwards":    func(m map[string]any) { m["siblings"] = []any{entry("config.json", "../../../../evil", 3)} },
		"a short digest":      func(m map[string]any) { m["siblings"] = []any{entry("config.json", "abc", 3)} },
		"a digest in LFS": func(m map[string]any) {
			e := entry("config.json", good, 3)
			e["lfs"] = map[string]any{"sha256": "../" + strings.Repeat("a", 61), "size": 3}
			m["siblings"] = []any{e}
		},
		"a negative size": func(m map[string]any) { m["siblings"] = []any{entry("config.json", good, -1)} },
		"no size":         func(m map[string]any) { m["siblings"] = []any{entry("config.json", good, nil)} },
		"twice": func(m map[string]any) {
			m["siblings"] = []any{entry("config.json", good, 3), entry("config.json", good, 3)}
		},
		"a commit":    func(m map[string]any) { m["sha"] = "../../../evil" },
		"no commit":   func(m map[string]any) { delete(m, "sha") },
		"other types": func(m map[string]any) { m["siblings"] = "x" },
	} {
		s, c := start(t)
		s.Listing = change
		_, err := c.Pull(context.Background(), parse(t, repo), PullOptions{})
		if !errors.Is(err, ErrUnsafe) {
			t.Errorf("%s: %v", name, err)
		}
		if entries, _ := os.ReadDir(c.config.Cache.Dir); len(entries) != 0 {
			t.Errorf("%s: something was written: %v", name, entries)
		}
	}
}

// TestPullThroughLinks: links that somebody has put into the cache do not lead writing out of it.
func TestPullThroughLinks(t *testing.T) {
	outside := t.TempDir()
	for _, name := range []string{"blobs", "refs", "snapshots"} {
		_, c := start(t)
		dir := c.config.Cache.folder(repo)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(dir, name)); err != nil {
			t.Skipf("no links here: %v", err)
		}
		if _, err := c.Pull(context.Background(), parse(t, repo), PullOptions{}); !errors.Is(err, ErrCache) {
			t.Errorf("%s: %v", name, err)
		}
		if entries, _ := os.ReadDir(outside); len(entries) != 0 {
			t.Fatalf("%s: written outside: %v", name, entries)
		}
	}
}

func TestPullLimits(t *testing.T) {
	ctx := context.Background()
	_, c := start(t, func(c *Config) { c.MaxBytes = 200_000 })
	if _, err := c.Pull(ctx, parse(t, repo), PullOptions{}); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "model.safetensors") {
		t.Errorf("%v", err)
	}
	s, c := start(t)
	s.Listing = func(m map[string]any) {
		for _, e := range m["siblings"].([]any) {
			if e := e.(map[string]any); e["rfilename"] == "config.json" {
				e["size"] = 5
			}
		}
	}
	if _, err := c.Pull(ctx, parse(t, repo), PullOptions{}); !errors.Is(err, ErrDigest) && !errors.Is(err, ErrTooLarge) {
		t.Errorf("a file that is larger than said: %v", err)
	}
	_, c = start(t)
	c.free = func(string) (int64, bool) { return 1000, true }
	if _, err := c.Pull(ctx, parse(t, repo), PullOptions{}); !errors.Is(err, ErrNoSpace) {
		t.Errorf("no room: %v", err)
	}
}

// TestPullFullDisk: a disk that fills up on the way costs nothing of what has arrived.
func TestPullFullDisk(t *testing.T) {
	s, c := start(t)
	c.full = func(written int64) error {
		if written > 100_000 {
			return &os.PathError{Op: "write", Path: "blob", Err: syscall.ENOSPC}
		}
		return nil
	}
	s.Cut = func(_ string, size int) int { return min(size, 90_000) } // so that some of it is written
	_, err := c.Pull(context.Background(), parse(t, repo), PullOptions{})
	var known *Error
	if !errors.Is(err, ErrNoSpace) || !errors.As(err, &known) || !known.Retry() || !strings.Contains(known.Hint, "goes on from there") {
		t.Fatalf("%v", err)
	}
	if p := partials(t, c); len(p) != 1 {
		t.Fatalf("left: %q", p)
	}
	c.full, s.Cut = func(int64) error { return nil }, nil
	s.Requests()
	same(t, mustPull(t, c, repo), files(), needed)
	if !slices.ContainsFunc(s.Requests(), func(r hubtest.Request) bool { return strings.HasPrefix(r.Range, "bytes=") && r.Range != "bytes=0-" }) {
		t.Error("it began anew")
	}
}

func TestPullDenied(t *testing.T) {
	ctx := context.Background()
	for name, test := range map[string]struct {
		token, model string
		kind         error
		want, hint   string
	}{
		"gated, no token":      {"", repo, ErrDenied, "is gated", "set HF_TOKEN"},
		"gated, other account": {"hf_known", repo, ErrDenied, "has no access yet", "accept the terms"},
		"gated, token":         {"hf_good", repo, nil, "", ""},
		"invalid token":        {"hf_bad", repo, ErrDenied, "refuses the token", "make a new one"},
		"no such model":        {"", "acme/nothing", ErrNotFound, "no model acme/nothing", "HF_TOKEN"},
		"no such model, token": {"hf_good", "acme/nothing", ErrNotFound, "no model acme/nothing", "spelling"},
	} {
		s, c := start(t, func(c *Config) { c.Token = test.token })
		s.Gated, s.Tokens, s.Known = []string{repo}, []string{"hf_good"}, []string{"hf_known"}
		_, err := c.Pull(ctx, parse(t, test.model), PullOptions{})
		if test.kind == nil {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.want) || !strings.Contains(hint(err), test.hint) {
			t.Errorf("%s: %v (%s)", name, err, hint(err))
		}
		if test.token != "" && strings.Contains(fmt.Sprint(err, hint(err)), test.token) {
			t.Errorf("%s: the token is in the message", name)
		}
	}
}

func TestPullUnusable(t *testing.T) {
	ctx := context.Background()
	for name, test := range map[string]struct {
		files map[string][]byte
		kind  error
		want  string
	}{
		"pickle only": {map[string][]byte{"config.json": []byte("{}"), "pytorch_model.bin": noise(1, 20_000)}, ErrPickle, "pytorch_model.bin, a pickle file"},
		"no weights":  {map[string][]byte{"config.json": []byte("{}")}, ErrNotFound, "no model.safetensors"},
		"no config":   {map[string][]byte{"model.safetensors": noise(1, 20_000)}, ErrNotFound, "no config.json"},
		"no shard":    {map[string][]byte{"config.json": []byte("{}"), indexFile: []byte(`{"weight_map":{"a":"x.safetensors"}}`)}, ErrNotFound, "names x.safetensors"},
		"no index":    {map[string][]byte{"config.json": []byte("{}"), indexFile: []byte(`[]`)}, ErrUnsafe, "index"},
	} {
		s, c := start(t)
		s.Add("acme/odd", "main", test.files)
		_, err := c.Pull(ctx, parse(t, "acme/odd"), PullOptions{})
		if !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "acme/odd") {
			t.Errorf("%s: %v", name, err)
		}
		for _, r := range s.Requests() {
			if r.Store {
				t.Errorf("%s: weights were fetched", name)
			}
		}
		// What the names of the files tell already leaves nothing behind.
		if entries, _ := os.ReadDir(c.config.Cache.Dir); test.files[indexFile] == nil && len(entries) != 0 {
			t.Errorf("%s: the cache has %v", name, entries)
		}
	}
	// A caller may refuse the weights once it has seen the configuration.
	s, c := start(t)
	no := errors.New("not this one")
	if _, err := c.Pull(ctx, parse(t, repo), PullOptions{Check: func(dir string) error {
		if _, err := os.Stat(filepath.Join(dir, "config.json")); err != nil {
			t.Error(err)
		}
		return no
	}}); !errors.Is(err, no) {
		t.Errorf("%v", err)
	}
	for _, r := range s.Requests() {
		if r.Store {
			t.Error("weights were fetched")
		}
	}
}

func TestPullOffline(t *testing.T) {
	s, c := start(t)
	c.config.Offline = true
	_, err := c.Pull(context.Background(), parse(t, repo), PullOptions{})
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "HF_HUB_OFFLINE") {
		t.Errorf("%v", err)
	}
	c.config.Offline = false
	want := mustPull(t, c, repo)
	c.config.Offline = true
	s.Requests()
	if got := mustPull(t, c, repo); got.Dir != want.Dir || len(s.Requests()) != 0 {
		t.Errorf("%+v", got)
	}
	s.Close()
	c.config.Offline = false
	if _, err := c.Pull(context.Background(), parse(t, repo), PullOptions{}); !errors.Is(err, ErrNetwork) || !err.(*Error).Retry() { //nolint:errorlint // it is one
		t.Errorf("%v", err)
	}
}

func TestPullProgress(t *testing.T) {
	_, c := start(t)
	var last Progress
	finished := map[string]bool{}
	if _, err := c.Pull(context.Background(), parse(t, repo), PullOptions{Progress: func(p Progress) {
		if last = p; p.Done > p.Total || p.Done < 0 {
			t.Errorf("%+v", p)
		}
		finished[p.File] = finished[p.File] || p.Finished
	}}); err != nil {
		t.Fatal(err)
	}
	if last.Done != last.Total || last.Total < 300_000 || len(finished) != len(needed) || !finished["model.safetensors"] {
		t.Errorf("%+v, %v", last, finished)
	}
}

// TestPullWithoutLinks: where there are no symbolic links, files lie in the snapshot themselves, and are not fetched twice.
func TestPullWithoutLinks(t *testing.T) {
	s, c := start(t, func(c *Config) { c.NoLinks = true })
	snap := mustPull(t, c, repo)
	for _, name := range needed {
		path := filepath.Join(snap.Dir, name)
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, files()[name]) {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
	// As Python leaves it: the content is in the snapshot only.
	if err := os.RemoveAll(filepath.Join(c.config.Cache.folder(repo), "blobs")); err != nil {
		t.Fatal(err)
	}
	s.Requests()
	mustPull(t, c, repo)
	if n := len(s.Requests()); n != 1 {
		t.Errorf("%d requests although all is there", n)
	}
	if _, err := snap.Verify(nil); !errors.Is(err, ErrCache) {
		t.Errorf("%v", err)
	}
	if freed, err := c.config.Cache.Remove(Ref{Repo: repo}); err != nil || freed < 300_000 {
		t.Errorf("%d, %v", freed, err)
	}
}
