package chat

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
)

// Values of a template are nil (none), bool, int, float64, string, []any, map[string]any, *namespace, *macro, function and
// undefined.

// undefined is what a name that stands for nothing gives: empty as a text and false as a condition.
type undefined string

// namespace holds variables that are set inside of loops and seen outside.
type namespace struct{ fields map[string]any }

// macro is a piece of a template with arguments.
type macro struct {
	name     string
	args     []string
	defaults []expr
	body     stmt
}

// function is one that this package brings along, or a method of a value.
type function func(s *state, args []any, named map[string]any) any

// truth is how a value counts as a condition.
func truth(v any) bool {
	switch v := v.(type) {
	case nil, undefined:
		return false
	case bool:
		return v
	case int:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// text is how a value is written: as Python shows it.
func text(v any) string {
	switch v := v.(type) {
	case undefined:
		return ""
	case string:
		return v
	}
	var w writer
	w.value(v, 0)
	return string(w.out)
}

// toNumber is a value as a number, if it is one.
func toNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func equal(a, b any) bool {
	x, ok := toNumber(a)
	if y, also := toNumber(b); ok && also {
		return x == y
	}
	if _, is := a.(undefined); is {
		_, is = b.(undefined)
		return is
	}
	switch a.(type) {
	case function, *macro, *namespace:
		return false
	}
	return reflect.DeepEqual(a, b)
}

func compare(s *state, op string, a, b any) bool {
	switch op {
	case "==":
		return equal(a, b)
	case "!=":
		return !equal(a, b)
	case "in":
		return contains(s, b, a)
	case "not in":
		return !contains(s, b, a)
	}
	var c int
	x, okx := toNumber(a)
	y, oky := toNumber(b)
	s1, ok1 := a.(string)
	s2, ok2 := b.(string)
	switch {
	case okx && oky && x < y:
		c = -1
	case okx && oky && x > y:
		c = 1
	case okx && oky:
	case ok1 && ok2:
		c = strings.Compare(s1, s2)
	default:
		s.fail("%s and %s cannot be compared by %q", sort(a), sort(b), op)
	}
	switch op {
	case "<":
		return c < 0
	case ">":
		return c > 0
	case "<=":
		return c <= 0
	}
	return c >= 0
}

func contains(s *state, in, v any) bool {
	switch in := in.(type) {
	case string:
		part, ok := v.(string)
		return ok && strings.Contains(in, part)
	case []any:
		return slices.ContainsFunc(in, func(x any) bool { return equal(x, v) })
	case map[string]any:
		k, ok := v.(string)
		_, has := in[k]
		return ok && has
	case undefined, nil:
		return false
	}
	s.fail("nothing is in %s", sort(in))
	return false
}

// sort is what kind of value it is, for messages.
func sort(v any) string {
	switch v := v.(type) {
	case nil:
		return "none"
	case undefined:
		return fmt.Sprintf("the undefined %s", string(v))
	case bool, int, float64, string:
		return fmt.Sprintf("%.40q", text(v))
	case []any:
		return "a list"
	case map[string]any:
		return "a dictionary"
	case function, *macro:
		return "a function"
	}
	return "a namespace"
}

func arithmetic(s *state, op string, a, b any) any {
	s.step()
	if op == "~" {
		return s.bounded(text(a) + text(b))
	}
	if op == "+" {
		if x, ok := a.(string); ok {
			if y, ok := b.(string); ok {
				return s.bounded(x + y)
			}
		}
		if x, ok := a.([]any); ok {
			if y, ok := b.([]any); ok {
				return s.listed(append(slices.Clone(x), y...))
			}
		}
	}
	if x, ok := a.(string); ok && op == "*" {
		if n, ok := b.(int); ok {
			if n = max(n, 0); len(x)*min(n, maxOutput) > maxOutput {
				s.fail("a text of more than %d bytes", maxOutput)
			}
			return strings.Repeat(x, min(n, maxOutput))
		}
	}
	x, okx := toNumber(a)
	y, oky := toNumber(b)
	if !okx || !oky {
		s.fail("%s %s %s cannot be computed", sort(a), op, sort(b))
	}
	var v float64
	switch op {
	case "+":
		v = x + y
	case "-":
		v = x - y
	case "*":
		v = x * y
	default:
		if y == 0 {
			s.fail("division by zero")
		}
		switch v = x / y; op {
		case "//":
			v = math.Floor(v)
		case "%":
			v = x - y*math.Floor(v)
		}
	}
	_, floatA := a.(float64)
	_, floatB := b.(float64)
	if floatA || floatB || op == "/" {
		return v
	}
	if math.Abs(v) > 1<<53 {
		s.fail("a number beyond ±2⁵³")
	}
	return int(v)
}

// items are what a loop goes through.
func items(s *state, v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case map[string]any:
		var out []any
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, k)
		}
		return out
	case string:
		var out []any
		for _, r := range v {
			out = append(out, string(r))
		}
		return s.listed(out)
	case undefined, nil:
		if v == nil {
			s.fail("none has no items")
		}
		return nil
	}
	s.fail("%s has no items", sort(v))
	return nil
}
