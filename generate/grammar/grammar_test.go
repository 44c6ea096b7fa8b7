package grammar

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"fovea/generate"
)

// pieces makes a vocabulary of all bytes, pieces that JSON often has, pieces of half characters, and a piece of no bytes, which
// ends texts.
func pieces(t testing.TB) (v *Vocabulary, tokens []string, end int32) {
	t.Helper()
	for b := range 256 {
		tokens = append(tokens, string([]byte{byte(b)}))
	}
	tokens = append(tokens, `{"`, `":`, `": "`, `", "`, `"}`, `}]`, `{}`, `[]`, `",`, `: `, ` {`, "  ", " a", "name", "a long piece of a text", `na"`, "tru", "e,", "12", "0.5", "-1", `\n`, `\u00`, "d8", `\ud8`,
		"é", "\xc3", "\xa9\"", "\xe2\x82", "\xf0\x9f", "\x98\x80", "null", `"b":[`, "1]", `\"`, "\"\"", "}}", "é\"}", "")
	v, err := NewVocabulary(len(tokens), func(id int32) []byte { return []byte(tokens[id]) })
	if err != nil {
		t.Fatal(err)
	}
	return v, tokens, int32(len(tokens) - 1)
}

// noise is a model without any sense.
type noise struct {
	rng   *rand.Rand
	v     int
	texts int
}

func (n *noise) Step(tokens []int32) ([]float32, error) {
	out := make([]float32, len(tokens)*n.v)
	for i := range out {
		out[i] = float32(n.rng.NormFloat64() * 4)
	}
	return out, nil
}

func (n *noise) Reorder(from []int) error {
	n.texts = len(from)
	return nil
}

// write lets noise write a text of a schema.
func write(t testing.TB, s *Schema, v *Vocabulary, tokens []string, end int32, rng *rand.Rand, c generate.Config) string {
	t.Helper()
	text, err := s.Text(v, c.MaxTokens, []int32{end})
	if err != nil {
		t.Fatal(err)
	}
	c.Allow, c.EOS = text.Allow, []int32{end}
	n := &noise{rng: rng, v: len(tokens), texts: 1}
	first, _ := n.Step([]int32{0})
	ids, _, err := generate.Generate(context.Background(), n, first, c)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(tokens[id])
	}
	return b.String()
}

// validator is another implementation of JSON Schema.
func validator(schema []byte) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("test.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("test.json")
}

// validate checks a text with it.
func validate(schema []byte, text string) error {
	s, err := validator(schema)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	if err := s.Validate(v); err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	return nil
}

// randomSchema draws a schema of all that is supported.
func randomSchema(rng *rand.Rand, depth int) map[string]any {
	n := 12
	if depth == 0 {
		n = 8
	}
	names := []string{"a", "ab", "name", "é", `quo"te`, "x y", "0"}
	switch rng.IntN(n) {
	case 0:
		return map[string]any{"type": "string"}
	case 1:
		return map[string]any{"type": "integer"}
	case 2:
		return map[string]any{"type": "number"}
	case 3:
		return map[string]any{"type": "boolean"}
	case 4:
		return map[string]any{"type": []string{"null", "integer"}}
	case 5:
		return map[string]any{"enum": []any{"red", "re", "green", 1, 12, 1.5, nil, true, []any{1}, map[string]any{"b": 2, "a": "ü"}}[:1+rng.IntN(10)]}
	case 6:
		return map[string]any{"const": []any{"x", 7, nil, "né", []any{}}[rng.IntN(5)]}
	case 7:
		return []map[string]any{{"$ref": "#/$defs/pair"}, {"$ref": "#/$defs/list"}, {}, {"type": "object"}, {"type": "array"}}[rng.IntN(5)]
	case 8:
		var list []any
		for range 1 + rng.IntN(3) {
			list = append(list, randomSchema(rng, depth-1))
		}
		return map[string]any{"anyOf": list}
	case 9:
		least := rng.IntN(3)
		s := map[string]any{"type": "array", "items": randomSchema(rng, depth-1), "minItems": least}
		if rng.IntN(2) == 0 {
			s["maxItems"] = least + rng.IntN(3)
		}
		return s
	}
	props, required := map[string]any{}, []string{}
	for range rng.IntN(4) {
		name := names[rng.IntN(len(names))]
		props[name] = randomSchema(rng, depth-1)
	}
	for _, name := range sorted(props) {
		if rng.IntN(2) == 0 {
			required = append(required, name)
		}
	}
	s := map[string]any{"type": "object", "properties": props, "required": required}
	if rng.IntN(3) > 0 {
		s["additionalProperties"] = false
	}
	return s
}

