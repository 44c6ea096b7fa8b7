package chat

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
)

// vars decodes variables, whole numbers as such.
func vars(t testing.TB, raw json.RawMessage) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return plainNumbers(v).(map[string]any)
}

func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return int(i)
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plainNumbers(v[k])
		}
	}
	return v
}

type file struct {
	Vars  json.RawMessage
	Cases []struct {
		Template, Want string
		Vars           json.RawMessage
	}
}

func golden(t testing.TB) (f file) {
	t.Helper()
	b, err := os.ReadFile("testdata/jinja.json")
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil || len(f.Cases) < 20 {
		t.Fatalf("%d cases: %v", len(f.Cases), err)
	}
	return f
}

// TestJinja runs what Jinja 3.1.6 ran, with the settings of the Hugging Face library.
func TestJinja(t *testing.T) {
	f := golden(t)
	for _, c := range f.Cases {
		if c.Vars == nil {
			c.Vars = f.Vars
		}
		x, err := Parse(c.Template)
		if err != nil {
			t.Errorf("%s\n%v", c.Template, err)
			continue
		}
		got, err := x.Execute(vars(t, c.Vars))
		if err != nil || got != c.Want {
			t.Errorf("%s\ngot  %q, %v\nwant %q", c.Template, got, err, c.Want)
		}
	}
}

func TestErrors(t *testing.T) {
	for src, want := range map[string]string{
		"a\n{% frob %}":                   `line 2: the statement "frob"`,
		"{{ x|frob }}":                    `the filter "frob" is not supported`,
		"{{ x is frob }}":                 `the test "frob" is not supported`,
		"{% if x %}":                      "[elif else endif] is missing",
		"{% endif %}":                     `the statement "endif"`,
		"{{ x":                            "a tag does not end",
		"{{ 'x }}":                        "a string does not end",
		"{# x":                            "a comment does not end",
		"{{ }}":                           `"}}" instead of a value`,
		"{{ x y }}":                       `"y" instead of "}}"`,
		"{{ (1, 2 }}":                     `a tag does not end`,
		"{{ x[] }}":                       "an index is missing",
		"{% break %}":                     "break outside of a for",
		"{{ ? }}":                         `unexpected '?'`,
		"{{ 99999999999999999999 }}":      "too large",
		strings.Repeat("{% if x %}", 200): "nested more than 100 deep",
		"{{ " + strings.Repeat("(", 200):  "does not end",
		"{{ " + strings.Repeat("[", 200) + "1" + strings.Repeat("]", 200) + " }}": "nested more than 100 deep",
		"{{ 1" + strings.Repeat("+1", 9000) + " }}":                               "more than 8192 words",
		strings.Repeat("x", 2<<20):                                                "bytes, at most",
	} {
		if _, err := Parse(src); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", src, err, want)
		}
	}
	for src, want := range map[string]string{
		"{{ raise_exception('no pictures') }}":      "no pictures",
		"{{ nobody.name }}":                         "nobody is undefined",
		"{{ 'a' + 1 }}":                             "cannot be computed",
		"{{ 1 // 0 }}":                              "division by zero",
		"{{ 1 < 'a' }}":                             "cannot be compared",
		"{{ x() }}":                                 "cannot be called",
		"{% set x.y = 1 %}":                         "no namespace",
		"{% for a, b in [1] %}{% endfor %}":         "taken apart",
		"{% for i in none %}{% endfor %}":           "none has no items",
		"{% for i in range(1000000) %}{% endfor %}": "steps",
		"{% set n = namespace(x='ab') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}":                    "bytes",
		"{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}":                     "bytes",
		"{% set n = namespace(x=1) %}{% for i in range(40) %}{% set n.x = [n.x, n.x, n.x] %}{% endfor %}{{ n.x }}":        "bytes",
		"{% set n = namespace(x=1) %}{% for i in range(40) %}{% set n.x = [n.x, n.x, n.x] %}{% endfor %}{{ n.x|tojson }}": "bytes",
		"{{ 'abc' * 99999999 }}":                          "bytes",
		"{{ ('a' * 4000).replace('a', 'b' * 4000) }}":     "bytes",
		"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}": "deep",
		"{% macro m() %}{% endmacro %}{{ m(1) }}":         "1 arguments for the 0",
		"{{ [1][::0] }}":                                  "a step of",
		"{{ 'a'.split('') }}":                             "empty text",
		"{{ range(0, 5, 0) }}":                            "step other than 0",
	} {
		x, err := Parse(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if _, err = x.Execute(map[string]any{"x": 1}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", src, err, want)
		}
	}
}

