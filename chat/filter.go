package chat

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

type filterFunc func(s *state, v any, args []any, named map[string]any) any

// argument is argument i, or the one of that name, or a default.
func argument(args []any, named map[string]any, i int, name string, def any) any {
	if i < len(args) {
		return args[i]
	}
	if v, ok := named[name]; ok {
		return v
	}
	return def
}

func onText(f func(string) string) filterFunc {
	return func(s *state, v any, _ []any, _ map[string]any) any { return s.bounded(f(text(v))) }
}

func capitalize(x string) string {
	r := []rune(strings.ToLower(x))
	if len(r) > 0 {
		r[0] = unicode.ToUpper(r[0])
	}
	return string(r)
}

// title begins every word with a capital.
func title(x string) string {
	inside := false
	return strings.Map(func(r rune) rune {
		if was := inside; unicode.IsLetter(r) {
			inside = true
			if was {
				return unicode.ToLower(r)
			}
			return unicode.ToUpper(r)
		}
		inside = false
		return r
	}, x)
}

// filters are what may follow a bar. The table is filled at the start, as some of them run templates.
var filters map[string]filterFunc

func init() {
	filters = map[string]filterFunc{
		"capitalize": onText(capitalize),
		"title":      onText(title),
		"upper":      onText(strings.ToUpper),
		"lower":      onText(strings.ToLower),
		"string":     onText(func(x string) string { return x }),
		"safe":       onText(func(x string) string { return x }),
		"trim": func(s *state, v any, args []any, named map[string]any) any {
			if cut := argument(args, named, 0, "chars", nil); cut != nil {
				return strings.Trim(text(v), text(cut))
			}
			return strings.TrimSpace(text(v))
		},
		"length": length, "count": length,
		"default": fallback, "d": fallback,
		"join": func(s *state, v any, args []any, named map[string]any) any {
			var parts []string
			for _, x := range items(s, v) {
				if field := argument(args, named, 1, "attribute", nil); field != nil {
					x = s.item(x, field)
				}
				parts = append(parts, text(x))
			}
			return s.bounded(strings.Join(parts, text(argument(args, named, 0, "d", ""))))
		},
		"first": func(s *state, v any, _ []any, _ map[string]any) any { return s.item(items(s, v), 0) },
		"last":  func(s *state, v any, _ []any, _ map[string]any) any { return s.item(items(s, v), -1) },
		"list":  func(s *state, v any, _ []any, _ map[string]any) any { return slices.Clone(items(s, v)) },
		"reverse": func(s *state, v any, _ []any, _ map[string]any) any {
			list := slices.Clone(items(s, v))
			slices.Reverse(list)
			return list
		},
		"replace": func(s *state, v any, args []any, _ map[string]any) any {
			if len(args) < 2 {
				s.fail("replace needs two arguments")
			}
			return s.replaced(text(v), text(args[0]), text(args[1]))
		},
		"int": func(s *state, v any, args []any, named map[string]any) any {
			if x, ok := toNumber(v); ok {
				return int(max(min(x, 1<<53), -1<<53))
			}
			if n, err := strconv.Atoi(strings.TrimSpace(text(v))); err == nil {
				return n
			}
			return argument(args, named, 0, "default", 0)
		},
		"tojson": func(s *state, v any, args []any, named map[string]any) any {
			indent, _ := argument(args, named, 0, "indent", 0).(int)
			return s.bounded(toJSON(v, indent))
		},
		"items":      func(s *state, v any, _ []any, _ map[string]any) any { return pairs(s, v) },
		"selectattr": func(s *state, v any, args []any, _ map[string]any) any { return s.selected(v, args, true) },
		"rejectattr": func(s *state, v any, args []any, _ map[string]any) any { return s.selected(v, args, false) },
		"map": func(s *state, v any, args []any, named map[string]any) any {
			var out []any
			for _, x := range items(s, v) {
				s.step()
				if field, ok := named["attribute"]; ok {
					out = append(out, s.item(x, field))
				} else if len(args) > 0 && filters[text(args[0])] != nil {
					out = append(out, filters[text(args[0])](s, x, args[1:], nil))
				} else {
					s.fail("map needs attribute=… or the name of a filter")
				}
			}
			return out
		},
	}
}

// selected keeps the items whose attribute args[0] passes the test args[1], or is true.
func (s *state) selected(v any, args []any, want bool) any {
	if len(args) == 0 {
		s.fail("selectattr needs an attribute")
	}
	out := []any{}
	for _, x := range items(s, v) {
		s.step()
		f, passes := s.item(x, args[0]), false
		if len(args) == 1 {
			passes = truth(f)
		} else if test := tests[text(args[1])]; test != nil {
			passes = test(s, f, args[2:])
		} else {
			s.fail("the test %q is not supported", text(args[1]))
		}
		if passes == want {
			out = append(out, x)
		}
	}
	return out
}

func length(s *state, v any, _ []any, _ map[string]any) any {
	if x, ok := v.(string); ok {
		return len([]rune(x))
	}
	return len(items(s, v))
}

func fallback(_ *state, v any, args []any, named map[string]any) any {
	_, missing := v.(undefined)
	if missing || truth(argument(args, named, 1, "boolean", false)) && !truth(v) {
		return argument(args, named, 0, "default_value", "")
	}
	return v
}

func pairs(s *state, v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		s.fail("%s has no items", sort(v))
	}
	out := []any{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, []any{k, m[k]})
	}
	return out
}

type testFunc func(s *state, v any, args []any) bool

func kindTest[T any](s *state, v any, _ []any) bool { _, ok := v.(T); return ok }

func against(op string) testFunc {
	return func(s *state, v any, args []any) bool {
		if len(args) == 0 {
			s.fail("a test lacks what to compare with")
		}
		return compare(s, op, v, args[0])
	}
}

// tests are what may follow is.
var tests = map[string]testFunc{
	"defined":   func(s *state, v any, _ []any) bool { return !kindTest[undefined](s, v, nil) },
	"undefined": kindTest[undefined],
	"none":      func(_ *state, v any, _ []any) bool { return v == nil },
	"string":    kindTest[string],
	"mapping":   kindTest[map[string]any],
	"boolean":   kindTest[bool],
	"integer":   kindTest[int],
	"float":     kindTest[float64],
	"number":    func(s *state, v any, _ []any) bool { return kindTest[int](s, v, nil) || kindTest[float64](s, v, nil) },
	"sequence":  iterable,
	"iterable":  iterable,
	"true":      func(_ *state, v any, _ []any) bool { return v == true },
	"false":     func(_ *state, v any, _ []any) bool { return v == false },
	"callable": func(s *state, v any, _ []any) bool {
		return kindTest[function](s, v, nil) || kindTest[*macro](s, v, nil)
	},
	"odd":     func(_ *state, v any, _ []any) bool { n, ok := v.(int); return ok && n%2 != 0 },
	"even":    func(_ *state, v any, _ []any) bool { n, ok := v.(int); return ok && n%2 == 0 },
	"equalto": against("=="), "eq": against("=="), "ne": against("!="), "in": against("in"),
	"lt": against("<"), "gt": against(">"), "le": against("<="), "ge": against(">="),
}

func iterable(s *state, v any, _ []any) bool {
	return kindTest[string](s, v, nil) || kindTest[[]any](s, v, nil) || kindTest[map[string]any](s, v, nil)
}
