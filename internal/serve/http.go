package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// surface is one of the languages that the server speaks.
type surface struct {
	name string
	fail func(c *call, f *fault) // writes an error
}

// route answers one method of one path.
type route struct {
	surface *surface
	public  bool // needs no token
	handle  func(*call) error
}

// call is a request at work, and the answer to it.
type call struct {
	s       *Server
	r       *http.Request
	w       http.ResponseWriter
	surface *surface
	control *http.ResponseController
	start   time.Time
	status  int
	sent    int64
	held    int64      // bytes of its body
	read    bool       // its body has been read to the end
	cancel  func()     // ends the time that its answer may take; nil before that has begun
	code    string     // of the fault
	model   string     // for the log
	span    trace.Span // nil for what needs no trace
}

// on adds a route. Paths are patterns of net/http.
func (s *Server) on(method, path string, sf *surface, handle func(*call) error) {
	s.add(method, path, route{surface: sf, handle: handle})
}

func (s *Server) add(method, path string, r route) {
	if s.routes[path] == nil {
		s.routes[path] = map[string]route{}
	}
	s.routes[path][method] = r
}

// routing makes the handler of all surfaces.
func (s *Server) routing() http.Handler {
	s.operations()
	s.nativeRoutes()
	s.openAIRoutes()
	s.ollamaRoutes()
	s.moondreamRoutes() // after the native ones, of which it takes over three
	s.oipRoutes()
	s.grpcRoutes()
	s.roboflowRoutes()
	s.root()
	mux := http.NewServeMux()
	for path, methods := range s.routes {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, methods) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, s.elsewhere(r.URL.Path)) })
	return mux
}

// surfaceOf is the language of a path that has no route.
func surfaceOf(path string) *surface {
	for _, p := range []struct {
		prefix  string
		surface *surface
	}{{"/v1/chat/", openAI}, {"/v1/models", openAI}, {"/v1/embeddings", openAI}, {"/v1/", native}, {"/api/", ollama}, {"/moondream/", moondream},
		{"/v2", oip}, {grpcService, oipGRPC}, {"/infer/", roboflow}, {"/model/", roboflow}} {
		if strings.HasPrefix(path, p.prefix) {
			return p.surface
		}
	}
	return native
}

// serve answers a request by the route of its method, and counts and logs it.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, methods map[string]route) {
	c := &call{s: s, r: r, w: w, control: http.NewResponseController(w), start: time.Now(), surface: surfaceOf(r.URL.Path)}
	s.metrics.active.Inc()
	defer c.end()
	rt, err := s.choose(c, methods)
	if err == nil {
		ctx, cancel := context.WithTimeout(r.Context(), s.cfg.BodyTimeout+s.cfg.Timeout)
		defer cancel()
		if c.surface != operation { // probes and scrapes are no work
			s.rest.begin()
			defer s.rest.end()
			ctx = withVisit(c.traced(ctx))
		}
		c.r = r.WithContext(ctx)
		err = rt.handle(c)
	}
	if err != nil {
		c.fail(err)
	}
}

// choose finds the route of a method, and checks that the request may come in.
func (s *Server) choose(c *call, methods map[string]route) (route, error) {
	method := c.r.Method
	if method == http.MethodHead {
		if _, ok := methods[method]; !ok {
			method = http.MethodGet
		}
	}
	rt, ok := methods[method]
	if ok {
		c.surface = rt.surface
	} else {
		for _, other := range methods {
			c.surface = other.surface
		}
	}
	if err := s.guard(c, rt.public || !ok && c.r.Method == http.MethodOptions); err != nil {
		return rt, err
	}
	switch {
	case ok:
		return rt, nil
	case methods == nil:
		return rt, faulty(http.StatusNotFound, "request.path", "there is nothing at %.200q; /docs says what there is", c.r.URL.Path)
	case c.r.Method == http.MethodOptions:
		return route{surface: c.surface, handle: func(c *call) error { return c.preflight(methods) }}, nil
	}
	c.w.Header().Set("Allow", allowed(methods))
	return rt, faulty(http.StatusMethodNotAllowed, "request.method", "%s takes %s", c.r.URL.Path, allowed(methods))
}

