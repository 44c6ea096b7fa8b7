package serve

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// lists are how the surfaces that take several pictures in a request take them.
var lists = map[string]struct{ path, list, item string }{
	"native":   {"/v1/detect", `{"images":[%s]}`, `"%s"`},
	"openai":   {"/v1/chat/completions", `{"messages":[{"role":"user","content":[{"type":"text","text":"what?"},%s]}]}`, `{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}`},
	"ollama":   {"/api/generate", `{"prompt":"what?","stream":false,"images":[%s]}`, `"%s"`},
	"oip":      {"/v2/models/tiny/infer", `{"inputs":[{"name":"image","datatype":"BYTES","shape":[17],"data":[%s]}]}`, `"%s"`},
	"roboflow": {"/infer/object_detection", `{"model_id":"tiny","image":[%s]}`, `{"type":"base64","value":"%s"}`},
}

// What no client should send is answered by every surface in its own form and counted under its own name; what it merely does
// not know is ignored.
func TestBadOnEverySurface(t *testing.T) {
	s, h := start(t, func(c *Config) { c.MaxBody = 1 << 20 })
	jpg, _ := photo()
	b64 := base64.StdEncoding.EncodeToString(jpg)
	for _, p := range speakers {
		prefix := ""
		if p.url {
			prefix = "data:image/png;base64,"
		}
		body := func(data string) string { return strings.Replace(p.body, "%s", prefix+data, 1) }
		first := func(field string) string { return strings.Replace(body(b64), "{", "{"+field+",", 1) }
		path, unknown := strings.Replace(p.path, "tiny", "nothing", 1), strings.Replace(body(b64), "tiny", "nothing", 1)
		if path == p.path && unknown == body(b64) {
			unknown = first(`"model":"nothing"`)
		}
		type try struct {
			name, path, body string
			status           int
			code             string
		}
		tries := []try{
			{"a field that nobody knows", p.path, first(`"surprise":[{"a":[1,null]}]`), http.StatusOK, ""},
			{"no bytes", p.path, body(""), http.StatusBadRequest, "image.empty"},
			{"wrong base64", p.path, body("@@@@"), http.StatusBadRequest, "image.base64"},
			{"wrong JSON", p.path, body(b64)[:40], http.StatusBadRequest, "request.json"},
			{"NaN", p.path, first(`"surprise":NaN`), http.StatusBadRequest, "request.json"},
			{"a list", p.path, "[]", http.StatusBadRequest, "request.json"},
			{"an unknown model", path, unknown, http.StatusNotFound, "model.missing"},
			{"too much", p.path, body(strings.Repeat("A", 2<<20)), http.StatusRequestEntityTooLarge, "request.too_large"},
		}
		if l, ok := lists[p.surface]; ok {
			items := strings.TrimSuffix(strings.Repeat(strings.Replace(l.item, "%s", b64, 1)+",", 17), ",")
			tries = append(tries, try{"17 pictures", l.path, strings.Replace(l.list, "%s", items, 1), http.StatusBadRequest, "request.images"})
		}
		for _, x := range tries {
			before := faultsOf(t, s, p.surface)
			a := send(t, http.MethodPost, h.URL+x.path, "application/json", []byte(x.body))
			if a.status != x.status {
				t.Errorf("%s, %s: %d, want %d: %.200s", p.surface, x.name, a.status, x.status, a.body)
				continue
			}
			counted := faultsOf(t, s, p.surface)
			if x.code == "" {
				if counted != before {
					t.Errorf("%s, %s: counted as a fault", p.surface, x.name)
				}
				continue
			}
			if m, ok := a.get(t, p.message).(string); !ok || m == "" {
				t.Errorf("%s, %s: no message at %s of %.200s", p.surface, x.name, p.message, a.body)
			}
			if counted != before+1 {
				t.Errorf("%s, %s: %v faults counted, want one", p.surface, x.name, counted-before)
			}
		}
	}
	if n := testutil.ToFloat64(s.metrics.panics); n != 0 || s.held.Load() != 0 || s.models[0].queue.occupied() != 0 {
		t.Errorf("%v panics, %d bytes held, %d places taken", n, s.held.Load(), s.models[0].queue.occupied())
	}
}

// faultsOf is how many faults of a surface were counted, whatever they were.
func faultsOf(t *testing.T, s *Server, surface string) (n float64) {
	t.Helper()
	families, err := s.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "fovea_faults_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "surface" && l.GetValue() == surface {
					n += m.GetCounter().GetValue()
				}
			}
		}
	}
	return n
}

// A client that sends slowly is told so in the surface's own form.
func TestSlowOnEverySurface(t *testing.T) {
	s, h := start(t, func(c *Config) { c.BodyTimeout = 50 * time.Millisecond })
	for _, p := range speakers {
		conn, err := net.Dial("tcp", strings.TrimPrefix(h.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", p.path)
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", p.surface, err)
			continue
		}
		b, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if a := (answer{res.StatusCode, res.Header, b}); err != nil || a.status != http.StatusRequestTimeout {
			t.Errorf("%s: %d, %v", p.surface, a.status, err)
		} else if m, ok := a.get(t, p.message).(string); !ok || m == "" {
			t.Errorf("%s: no message at %s of %.200s", p.surface, p.message, a.body)
		}
		until(t, "counted", func() bool { return faults(s, p.surface, "request.slow") == 1 })
	}
	until(t, "nothing is held", func() bool { return s.held.Load() == 0 })
}

// A client that goes while its question waits leaves nothing behind.
func TestGoneOnEverySurface(t *testing.T) {
	s, h := start(t, nil)
	jpg, _ := photo()
	q, runners := s.models[0].queue, s.models[0].runners
	runners <- struct{}{} // no runner is free, and both workers wait for one
	first := make(chan answer, 2)
	for i := range 2 {
		go func() { first <- send(t, http.MethodPost, h.URL+"/v1/detect", "", scene(uint64(i))) }()
		until(t, "a worker waits", func() bool { _, taken := s.cache.usage(); return taken == i+1 })
	}
	for _, p := range speakers {
		data := base64.StdEncoding.EncodeToString(jpg)
		if p.url {
			data = "data:image/jpeg;base64," + data
		}
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL+p.path, strings.NewReader(strings.Replace(p.body, "%s", data, 1)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		done := make(chan struct{})
		go func() {
			defer close(done)
			if res, err := http.DefaultClient.Do(r); err == nil {
				res.Body.Close()
				t.Errorf("%s: there was an answer", p.surface)
			}
		}()
		until(t, p.surface+": a request at work", func() bool { return q.length() == 1 })
		cancel()
		<-done
		until(t, p.surface+": counted", func() bool { return faults(s, p.surface, "client.gone") == 1 })
		until(t, p.surface+": nothing is left", func() bool { return q.occupied() == 2 && q.length() == 0 })
	}
	<-runners
	for range 2 {
		a := <-first
		a.want(t, http.StatusOK)
	}
	until(t, "nothing is held", func() bool { return q.occupied() == 0 && s.held.Load() == 0 })
}
