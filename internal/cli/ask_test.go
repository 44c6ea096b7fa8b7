package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAskForms: what is wrong with questions about several pictures, with schemas and with stops is said before or instead of an
// answer, and a schema is kept, from a file as from the command line.
func TestAskForms(t *testing.T) {
	dir := filepath.Join("..", "..", "testdata", "fixtures", "parity", "smolvlm")
	picture, schema := filepath.Join(dir, "image.png"), `{"type":"object","properties":{"sure":{"enum":["yes","no"]},"n":{"type":"integer"}},"required":["sure","n"]}`
	file := filepath.Join(t.TempDir(), "form.json")
	if err := os.WriteFile(file, []byte(schema), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, int, string) {
		var out, errs bytes.Buffer
		root := (&app{in: strings.NewReader(""), out: &out, err: &errs, outStyle: styleOf(&out), errStyle: styleOf(&errs)}).root()
		root.SetArgs(append([]string{"ask", picture}, args...))
		err := root.Execute()
		report(&errs, style{}, err)
		return out.String(), exitCode(err), errs.String()
	}
	for _, s := range []string{schema, file} {
		out, code, errs := run("how many?", "--schema", s, "-m", dir)
		var form struct {
			Sure string
			N    *int
		}
		if err := json.Unmarshal([]byte(out), &form); code != 0 || err != nil || form.N == nil || form.Sure != "yes" && form.Sure != "no" {
			t.Errorf("%q, %d, %v %s", out, code, err, errs)
		}
	}
	whole, _, _ := run("how many?", "-m", dir, "--max-tokens", "8")
	if cut, code, errs := run("how many?", "-m", dir, "--max-tokens", "8", "--stop", whole[2:4]); code != 0 || cut != strings.TrimSpace(whole[:2])+"\n" {
		t.Errorf("%q up to %q: %q, %s", whole, whole[2:4], cut, errs)
	}
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"what? --schema none.json -m DIR", exitBad, "no file none.json"},
		{`what? --schema {"type":"object","pattern":"a"} -m DIR`, exitUsage, `"pattern" is not supported`},
		{"what? --together", exitUsage, "one picture at a time"},
		{"none.png what? --together -m DIR", exitBad, "none.png: there is no such file"},
		{"what? --together --out a.png -m DIR", exitUsage, "--out draws into one picture"},
		{"PICTURE", exitUsage, "is a file"},
		{"what? --stop a --schema {} -m DIR", exitUsage, "leave the stop strings out"},
	} {
		args := strings.Fields(c.args)
		for i := range args {
			args[i] = strings.NewReplacer("DIR", dir, "PICTURE", picture).Replace(args[i])
		}
		if out, code, errs := run(args...); code != c.code || !strings.Contains(errs, c.says) || out != "" {
			t.Errorf("%s: %d, %q, %s", c.args, code, out, errs)
		}
	}
}
