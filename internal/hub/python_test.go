package hub

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// python runs a program with huggingface_hub, when FOVEA_PYTHON names a Python that has it.
func python(t *testing.T, c *Client, program string, env ...string) string {
	t.Helper()
	exe := os.Getenv("FOVEA_PYTHON")
	if exe == "" {
		t.Skip("FOVEA_PYTHON names no Python with huggingface_hub")
	}
	cmd := exec.Command(exe, "-c", "import huggingface_hub as hf, os\nrepo = '"+repo+"'\n"+program)
	cmd.Env = append(os.Environ(), append([]string{"HF_ENDPOINT=" + c.config.Endpoint, "HF_HUB_CACHE=" + c.config.Cache.Dir, "HF_HOME=" + t.TempDir(), "HF_HUB_DISABLE_XET=1",
		"HF_HUB_DISABLE_PROGRESS_BARS=1", "HF_HUB_DISABLE_TELEMETRY=1", "HF_TOKEN="}, env...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestPythonFindsOurs: what we have pulled, huggingface_hub finds offline, and fetches nothing again when it is online.
func TestPythonFindsOurs(t *testing.T) {
	s, c := start(t)
	snap := mustPull(t, c, repo)
	s.Requests()
	const find = `print(hf.snapshot_download(repo), hf.hf_hub_download(repo, 'model.safetensors'), hf.try_to_load_from_cache(repo, 'config.json'))`
	want := snap.Dir + " " + filepath.Join(snap.Dir, "model.safetensors") + " " + filepath.Join(snap.Dir, "config.json")
	if got := python(t, c, find, "HF_HUB_OFFLINE=1"); got != want {
		t.Errorf("offline: %q, want %q", got, want)
	}
	if n := len(s.Requests()); n != 0 {
		t.Errorf("%d requests although offline", n)
	}
	got := python(t, c, `print(hf.hf_hub_download(repo, 'model.safetensors'), hf.hf_hub_download(repo, 'config.json'))`)
	if got != filepath.Join(snap.Dir, "model.safetensors")+" "+filepath.Join(snap.Dir, "config.json") {
		t.Errorf("online: %q", got)
	}
	for _, r := range s.Requests() {
		if r.Method == "GET" && strings.Contains(r.Path, "/resolve/") || r.Store {
			t.Errorf("fetched again: %+v", r)
		}
	}
	scan := python(t, c, `i = hf.scan_cache_dir()
assert not i.warnings, i.warnings
print([(r.repo_id, r.nb_files, sorted(r.refs)) for r in i.repos])`)
	if scan != `[('acme/eye-small', 4, ['main'])]` {
		t.Errorf("scan: %s", scan)
	}
	python(t, c, `s = hf.scan_cache_dir().delete_revisions('`+snap.Commit+`'); s.execute()`)
	if _, err := c.config.Cache.Find(parse(t, repo)); err == nil {
		t.Error("what Python has removed is still found")
	}
}

// TestWeFindPythons: what huggingface_hub has downloaded, we find offline, and fetch nothing again when we are online.
func TestWeFindPythons(t *testing.T) {
	s, c := start(t)
	dir := python(t, c, `print(hf.snapshot_download(repo))`)
	snap, err := c.config.Cache.Find(parse(t, repo))
	if err != nil || snap.Dir != dir {
		t.Fatalf("%+v, %v; Python has it at %s", snap, err, dir)
	}
	s.Requests()
	if again := mustPull(t, c, repo); again.Dir != dir {
		t.Errorf("%+v", again)
	}
	if r := s.Requests(); len(r) != 1 {
		t.Errorf("fetched again: %+v", r)
	}
	if bad, err := snap.Verify(nil); err != nil || bad != nil {
		t.Errorf("%q, %v", bad, err)
	}
	if freed, err := c.config.Cache.Remove(Ref{Repo: repo}); err != nil || freed < 600_000 {
		t.Errorf("%d, %v", freed, err)
	}
	if got := python(t, c, `print(len(hf.scan_cache_dir().repos))`); got != "0" {
		t.Errorf("Python still sees %s models", got)
	}
}

// TestWeFindPythonsWithoutLinks: the same where Python makes no links.
func TestWeFindPythonsWithoutLinks(t *testing.T) {
	s, c := start(t, func(c *Config) { c.NoLinks = true })
	dir := python(t, c, `print(hf.snapshot_download(repo))`, "HF_HUB_DISABLE_SYMLINKS=1")
	s.Requests()
	if again := mustPull(t, c, repo); again.Dir != dir {
		t.Errorf("%+v", again)
	}
	if r := s.Requests(); len(r) != 1 {
		t.Errorf("fetched again: %+v", r)
	}
}

// TestPythonSharesPart: Python has fetched the configuration only; that is no model yet, and pulling fetches the rest.
func TestPythonSharesPart(t *testing.T) {
	s, c := start(t)
	python(t, c, `hf.hf_hub_download(repo, 'config.json')`)
	if _, err := c.config.Cache.Find(parse(t, repo)); err == nil || !strings.Contains(err.Error(), "model.safetensors is missing") {
		t.Errorf("%v", err)
	}
	s.Requests()
	same(t, mustPull(t, c, repo), files(), needed)
	for _, r := range s.Requests() {
		if strings.HasSuffix(r.Path, "/config.json") {
			t.Errorf("fetched twice: %+v", r)
		}
	}
}
