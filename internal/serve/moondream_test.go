package serve

import (
	"fmt"
	"strings"
	"testing"
)

func TestMoondream(t *testing.T) {
	_, h := start(t, nil)
	jpg, _ := photo()
	img := dataURLOf(jpg)
	q := func(extra map[string]any) map[string]any {
		v := map[string]any{"image_url": img, "stream": false}
		for k, x := range extra {
			v[k] = x
		}
		return v
	}
	answer := post(t, h.URL+"/v1/ask", map[string]any{"image": img, "question": "what is it?"}).get(t, "answer")
	caption := post(t, h.URL+"/v1/caption", map[string]any{"image": img}).get(t, "caption")
	for _, base := range []string{"/v1", "/moondream/v1"} {
		u := h.URL + base
		post(t, u+"/query", q(map[string]any{"question": "what is it?", "reasoning": true})).want(t, 200, "answer", answer)
		post(t, u+"/caption", q(map[string]any{"length": "normal"})).want(t, 200, "caption", caption)
		short := post(t, u+"/caption", q(map[string]any{"length": "short"})).get(t, "caption").(string)
		if !strings.HasPrefix(caption.(string), short) || len(strings.Fields(short)) > shortCaption {
			t.Errorf("the short caption is %q", short)
		}
		for _, e := range []string{"detect", "point"} {
			post(t, u+"/"+e, q(map[string]any{"object": "circle"})).want(t, 200)
		}
		post(t, u+"/segment", q(map[string]any{"object": "circle"})).want(t, 200)
		text := ""
		events := eventsOf(post(t, u+"/caption", q(map[string]any{"stream": true})).body)
		for _, e := range events[:len(events)-1] {
			text += fmt.Sprint(at(e.value, "chunk"))
		}
		if text != caption || at(events[len(events)-1].value, "completed") != true {
			t.Errorf("streamed %q, want %q", text, caption)
		}
		if s := post(t, u+"/segment", q(map[string]any{"object": "circle", "stream": true})); !strings.Contains(string(s.body), `"type":"final"`) {
			t.Errorf("%s", s.body)
		}
		for _, bad := range []struct {
			path  string
			extra map[string]any
			code  string
		}{
			{"query", nil, "request.question"}, {"detect", nil, "request.object"}, {"caption", map[string]any{"length": "epic"}, "request.length"},
			{"caption", map[string]any{"image_url": "data:,x"}, "image.unsupported"}, {"detect", map[string]any{"object": "x", "image_url": dataURLOf(bomb())}, "image.too_large"},
			{"detect", map[string]any{"object": "x", "settings": map[string]any{"max_objects": -1}}, "request.max_objects"},
			{"caption", map[string]any{"settings": map[string]any{"temperature": -1}}, "request.temperature"}, {"segment", map[string]any{"object": "x", "image_url": dataURLOf(jpg[:99])}, "image.truncated"},
		} {
			a := post(t, u+"/"+bad.path, q(bad.extra))
			a.want(t, 400, "error.code", bad.code)
			if d, _ := a.get(t, "detail").(string); d == "" {
				t.Errorf("%s: not Moondream's form: %s", bad.path, a.body)
			}
		}
	}
	post(t, h.URL+"/v1/query", map[string]any{"question": "hello"}).want(t, 200, "answer", noPicture)
	post(t, h.URL+"/v1/query", q(map[string]any{"question": "x", "model": "moon"})).want(t, 404, "error.code", "model.missing")
}