func allowed(methods map[string]route) string {
	var list []string
	for m := range methods {
		list = append(list, m)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// Header, Write and WriteHeader make a call the writer of its answer. A client that does not read loses its connection.
func (c *call) Header() http.Header { return c.w.Header() }

func (c *call) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
		c.goodbye()
	}
	c.w.WriteHeader(status)
}

// writeTimeout is how long a client may take to read what one Write sends.
const writeTimeout = 30 * time.Second

func (c *call) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
		c.goodbye()
	}
	_ = c.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // not every writer has deadlines
	n, err := c.w.Write(b)
	c.sent += int64(n)
	return n, err
}

// goodbye lets the client of a server that drains know that its connection is about to end.
func (c *call) goodbye() {
	if c.s.draining.Load() {
		c.Header().Set("Connection", "close")
	}
}

// Unwrap lets http.ResponseController find the connection.
func (c *call) Unwrap() http.ResponseWriter { return c.w }

// flush sends what was written.
func (c *call) flush() error { return c.control.Flush() }

// fail answers with a fault in the surface's form. Once an answer has begun, it can only be cut off.
func (c *call) fail(err error) {
	f := faultOf(err)
	c.code = f.code
	if f.status >= 500 && f.code == "server.failed" {
		c.s.cfg.Log.Error("request failed", "path", c.r.URL.Path, "error", err)
	}
	if c.status != 0 {
		panic(http.ErrAbortHandler)
	}
	if f.status == statusGone {
		c.status = statusGone // no one is there to read an answer
		panic(http.ErrAbortHandler)
	}
	if f.retry > 0 {
		c.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.retry.Seconds()))))
		c.Header().Set("Retry-After-Ms", strconv.FormatInt(f.retry.Milliseconds(), 10))
	} else if f.status >= 500 {
		c.Header().Set("X-Should-Retry", "false")
	}
	if f.status != http.StatusRequestTimeout {
		c.finishBody(smallBody)
	}
	if !c.whole() {
		c.Header().Set("Connection", "close")
		_ = c.control.EnableFullDuplex() // the answer goes out before the rest of the body has come in
	}
	c.surface.fail(c, f)
	if !c.whole() {
		_ = c.flush()
		c.finishBody(drainBytes)
	}
}

// A client that is still sending when it is refused would see a broken connection instead of the answer. So the rest of
// its body is read and forgotten: a short one before the answer, so that the connection can be used again, and of a longer
// one as much as drainTime and drainBytes allow.
const (
	smallBody  = 256 << 10
	drainBytes = 8 << 20
	drainTime  = time.Second
)

// whole reports that nothing of the request's body is left.
func (c *call) whole() bool { return c.read || c.r.Body == nil || c.r.Body == http.NoBody }

// finishBody reads what is left of a body of at most so many bytes; a deadline that has passed stays, so that nothing else
// waits for the rest.
func (c *call) finishBody(most int64) {
	if c.whole() || c.r.ContentLength > most && most == smallBody || c.control.SetReadDeadline(time.Now().Add(drainTime)) != nil {
		return
	}
	room := rooms.Get().(*[64 << 10]byte)
	defer rooms.Put(room)
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(c.r.Body, most), room[:]) // io.Discard itself would read in small pieces
	if err == nil && n < most {
		c.read = true
		_ = c.control.SetReadDeadline(time.Time{})
	}
}

