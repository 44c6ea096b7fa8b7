package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"fovea"
	"fovea/task"
)

// writers are published models that write token by token, with random weights, so they would never write JSON by themselves.
func writers(t *testing.T) []Model {
	t.Helper()
	var out []Model
	for _, name := range []string{"idefics3", "paligemma", "qwen3_vl"} {
		dir := filepath.Join("..", "..", "testdata", "fixtures", "parity", name)
		out = append(out, Model{name, func(ctx context.Context) (*fovea.Predictor, error) { return fovea.Open(ctx, dir, fovea.WithThreads(1)) }})
	}
	return out
}

// A model that writes writes JSON of the schema, through each surface that takes one, in one piece and streamed.
func TestConstrainedDecoding(t *testing.T) {
	_, h := start(t, func(c *Config) { c.Models = writers(t) })
	jpg, _ := photo()
	const schema = `{"type":"object","properties":{"colour":{"enum":["red","green"]},"count":{"type":"integer"},"things":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},"sure":{"type":"boolean"}},"required":["name","sure"],"additionalProperties":false},"minItems":1,"maxItems":2}},"required":["colour","count","things"],"additionalProperties":false}`
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("s.json", doc); err != nil {
		t.Fatal(err)
	}
	valid := c.MustCompile("s.json")
	check := func(what, text string) {
		t.Helper()
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err == nil {
			err = valid.Validate(v)
		}
		if err != nil {
			t.Errorf("%s: %q: %v", what, text, err)
		}
	}
	chat := func(model, more string) answer {
		t.Helper()
		body := fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":[{"type":"text","text":"what is it?"},{"type":"image_url","image_url":%q}]}]%s}`, model, dataURLOf(jpg), more)
		return send(t, http.MethodPost, h.URL+"/v1/chat/completions", "application/json", []byte(body))
	}
	format := `,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":` + schema + `}}`
	for _, model := range []string{"idefics3", "paligemma", "qwen3_vl"} {
		a := chat(model, format)
		a.want(t, 200, "choices.0.finish_reason", "stop")
		whole, _ := a.get(t, "choices.0.message.content").(string)
		check(model, whole)
		if text := streamed(t, chat(model, format+`,"stream":true`)); text != whole {
			t.Errorf("%s streamed %q, and wrote %q", model, text, whole)
		}
		drawn, _ := chat(model, format+`,"temperature":2,"seed":5`).get(t, "choices.0.message.content").(string)
		check(model+", drawn", drawn)
		again, _ := chat(model, format+`,"temperature":2,"seed":5`).get(t, "choices.0.message.content").(string)
		other, _ := chat(model, format+`,"temperature":2,"seed":6`).get(t, "choices.0.message.content").(string)
		if check(model+", drawn", other); drawn != again || drawn == other {
			t.Errorf("%s: seeds 5, 5, 6 wrote %q, %q, %q", model, drawn, again, other)
		}
		ollama := send(t, http.MethodPost, h.URL+"/api/chat", "application/json", fmt.Appendf(nil, `{"model":%q,"stream":false,"messages":[{"role":"user","content":"what is it?","images":[%q]}],"format":%s}`, model, base64.StdEncoding.EncodeToString(jpg), schema))
		ollama.want(t, 200, "message.content", whole)
		// Any object, and as short as it may be.
		for _, more := range []string{`,"response_format":{"type":"json_object"}`, `,"response_format":{"type":"json_object"},"max_tokens":2`} {
			text, _ := chat(model, more).get(t, "choices.0.message.content").(string)
			if !strings.HasPrefix(text, "{") || !json.Valid([]byte(text)) {
				t.Errorf("%s: %q is no object", model, text)
			}
		}
		a = chat(model, format+`,"max_tokens":9`)
		a.want(t, 400)
		if !bytes.Contains(a.body, []byte("at most 9 tokens")) {
			t.Errorf("%s", a.body)
		}
		a = chat(model, `,"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"string","pattern":"a"}}}`)
		a.want(t, 400, "error.param", "response_format")
		if !bytes.Contains(a.body, []byte(`\"pattern\" is not supported`)) {
			t.Errorf("%s", a.body)
		}
	}
}

