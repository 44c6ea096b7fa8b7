package serve

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A server that fetches pictures from URLs reaches nothing of its own network, whichever surface asks. package fetch tries the
// spellings of addresses; here the way there is tried.
func TestNoRequestIntoOwnNetwork(t *testing.T) {
	var reached atomic.Int32
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer inner.Close()
	_, h := start(t, func(c *Config) { c.AllowURL = true })
	port := inner.URL[strings.LastIndex(inner.URL, ":")+1:]
	tried := 0
	for _, host := range []string{"127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "user@127.0.0.1"} {
		url := "http://" + host + ":" + port + "/a.png"
		for _, q := range []struct{ path, body string }{
			{"/v1/detect", `{"image":"%s"}`},
			{"/v1/caption", `{"image_url":"%s"}`}, // Moondream's
			{"/v1/chat/completions", `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"%s"}}]}]}`},
			{"/v1/embeddings", `{"input":[{"image":"%s"}]}`},
			{"/api/generate", `{"prompt":"what?","stream":false,"images":["%s"]}`},
			{"/infer/object_detection", `{"model_id":"tiny","image":{"type":"url","value":"%s"}}`},
		} {
			a := send(t, http.MethodPost, h.URL+q.path, "application/json", fmt.Appendf(nil, q.body, url))
			if a.status != http.StatusBadRequest {
				t.Errorf("%s with %s: %d %.200s", q.path, url, a.status, a.body)
			}
			tried++
		}
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("%d requests reached the machine's own server", n)
	}
	t.Logf("%d requests, %d connections", tried, reached.Load())
}

// A client that never ends its header is let go, without a place in a queue or a goroutine left behind.
func TestSlowHeader(t *testing.T) {
	if HeaderTimeout != 10*time.Second {
		t.Errorf("headers may take %v, want 10 s", HeaderTimeout)
	}
	s, _ := start(t, func(c *Config) { c.Models = paced(0) })
	server := s.httpServer()
	server.ReadHeaderTimeout = 100 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	var slow []net.Conn
	for range 50 {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "POST /v1/caption HTTP/1.1\r\nHost: localhost\r\nX-A: ")
		slow = append(slow, conn)
	}
	for _, conn := range slow {
		_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.Copy(io.Discard, bufio.NewReader(conn)); err != nil {
			t.Fatalf("a connection without a header is still open: %v", err)
		}
	}
}
