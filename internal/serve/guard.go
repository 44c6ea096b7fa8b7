package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// guard turns away requests that pages of other servers make in a visitor's browser, and those without a token.
//
// Two attacks are meant. A page may send requests to this server's address: its browser says so in Origin. Or a page's own
// name may be made to resolve to this server's address (DNS rebinding), so that the browser sees one origin: then Host has
// that name. An address in Host cannot be rebound.
func (s *Server) guard(c *call, public bool) error {
	r := c.r
	if len(s.cfg.Tokens) == 0 && !s.knownHost(hostOnly(r.Host)) {
		return faulty(http.StatusForbidden, "request.host", "requests to the host %.100q are not served; start the server with --allow-host %.100s or a token", hostOnly(r.Host), hostOnly(r.Host))
	}
	if origin := r.Header.Get("Origin"); origin != "" && !sameOrigin(origin, r.Host) {
		if !slices.Contains(s.cfg.AllowOrigins, origin) && !slices.Contains(s.cfg.AllowOrigins, "*") {
			return faulty(http.StatusForbidden, "request.origin", "pages of %.100q may not call this server; start it with --allow-origin to let them", origin)
		}
		h := c.Header()
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", "Retry-After, Retry-After-Ms, X-Should-Retry, Inference-Header-Content-Length")
		h.Add("Vary", "Origin")
	}
	if public || len(s.cfg.Tokens) == 0 || s.authorised(r) {
		return nil
	}
	return c.unauthorised()
}

func (c *call) unauthorised() error {
	c.Header().Set("WWW-Authenticate", `Bearer realm="fovea"`)
	return faulty(http.StatusUnauthorized, "request.token", "a token is missing or wrong; send it as Authorization: Bearer TOKEN")
}

// preflight answers a browser's question whether a page may call.
func (c *call) preflight(methods map[string]route) error {
	h := c.Header()
	h.Set("Access-Control-Allow-Methods", allowed(methods))
	if want := c.r.Header.Get("Access-Control-Request-Headers"); want != "" {
		h.Set("Access-Control-Allow-Headers", want)
	}
	h.Set("Access-Control-Max-Age", "600")
	c.WriteHeader(http.StatusNoContent)
	return nil
}

func hostOnly(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.Trim(host, "[]")
}

func (s *Server) knownHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") || slices.Contains(s.cfg.AllowHosts, host)
}

func sameOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, host)
}

// authorised looks for a token where the clients of the surfaces put it.
func (s *Server) authorised(r *http.Request) bool {
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	for _, got := range []string{bearer, r.Header.Get("X-Api-Key"), r.Header.Get("X-Moondream-Auth"), r.URL.Query().Get("api_key")} {
		if got != "" && s.isToken(got) {
			return true
		}
	}
	return false
}

// isToken compares in a time that does not depend on what is compared.
func (s *Server) isToken(got string) bool {
	sum, found := sha256.Sum256([]byte(got)), 0
	for _, t := range s.cfg.Tokens {
		want := sha256.Sum256([]byte(t))
		found |= subtle.ConstantTimeCompare(sum[:], want[:])
	}
	return found == 1
}
