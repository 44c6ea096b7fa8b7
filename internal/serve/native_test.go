package serve

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestNativeTasks(t *testing.T) {
	_, h := start(t, nil)
	jpg, _ := photo()
	img := dataURLOf(jpg)
	for _, test := range []struct {
		path string
		body map[string]any
		want []any
	}{
		{"classify", map[string]any{"labels": "cat, dog", "top": 1}, []any{"task", "classify", "width", 96, "height", 96, "model", "tiny"}},
		{"classify", map[string]any{"labels": []string{"cat"}}, []any{"classes.0.label", "cat"}},
		{"detect", map[string]any{"threshold": 0, "max": 2}, []any{"task", "detect", "image", "data"}},
		{"detect", map[string]any{"threshold": 0, "max": 1, "query": "red circle", "nonsense": []int{1}}, []any{"objects.0.label", "red circle", "objects.1", nil}},
		{"segment", map[string]any{"threshold": 0, "max": 1, "polygons": true}, []any{"task", "segment", "objects.0.mask.size", "[96 96]"}},
		{"segment", map[string]any{"threshold": 0, "max": 1, "semantic": true}, []any{"map.size.0", 96}},
		{"pose", map[string]any{}, []any{"task", "pose"}},
		{"ask", map[string]any{"question": "what is it?"}, []any{"question", "what is it?"}},
		{"ask", map[string]any{"questions": []string{"what?", "who?"}}, []any{"answers.1.question", "who?"}},
		{"caption", map[string]any{"model": "tiny:latest"}, []any{"task", "caption"}},
		{"embed", map[string]any{}, []any{"task", "embed"}},
		{"look", map[string]any{"question": "what?", "threshold": 1}, []any{"task", "look", "answers.0.question", "what?", "objects", "[]"}},
	} {
		test.body["image"] = img
		a := post(t, h.URL+"/v1/"+test.path, test.body)
		a.want(t, http.StatusOK, test.want...)
	}
	post(t, h.URL+"/v1/embed", map[string]any{"text": "a circle"}).want(t, http.StatusOK, "text", "a circle", "task", "embed")
	a := post(t, h.URL+"/v1/embed", map[string]any{"texts": []string{"a", "b"}, "image": img})
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/x-ndjson" || bytes.Count(a.body, []byte("\n")) != 3 {
		t.Errorf("three vectors: %d %s", a.status, a.body)
	}
}

// The same picture gives the same answer in whatever shape it comes, and is encoded once.
func TestNativeShapes(t *testing.T) {
	s, h := start(t, nil)
	jpg, _ := photo()
	u := h.URL + "/v1/classify?labels=cat,dog&top=1"
	form, kind := formOf(map[string]string{"labels": "cat,dog", "top": "1"}, jpg)
	for name, a := range map[string]answer{
		"raw":      send(t, http.MethodPost, u, "image/jpeg", jpg),
		"curl":     send(t, http.MethodPost, u, "application/x-www-form-urlencoded", jpg),
		"form":     send(t, http.MethodPost, h.URL+"/v1/classify", kind, form),
		"json":     post(t, h.URL+"/v1/classify", map[string]any{"image": dataURLOf(jpg), "labels": []string{"cat", "dog"}, "top": 1}),
		"base64":   post(t, h.URL+"/v1/classify", map[string]any{"image": strings.TrimPrefix(dataURLOf(jpg), "data:image/jpeg;base64,"), "labels": "cat,dog", "top": 1}),
		"percents": post(t, h.URL+"/v1/classify", map[string]any{"image": "data:image/jpeg," + url.PathEscape(string(jpg)), "labels": "cat,dog", "top": 1}),
	} {
		t.Run(name, func(t *testing.T) {
			a.want(t, http.StatusOK, "width", 96)
			if c := a.get(t, "classes.0.label"); c != "cat" && c != "dog" {
				t.Errorf("class %v", c)
			}
		})
	}
	if n := testutil.ToFloat64(s.metrics.lookups.WithLabelValues("false")); n != 1 {
		t.Errorf("the picture was encoded %v times", n)
	}
	if n := testutil.ToFloat64(s.metrics.lookups.WithLabelValues("true")); n != 5 {
		t.Errorf("the cache was hit %v times, want 5", n)
	}
	if n := batches(t, s).GetSampleSum(); n != 1 {
		t.Errorf("six requests about a picture cost the encoder %v pictures", n)
	}
	send(t, http.MethodPost, u, "image/jpeg", turned(jpg)).want(t, http.StatusOK, "height", 96)
}

func formOf(fields map[string]string, files ...[]byte) (body []byte, kind string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, v := range fields {
		w.WriteField(k, v)
	}
	for i, f := range files {
		p, _ := w.CreateFormFile("image", fmt.Sprintf("%d.jpg", i))
		p.Write(f)
	}
	w.Close()
	return b.Bytes(), w.FormDataContentType()
}