// document adds what references lead to.
func document(rng *rand.Rand, depth int) []byte {
	s := randomSchema(rng, depth)
	s["$defs"] = map[string]any{
		"pair": map[string]any{"type": "object", "properties": map[string]any{"left": map[string]any{"$ref": "#/$defs/pair"}, "value": map[string]any{"type": "integer"}}, "required": []string{"value"}, "additionalProperties": false},
		"list": map[string]any{"anyOf": []any{map[string]any{"type": "null"}, map[string]any{"type": "array", "items": map[string]any{"$ref": "#/$defs/list"}, "maxItems": 2}}},
	}
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return b
}

// Whatever the schema, whatever the logits, and however few tokens there are, the text is JSON that another implementation
// finds valid.
func TestAlwaysValid(t *testing.T) {
	v, tokens, end := pieces(t)
	rounds := 1500
	if testing.Short() {
		rounds = 200
	}
	tight := 0
	for i := range rounds {
		rng := rand.New(rand.NewPCG(uint64(i), 1))
		schema := document(rng, 3)
		s, err := Parse(schema)
		if err != nil {
			t.Fatalf("%s: %v", schema, err)
		}
		for _, c := range []generate.Config{
			{MaxTokens: s.Least()}, {MaxTokens: s.Least() + 3, Temperature: 1}, {MaxTokens: s.Least() + 80, Temperature: 2, TopK: 50, Seed: uint64(i)}, {MaxTokens: s.Least() + 10, Beams: 3},
		} {
			text := write(t, s, v, tokens, end, rng, c)
			if err := validate(schema, text); err != nil {
				t.Fatalf("seed %d: %s\n%+v: %v", i, schema, c, err)
			}
			if c.MaxTokens == s.Least() {
				tight++
			}
		}
	}
	t.Logf("%d schemas, %d texts of the fewest tokens", rounds, tight)
}

// Values that fit are let through, in compact form and with a space where one may be.
func TestComplete(t *testing.T) {
	const person = `{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"},"tags":{"type":"array","items":{"enum":["a","ab"]},"minItems":1,"maxItems":2},"next":{"$ref":"#"}},"required":["name","tags"],"additionalProperties":false}`
	for _, test := range []struct {
		schema string
		yes    []string
		no     []string
	}{
		{person, []string{`{"name":"x","tags":["a"]}`, `{"name": "é\n\u00e9\"", "age": -12, "tags": ["ab", "a"]}`, `{"name":"","tags":["a"],"next":{"name":"y","tags":["ab"]}}`},
			[]string{``, `{}`, `{"name":"x"}`, `{"name":"x","tags":[]}`, `{"name":"x","tags":["a","a","a"]}`, `{"tags":["a"],"name":"x"}`, `{"name":"x","tags":["b"]}`, `{"name":"x","tags":["a"],}`, `{"name":"x","tags":["a"]}}`,
				`{"name":"x","age":1.5,"tags":["a"]}`, `{ "name":"x","tags":["a"]}`, `{"name":"x","more":1,"tags":["a"]}`, "{\"name\":\"\n\",\"tags\":[\"a\"]}", `{"name":"\ud800","tags":["a"]}`, "{\"name\":\"\xff\",\"tags\":[\"a\"]}"}},
		{`{"type":"number"}`, []string{"0", "-0", "12", "-1.50", "0.001", "123456789012345.123456789012345"}, []string{"01", ".5", "1.", "-", "+1", "1e5", "1234567890123456"}},
		{`{"type":"integer"}`, []string{"0", "-7", "100"}, []string{"1.0", "00", "1e2"}},
		{`{"type":["boolean","null"]}`, []string{"true", "false", "null"}, []string{"nul", "nulll", "0"}},
		{`{"enum":[1,12,"1",null]}`, []string{"1", "12", `"1"`, "null"}, []string{"2", "121", `"12"`}},
		{`{"type":"string","enum":[1,"one"]}`, []string{`"one"`}, []string{"1"}},
		{`{"const":{"b":[1,2.50],"a":"<é>"}}`, []string{`{"a":"<é>","b":[1,2.50]}`}, []string{`{"a":"<é>","b":[1,2.5]}`}},
		{`{}`, []string{`{"a":{"b":[1,[],{}]},"a":null}`, `"x"`, "[true, 1.5]"}, []string{"{", "[1 ,2]", "{1:2}"}},
		{`{"type":"object"}`, []string{"{}", `{"k": [1]}`}, []string{"[]", `{"k"}`}},
		{`{"type":"object","additionalProperties":false}`, []string{"{}"}, []string{`{"k":1}`}},
		{`{"required":["k"]}`, []string{`{"k":[]}`}, []string{"{}"}},
		{`{"properties":{"a":{"type":"null"},"b":{"type":"null"},"c":false}}`, []string{"{}", `{"a":null}`, `{"b":null}`, `{"a":null,"b":null}`}, []string{`{"b":null,"a":null}`, `{,"a":null}`, `{"c":null}`}},
		{`{"type":"array","maxItems":0}`, []string{"[]"}, []string{"[1]"}},
		{`{"type":"array","items":false}`, []string{"[]"}, []string{"[1]"}},
		{`{"anyOf":[{"type":"array","items":{"type":"integer"},"minItems":2},{"const":[]}]}`, []string{"[]", "[1,2]", "[1,2,3]"}, []string{"[1]", `["x","y"]`}},
		{`{"$ref":"#/x-parts/1","x-parts":[1,{"type":"null"}]}`, []string{"null"}, []string{"1"}},
	} {
		s, err := Parse([]byte(test.schema))
		if err != nil {
			t.Errorf("%s: %v", test.schema, err)
			continue
		}
		for _, text := range test.yes {
			if !s.Complete([]byte(text)) {
				t.Errorf("%s does not take %s", test.schema, text)
			}
			if err := validate([]byte(test.schema), text); err != nil {
				t.Error(err)
			}
		}
		for _, text := range test.no {
			if s.Complete([]byte(text)) {
				t.Errorf("%s takes %s", test.schema, text)
			}
		}
	}
}