// rooms are for bodies that are read and forgotten.
var rooms = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// end counts and logs the call. A panic of the server's own code ends only this request.
func (c *call) end() {
	s := c.s
	if e := recover(); e != nil {
		if e != http.ErrAbortHandler { //nolint:errorlint // a panic's value, compared as net/http does
			s.metrics.panics.Inc()
			s.cfg.Log.Error("panic", "path", c.r.URL.Path, "panic", e, "stack", string(debug.Stack()))
			c.code = "server.failed"
			if c.status == 0 {
				c.surface.fail(c, faultOf(errPanicked))
			}
		} else {
			defer panic(e)
		}
	}
	s.held.Add(-c.held)
	if c.cancel != nil {
		c.cancel()
	}
	c.endSpan()
	took := time.Since(c.start)
	s.metrics.active.Dec()
	s.metrics.requests.WithLabelValues(c.surface.name, strconv.Itoa(c.status)).Inc()
	s.metrics.seconds.WithLabelValues(c.surface.name).Observe(took.Seconds())
	if c.code != "" {
		s.metrics.faults.WithLabelValues(c.surface.name, c.code).Inc()
	}
	level := slog.LevelInfo
	if c.surface == operation {
		level = slog.LevelDebug // probes and scrapes come all the time
	}
	attrs := []slog.Attr{slog.String("method", c.r.Method), slog.String("path", c.r.URL.Path), slog.Int("status", c.status), slog.Float64("ms", math.Round(took.Seconds()*1e5)/100),
		slog.Int64("in", c.held), slog.Int64("out", c.sent), slog.String("surface", c.surface.name), slog.String("client", c.r.RemoteAddr)}
	if c.model != "" {
		attrs = append(attrs, slog.String("model", c.model))
	}
	if c.code != "" {
		attrs = append(attrs, slog.String("code", c.code))
	}
	if at := c.traceparent(); at != "" {
		attrs = append(attrs, slog.String("traceparent", at))
	}
	s.cfg.Log.LogAttrs(context.Background(), level, "request", attrs...)
}

// errCrowded is what a body's reader says when the bodies of all requests together are too large.
var errCrowded = &fault{status: http.StatusTooManyRequests, code: "server.busy", message: "the server is busy with large requests; try again later", retry: time.Second}

// body reads the body of a request that wants work done. When no model would let it in it is refused before it is read.
func (c *call) body() ([]byte, error) {
	if err := c.s.room(c.r.Context()); err != nil {
		return nil, err
	}
	return c.receive()
}

// receive reads the request's body. One that is too large is refused before it is read, if it says so.
func (c *call) receive() ([]byte, error) {
	s := c.s
	if e := c.r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return nil, faulty(http.StatusUnsupportedMediaType, "request.encoding", "a body in the encoding %.50q is not taken; send it as it is", e)
	}
	if c.r.ContentLength > s.cfg.MaxBody {
		return nil, &http.MaxBytesError{Limit: s.cfg.MaxBody}
	}
	at := time.Now()
	_ = c.control.SetReadDeadline(at.Add(s.cfg.BodyTimeout)) // not every writer has deadlines
	b := make([]byte, 0, min(max(c.r.ContentLength+1, 512), 1<<20))
	for {
		if len(b) == cap(b) {
			b = slices.Grow(b, min(len(b), 8<<20))
		}
		n, err := c.r.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		c.held += int64(n)
		if s.held.Add(int64(n)) > s.cfg.MaxBodies {
			s.metrics.rejected.Inc()
			return nil, errCrowded
		}
		if int64(len(b)) > s.cfg.MaxBody {
			return nil, &http.MaxBytesError{Limit: s.cfg.MaxBody}
		}
		if err == io.EOF { // readers give it plain, and an end that comes too early is another
			break
		}
		if err != nil {
			return nil, readFault(err)
		}
	}
	c.read = true
	_ = c.control.SetReadDeadline(time.Time{})
	ctx, cancel := context.WithTimeout(c.r.Context(), s.cfg.Timeout)
	c.r, c.cancel = c.r.WithContext(ctx), cancel
	s.stage(c.r.Context(), "read", at, time.Now())
	return b, nil
}

func readFault(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", context.Canceled, err) // the connection broke
}

// room refuses work when the server drains or no model that is loaded would let it in.
func (s *Server) room(ctx context.Context) error {
	if s.draining.Load() {
		return draining()
	}
	var doors []*door
	for _, m := range s.models {
		if m.loaded() == nil {
			doors = append(doors, m.queue.door)
		}
	}
	if len(doors) == 0 {
		return nil // its surface finds out, and says it
	}
	err := outside(ctx, doors)
	if err != nil && ctx.Err() == nil {
		s.metrics.rejected.Inc()
	}
	return err
}
