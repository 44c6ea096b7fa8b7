package hub

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	commit := strings.Repeat("0a", 20)
	for name, want := range map[string]Ref{
		"google/vit-base-patch16-224": {"google/vit-base-patch16-224", "main"},
		"a/b@v1.0":                    {"a/b", "v1.0"},
		"a/b@refs/pr/12":              {"a/b", "refs/pr/12"},
		"a/b@" + commit:               {"a/b", commit},
		"A_1/b.c-d_e":                 {"A_1/b.c-d_e", "main"},
		"yolos":                       {"hustvl/yolos-small", "main"},
		"deit":                        {"facebook/deit-base-patch16-224", "refs/pr/3"},
	} {
		got, err := Parse(name)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{
		"", "a", "nothing", "/", "a/", "/b", "a/b/c", "../b", "a/..", "a/b..c", "a--b/c", "a/b--c", "a b/c", "a/b@", "a/b@../x", "a/b@x/../y", "a/b@/x", "a/b@x/",
		"a/b@x//y", "a/b@x.lock", "a/b@x y", "a/b.git", "a/b.", "a/b-", ".a/b", "a/.b", "-a/b", "a\\b/c", "a/b\n", "a/b@x\n", "https://huggingface.co/a/b", "a/b@x@y",
		strings.Repeat("a", 97) + "/b", "a/b@" + strings.Repeat("x", 201), "ä/b", "a/b%2f..",
	} {
		if got, err := Parse(name); !errors.Is(err, ErrName) {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
}

// FuzzParse: whatever a name is, its places in the cache lie in the cache, and the name can be read again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"a/b", "a/b@refs/pr/1", "../..", "a/b@../../x", "yolos"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		r, err := Parse(name)
		if err != nil {
			return
		}
		again, err := Parse(r.String())
		if err != nil || again != r {
			t.Errorf("%q: %+v, then %+v, %v", name, r, again, err)
		}
		folder := Cache{"cache"}.folder(r.Repo)
		if filepath.Dir(folder) != "cache" || !filepath.IsLocal(filepath.Join("refs", r.Revision)) || !strings.HasPrefix(filepath.Join(folder, "refs", r.Revision), filepath.Join(folder, "refs")+string(filepath.Separator)) {
			t.Errorf("%q: %s, %s", name, folder, r.Revision)
		}
	})
}

// FuzzListing: no answer of a hub makes a file outside the folder, or one without a digest and a size.
func FuzzListing(f *testing.F) {
	f.Add([]byte(`{"sha":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a","siblings":[{"rfilename":"config.json","size":2,"blobId":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"}]}`))
	f.Add([]byte(`{"sha":"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a","siblings":[{"rfilename":"../x","lfs":{"size":2,"sha256":"` + strings.Repeat("0a", 32) + `"}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseListing(b)
		if err != nil {
			return
		}
		for name, file := range l.files {
			if !filepath.IsLocal(name) || strings.ContainsAny(name, "\\:\x00") || file.Size < 0 || len(file.Digest) != 40 && len(file.Digest) != 64 || strings.ContainsAny(file.Digest, "./") {
				t.Errorf("%+v", file)
			}
		}
	})
}

// FuzzShards: an index of weights names files beside it, and nothing else.
func FuzzShards(f *testing.F) {
	f.Add([]byte(`{"weight_map":{"a":"model-00001-of-00002.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"../x.safetensors"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		names, err := shards(b)
		if err != nil {
			return
		}
		for _, n := range names {
			if n != filepath.Base(n) || !filepath.IsLocal(n) {
				t.Errorf("%q", n)
			}
		}
	})
}

func TestShort(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Short() {
		r, err := Parse(m.Ref().String())
		if err != nil || r != m.Ref() || seen[m.Name] || strings.Contains(m.Name, "/") || m.Class == "" || m.Task == "" || m.Licence == "" || m.MB < 1 {
			t.Errorf("%+v: %v", m, err)
		}
		seen[m.Name] = true
	}
}
