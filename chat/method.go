package chat

import (
	"maps"
	"slices"
	"strings"
)

// globals are the functions that every template can call.
var globals = map[string]any{
	"namespace": function(func(_ *state, _ []any, named map[string]any) any { return &namespace{named} }),
	"dict":      function(func(_ *state, _ []any, named map[string]any) any { return named }),
	"range": function(func(s *state, args []any, _ map[string]any) any {
		n := [3]int{0, 0, 1}
		for i, a := range args[:min(len(args), 3)] {
			v, ok := a.(int)
			if !ok {
				s.fail("range of %s", sort(a))
			}
			n[i] = v
		}
		if len(args) == 1 {
			n[0], n[1] = 0, n[0]
		}
		if n[2] == 0 || len(args) == 0 {
			s.fail("range needs an end, and a step other than 0")
		}
		out := []any{}
		for i := n[0]; n[2] > 0 && i < n[1] || n[2] < 0 && i > n[1]; i += n[2] {
			s.step()
			out = append(out, i)
		}
		return out
	}),
	"raise_exception": function(func(s *state, args []any, _ map[string]any) any {
		s.fail("%s", text(argument(args, nil, 0, "", "it refuses the conversation")))
		return nil
	}),
}

// attribute is v.name: a key of a dictionary or namespace, or a method.
func (s *state) attribute(v any, name string) any {
	switch v := v.(type) {
	case *namespace:
		if x, ok := v.fields[name]; ok {
			return x
		}
	case map[string]any:
		if x, ok := v[name]; ok {
			return x
		}
		if f := mapMethod(v, name); f != nil {
			return f
		}
	case string:
		if f := textMethod(v, name); f != nil {
			return f
		}
	case undefined:
		s.fail("%s is undefined, so it has no %s", string(v), name)
	}
	return undefined(name)
}

func mapMethod(m map[string]any, name string) any {
	var f func(s *state, args []any) any
	switch name {
	case "items":
		f = func(s *state, _ []any) any { return pairs(s, m) }
	case "keys":
		f = func(s *state, _ []any) any { return items(s, m) }
	case "values":
		f = func(*state, []any) any {
			var out []any
			for _, k := range slices.Sorted(maps.Keys(m)) {
				out = append(out, m[k])
			}
			return out
		}
	case "get":
		f = func(s *state, args []any) any {
			if v, ok := m[text(argument(args, nil, 0, "", ""))]; ok {
				return v
			}
			return argument(args, nil, 1, "", nil)
		}
	default:
		return nil
	}
	return function(func(s *state, args []any, _ map[string]any) any { return f(s, args) })
}

func textMethod(x, name string) any {
	chars := func(args []any) string {
		if len(args) > 0 && args[0] != nil {
			return text(args[0])
		}
		return " \t\n\r\v\f"
	}
	first := func(args []any) string { return text(argument(args, nil, 0, "", "")) }
	var f func(s *state, args []any) any
	switch name {
	case "strip":
		f = func(_ *state, a []any) any { return strings.Trim(x, chars(a)) }
	case "lstrip":
		f = func(_ *state, a []any) any { return strings.TrimLeft(x, chars(a)) }
	case "rstrip":
		f = func(_ *state, a []any) any { return strings.TrimRight(x, chars(a)) }
	case "startswith":
		f = func(_ *state, a []any) any { return strings.HasPrefix(x, first(a)) }
	case "endswith":
		f = func(_ *state, a []any) any { return strings.HasSuffix(x, first(a)) }
	case "find":
		f = func(_ *state, a []any) any { return strings.Index(x, first(a)) }
	case "upper":
		f = func(s *state, _ []any) any { return s.bounded(strings.ToUpper(x)) }
	case "lower":
		f = func(s *state, _ []any) any { return s.bounded(strings.ToLower(x)) }
	case "capitalize":
		f = func(s *state, _ []any) any { return s.bounded(capitalize(x)) }
	case "title":
		f = func(s *state, _ []any) any { return s.bounded(title(x)) }
	case "replace":
		f = func(s *state, a []any) any {
			if len(a) < 2 {
				s.fail("replace needs two arguments")
			}
			return s.replaced(x, text(a[0]), text(a[1]))
		}
	case "split":
		f = func(s *state, a []any) any {
			parts := strings.Fields(x)
			if len(a) > 0 && a[0] != nil {
				if first(a) == "" {
					s.fail("split at an empty text")
				}
				n := -1
				if k, ok := argument(a, nil, 1, "", -1).(int); ok && k >= 0 {
					n = k + 1
				}
				parts = strings.SplitN(x, first(a), n)
			}
			out := make([]any, len(parts))
			for i, p := range parts {
				out[i] = p
			}
			return s.listed(out)
		}
	default:
		return nil
	}
	return function(func(s *state, args []any, _ map[string]any) any { return f(s, args) })
}

// replaced is a text with another in the places of old.
func (s *state) replaced(x, old, with string) string {
	if n := strings.Count(x, old); n > 0 && len(with) > maxOutput/n {
		s.fail("a text of more than %d bytes", maxOutput)
	}
	return s.bounded(strings.ReplaceAll(x, old, with))
}

// item is v[key].
func (s *state) item(v, key any) any {
	switch v := v.(type) {
	case map[string]any:
		if k, ok := key.(string); ok {
			if x, ok := v[k]; ok {
				return x
			}
		}
		return undefined(text(key))
	case []any:
		if i, ok := key.(int); ok {
			if i < 0 {
				i += len(v)
			}
			if i >= 0 && i < len(v) {
				return v[i]
			}
		}
		return undefined("[" + text(key) + "]")
	case string:
		if i, ok := key.(int); ok {
			return s.item(items(s, v), i)
		}
		return s.attribute(v, text(key))
	case *namespace:
		return s.attribute(v, text(key))
	case undefined:
		s.fail("%s is undefined, so it has no [%s]", string(v), text(key))
	}
	return undefined(text(key))
}

// slice is v[from:to:step], with Python's rules for what is missing, negative or too large.
func (s *state) slice(v any, parts [3]any) any {
	list, step := items(s, v), 1
	n := len(list)
	if parts[2] != nil {
		step, _ = parts[2].(int)
	}
	if step == 0 {
		s.fail("a slice with a step of %s", sort(parts[2]))
	}
	lo, hi := 0, n
	if step < 0 {
		lo, hi = -1, n-1
	}
	from, to := lo, hi
	if step < 0 {
		from, to = hi, lo
	}
	for i, at := range []*int{&from, &to} {
		if k, ok := parts[i].(int); ok {
			if k < 0 {
				k = max(k, -n-1) + n
			}
			*at = min(max(k, lo), hi)
		}
	}
	out := []any{}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		out = append(out, list[i])
		if step > n || step < -n {
			break
		}
	}
	if _, ok := v.(string); ok {
		var b strings.Builder
		for _, x := range out {
			b.WriteString(x.(string))
		}
		return s.bounded(b.String())
	}
	return s.listed(out)
}
