package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"fovea"
)

// startSlow serves a model whose captions wait at a gate for every word.
func startSlow(t *testing.T, queue int, edit func(*Config)) (*Server, string, chan struct{}) {
	gate := make(chan struct{})
	s, h := start(t, func(c *Config) {
		c.Queue = queue
		c.Models = []Model{{"slow", func(context.Context) (*fovea.Predictor, error) { return fovea.New(slowModel{gate}), nil }}}
		if edit != nil {
			edit(c)
		}
	})
	return s, h.URL, gate
}

// until waits for something that another goroutine will make true.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

func TestFullQueueRefuses(t *testing.T) {
	s, url, gate := startSlow(t, 2, nil)
	jpg, pic := photo()
	answers := make(chan answer, 3)
	for range 3 { // one at work, two wait
		go func() { answers <- send(t, http.MethodPost, url+"/v1/caption", "", jpg) }()
	}
	until(t, "three places taken", func() bool { return s.models[0].queue.occupied() == s.models[0].queue.places })
	at := time.Now()
	a := send(t, http.MethodPost, url+"/v1/caption", "", pic)
	took := time.Since(at)
	a.want(t, http.StatusTooManyRequests, "error.code", "server.busy")
	if a.header.Get("Retry-After") == "" || a.header.Get("Retry-After-Ms") == "" {
		t.Errorf("no time to come back: %v", a.header)
	}
	if took > 500*time.Millisecond { // on a busy machine; docs/reference/http.md has the figure
		t.Errorf("refusing took %v", took)
	}
	// Even a client that sends much gets its answer rather than a broken connection.
	send(t, http.MethodPost, url+"/v1/caption", "", make([]byte, 4<<20)).want(t, http.StatusTooManyRequests)
	close(gate)
	for range 3 {
		a := <-answers
		a.want(t, http.StatusOK, "caption", "one two three four five")
	}
	if n := testutil.ToFloat64(s.metrics.rejected); n != 2 {
		t.Errorf("%v refusals counted", n)
	}
}

// isInside reports that a goroutine is inside a function.
func isInside(function string) bool {
	all := make([]byte, 1<<20)
	return strings.Contains(string(all[:runtime.Stack(all, true)]), function)
}

// A model stops at the next word when its client has gone.
func TestClientGoneMidStream(t *testing.T) {
	s, url, gate := startSlow(t, 2, nil)
	jpg, _ := photo()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/caption?stream=true", strings.NewReader(string(jpg)))
	if err != nil {
		t.Fatal(err)
	}
	go func() { gate <- struct{}{} }()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if line, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil || line != "event: delta\n" {
		t.Fatalf("%q, %v", line, err)
	}
	cancel()
	until(t, "the server has noticed", func() bool { return isInside("serve.(*queue).drop") })
	gate <- struct{}{} // the word that the model was writing
	until(t, "it is counted", func() bool { return faults(s, "native", "client.gone") == 1 })
	select {
	case gate <- struct{}{}:
		t.Error("the model goes on for a client that has gone")
	default:
	}
	if n := s.models[0].queue.occupied(); n != 0 {
		t.Errorf("%d places are still taken", n)
	}
}

func TestSlowSender(t *testing.T) {
	s, url, _ := startSlow(t, 1, func(c *Config) { c.BodyTimeout = 50 * time.Millisecond })
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/caption HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf")
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	b, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(b), "HTTP/1.1 408") || !strings.Contains(string(b), "request.slow") {
		t.Errorf("%s", b)
	}
	if s.held.Load() != 0 || faults(s, "native", "request.slow") != 1 {
		t.Errorf("%d bytes held, %v counted", s.held.Load(), faults(s, "native", "request.slow"))
	}
}

func TestBodiesTogether(t *testing.T) {
	s, url, _ := startSlow(t, 9, func(c *Config) { c.MaxBodies = 1000 })
	send(t, http.MethodPost, url+"/v1/caption", "", make([]byte, 2000)).want(t, http.StatusTooManyRequests, "error.code", "server.busy")
	if s.held.Load() != 0 {
		t.Errorf("%d bytes held", s.held.Load())
	}
}

// A bug in a model costs one request, not the server.
func TestPanicIsOneRequest(t *testing.T) {
	s, url, gate := startSlow(t, 1, nil)
	jpg, _ := photo()
	a := send(t, http.MethodPost, url+"/v1/ask?question=what", "", jpg)
	a.want(t, http.StatusInternalServerError, "error.code", "server.failed")
	if a.header.Get("X-Should-Retry") != "false" || testutil.ToFloat64(s.metrics.panics) != 1 {
		t.Errorf("%v, %v panics counted", a.header, testutil.ToFloat64(s.metrics.panics))
	}
	close(gate)
	send(t, http.MethodPost, url+"/v1/caption", "", jpg).want(t, http.StatusOK)
}