// What would have to be broken or ignored is refused by name.
func TestRefuses(t *testing.T) {
	for schema, want := range map[string]string{
		`{"type":"string","pattern":"a+"}`:                         `"pattern" is not supported`,
		`{"type":"string","format":"date"}`:                        `"format" is not supported`,
		`{"properties":{"x":{"type":"integer","minimum":3}}}`:      `#/properties/x: "minimum" is not supported`,
		`{"oneOf":[{"type":"null"}]}`:                              `"oneOf" is not supported`,
		`{"allOf":[{"type":"null"}]}`:                              `"allOf" is not supported`,
		`{"not":{}}`:                                               `"not" is not supported`,
		`{"type":"array","uniqueItems":true}`:                      `"uniqueItems" is not supported`,
		`{"type":"array","prefixItems":[]}`:                        `"prefixItems" is not supported`,
		`{"type":"object","additionalProperties":{"type":"null"}}`: "additionalProperties with a schema",
		`{"type":"object","patternProperties":{}}`:                 `"patternProperties" is not supported`,
		`{"anyOf":[{"type":"null"}],"type":"null"}`:                `"type" beside "anyOf"`,
		`{"$ref":"#","type":"null"}`:                               `"type" beside "$ref"`,
		`{"enum":[{}],"properties":{}}`:                            `"properties" beside values`,
		`{"enum":[1],"type":"string"}`:                             "no value is of the type string",
		`{"enum":[]}`:                                              "no value",
		`{"type":"float"}`:                                         `no type "float"`,
		`{"$ref":"#/$defs/x"}`:                                     "leads nowhere",
		`{"$ref":"http://example.com"}`:                            "leads out of the document",
		`{"$ref":"#x"}`:                                            "no JSON pointer",
		`{"$ref":"#"}`:                                             "no value fits",
		`{"properties":{"a":{"$ref":"#"}},"required":["a"]}`:       "no value fits",
		`false`:        "no value fits",
		`{"anyOf":[]}`: "no value fits",
		`{"required":["a"],"properties":{"a":false}}`:                           "no value fits",
		`{"required":["b"],"properties":{"a":{}},"additionalProperties":false}`: `"b" is required`,
		`{"type":"array","minItems":3,"maxItems":2}`:                            "minItems 3 is more than maxItems 2",
		`{"type":"array","minItems":-1}`:                                        "minItems is -1",
		`{"type":"array","minItems":1,"items":false}`:                           "no value fits",
		`{"type":7}`: "cannot unmarshal",
		`[]`:         "a schema is an object",
		`null`:       "a schema is an object",
		`{`:          "not JSON",
		strings.Repeat(`{"items":`, 70) + "true" + strings.Repeat("}", 70): "levels deep",
		`{"anyOf":[` + strings.Repeat(`{"type":"null"},`, 5000) + `{}]}`:   "parts",
		`{"const":"` + strings.Repeat("x", 300<<10) + `"}`:                 "bytes",
	} {
		if _, err := Parse([]byte(schema)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", schema, err, want)
		}
	}
	if _, err := NewVocabulary(3, func(id int32) []byte { return []byte{"{}\""[id]} }); err == nil || !strings.Contains(err.Error(), "no piece") {
		t.Error(err)
	}
	v, _, end := pieces(t)
	s, err := Parse([]byte(`{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Text(v, s.Least()-1, []int32{end}); err == nil || !strings.Contains(err.Error(), "11 bytes") {
		t.Error(err)
	}
	ascii, err := NewVocabulary(128, func(id int32) []byte { return []byte{byte(id)} })
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Parse([]byte(`{"const":"é"}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Text(ascii, 99, nil); err == nil || !strings.Contains(err.Error(), `"é"`) {
		t.Error(err)
	}
}

// The tokens that a state allows are those that the automaton takes byte by byte, in every state of many texts.
func TestMaskEqualsAutomaton(t *testing.T) {
	v, tokens, end := pieces(t)
	for i := range 60 {
		rng := rand.New(rand.NewPCG(uint64(i), 2))
		schema := document(rng, 3)
		s, err := Parse(schema)
		if err != nil {
			t.Fatal(err)
		}
		most := s.Least() + 20
		text, err := s.Text(v, most, []int32{end})
		if err != nil {
			t.Fatal(err)
		}
		var ids []int32
		for len(ids) < most {
			got := slices.Clone(text.Allow(ids))
			at := s.begin()
			for _, id := range ids {
				for _, b := range []byte(tokens[id]) {
					at = at.next(b, nil)
				}
			}
			want := []int32{}
			for id, token := range tokens {
				after := at
				for _, b := range []byte(token) {
					after = after.next(b, nil)
				}
				if token != "" && (after.done || len(after.threads) > 0) && after.rest() <= most-len(ids)-1 {
					want = append(want, int32(id))
				}
			}
			if at.done && len(at.threads) > 0 {
				want = append(want, end)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, %s after %q: %d allowed, want %d", i, schema, ids, len(got), len(want))
			}
			if len(got) == 0 {
				break
			}
			id := got[rng.IntN(len(got))]
			if id == end {
				break
			}
			ids = append(ids, id)
		}
	}
}

// Texts beside other values that begin like them.
func TestTextsBesideOthers(t *testing.T) {
	v, tokens, end := pieces(t)
	schema := []byte(`{"anyOf":[{"type":"string"},{"enum":["name","a long piece of a text","12"]},{"type":"array","items":{"anyOf":[{"type":"string"},{"const":"na"}]},"minItems":1}]}`)
	s, err := Parse(schema)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		for _, c := range []generate.Config{{MaxTokens: s.Least() + i%5}, {MaxTokens: 12, Temperature: 2, Seed: uint64(i)}} {
			if err := validate(schema, write(t, s, v, tokens, end, rand.New(rand.NewPCG(uint64(i), 5)), c)); err != nil {
				t.Error(err)
			}
		}
	}
}

// Ambiguous schemas do not grow without bound, and stay right.
func TestAmbiguous(t *testing.T) {
	v, tokens, end := pieces(t)
	schema := []byte(`{"$ref":"#/$defs/x","$defs":{"x":{"anyOf":[{"type":"null"},{"type":"array","items":{"$ref":"#/$defs/x"}},{"type":"array","items":{"$ref":"#/$defs/x"},"maxItems":9},{"type":"array","minItems":2,"items":{"$ref":"#/$defs/x"}}]}}}`)
	s, err := Parse(schema)
	if err != nil {
		t.Fatal(err)
	}
	at := s.begin()
	for range 30 {
		if at = at.next('[', nil); len(at.threads) > maxThreads || at.rest() == never {
			t.Fatalf("%d threads, rest %d", len(at.threads), at.rest())
		}
	}
	for i := range 20 {
		if err := validate(schema, write(t, s, v, tokens, end, rand.New(rand.NewPCG(uint64(i), 3)), generate.Config{MaxTokens: 60, Temperature: 3})); err != nil {
			t.Error(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	v, tokens, end := pieces(f)
	f.Add([]byte(`{"type":"object","properties":{"a":{"type":"string"},"b":{"$ref":"#"}},"required":["a"],"additionalProperties":false}`), uint64(1))
	f.Add([]byte(`{"anyOf":[{"enum":[1,"x"]},{"type":"array","items":{"type":"number"},"minItems":2}]}`), uint64(2))
	f.Add([]byte(`{"$ref":"#/$defs/a~1b","$defs":{"a/b":{"const":{"x":[null]}}}}`), uint64(3))
	f.Fuzz(func(t *testing.T, schema []byte, seed uint64) {
		if len(schema) > 4096 {
			return
		}
		s, err := Parse(schema)
		if err != nil || s.Least() > 300 {
			return
		}
		rng := rand.New(rand.NewPCG(seed, 4))
		if _, err := s.Text(v, s.Least(), nil); err != nil {
			return // U+FFFD, say, of a schema that is not UTF-8
		}
		text := write(t, s, v, tokens, end, rng, generate.Config{MaxTokens: s.Least() + rng.IntN(40), Temperature: 2, Seed: seed})
		if !json.Valid([]byte(text)) {
			t.Fatalf("%s: %q is not JSON", schema, text)
		}
		if _, err := validator(schema); err != nil {
			return // that implementation is stricter with documents
		}
		if err := validate(schema, text); err != nil {
			t.Fatalf("%s: %v", schema, err)
		}
	})
}
