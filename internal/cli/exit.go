package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"fovea"
)

// Exit codes, the same for every command.
const (
	exitDone   = 0
	exitFailed = 1  // may be retried
	exitUsage  = 2  // wrong usage
	exitSome   = 3  // some inputs failed, the rest is done
	exitBad    = 42 // bad input, do not retry
)

const exitHelp = `Exit codes: 0 done · 1 failed, may be retried · 2 wrong usage · 3 some inputs failed (each listed, the rest done) · 42 bad input, do not retry`

// failure is an error that knows its exit code and how to go on.
type failure struct {
	code int
	err  error
	hint string // what to do about it; "" when there is nothing to say
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// usage is an error of the command line itself.
func usage(hint, format string, args ...any) error {
	return &failure{exitUsage, fmt.Errorf(format, args...), hint}
}

// bad is an error of an input that a retry will not mend.
func bad(hint, format string, args ...any) error {
	return &failure{exitBad, fmt.Errorf(format, args...), hint}
}

// errShown ends a command whose failures have been printed one by one.
type errShown struct{ code int }

func (e errShown) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// exitCode says how the program ends.
func exitCode(err error) int {
	var f *failure
	var shown errShown
	var known *fovea.Error
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &shown):
		return shown.code
	case errors.As(err, &f):
		return f.code
	case errors.As(err, &known) && known.BadInput && strings.HasPrefix(known.Code, "request."):
		return exitUsage
	case errors.As(err, &known) && known.BadInput:
		return exitBad
	}
	return exitFailed
}

// report prints an error for people: what happened, and what to do about it.
func report(w io.Writer, st style, err error) {
	var shown errShown
	if err == nil || errors.As(err, &shown) {
		return
	}
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	fmt.Fprintf(w, "%s %s\n", st.paint(bold+red, "fovea: error:"), tidy(err))
	var f *failure
	var e *fovea.Error
	hint := ""
	if errors.As(err, &f) {
		hint = f.hint
	} else if errors.As(err, &e) {
		hint = e.Hint
	}
	if hint != "" {
		fmt.Fprintf(w, "%s %s\n", st.paint(bold+cyan, "fovea: hint:"), hint)
	}
}

// note tells people what they should know, though nothing failed.
func (a *app) note(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.err, "%s %s\n", a.errStyle.paint(bold, "fovea: note:"), fmt.Sprintf(format, args...))
	}
}

// tidy is an error's text without the package that it begins with when that is the program's own name.
func tidy(err error) string { return strings.TrimPrefix(err.Error(), "fovea: ") }
