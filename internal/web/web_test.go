package web

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// Everything that the page names is there, and nothing of it is on another host.
func TestPageIsWhole(t *testing.T) {
	files := FS()
	local := regexp.MustCompile(`(?:src|href)="(/[^"]*)"|(?:from|import) "(\.[^"]+)"|fetch\("(/[^"]+)"\)`)
	foreign := regexp.MustCompile(`["'(](?:https?:)?//[a-z]`)
	inline := regexp.MustCompile(`(?i)<[^>]+\s(?:style|on[a-z]+)=|<style`)
	served := map[string]bool{"/docs": true, "/readyz": true} // by the server itself
	named := 0
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) == ".png" {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		for _, m := range foreign.FindAll(text, -1) {
			if name != "icon.svg" && !bytes.Contains(text, []byte(`"http://www.w3.org/2000/svg"`)) {
				t.Errorf("%s names another host: %s", name, m)
			}
		}
		if path.Ext(name) == ".html" && inline.Match(text) {
			t.Errorf("%s has inline styles or handlers, which its policy forbids: %s", name, inline.Find(text))
		}
		for _, m := range local.FindAllSubmatch(text, -1) {
			at := string(m[1]) + string(m[3])
			if m[2] != nil {
				at = "/" + path.Join(path.Dir(name), string(m[2]))
			}
			if at = strings.SplitN(at, "#", 2)[0]; at == "" || served[at] {
				continue
			}
			named++
			if _, err := fs.Stat(files, strings.TrimPrefix(at, "/")); err != nil {
				t.Errorf("%s names %s, which is not there", name, at)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if named < 20 {
		t.Errorf("only %d names of files were found; the pattern no longer fits the page", named)
	}
}

// The example is the picture that the documentation uses.
func TestSample(t *testing.T) {
	got, err := fs.ReadFile(FS(), "park.png")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../examples/park.png")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("page/park.png is not examples/park.png")
	}
}

// Every element that a script asks for by id is on the page.
func TestIDs(t *testing.T) {
	page, err := fs.ReadFile(FS(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := fs.Glob(FS(), "app/*.js")
	if err != nil || len(scripts) == 0 {
		t.Fatal(scripts, err)
	}
	ask := regexp.MustCompile(`\$\("([\w-]+)"\)`)
	for _, name := range scripts {
		text, err := fs.ReadFile(FS(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ask.FindAllSubmatch(text, -1) {
			if !bytes.Contains(page, []byte(`id="`+string(m[1])+`"`)) {
				t.Errorf("%s asks for #%s, which is not on the page", name, m[1])
			}
		}
	}
}
