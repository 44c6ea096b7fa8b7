package chat

import (
	"fmt"
	"maps"
)

// Bounds of what a template may do.
const (
	maxSteps  = 1 << 18
	maxOutput = 1 << 22 // bytes
	maxCalls  = 50      // macros inside of macros
)

// exit is how a stretch of statements is left.
type exit uint8

const (
	onward exit = iota
	breaking
	continuing
)

// state is one run of a template.
type state struct {
	out   []byte
	vars  []map[string]any // the innermost last
	leave exit
	steps int
	bytes int // of texts that were made
	calls int
}

// Execute runs a template with variables, whose values are nil, bool, int, float64, string, []any and map[string]any, and
// gives its text.
func (t *Template) Execute(vars map[string]any) (out string, err error) {
	defer func() {
		if e := recover(); e != nil {
			f, ok := e.(*failure)
			if !ok {
				panic(e)
			}
			out, err = "", f.err
		}
	}()
	s := &state{vars: []map[string]any{globals, maps.Clone(vars), {}}}
	if vars == nil {
		s.vars[1] = map[string]any{}
	}
	t.body(s)
	return string(s.out), nil
}

func (s *state) fail(format string, args ...any) {
	panic(&failure{fmt.Errorf("chat: template: "+format, args...)})
}

func (s *state) step() {
	if s.steps++; s.steps > maxSteps {
		s.fail("more than %d steps", maxSteps)
	}
}

func (s *state) write(text string) {
	s.step()
	s.out = append(s.out, s.bounded(text)...)
}

// bounded accounts for a text, so that templates cannot take all memory.
func (s *state) bounded(text string) string {
	if s.bytes += len(text); s.bytes > maxOutput {
		s.fail("texts of more than %d bytes", maxOutput)
	}
	return text
}

// listed accounts for a list.
func (s *state) listed(list []any) []any {
	if s.bytes += 16 * len(list); s.bytes > maxOutput {
		s.fail("lists of more than %d bytes", maxOutput)
	}
	return list
}

func (s *state) get(name string) any {
	for i := len(s.vars) - 1; i >= 0; i-- {
		if v, ok := s.vars[i][name]; ok {
			return v
		}
	}
	return undefined(name)
}

// scope runs f with variables of its own.
func (s *state) scope(vars map[string]any, f func()) {
	s.vars = append(s.vars, vars)
	f()
	s.vars = s.vars[:len(s.vars)-1]
}

// capture runs statements and gives what they write.
func (s *state) capture(body stmt) string {
	was := s.out
	s.out = nil
	body(s)
	text := string(s.out)
	s.out = was
	return text
}

// loop runs a for-loop.
func (s *state) loop(names []string, list []any, cond expr, body, otherwise stmt) {
	bind := func(v any) map[string]any {
		vars := map[string]any{}
		if len(names) == 1 {
			vars[names[0]] = v
			return vars
		}
		parts, ok := v.([]any)
		if !ok || len(parts) != len(names) {
			s.fail("%s cannot be taken apart into %d names", sort(v), len(names))
		}
		for i, n := range names {
			vars[n] = parts[i]
		}
		return vars
	}
	if cond != nil {
		var kept []any
		for _, v := range list {
			s.step()
			s.scope(bind(v), func() {
				if truth(cond(s)) {
					kept = append(kept, v)
				}
			})
		}
		list = kept
	}
	if len(list) == 0 && otherwise != nil {
		otherwise(s)
	}
	for i, v := range list {
		s.step()
		vars := bind(v)
		at := map[string]any{
			"index": i + 1, "index0": i, "first": i == 0, "last": i == len(list)-1, "length": len(list),
			"revindex": len(list) - i, "revindex0": len(list) - i - 1,
		}
		if i > 0 {
			at["previtem"] = list[i-1]
		}
		if i < len(list)-1 {
			at["nextitem"] = list[i+1]
		}
		vars["loop"] = at
		s.scope(vars, func() { body(s) })
		leave := s.leave
		if s.leave = onward; leave == breaking {
			break
		}
	}
}

// call calls a macro or function.
func (s *state) call(f any, a arguments) any {
	s.step()
	args, named := a.values(s)
	switch f := f.(type) {
	case function:
		return f(s, args, named)
	case *macro:
		return s.expand(f, args, named)
	}
	s.fail("%s cannot be called", sort(f))
	return nil
}

// expand runs a macro, which sees its arguments and what is visible everywhere.
func (s *state) expand(m *macro, args []any, named map[string]any) any {
	if s.calls++; s.calls > maxCalls {
		s.fail("macros call each other more than %d deep", maxCalls)
	}
	if len(args) > len(m.args) {
		s.fail("%d arguments for the %d of macro %s", len(args), len(m.args), m.name)
	}
	vars, was := map[string]any{}, s.vars
	s.vars = append(append([]map[string]any{}, s.vars[:3]...), vars)
	for i, n := range m.args {
		v, ok := named[n]
		switch {
		case i < len(args):
			vars[n] = args[i]
		case ok:
			vars[n] = v
		case m.defaults[i] != nil:
			vars[n] = m.defaults[i](s)
		default:
			vars[n] = undefined(n)
		}
	}
	out := s.capture(m.body)
	s.vars = was
	s.calls--
	return out
}
