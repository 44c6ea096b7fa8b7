package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

func anyAddress(netip.Addr) bool { return true }

func TestGet(t *testing.T) {
	hops := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			fmt.Fprint(w, "pixels")
		case "/large":
			w.Write(make([]byte, MaxBytes+1))
		case "/stated":
			w.Header().Set("Content-Length", fmt.Sprint(MaxBytes+1))
			w.Write([]byte("x"))
		case "/hop":
			if hops--; hops >= 0 {
				http.Redirect(w, r, "/hop", http.StatusFound)
				return
			}
			fmt.Fprint(w, "there")
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	defer s.Close()
	c := newClient(anyAddress)
	for _, test := range []struct {
		path, want, fails string
		hops              int
	}{
		{path: "/ok", want: "pixels"},
		{path: "/large", fails: "more than"},
		{path: "/stated", fails: "at most"},
		{path: "/none", fails: "404"},
		{path: "/hop", want: "there", hops: MaxRedirects},
		{path: "/hop", fails: "redirects", hops: MaxRedirects + 1},
		{path: "/file", fails: "not allowed"},
	} {
		hops = test.hops
		b, err := c.Get(context.Background(), s.URL+test.path)
		if test.fails == "" && (err != nil || string(b) != test.want) {
			t.Errorf("%s: %q, %v", test.path, b, err)
		}
		if test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)) {
			t.Errorf("%s: %v, want an error with %q", test.path, err, test.fails)
		}
	}
}

// No spelling of an address of the local network may lead to a connection.
func TestGetReachesNoPrivateAddress(t *testing.T) {
	var reached atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer s.Close()
	port := s.URL[strings.LastIndex(s.URL, ":")+1:]
	hosts := []string{"127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "localhost",
		"LOCALHOST", "localhost.", "0.0.0.0", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
		"[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1%25lo]", "127.0.0.1%2f", "169.254.169.254", "[fd00:ec2::254]",
		"10.0.0.1", "192.168.0.1", "172.16.0.1", "100.64.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255"}
	var urls []string
	for _, h := range hosts {
		urls = append(urls, "http://"+h+":"+port+"/", "http://"+h+":"+port+"/a.png#@example.com")
	}
	urls = append(urls, "http://user@127.0.0.1:"+port, "http://example.com@127.0.0.1:"+port, "http://127.0.0.1:"+port+"\\@example.com",
		"//127.0.0.1:"+port, "127.0.0.1:"+port, "http:127.0.0.1:"+port, "http:///127.0.0.1:"+port, "file:///etc/passwd", "gopher://127.0.0.1:"+port,
		"ftp://127.0.0.1:"+port, "unix:///run/x.sock", "data:image/png;base64,AA==", "http://", "", "http://[::1", "\nhttp://127.0.0.1:"+port)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := New()
	for _, u := range urls {
		if _, err := c.Get(ctx, u); err == nil {
			t.Errorf("%q was fetched", u)
		}
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("%d requests reached the local server", n)
	}
	if _, err := c.Get(ctx, s.URL); !errors.Is(err, ErrForbidden) {
		t.Errorf("%v, want ErrForbidden", err)
	}
}

// A redirect is judged like the first address.
func TestGetRedirectIntoPrivateNetwork(t *testing.T) {
	var reached atomic.Int32
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer inner.Close()
	outer := httptest.NewServer(http.RedirectHandler(inner.URL, http.StatusFound))
	defer outer.Close()
	first := true
	c := newClient(func(a netip.Addr) bool {
		was := first
		first = false
		return was || public(a)
	})
	if _, err := c.Get(context.Background(), outer.URL); !errors.Is(err, ErrForbidden) || reached.Load() > 0 {
		t.Errorf("%v, %d requests reached the inner server", err, reached.Load())
	}
}

func TestPublic(t *testing.T) {
	for a, want := range map[string]bool{"93.184.216.34": true, "1.1.1.1": true, "2606:4700::1111": true, "172.15.0.1": true, "172.32.0.1": true,
		"172.31.255.255": false, "169.254.169.254": false, "100.127.0.1": false, "100.128.0.1": true, "::ffff:10.0.0.1": false,
		"::ffff:8.8.8.8": true, "fe80::1": false, "fe80::1%eth0": false, "::": false, "::1": false, "fdff::1": false, "2001:db8::1": false, "192.0.0.8": false} {
		if got := public(netip.MustParseAddr(a)); got != want {
			t.Errorf("public(%s) = %v", a, got)
		}
	}
}