func TestGuard(t *testing.T) {
	_, open := start(t, func(c *Config) {
		c.AllowHosts, c.AllowOrigins = []string{"vision.example"}, []string{"https://app.example"}
	})
	_, closed := start(t, func(c *Config) { c.Tokens = []string{"secret", "other"} })
	jpg, _ := photo()
	for _, test := range []struct {
		name, url, header, value string
		status                   int
	}{
		{"plain", open.URL, "", "", 200},
		{"localhost", open.URL, "Host", "localhost:8080", 200},
		{"an address", open.URL, "Host", "192.168.1.9", 200},
		{"v6", open.URL, "Host", "[::1]:80", 200},
		{"a known host", open.URL, "Host", "vision.example", 200},
		{"rebound", open.URL, "Host", "evil.example:8080", 403},
		{"nearly localhost", open.URL, "Host", "localhost.evil.example", 403},
		{"own page", open.URL, "Origin", open.URL, 200},
		{"known page", open.URL, "Origin", "https://app.example", 200},
		{"another page", open.URL, "Origin", "https://evil.example", 403},
		{"another port", open.URL, "Origin", "http://127.0.0.1:1", 403},
		{"no page", open.URL, "Origin", "null", 403},
		{"no token", closed.URL, "", "", 401},
		{"wrong token", closed.URL, "Authorization", "Bearer secre", 401},
		{"token", closed.URL, "Authorization", "Bearer secret", 200},
		{"second token", closed.URL, "X-Api-Key", "other", 200},
		{"Moondream's", closed.URL, "X-Moondream-Auth", "other", 200},
		{"a name with a token", closed.URL, "Host", "vision.example", 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := send(t, http.MethodPost, test.url+"/v1/classify", "image/jpeg", jpg, test.header, test.value)
			if a.status != test.status {
				t.Errorf("status %d, want %d: %s", a.status, test.status, a.body)
			}
		})
	}
	a := send(t, http.MethodOptions, open.URL+"/v1/detect", "", nil, "Origin", "https://app.example", "Access-Control-Request-Headers", "content-type")
	if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "https://app.example" || a.header.Get("Access-Control-Allow-Methods") != "POST" {
		t.Errorf("%d %v", a.status, a.header)
	}
	for _, path := range []string{"/healthz", "/readyz", "/docs", "/openapi.yaml"} {
		send(t, http.MethodGet, closed.URL+path, "", nil).want(t, 200)
	}
	send(t, http.MethodGet, closed.URL+"/metrics", "", nil).want(t, 401)
	if a := send(t, http.MethodGet, open.URL+"/metrics", "", nil); a.status != 200 || !strings.Contains(string(a.body), "fovea_stage_seconds_bucket") {
		t.Errorf("%d %.300s", a.status, a.body)
	}
	send(t, http.MethodGet, open.URL+"/debug/pprof/", "", nil).want(t, 404)
}

// Run answers what it has let in, says that it is not ready, and ends.
func TestDrain(t *testing.T) {
	gate := make(chan struct{})
	opened := make(chan struct{})
	s, err := New(Config{DrainDelay: 300 * time.Millisecond, Models: []Model{{"slow", func(context.Context) (*fovea.Predictor, error) {
		<-opened
		return fovea.New(slowModel{gate}), nil
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, nil, l) }()
	defer http.DefaultClient.CloseIdleConnections()
	jpg, _ := photo()
	send(t, http.MethodGet, url+"/healthz", "", nil).want(t, 200)
	send(t, http.MethodGet, url+"/readyz", "", nil).want(t, 503)
	send(t, http.MethodPost, url+"/v1/caption", "", jpg).want(t, 503, "error.code", "server.loading")
	close(opened)
	until(t, "ready", func() bool { return send(t, http.MethodGet, url+"/readyz", "", nil).status == 200 })
	answers := make(chan answer, 1)
	go func() { answers <- send(t, http.MethodPost, url+"/v1/caption", "", jpg) }()
	until(t, "a request at work", func() bool { return s.models[0].queue.occupied() == 1 })
	stop()
	until(t, "draining", func() bool { return s.draining.Load() })
	send(t, http.MethodGet, url+"/readyz", "", nil).want(t, 503)
	a := send(t, http.MethodPost, url+"/v1/caption", "", jpg)
	a.want(t, 503, "error.code", "server.draining")
	close(gate)
	a = <-answers
	a.want(t, 200, "caption", "one two three four five")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestModelThatFails(t *testing.T) {
	s, err := New(Config{Models: []Model{{"none", func(context.Context) (*fovea.Predictor, error) { return nil, errors.New("no such thing") }}}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(context.Background(), nil, l); err == nil || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("%v", err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("no model")
	}
	if _, err := New(Config{Models: []Model{{"a", nil}, {"a", nil}}}); err == nil {
		t.Error("two models of one name")
	}
}

// The time of an answer begins when its request has been read, and ends it between two words.
func TestTimeLimit(t *testing.T) {
	_, url, gate := startSlow(t, 1, func(c *Config) { c.Timeout = time.Millisecond })
	end := make(chan struct{})
	defer close(end)
	go func() {
		for {
			time.Sleep(20 * time.Millisecond) // a word
			select {
			case gate <- struct{}{}:
			case <-end:
				return
			}
		}
	}()
	jpg, _ := photo()
	send(t, http.MethodPost, url+"/v1/caption", "", jpg).want(t, http.StatusServiceUnavailable, "error.code", "server.timeout")
}
