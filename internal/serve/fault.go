package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"fovea"
	"fovea/imageproc"
)

// fault is a failure as a client gets to see it. Every surface has its own way of writing it.
type fault struct {
	status  int
	code    string // stable, such as "image.truncated"; docs/reference/http.md lists them
	param   string // the field that is wrong, or ""
	message string
	retry   time.Duration // when to try again; 0: a retry is no use, or the client knows best
}

func (f *fault) Error() string { return f.message }

// faulty makes a fault; 4xx statuses say that the request is wrong, so that no one retries it.
func faulty(status int, code, format string, args ...any) *fault {
	return &fault{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

// bad is a request that cannot be right: a field of it is missing or has a wrong value.
func bad(param, format string, args ...any) *fault {
	code := "request.invalid"
	if param != "" {
		code = "request." + param
	}
	return &fault{status: http.StatusBadRequest, code: code, param: param, message: fmt.Sprintf(format, args...)}
}

// statusGone is what the log and the metrics say of a client that did not wait for its answer (nginx's 499).
const statusGone = 499

// faultOf sorts an error. What is not known is the server's own failure; its text stays in the log.
func faultOf(err error) *fault {
	var f *fault
	var known *fovea.Error
	var large *http.MaxBytesError
	var pic *imageproc.Error
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &pic):
		m := pic.Msg
		if pic.Hint != "" {
			m += "; " + pic.Hint
		}
		return faulty(http.StatusBadRequest, pic.Code, "%s", m)
	case errors.As(err, &known):
		return faultOfKnown(known)
	case errors.As(err, &large):
		return faulty(http.StatusRequestEntityTooLarge, "request.too_large", "the request has more than %d bytes", large.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return faulty(http.StatusRequestTimeout, "request.slow", "the request did not arrive in time")
	case errors.Is(err, context.DeadlineExceeded):
		return &fault{status: http.StatusServiceUnavailable, code: "server.timeout", message: "the answer took too long", retry: 5 * time.Second}
	case errors.Is(err, context.Canceled):
		return faulty(statusGone, "client.gone", "the client has gone")
	case errors.Is(err, fovea.ErrClosed):
		return draining()
	}
	return faulty(http.StatusInternalServerError, "server.failed", "the server failed; its log says why")
}

func faultOfKnown(e *fovea.Error) *fault {
	m := strings.TrimPrefix(e.Error(), "fovea: ")
	if e.Hint != "" {
		m += "; " + e.Hint
	}
	f := faulty(http.StatusInternalServerError, e.Code, "%s", m)
	if e.BadInput {
		f.status = http.StatusBadRequest
		if p, ok := strings.CutPrefix(e.Code, "request."); ok {
			f.param = p
		}
	}
	return f
}

func draining() *fault {
	return &fault{status: http.StatusServiceUnavailable, code: "server.draining", message: "the server is shutting down", retry: 5 * time.Second}
}

// kind is the sort of a fault for surfaces that name sorts rather than codes.
func (f *fault) kind() string {
	switch {
	case f.status == http.StatusUnauthorized:
		return "authentication_error"
	case f.status == http.StatusForbidden:
		return "permission_error"
	case f.status == http.StatusNotFound:
		return "not_found_error"
	case f.status == http.StatusTooManyRequests:
		return "rate_limit_error"
	case f.status < 500:
		return "invalid_request_error"
	}
	return "server_error"
}
