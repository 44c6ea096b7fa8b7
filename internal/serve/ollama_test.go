package serve

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"testing/fstest"
)

func linesOf(t *testing.T, body []byte) (out []any) {
	t.Helper()
	for _, l := range bytes.Split(bytes.TrimSpace(body), []byte("\n")) {
		var v any
		if err := json.Unmarshal(l, &v); err != nil {
			t.Fatalf("%v: %s", err, l)
		}
		out = append(out, v)
	}
	return out
}

func TestOllama(t *testing.T) {
	_, h := start(t, nil)
	jpg, _ := photo()
	img := base64.StdEncoding.EncodeToString(jpg)
	get := func(path string) answer { return send(t, http.MethodGet, h.URL+path, "", nil) }
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		if a := send(t, method, h.URL+"/", "", nil); a.status != 200 || method == http.MethodGet && string(a.body) != "Ollama is running" {
			t.Errorf("%s /: %d %s", method, a.status, a.body)
		}
		send(t, method, h.URL+"/api/version", "", nil).want(t, 200)
		send(t, method, h.URL+"/api/tags", "", nil).want(t, 200)
	}
	get("/api/version").want(t, 200, "version", "test")
	get("/api/tags").want(t, 200, "models.0.name", "tiny:latest", "models.0.details.format", "safetensors")
	get("/api/ps").want(t, 200, "models.0.size_vram", 0)
	a := post(t, h.URL+"/api/show", map[string]any{"model": "tiny"})
	a.want(t, 200, "capabilities.1", "vision", "model_info.general.parameter_count", nil)
	if info, ok := a.get(t, "model_info").(map[string]any); !ok || info["general.parameter_count"] == nil {
		t.Errorf("%s", a.body)
	}
	native := post(t, h.URL+"/v1/ask", map[string]any{"image": img, "question": "what is it?"}).get(t, "answer")
	chat := map[string]any{"model": "tiny", "messages": []any{map[string]any{"role": "user", "content": "what is it?", "images": []string{img}}}, "options": map[string]any{"num_predict": -1, "temperature": 0}}
	for path, q := range map[string]map[string]any{"/api/chat": chat, "/api/generate": {"model": "tiny", "prompt": "what is it?", "images": []string{img}}} {
		key := map[string]string{"/api/chat": "message.content", "/api/generate": "response"}[path]
		a := post(t, h.URL+path, q)
		if a.status != 200 || a.header.Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
		text := ""
		lines := linesOf(t, a.body)
		for _, l := range lines {
			text += fmt.Sprint(at(l, key))
		}
		last := lines[len(lines)-1]
		if text != native || at(last, "done") != true || at(last, "done_reason") != "stop" || at(last, "total_duration").(float64) <= 0 {
			t.Errorf("%s: streamed %q, want %q: %s", path, text, native, a.body)
		}
		q["stream"] = false
		post(t, h.URL+path, q).want(t, 200, key, native, "done", true)
		q["format"] = "json"
		post(t, h.URL+path, q).want(t, 200, key, string(mustJSON(map[string]any{"answer": native})))
		q["format"] = map[string]any{"type": "string", "pattern": "x"}
		post(t, h.URL+path, q).want(t, 400)
	}
	post(t, h.URL+"/api/generate", map[string]any{"model": "tiny"}).want(t, 200, "done_reason", "load")
	post(t, h.URL+"/api/embed", map[string]any{"model": "tiny", "input": []string{"a", "b"}}).want(t, 200, "model", "tiny", "embeddings.2", nil)
	if lines := linesOf(t, post(t, h.URL+"/api/pull", map[string]any{"model": "tiny"}).body); len(lines) != 3 || at(lines[2], "status") != "success" {
		t.Errorf("%v", lines)
	}
}

func TestOllamaBad(t *testing.T) {
	s, h := start(t, nil)
	jpg, _ := photo()
	for name, q := range map[string]map[string]any{
		"base64": {"prompt": "x", "images": []string{"*"}}, "truncated": {"prompt": "x", "images": [][]byte{jpg[:99]}}, "bomb": {"prompt": "x", "images": [][]byte{bomb()}},
		"17": {"prompt": "x", "images": make([]string, 17)}, "type": {"prompt": 7}, "negative": {"prompt": "x", "options": map[string]any{"num_predict": -7}},
		"hot": {"prompt": "x", "options": map[string]any{"temperature": -1}},
	} {
		a := post(t, h.URL+"/api/generate", q)
		if e, _ := a.get(t, "error").(string); a.status != 400 || e == "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if n := faults(s, "ollama", "image.too_large"); n != 1 {
		t.Errorf("%v bombs counted", n)
	}
	a := post(t, h.URL+"/api/chat", map[string]any{"model": "llava"})
	a.want(t, 404, "error", `there is no model "llava"; there are tiny`)
	post(t, h.URL+"/api/pull", map[string]any{"model": "llava"}).want(t, 404)
	send(t, http.MethodDelete, h.URL+"/api/delete", "application/json", []byte(`{"model":"tiny"}`)).want(t, 403)
	send(t, http.MethodGet, h.URL+"/api/nothing", "", nil).want(t, 404)
	send(t, http.MethodGet, h.URL+"/api/chat", "", nil).want(t, 405)
}

// Browsers see the page at /, and everyone its files; the rest is as without.
func TestWeb(t *testing.T) {
	_, h := start(t, func(c *Config) {
		c.Web = fstest.MapFS{"index.html": {Data: []byte("<html>hello")}, "app/x.js": {Data: []byte("1")}}
		c.Tokens = []string{"secretive"}
	})
	for path, want := range map[string]string{"/": "<html>hello", "/app/x.js": "1"} {
		a := send(t, http.MethodGet, h.URL+path, "", nil, "Accept", "text/html,*/*")
		if a.status != 200 || string(a.body) != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := send(t, http.MethodGet, h.URL+"/", "", nil); string(a.body) != "Ollama is running" {
		t.Errorf("%d %s", a.status, a.body)
	}
	send(t, http.MethodGet, h.URL+"/none.js", "", nil, "X-Api-Key", "secretive").want(t, 404, "error.code", "request.path")
	send(t, http.MethodGet, h.URL+"/../serve.go", "", nil, "X-Api-Key", "secretive").want(t, 404)
}