func TestNativeSeveral(t *testing.T) {
	_, h := start(t, nil)
	jpg, _ := photo()
	body, kind := formOf(nil, jpg, jpg[:len(jpg)/2])
	a := send(t, http.MethodPost, h.URL+"/v1/classify", kind, body)
	if lines := bytes.Split(bytes.TrimSpace(a.body), []byte("\n")); a.status != 200 || len(lines) != 2 || !bytes.Contains(lines[0], []byte(`"classes"`)) ||
		!bytes.Contains(lines[1], []byte(`{"image":"1.jpg","error":{"code":"image.truncated"`)) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestNativeBad(t *testing.T) {
	s, h := start(t, func(c *Config) { c.MaxBody = 1 << 20 })
	jpg, _ := photo()
	img := dataURLOf(jpg)
	seventeen := make([]string, 17)
	files := make([][]byte, 17)
	for i := range files {
		seventeen[i], files[i] = img, jpg
	}
	form, kind := formOf(nil, files...)
	quote := func(s string) []byte { return []byte(`{"image":"` + s + `"}`) }
	for _, test := range []struct {
		name, path, kind string
		body             []byte
		status           int
		code             string
	}{
		{"not an image", "detect", "", []byte("hello"), 400, "image.unsupported"},
		{"truncated", "detect", "", jpg[:len(jpg)/2], 400, "image.truncated"},
		{"bomb", "detect", "", bomb(), 400, "image.too_large"},
		{"no bytes", "detect", "", nil, 400, "image.empty"},
		{"no bytes in a URL", "detect", "", quote("data:image/png;base64,"), 400, "image.empty"},
		{"wrong base64", "detect", "", quote("data:image/png;base64,@@@@"), 400, "image.base64"},
		{"no comma", "detect", "", quote("data:image/png"), 400, "image.base64"},
		{"wrong JSON", "detect", "application/json", []byte(`{"image":`), 400, "request.json"},
		{"no JSON", "detect", "application/json", nil, 400, "request.json"},
		{"two values", "detect", "application/json", []byte(`{"image":"x"} 7`), 400, "request.json"},
		{"wrong type", "detect", "", []byte(`{"image":7}`), 400, "request.invalid"},
		{"wrong list", "detect", "", []byte(`{"image":"x","query":[7]}`), 400, "request.invalid"},
		{"NaN", "detect", "", []byte(`{"image":"` + img + `","threshold":NaN}`), 400, "request.json"},
		{"NaN in a query", "detect?threshold=NaN", "", jpg, 400, "request.threshold"},
		{"huge", "detect", "", []byte(`{"image":"` + img + `","threshold":1e999}`), 400, "request.invalid"},
		{"huge whole", "detect", "", []byte(`{"image":"` + img + `","max":1e30}`), 400, "request.invalid"},
		{"huge in a query", "detect?max=99999999999999999999", "", jpg, 400, "request.max"},
		{"negative", "detect?max=-1", "", jpg, 400, "request.max"},
		{"above one", "detect?threshold=1.5", "", jpg, 400, "request.threshold"},
		{"unknown model", "detect?model=gpt", "", jpg, 404, "model.missing"},
		{"17 pictures", "detect", "", []byte(`{"images":["` + strings.Join(seventeen, `","`) + `"]}`), 400, "request.images"},
		{"17 files", "detect", kind, form, 400, "request.images"},
		{"no boundary", "detect", "multipart/form-data", form, 400, "request.form"},
		{"cut form", "detect", kind, form[:len(form)/2], 400, "request.form"},
		{"oversize", "detect", "", make([]byte, 2<<20), 413, "request.too_large"},
		{"no picture", "detect", "", []byte(`{}`), 400, "request.image"},
		{"no question", "ask", "", jpg, 400, "request.question"},
		{"long question", "ask?question=" + strings.Repeat("a+", 600), "", jpg, 400, "request.question"},
		{"a stream of boxes", "detect?stream=true", "", jpg, 400, "request.stream"},
		{"URL", "detect", "", quote("http://169.254.169.254/x.jpg"), 400, "url.forbidden"},
		{"file", "detect", "", quote("file:///etc/passwd"), 400, "url.forbidden"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := faults(s, "native", test.code)
			send(t, http.MethodPost, h.URL+"/v1/"+test.path, test.kind, test.body).want(t, test.status, "error.code", test.code)
			if faults(s, "native", test.code) != before+1 {
				t.Error("the fault was not counted")
			}
		})
	}
	send(t, http.MethodGet, h.URL+"/v1/detect", "", nil).want(t, 405, "error.code", "request.method")
	send(t, http.MethodGet, h.URL+"/v1/nothing", "", nil).want(t, 404, "error.code", "request.path")
	if held := s.held.Load(); held != 0 {
		t.Errorf("%d bytes of bodies are still counted", held)
	}
	if n := testutil.ToFloat64(s.metrics.panics); n != 0 {
		t.Errorf("%v panics", n)
	}
}

func TestNativeStream(t *testing.T) {
	_, h := start(t, nil)
	jpg, _ := photo()
	whole := post(t, h.URL+"/v1/caption", map[string]any{"image": dataURLOf(jpg)})
	a := post(t, h.URL+"/v1/caption", map[string]any{"image": dataURLOf(jpg), "stream": true})
	if a.status != 200 || a.header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", a.status, a.header)
	}
	text := ""
	for _, e := range eventsOf(a.body) {
		if e.name == "delta" {
			text += fmt.Sprint(at(e.value, "delta"))
		}
		if e.name == "result" && at(e.value, "caption") != text {
			t.Errorf("the pieces make %q, the caption is %q", text, at(e.value, "caption"))
		}
	}
	if want := whole.get(t, "caption"); text != want {
		t.Errorf("streamed %q, want %q", text, want)
	}
}
