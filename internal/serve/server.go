package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"fovea/imageproc"
	"fovea/internal/fetch"
)

// Config says what a server offers and what it puts up with. A zero limit means its default.
type Config struct {
	Models  []Model // at least one; the first answers requests that name none
	Version string  // of the program
	Log     *slog.Logger
	Web     fs.FS                // pages at /, or nil
	Traces  trace.TracerProvider // nil: no traces; see TracesFromEnv

	Tokens       []string // any of them opens the door; none: everyone may come in
	AllowURL     bool     // fetch pictures from public http and https URLs
	AllowHosts   []string // names, beside addresses and localhost, that requests without a token may be addressed to
	AllowOrigins []string // pages of other servers that may call, such as https://example.org; * means all
	Pprof        bool     // serve /debug/pprof

	MaxBody     int64         // bytes of a request, 64 MB
	MaxBodies   int64         // bytes of all requests at work together, 4 × MaxBody
	MaxPixels   int64         // of a picture, 64 megapixels
	Queue       int           // requests that wait for a model beside those it is answering, 16
	MaxWait     time.Duration // nobody is let in who is expected to wait longer for a model; 0: see door
	Cache       int64         // bytes of encoded pictures, 256 MB; negative: none
	Timeout     time.Duration // of a request once it has been read, 2 minutes
	BodyTimeout time.Duration // for a request's body to arrive, 1 minute
	Drain       time.Duration // for requests at work to end on shutdown, 20 seconds
	DrainDelay  time.Duration // between not being ready and refusing connections, half a second
}

func (c Config) orDefault() Config {
	setDefault(&c.MaxBody, 64<<20)
	setDefault(&c.MaxBodies, 4*c.MaxBody)
	setDefault(&c.MaxPixels, 64e6)
	setDefault(&c.Queue, 16)
	setDefault(&c.Cache, 256<<20)
	setDefault(&c.Timeout, 2*time.Minute)
	setDefault(&c.BodyTimeout, time.Minute)
	setDefault(&c.Drain, 20*time.Second)
	setDefault(&c.DrainDelay, 500*time.Millisecond)
	if c.Log == nil {
		c.Log = quiet
	}
	return c
}

func setDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Server answers requests. Make it with New, and end it with Close unless Run has done so.
type Server struct {
	cfg      Config
	limits   imageproc.Limits
	models   []*served
	schemas  schemas
	cache    *cache
	fetch    *fetch.Client
	metrics  *metrics
	tracer   trace.Tracer
	handler  http.Handler
	routes   map[string]map[string]route // path, method
	draining atomic.Bool
	held     atomic.Int64 // bytes of request bodies at work
	rest     *rest

	life    context.Context // ends with Close
	end     context.CancelFunc
	loading sync.WaitGroup
}

// New makes a server. Its models begin to load with Load or Run.
func New(cfg Config) (*Server, error) {
	if len(cfg.Models) == 0 {
		return nil, errors.New("serve: no model to serve")
	}
	s := &Server{cfg: cfg.orDefault(), fetch: fetch.New(), routes: map[string]map[string]route{}}
	s.limits = imageproc.Limits{MaxPixels: s.cfg.MaxPixels, MaxBytes: 50e6}
	s.cache = newCache(max(s.cfg.Cache, 0))
	s.life, s.end = context.WithCancel(context.Background())
	for i, m := range cfg.Models {
		for _, o := range cfg.Models[:i] {
			if o.Name == m.Name {
				return nil, fmt.Errorf("serve: two models are called %q; rename a folder", m.Name)
			}
		}
		s.models = append(s.models, &served{name: m.Name, open: m.Open, ready: make(chan struct{})})
	}
	s.tracer = s.cfg.tracer()
	s.metrics = newMetrics(s)
	s.handler = s.routing()
	s.rest = newRest(restAfter, giveBack)
	return s, nil
}

// Handler is the server's whole surface.
func (s *Server) Handler() http.Handler { return s.handler }

// Load opens the models, all at once, and returns when all are there or the first has failed.
func (s *Server) Load(ctx context.Context) error {
	errs := make(chan error, len(s.models))
	for _, m := range s.models {
		s.loading.Go(func() { errs <- s.load(ctx, m) })
	}
	for range s.models {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

// Close ends the server after what is at work. Load must have been called.
func (s *Server) Close() {
	s.draining.Store(true)
	s.rest.stop()
	s.loading.Wait()
	for _, m := range s.models {
		m.close()
	}
	s.end()
}

// HeaderTimeout is how long a client may take for the header of a request.
const HeaderTimeout = 10 * time.Second

// httpServer is how the server's handler meets the network. HTTP/2 without TLS, which gRPC needs, is understood when a client
// begins with it.
func (s *Server) httpServer() *http.Server {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: s.handler, ReadHeaderTimeout: HeaderTimeout, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, Protocols: protocols,
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: 64},
		ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
}

// Run serves listeners, over TLS with a certificate, until ctx ends. Then the server says that it is not ready, refuses new
// requests, and ends those at work. HTTP and gRPC are spoken at each of them.
func (s *Server) Run(ctx context.Context, cert *tls.Certificate, listeners ...net.Listener) error {
	h := s.httpServer()
	if cert != nil {
		h.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12}
	}
	loading, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 1+len(listeners))
	go func() {
		if err := s.Load(loading); err != nil {
			failed <- err
		}
	}()
	var serving sync.WaitGroup
	for _, l := range listeners {
		serving.Go(func() {
			var err error
			if cert != nil {
				err = h.ServeTLS(l, "", "")
			} else {
				err = h.Serve(l)
			}
			if !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve: %w", err)
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
		s.cfg.Log.Info("draining")
		s.draining.Store(true)
		time.Sleep(s.cfg.DrainDelay)
	case err = <-failed:
	}
	stop()
	grace, cancel := context.WithTimeout(context.Background(), s.cfg.Drain)
	defer cancel()
	if e := h.Shutdown(grace); e != nil && err == nil {
		err = fmt.Errorf("serve: requests were still at work %v after the shutdown began", s.cfg.Drain)
	}
	_ = h.Close()
	serving.Wait()
	s.Close()
	return err
}
