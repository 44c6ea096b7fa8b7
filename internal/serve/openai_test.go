package serve

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func userMessage(text string, images ...string) []any {
	parts := []any{map[string]any{"type": "text", "text": text}}
	for _, u := range images {
		parts = append(parts, map[string]any{"type": "image_url", "image_url": map[string]any{"url": u, "detail": "low"}})
	}
	return []any{map[string]any{"role": "system", "content": "be brief"}, map[string]any{"role": "user", "content": parts}}
}

func TestOpenAIChat(t *testing.T) {
	_, h := start(t, nil)
	jpg, _ := photo()
	img, u := dataURLOf(jpg), h.URL+"/v1/chat/completions"
	native := post(t, h.URL+"/v1/ask", map[string]any{"image": img, "question": "what is it?"}).get(t, "answer")
	caption := post(t, h.URL+"/v1/caption", map[string]any{"image": img}).get(t, "caption")
	chat := func(extra map[string]any, text string, images ...string) answer {
		q := map[string]any{"model": "tiny", "messages": userMessage(text, images...), "seed": 7, "temperature": 0.2, "tools": []any{}}
		for k, v := range extra {
			q[k] = v
		}
		return post(t, u, q)
	}
	a := chat(nil, "what is it?", img)
	a.want(t, 200, "object", "chat.completion", "model", "tiny", "choices.0.message.role", "assistant", "choices.0.message.content", native, "choices.0.finish_reason", "stop", "usage.prompt_tokens", 4)
	chat(nil, "Describe the image.", img).want(t, 200, "choices.0.message.content", caption)
	chat(nil, "what is it?", img, img).want(t, 200, "choices.0.message.content", fmt.Sprintf("1: %s\n2: %s", native, native))
	chat(nil, "hello").want(t, 200, "choices.0.message.content", noPicture)
	first := strings.Fields(caption.(string))[0]
	chat(map[string]any{"max_tokens": 1}, "describe", img).want(t, 200, "choices.0.message.content", first, "choices.0.finish_reason", "length")
	chat(map[string]any{"stop": first}, "describe", img).want(t, 200, "choices.0.message.content", "", "choices.0.finish_reason", "stop")
	// A bare text as image_url, and a picture in an earlier message.
	post(t, u, map[string]any{"messages": []any{
		map[string]any{"role": "user", "content": []any{map[string]any{"type": "image_url", "image_url": img}}},
		map[string]any{"role": "assistant", "content": "a picture"}, map[string]any{"role": "user", "content": "what is it?"}}}).want(t, 200, "choices.0.message.content", native)
}

func TestOpenAIStream(t *testing.T) {
	_, h := start(t, nil)
	jpg, _ := photo()
	q := map[string]any{"messages": userMessage("describe", dataURLOf(jpg))}
	want := post(t, h.URL+"/v1/chat/completions", q).get(t, "choices.0.message.content")
	q["stream"], q["stream_options"] = true, map[string]any{"include_usage": true}
	a := post(t, h.URL+"/v1/chat/completions", q)
	if a.status != 200 || a.header.Get("Content-Type") != "text/event-stream" || a.header.Get("X-Accel-Buffering") != "no" {
		t.Fatalf("%d %v", a.status, a.header)
	}
	events := eventsOf(a.body)
	n := len(events)
	text := ""
	for _, e := range events[1 : n-3] {
		text += fmt.Sprint(at(e.value, "choices.0.delta.content"))
	}
	if text != want || n < 5 {
		t.Errorf("streamed %q in %d events, want %q", text, n, want)
	}
	if at(events[0].value, "choices.0.delta.role") != "assistant" || at(events[n-3].value, "choices.0.finish_reason") != "stop" ||
		at(events[n-2].value, "usage.total_tokens") == nil || events[n-1].data != "[DONE]" {
		t.Errorf("%s", a.body)
	}
	whole := want.(string)
	if strings.ContainsFunc(whole[:3], func(r rune) bool { return r > '~' }) {
		t.Fatalf("%q begins with something else than three letters", whole)
	}
	q["stop"] = []string{whole[1:3]}
	stopped := ""
	for _, e := range eventsOf(post(t, h.URL+"/v1/chat/completions", q).body) {
		if s, ok := at(e.value, "choices.0.delta.content").(string); ok {
			stopped += s
		}
	}
	if stopped != whole[:1] {
		t.Errorf("streamed %q before the stop, want %q", stopped, whole[:1])
	}
}

