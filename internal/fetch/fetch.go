// Package fetch downloads a picture that a user names by URL, without letting the URL reach into the user's own network.
//
// A server that fetches URLs for strangers is a way into whatever it can see: cloud metadata, databases, the loopback
// interface (server-side request forgery). Names are resolved first and the address is judged when the connection is
// dialled, so that neither an odd spelling of an address, nor a redirect, nor a name that changes its address between
// check and use gets past.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Limits of a download.
const (
	MaxBytes     = 20 << 20
	MaxRedirects = 3
	Timeout      = 10 * time.Second
)

// ErrForbidden is wrapped by errors about URLs that must not be fetched: a retry will not help.
var ErrForbidden = errors.New("not allowed")

// Client fetches over HTTP(S). It never uses a proxy, cookies or credentials. The zero value is not ready; use New.
type Client struct{ http *http.Client }

// New makes a client that connects only to public addresses.
func New() *Client { return newClient(public) }

func newClient(allowed func(netip.Addr) bool) *Client {
	d := &net.Dialer{Timeout: Timeout, Control: func(network, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !strings.HasPrefix(network, "tcp") || !allowed(at.Addr()) {
			return fmt.Errorf("fetch: the address %s is %w: it is no public one", address, ErrForbidden)
		}
		return nil
	}}
	return &Client{&http.Client{
		Timeout: Timeout,
		Transport: &http.Transport{
			DialContext: d.DialContext, TLSHandshakeTimeout: Timeout, ResponseHeaderTimeout: Timeout,
			MaxResponseHeaderBytes: 64 << 10, MaxIdleConns: 4, IdleConnTimeout: Timeout, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > MaxRedirects {
				return fmt.Errorf("fetch: more than %d redirects", MaxRedirects)
			}
			return check(r.URL)
		},
	}}
}

// Get downloads a URL. Errors that wrap ErrForbidden, and those about the answer's status, are not worth a retry with the
// same URL.
func (c *Client) Get(ctx context.Context, raw string) ([]byte, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w (%w)", err, ErrForbidden)
	}
	if err := check(u); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	req.Header.Set("User-Agent", "fovea")
	req.Header.Set("Accept", "image/*")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch: %s answered %s", u.Redacted(), res.Status)
	}
	if res.ContentLength > MaxBytes {
		return nil, fmt.Errorf("fetch: %s has %d bytes, at most %d are taken", u.Redacted(), res.ContentLength, MaxBytes)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("fetch: %s: %w", u.Redacted(), err)
	}
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("fetch: %s has more than %d bytes", u.Redacted(), MaxBytes)
	}
	return b, nil
}

// check refuses URLs of other schemes, without a host, or with a user's name.
func check(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("fetch: the scheme %q is %w; want http or https", u.Scheme, ErrForbidden)
	case u.Hostname() == "":
		return fmt.Errorf("fetch: %q names no host: %w", u.Redacted(), ErrForbidden)
	case u.User != nil:
		return fmt.Errorf("fetch: a user name in a URL is %w", ErrForbidden)
	case strings.ContainsAny(u.Host, "\\ \t\r\n"):
		return fmt.Errorf("fetch: the host %q is %w", u.Host, ErrForbidden)
	}
	return nil
}

// private are the ranges that the IANA registries of special-purpose addresses keep out of the public Internet, and those
// that embed an IPv4 address, which a translator near us could lead anywhere.
var private = func() (out []netip.Prefix) {
	for _, p := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
		"5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
	} {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}()

// public reports whether an address belongs to the public Internet.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	for _, p := range private {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
