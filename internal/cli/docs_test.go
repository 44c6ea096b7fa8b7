package cli

import (
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The reference names every command and flag, and no flag that does not exist.
func TestReferenceIsComplete(t *testing.T) {
	text := read(t, "../../docs/reference/cli.md")
	root := (&app{in: strings.NewReader(""), out: io.Discard, err: io.Discard}).root()
	flags := map[string]bool{"help": true}
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.HasParent() && !c.Hidden && c.Name() != "help" && !strings.Contains(text, c.CommandPath()) {
			t.Errorf("cli.md does not name %s", c.CommandPath())
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			flags[f.Name] = true
			if !f.Hidden && f.Name != "help" && !strings.Contains(text, "`--"+f.Name) {
				t.Errorf("cli.md does not name --%s of %s", f.Name, c.CommandPath())
			}
		})
		for _, s := range c.Commands() {
			visit(s)
		}
	}
	visit(root)
	for _, m := range regexp.MustCompile("`--([a-z][a-z0-9-]*)").FindAllStringSubmatch(text, -1) {
		if !flags[m[1]] {
			t.Errorf("cli.md names --%s, which no command has", m[1])
		}
	}
}

// The reference of the JSON names every field that the tests allow.
func TestJSONReferenceIsComplete(t *testing.T) {
	text := read(t, "../../docs/reference/json.md")
	for _, kinds := range []map[string]map[string]string{fields, parts, {"common": common}} {
		for kind, want := range kinds {
			for name := range want {
				if name = strings.TrimSuffix(name, "?"); !strings.Contains(text, "`"+name) && !strings.Contains(text, `"`+name+`"`) {
					t.Errorf("json.md does not name the field %q of %s", name, kind)
				}
			}
		}
	}
}

// Every code that the program gives an error is in the reference.
func TestErrorCodesAreDocumented(t *testing.T) {
	text := read(t, "../../docs/reference/json.md")
	codes := regexp.MustCompile(`"((?:image|input|url|video|request|model)\.[a-z_]+)"`)
	for _, dir := range []string{"../..", ".", "../../imageproc"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
				continue
			}
			for _, m := range codes.FindAllStringSubmatch(read(t, dir+"/"+e.Name()), -1) {
				if m[1] != "model.safetensors" && !strings.Contains(text, "`"+m[1]+"`") {
					t.Errorf("%s/%s: json.md does not name %s", dir, e.Name(), m[1])
				}
			}
		}
	}
}