func TestOpenAIForm(t *testing.T) {
	_, h := start(t, nil)
	jpg, _ := photo()
	chat := func(schema string) answer {
		body := fmt.Sprintf(`{"messages":[{"role":"user","content":[{"type":"text","text":"what is it?"},{"type":"image_url","image_url":%q}]}],"response_format":%s}`, dataURLOf(jpg), schema)
		return send(t, http.MethodPost, h.URL+"/v1/chat/completions", "application/json", []byte(body))
	}
	content := func(schema string) answer {
		a := chat(`{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":` + schema + `}}`)
		a.want(t, 200)
		s, _ := a.get(t, "choices.0.message.content").(string)
		return answer{status: 200, body: []byte(s)}
	}
	native := post(t, h.URL+"/v1/ask", map[string]any{"image": dataURLOf(jpg), "question": "what is it?"}).get(t, "answer")
	content(`{"type":"object","properties":{"answer":{"type":"string"}},"required":["answer"],"additionalProperties":false}`).want(t, 200, "answer", native)
	a := content(`{"type":"object","properties":{"z":{"enum":["cat","dog"]},"count":{"type":"integer","minimum":3,"maximum":9},"indoors":{"type":"boolean"},
		"caption":{"type":"string"},"objects":{"type":"array","items":{"$ref":"#/$defs/O"}},"names":{"type":"array","items":{"type":"string"}},"none":{"type":["string","null"]},"one":{"const":1}},
		"$defs":{"O":{"type":"object","properties":{"label":{"type":"string"},"score":{"type":"number"},"box":{"type":"array"},"x_min":{"type":"number"}}}}}`)
	a.want(t, 200, "one", 1)
	if z := a.get(t, "z"); z != "cat" && z != "dog" {
		t.Errorf("z is %v", z)
	}
	if n, ok := a.get(t, "count").(float64); !ok || n < 3 || n > 9 {
		t.Errorf("count is %v", a.get(t, "count"))
	}
	if _, ok := a.get(t, "indoors").(bool); !ok {
		t.Errorf("indoors is %v", a.get(t, "indoors"))
	}
	if !strings.HasPrefix(string(a.body), `{"z":`) {
		t.Errorf("the order is lost: %s", a.body)
	}
	body := chat(`{"type":"json_object"}`)
	if s, _ := body.get(t, "choices.0.message.content").(string); !strings.HasPrefix(s, `{"answer":`) {
		t.Errorf("%s", body.body)
	}
	for _, schema := range []string{
		`{"type":"string","pattern":"a+"}`, `{"type":"array","items":{"type":"object","properties":{"age":{"type":"integer"}}}}`, `{"$ref":"#/$defs/none"}`,
		`{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/a"}}}`, `{"type":"object","properties":{"a":{"type":"date"}}}`, `7`, `{"enum":[]}`, `{"type":"array"}`,
	} {
		chat(`{"type":"json_schema","json_schema":{"schema":`+schema+`}}`).want(t, 400, "error.param", "response_format", "error.type", "invalid_request_error")
	}
}

func TestOpenAIModelsAndEmbeddings(t *testing.T) {
	_, h := start(t, nil)
	jpg, _ := photo()
	send(t, http.MethodGet, h.URL+"/v1/models", "", nil).want(t, 200, "object", "list", "data.0.id", "tiny", "data.0.object", "model")
	send(t, http.MethodGet, h.URL+"/v1/models/tiny", "", nil).want(t, 200, "id", "tiny")
	send(t, http.MethodGet, h.URL+"/v1/models/gpt", "", nil).want(t, 404, "error.code", "model_not_found", "error.type", "not_found_error")
	want := post(t, h.URL+"/v1/embed", map[string]any{"image": dataURLOf(jpg)}).get(t, "vector.0")
	a := post(t, h.URL+"/v1/embeddings", map[string]any{"model": "tiny", "input": []any{"a circle", dataURLOf(jpg), map[string]any{"image": dataURLOf(jpg)}}})
	a.want(t, 200, "data.1.embedding.0", want, "data.2.embedding.0", want, "data.2.index", 2, "usage.prompt_tokens", 2)
	post(t, h.URL+"/v1/embeddings", map[string]any{"input": "a circle", "encoding_format": "base64"}).want(t, 200, "data.1", nil)
	for _, in := range []any{nil, []any{}, []any{7}, 7, ""} {
		post(t, h.URL+"/v1/embeddings", map[string]any{"input": in}).want(t, 400, "error.type", "invalid_request_error")
	}
	post(t, h.URL+"/v1/embeddings", map[string]any{"input": "a", "dimensions": 7}).want(t, 400, "error.param", "dimensions")
}

