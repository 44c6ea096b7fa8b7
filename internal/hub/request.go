package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

// maxRedirects bounds the way from the hub to the store that holds a file: usually one step.
const maxRedirects = 8

// origin is who a token may be sent to: scheme, host and port.
type origin struct{ scheme, host string }

func originOf(raw string) (origin, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return origin{}, err
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil {
		return origin{}, errors.New("want https://host")
	}
	return origin{u.Scheme, canonicalHost(u)}, nil
}

func canonicalHost(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// secret reports that nobody on the way can read what is sent there.
func (o origin) secret() bool {
	host, _, _ := net.SplitHostPort(o.host)
	ip, err := netip.ParseAddr(host)
	return o.scheme == "https" || host == "localhost" || err == nil && ip.IsLoopback()
}

// statusError is an answer that is not what was asked for.
type statusError struct {
	status  int
	code    string // the hub's X-Error-Code
	message string // the hub's X-Error-Message
	host    string
	hub     bool // the hub itself answered, not a store that it redirected to
	after   time.Duration
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("%s answered %d %s", e.host, e.status, http.StatusText(e.status))
	if e.message != "" {
		text += ": " + strconv.Quote(e.message)
	}
	return text
}

// get asks for a URL of the hub, from some byte on, and follows redirects by itself: the token goes to the hub's own
// origin and nowhere else, and no redirect leads from https to http.
func (c *Client) get(ctx context.Context, raw string, from int64) (*http.Response, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	for range maxRedirects + 1 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("User-Agent", "fovea")
		req.Header.Set("Accept-Encoding", "identity") // sizes and ranges are those of the file
		if from > 0 {
			req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
		}
		here := origin{u.Scheme, canonicalHost(u)}
		if here == c.endpoint && here.secret() && c.config.Token != "" {
			req.Header.Set("Authorization", "Bearer "+c.config.Token)
		}
		res, err := c.http.Do(req)
		if err != nil {
			return nil, err
		}
		switch {
		case res.StatusCode == http.StatusOK || res.StatusCode == http.StatusPartialContent:
			return res, nil
		case res.StatusCode < 300 || res.StatusCode > 399:
			defer res.Body.Close()
			_, _ = io.CopyN(io.Discard, res.Body, 1<<16) // so that the connection is used again
			return nil, &statusError{res.StatusCode, res.Header.Get("X-Error-Code"), cut(res.Header.Get("X-Error-Message")), u.Host, here == c.endpoint, retryAfter(res)}
		}
		_ = res.Body.Close()
		to, err := u.Parse(res.Header.Get("Location"))
		switch {
		case err != nil || res.Header.Get("Location") == "":
			return nil, fail(ErrUnsafe, hintMirror, "%s redirects to nowhere", u.Host)
		case to.Scheme != "https" && to.Scheme != "http" || to.Hostname() == "" || to.User != nil:
			return nil, fail(ErrUnsafe, hintMirror, "%s redirects to %q", u.Host, to.Redacted())
		case u.Scheme == "https" && to.Scheme == "http":
			return nil, fail(ErrUnsafe, hintMirror, "%s redirects from https to unencrypted http at %s", u.Host, to.Host)
		}
		u = to
	}
	return nil, fail(ErrUnsafe, hintMirror, "%s: more than %d redirects", u.Host, maxRedirects)
}

// cut shortens what a server says.
func cut(s string) string {
	if len(s) > 300 {
		return s[:300] + "…"
	}
	return s
}

// retryAfter is how long a server asks to be left alone, at most a minute.
func retryAfter(res *http.Response) time.Duration {
	s, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if err != nil || s < 0 {
		return 0
	}
	return min(time.Duration(s)*time.Second, time.Minute)
}

// transient reports that the same request may succeed later.
func transient(err error) bool {
	var status *statusError
	if errors.As(err, &status) {
		// A store's refusal mostly means that its signed address has expired; the hub makes a new one.
		return !status.hub || status.status == http.StatusRequestTimeout || status.status == http.StatusTooManyRequests || status.status >= 500
	}
	var final *Error
	return !errors.As(err, &final)
}

// patiently tries until it works, until it fails for good, or until it has failed several times in a row without progress.
func (c *Client) patiently(ctx context.Context, progress func() int64, try func() error) error {
	wait, failed, before := c.pause, 0, progress()
	for {
		err := try()
		if err == nil || ctx.Err() != nil || !transient(err) {
			return errors.Join(ctx.Err(), err)
		}
		if now := progress(); now != before {
			before, failed, wait = now, 0, c.pause
		}
		if failed++; failed >= c.tries {
			return err
		}
		pause := wait
		if status := (*statusError)(nil); errors.As(err, &status) {
			pause = max(pause, min(status.after, c.pause*60))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		wait *= 2
	}
}

// explain turns an answer of the hub into what it means for the user.
func (c *Client) explain(r Ref, err error) error {
	var status *statusError
	var known *Error
	switch {
	case err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &known):
		return err
	case !errors.As(err, &status):
		return fail(ErrNetwork, "check the network, HF_ENDPOINT and HTTPS_PROXY; what has arrived is kept, and the next try goes on from there", "%s: the hub cannot be reached", r).because(err)
	}
	page := c.URL(r)
	switch {
	case status.code == "GatedRepo" && c.config.Token == "":
		return fail(ErrDenied, "accept the terms at "+page+", make a token at "+c.config.Endpoint+"/settings/tokens, and set HF_TOKEN to it",
			"%s is gated: its owner wants the terms accepted before it is downloaded", r)
	case status.code == "GatedRepo":
		return fail(ErrDenied, "open "+page+" with the account of the token and accept the terms, or wait for the owner's approval; a fine-grained token needs the right to read gated repositories",
			"%s is gated, and the account of the token has no access yet", r)
	case status.code == "RevisionNotFound":
		return fail(ErrNotFound, "the branches and tags are at "+page+"/tree/main", "%s has no revision %q", r.Repo, r.Revision)
	case status.status == http.StatusUnauthorized && c.config.Token != "" && !c.endpoint.secret():
		return fail(ErrDenied, "use an https endpoint", "%s wants a token, and none is sent to %s, because http is not encrypted", r, c.endpoint.host)
	case status.status == http.StatusUnauthorized && c.config.Token != "" && status.code != "RepoNotFound":
		return fail(ErrDenied, "make a new one at "+c.config.Endpoint+"/settings/tokens and set HF_TOKEN to it", "the hub refuses the token").because(status)
	case status.status == http.StatusUnauthorized, status.status == http.StatusNotFound, status.code == "RepoNotFound":
		hint := "check the spelling at " + page
		if c.config.Token == "" {
			hint += "; a private model needs HF_TOKEN"
		}
		return fail(ErrNotFound, hint, "there is no model %s on the hub, or it is private", r.Repo)
	case status.status == http.StatusForbidden:
		return fail(ErrDenied, "see "+page, "the hub denies access to %s", r).because(status)
	}
	return fail(ErrNetwork, "try again later", "%s", r).because(status)
}