// streamed puts the pieces of a stream of OpenAI's together.
func streamed(t *testing.T, a answer) string {
	t.Helper()
	a.want(t, 200)
	var text strings.Builder
	for lines := bufio.NewScanner(bytes.NewReader(a.body)); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		var chunk struct {
			Choices []struct{ Delta struct{ Content string } }
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			t.Fatal(err)
		}
		for _, c := range chunk.Choices {
			text.WriteString(c.Delta.Content)
		}
	}
	return text.String()
}

// Models with a chat template read what was said before, with a picture that was shown then; others answer the question alone.
func TestChatsGoOn(t *testing.T) {
	_, h := start(t, func(c *Config) { c.Models = writers(t) })
	jpg, _ := photo()
	img, err := fovea.Decode(bytes.NewReader(jpg))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(model string, before ...string) string {
		t.Helper()
		parts := []string{fmt.Sprintf(`{"role":"user","content":[{"type":"image_url","image_url":%q},{"type":"text","text":"is there a cat?"}]}`, dataURLOf(jpg))}
		if len(before) == 0 {
			parts = []string{fmt.Sprintf(`{"role":"user","content":[{"type":"image_url","image_url":%q},{"type":"text","text":"and a dog?"}]}`, dataURLOf(jpg))}
		} else {
			parts = append(append([]string{before[0]}, parts...), append(before[1:], `{"role":"user","content":"and a dog?"}`)...)
		}
		a := send(t, http.MethodPost, h.URL+"/v1/chat/completions", "application/json", fmt.Appendf(nil, `{"model":%q,"max_tokens":50,"messages":[%s]}`, model, strings.Join(parts, ",")))
		text, _ := a.get(t, "choices.0.message.content").(string)
		return text
	}
	rule, said := `{"role":"developer","content":"Answer in one word."}`, `{"role":"assistant","content":"yes, 2"}`
	for _, model := range []string{"idefics3", "qwen3_vl"} {
		alone, after := ask(model), ask(model, rule, said)
		if alone == after || after == "" {
			t.Errorf("%s: %q alone and %q after a conversation", model, alone, after)
		}
		p, err := fovea.Open(context.Background(), filepath.Join("..", "..", "testdata", "fixtures", "parity", model))
		if err != nil {
			t.Fatal(err)
		}
		text := func(s string) []fovea.Part { return []fovea.Part{{Text: s}} }
		r, err := p.Do(context.Background(), fovea.Request{Image: img, Tasks: task.SetOf(task.Ask), Questions: []string{"and a dog?"}, Writing: fovea.Writing{Before: []fovea.Message{
			{Role: "system", Parts: text("Answer in one word.")},
			{Role: "user", Parts: append([]fovea.Part{{Image: true}}, text("is there a cat?")...)},
			{Role: "assistant", Parts: text("yes, 2")},
		}}})
		if err != nil || !strings.HasPrefix(r.Answers[0].Answer, after) {
			t.Errorf("%s: %q over HTTP; %v, %v", model, after, r, err)
		}
		_ = p.Close()
		ollama := send(t, http.MethodPost, h.URL+"/api/chat", "application/json", fmt.Appendf(nil, `{"model":%q,"stream":false,"options":{"num_predict":50},"messages":[{"role":"system","content":"Answer in one word."},{"role":"user","content":"is there a cat?","images":[%q]},%s,{"role":"user","content":"and a dog?"}]}`,
			model, base64.StdEncoding.EncodeToString(jpg), said))
		ollama.want(t, 200, "message.content", after)
	}
	if alone, after := ask("paligemma"), ask("paligemma", rule, said); alone != after {
		t.Errorf("paligemma, which knows no conversations: %q and %q", alone, after)
	}
}
