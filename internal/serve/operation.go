package serve

import (
	"io/fs"
	"net/http"
	"net/http/pprof"
	"strings"

	"fovea/internal/web"
)

// operation are the paths for those who run the server.
var operation = &surface{"operation", func(c *call, f *fault) { _ = c.text(f.status, f.message+"\n") }}

func (s *Server) operations() {
	public := func(path string, handle func(*call) error) {
		s.add(http.MethodGet, path, route{surface: operation, public: true, handle: handle})
	}
	public("/healthz", func(c *call) error { return c.text(http.StatusOK, "ok\n") })
	public("/readyz", func(c *call) error {
		if err := s.isReady(); err != nil {
			return err
		}
		return c.text(http.StatusOK, "ready\n")
	})
	public("/openapi.yaml", func(c *call) error { return c.file("application/yaml", openAPI) })
	public("/docs", func(c *call) error {
		c.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		return c.file("text/html; charset=utf-8", docsPage)
	})
	s.on(http.MethodGet, "/metrics", operation, func(c *call) error {
		s.metrics.handler().ServeHTTP(c, c.r)
		return nil
	})
	if s.cfg.Pprof {
		for path, h := range map[string]http.HandlerFunc{
			"/debug/pprof/": pprof.Index, "/debug/pprof/cmdline": pprof.Cmdline, "/debug/pprof/profile": pprof.Profile,
			"/debug/pprof/symbol": pprof.Symbol, "/debug/pprof/trace": pprof.Trace,
		} {
			s.on(http.MethodGet, path, operation, func(c *call) error {
				h(c, c.r)
				return nil
			})
		}
	}
}

// root answers at /: with the page for browsers; clients of Ollama look there whether a server is running.
func (s *Server) root() {
	if s.cfg.Web == nil {
		s.cfg.Web = web.FS()
	}
	s.on(http.MethodGet, "/v1/cards", native, s.cards)
	s.post("/v1/explain", native, (*call).explain)
	s.add(http.MethodGet, "/{$}", route{surface: ollama, public: true, handle: func(c *call) error {
		if strings.Contains(c.r.Header.Get("Accept"), "text/html") {
			return c.page()
		}
		return c.text(http.StatusOK, "Ollama is running")
	}})
}

// page answers with one of the pages, which need no token: they hold no secrets, and browsers could not send one.
func (c *call) page() error {
	c.Header().Set("X-Content-Type-Options", "nosniff")
	c.Header().Set("Referrer-Policy", "no-referrer")
	c.Header().Set("Content-Security-Policy", web.Policy)
	c.Header().Set("Cache-Control", "no-cache") // the next version of the program has another page at the same address
	http.FileServerFS(c.s.cfg.Web).ServeHTTP(c, c.r)
	return nil
}

// elsewhere are the methods of a path that has no route: a page's, or none.
func (s *Server) elsewhere(path string) map[string]route {
	name := strings.Trim(path, "/")
	if !fs.ValidPath(name) {
		return nil
	}
	if info, err := fs.Stat(s.cfg.Web, name); err != nil || info.IsDir() {
		return nil
	}
	return map[string]route{http.MethodGet: {surface: operation, public: true, handle: (*call).page}}
}

// isReady says why the server does not want requests: it drains, or a model is not loaded.
func (s *Server) isReady() error {
	if s.draining.Load() {
		return draining()
	}
	for _, m := range s.models {
		if err := m.loaded(); err != nil {
			f := *faultOf(err)
			f.status = http.StatusServiceUnavailable
			return &f
		}
	}
	return nil
}

// file answers with a file that is part of the program.
func (c *call) file(kind string, data []byte) error {
	c.Header().Set("Content-Type", kind)
	c.WriteHeader(http.StatusOK)
	_, err := c.Write(data)
	return gone(err)
}