func TestRender(t *testing.T) {
	x, err := Parse("{% for m in messages %}<{{ m.role }}>{% for c in m.content %}{% if c.type == 'image' %}[]{% else %}{{ c.text }}{% endif %}{% endfor %}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := x.Render(Ask(2, "Which?")); err != nil || got != "<user>[][]Which?<assistant>" {
		t.Errorf("%q, %v", got, err)
	}
	before := append(Ask(1, "One?"), Message{"assistant", []Part{{Text: "Yes."}}})
	parts, err := x.Around(before, 2, "Which?", "[]")
	if want := []string{"<user>", "One?<assistant>Yes.<user>", "Which?<assistant>"}; err != nil || !slices.Equal(parts, want) {
		t.Errorf("%q, %v; want %q", parts, err, want)
	}
	if _, err := x.Around(nil, 2, "Which?", "<image>"); err == nil || !strings.Contains(err.Error(), "0 of 2 pictures") {
		t.Errorf("other marks: %v", err)
	}
}

func TestFind(t *testing.T) {
	for _, c := range []struct {
		files     map[string]string
		want, err string
	}{
		{map[string]string{"chat_template.jinja": "A", "chat_template.json": `{"chat_template":"B"}`}, "A", ""},
		{map[string]string{"chat_template.json": `{"chat_template":"B"}`, "tokenizer_config.json": `{"chat_template":"C"}`}, "B", ""},
		{map[string]string{"tokenizer_config.json": `{"chat_template":"C"}`}, "C", ""},
		{map[string]string{"tokenizer_config.json": `{"chat_template":[{"name":"tools","template":"T"},{"name":"default","template":"D"}]}`}, "D", ""},
		{map[string]string{"chat_template.json": `{}`, "tokenizer_config.json": `{"chat_template":"C"}`}, "C", ""},
		{map[string]string{"tokenizer_config.json": `{}`}, "", "no chat template"},
		{nil, "", "no chat template"},
		{map[string]string{"tokenizer_config.json": `{"chat_template":[{"name":"tools","template":"T"}]}`}, "", `none called "default"`},
		{map[string]string{"tokenizer_config.json": `{"chat_template":7}`}, "", "neither"},
		{map[string]string{"chat_template.json": `{`}, "", "chat_template.json"},
		{map[string]string{"chat_template.jinja": `{{`}, "", "chat_template.jinja: chat: template line 1"},
	} {
		x, err := Find(func(name string) ([]byte, error) {
			if s, ok := c.files[name]; ok {
				return []byte(s), nil
			}
			return nil, fs.ErrNotExist
		})
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(c.err, "no chat") && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v: %v, want %q", c.files, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v: %v", c.files, err)
			continue
		}
		if got, err := x.Execute(nil); err != nil || got != c.want {
			t.Errorf("%v: %q, %v", c.files, got, err)
		}
	}
}

// FuzzTemplate: whatever the template, it is refused or ends within bounds.
func FuzzTemplate(f *testing.F) {
	g := golden(f)
	for _, c := range g.Cases {
		f.Add(c.Template)
	}
	v := vars(f, g.Vars)
	f.Fuzz(func(t *testing.T, src string) {
		x, err := Parse(src)
		if err != nil {
			return
		}
		if out, err := x.Execute(v); err == nil && len(out) > 2*maxOutput {
			t.Errorf("%d bytes", len(out))
		}
	})
}
