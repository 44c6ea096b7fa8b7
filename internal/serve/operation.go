package serve

import (
	"net/http"
	"net/http/pprof"
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
	if s.cfg.Web != nil {
		files := http.FileServerFS(s.cfg.Web)
		public("/", func(c *call) error {
			files.ServeHTTP(c, c.r)
			return nil
		})
	}
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
