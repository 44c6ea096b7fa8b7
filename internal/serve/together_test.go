package serve

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"net/http"
	"strings"
	"testing"

	"fovea"
	"fovea/task"
)

// Models that write are asked about several pictures at once, in their order; those of an earlier message stand in their place.
func TestSeveralPictures(t *testing.T) {
	models := writers(t)
	_, h := start(t, func(c *Config) { c.Models = models })
	files := [][]byte{scene(3), scene(4)}
	var imgs []image.Image
	for _, f := range files {
		img, err := fovea.Decode(bytes.NewReader(f))
		if err != nil {
			t.Fatal(err)
		}
		imgs = append(imgs, img)
	}
	user := func(text string, pictures ...int) map[string]any {
		var refs []string
		for _, i := range pictures {
			refs = append(refs, dataURLOf(files[i]))
		}
		return userMessage(text, refs...)[1].(map[string]any)
	}
	ask := func(model, more string, messages ...any) answer {
		t.Helper()
		body := fmt.Sprintf(`{"model":%q,"messages":%s%s}`, model, mustJSON(messages), more)
		return send(t, http.MethodPost, h.URL+"/v1/chat/completions", "application/json", []byte(body))
	}
	const question = "what differs?"
	for _, m := range models {
		p, err := m.Open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		want := func(before []fovea.Message, question string, pictures ...int) string {
			t.Helper()
			r := fovea.Request{Image: imgs[pictures[0]], Tasks: task.SetOf(task.Ask), Questions: []string{question}, Writing: fovea.Writing{Before: before}}
			for _, i := range pictures[1:] {
				r.Beside = append(r.Beside, imgs[i])
			}
			res, err := p.Do(context.Background(), r)
			if err != nil {
				t.Fatal(err)
			}
			return res.Answers[0].Answer
		}
		ab, ba, a := want(nil, question, 0, 1), want(nil, question, 1, 0), want(nil, question, 0)
		if ab == ba || ab == a {
			t.Fatalf("%s: the pictures make no difference: %q, %q, %q", m.Name, ab, ba, a)
		}
		ask(m.Name, "", user(question, 0, 1)).want(t, 200, "choices.0.message.content", ab)
		ask(m.Name, "", user(question, 1, 0)).want(t, 200, "choices.0.message.content", ba)
		if text := streamed(t, ask(m.Name, `,"stream":true`, user(question, 0, 1))); text != ab {
			t.Errorf("%s: streamed %q, want %q", m.Name, text, ab)
		}
		ask(m.Name, "", user("", 0, 1)).want(t, 200, "choices.0.message.content", want(nil, describeAll, 0, 1))
		encode := base64.StdEncoding.EncodeToString
		ollama := send(t, http.MethodPost, h.URL+"/api/generate", "application/json", fmt.Appendf(nil, `{"model":%q,"stream":false,"prompt":%q,"images":[%q,%q]}`, m.Name, question, encode(files[0]), encode(files[1])))
		ollama.want(t, 200, "response", ab)
		native := func(fields string, files ...[]byte) answer {
			var refs []string
			for _, f := range files {
				refs = append(refs, dataURLOf(f))
			}
			body := fmt.Appendf(nil, `{"model":%q,"images":%s,"question":%q,"together":true%s}`, m.Name, mustJSON(refs), question, fields)
			return send(t, http.MethodPost, h.URL+"/v1/ask", "application/json", body)
		}
		native("", files...).want(t, 200, "answer", ab, "image", "data", "images.1", "data")
		native("", files[0]).want(t, 200, "answer", a)
		events := native(`,"stream":true`, files...)
		var last struct{ Answer string }
		_, data, _ := strings.Cut(string(events.body), "event: result\ndata: ")
		if err := json.Unmarshal([]byte(data), &last); err != nil || last.Answer != ab {
			t.Errorf("%s: streamed %s, want %q", m.Name, events.body, ab)
		}
		text, _ := ask(m.Name, `,"response_format":{"type":"json_object"}`, user(question, 0, 1)).get(t, "choices.0.message.content").(string)
		if !strings.HasPrefix(text, "{") || !json.Valid([]byte(text)) {
			t.Errorf("%s: %q is no object", m.Name, text)
		}

		one := want(nil, question, 1) // a model without conversations sees the last picture alone
		if p.Card().Talks {
			one = want([]fovea.Message{{Role: "user", Parts: []fovea.Part{{Image: true}, {Text: "a street?"}}}, {Role: "assistant", Parts: []fovea.Part{{Text: "yes"}}}}, question, 0, 1)
		}
		ask(m.Name, "", user("a street?", 0), map[string]any{"role": "assistant", "content": "yes"}, user(question, 1)).want(t, 200, "choices.0.message.content", one)

		broken := append([]string{}, dataURLOf(files[0]), dataURLOf(files[1][:len(files[1])/2]))
		ask(m.Name, "", userMessage(question, broken...)[1]).want(t, 400)
	}
}

// Together is for questions, and for models that can.
func TestTogetherRefused(t *testing.T) {
	models := writers(t)
	_, h := start(t, func(c *Config) { c.Models = append(c.Models, models[0]) })
	refs := []string{dataURLOf(scene(3)), dataURLOf(scene(4))}
	for path, model := range map[string]string{"/v1/ask": "", "/v1/look": "", "/v1/caption": models[0].Name} {
		post(t, h.URL+path, map[string]any{"model": model, "images": refs, "question": "what?", "together": true}).want(t, 400, "error.code", "request.together", "error.param", "together")
	}
	send(t, http.MethodPost, h.URL+"/v1/ask?together=perhaps", "image/png", scene(3)).want(t, 400, "error.code", "request.together")
}