func TestOpenAIBad(t *testing.T) {
	s, h := start(t, func(c *Config) { c.MaxBody = 1 << 20 })
	jpg, _ := photo()
	img := dataURLOf(jpg)
	seventeen := make([]string, 17)
	for i := range seventeen {
		seventeen[i] = img
	}
	ask := func(extra string) []byte {
		return []byte(`{"messages":[{"role":"user","content":[{"type":"text","text":"what?"},{"type":"image_url","image_url":"` + img + `"}]}]` + extra + `}`)
	}
	text := func(s string) []byte { return []byte(`{"messages":[{"role":"user","content":` + s + `}]}`) }
	picture := func(s string) []byte {
		return text(`[{"type":"text","text":"what?"},{"type":"image_url","image_url":{"url":"` + s + `"}}]`)
	}
	for _, test := range []struct {
		name   string
		body   []byte
		status int
		code   string
	}{
		{"not an image", picture("data:,hello"), 400, "image.unsupported"},
		{"truncated", picture(dataURLOf(jpg[:len(jpg)/2])), 400, "image.truncated"},
		{"bomb", picture(dataURLOf(bomb())), 400, "image.too_large"},
		{"no bytes", picture(""), 400, "image.empty"},
		{"wrong base64", picture("data:image/png;base64,*"), 400, "image.base64"},
		{"URL", picture("https://example.com/a.jpg"), 400, "url.forbidden"},
		{"wrong JSON", []byte("{"), 400, "request.json"},
		{"no JSON", nil, 400, "request.json"},
		{"a list", []byte("[]"), 400, "request.json"},
		{"no messages", []byte("{}"), 400, "request.messages"},
		{"wrong content", text("7"), 400, "request.messages"},
		{"sound", text(`[{"type":"input_audio"}]`), 400, "request.messages"},
		{"only a system", []byte(`{"messages":[{"role":"system","content":"x"}]}`), 400, "request.messages"},
		{"17 pictures", []byte(`{"messages":` + string(mustJSON(userMessage("what?", seventeen...))) + `}`), 400, "request.images"},
		{"unknown model", ask(`,"model":"gpt-4o"`), 404, "model_not_found"},
		{"NaN", ask(`,"temperature":NaN`), 400, "request.json"},
		{"huge", ask(`,"temperature":1e999`), 400, "request.invalid"},
		{"hot", ask(`,"temperature":3`), 400, "request.temperature"},
		{"negative", ask(`,"max_tokens":-1`), 400, "request.max_tokens"},
		{"many", ask(`,"n":2`), 400, "request.n"},
		{"stop", ask(`,"stop":7`), 400, "request.invalid"},
		{"format", ask(`,"response_format":{"type":"xml"}`), 400, "request.response_format"},
		{"long", text(`[{"type":"text","text":"` + strings.Repeat("why ", 300) + `"},{"type":"image_url","image_url":"` + img + `"}]`), 400, "request.question"},
		{"oversize", make([]byte, 2<<20), 413, "request.too_large"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := send(t, http.MethodPost, h.URL+"/v1/chat/completions", "application/json", test.body)
			a.want(t, test.status, "error.code", test.code)
			if m, _ := a.get(t, "error.message").(string); m == "" {
				t.Error("no message")
			}
			if strings.HasPrefix(test.code, "image.") && faults(s, "openai", test.code) == 0 {
				t.Error("the fault was not counted")
			}
		})
	}
	send(t, http.MethodGet, h.URL+"/v1/chat/completions", "", nil).want(t, 405, "error.type", "invalid_request_error")
}
