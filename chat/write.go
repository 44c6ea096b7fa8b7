package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// writer shows values as Python does, or as JSON in the manner of Python's json.dumps. It stops soon after maxOutput bytes,
// as a short list can be a long text: its items may be the same list again.
type writer struct {
	out    []byte
	json   bool
	indent int
}

// words of Python and JSON for none, true and false.
func (w *writer) word(python, json string) {
	if w.json {
		python = json
	}
	w.out = append(w.out, python...)
}

func (w *writer) value(v any, depth int) {
	if len(w.out) > maxOutput || depth > maxDepth {
		return
	}
	switch v := v.(type) {
	case nil:
		w.word("None", "null")
	case bool:
		if v {
			w.word("True", "true")
		} else {
			w.word("False", "false")
		}
	case int:
		w.out = strconv.AppendInt(w.out, int64(v), 10)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e16 {
			w.out = strconv.AppendFloat(w.out, v, 'f', 1, 64)
		} else {
			w.out = strconv.AppendFloat(w.out, v, 'g', -1, 64)
		}
	case string:
		w.quote(v)
	case []any:
		w.series("[]", len(v), depth, func(i int) { w.value(v[i], depth+1) })
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		w.series("{}", len(v), depth, func(i int) {
			w.quote(keys[i])
			w.out = append(w.out, ": "...)
			w.value(v[keys[i]], depth+1)
		})
	case undefined:
		w.word("Undefined", "null")
	default:
		w.quote(fmt.Sprintf("<%s>", sort(v)))
	}
}

// series writes n items between brackets.
func (w *writer) series(brackets string, n, depth int, item func(i int)) {
	w.out = append(w.out, brackets[0])
	for i := range n {
		if len(w.out) > maxOutput {
			return
		}
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.line(depth+1, i > 0)
		item(i)
	}
	if n > 0 {
		w.line(depth, false)
	}
	w.out = append(w.out, brackets[1])
}

// line begins a line, when lines are indented, or writes the space after a comma.
func (w *writer) line(depth int, comma bool) {
	switch {
	case w.json && w.indent > 0:
		w.out = append(append(w.out, '\n'), strings.Repeat(" ", w.indent*depth)...)
	case comma:
		w.out = append(w.out, ' ')
	}
}

func (w *writer) quote(x string) {
	switch {
	case w.json:
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		_ = e.Encode(x) // texts never fail
		w.out = append(w.out, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
	case strings.Contains(x, "'") && !strings.Contains(x, `"`):
		w.out = append(append(append(w.out, '"'), escape(x, "")...), '"')
	default:
		w.out = append(append(append(w.out, '\''), escape(x, "'")...), '\'')
	}
}

func escape(x, quote string) string {
	r := []string{`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`}
	if quote != "" {
		r = append(r, quote, `\`+quote)
	}
	return strings.NewReplacer(r...).Replace(x)
}

// toJSON writes a value as json.dumps does.
func toJSON(v any, indent int) string {
	w := writer{json: true, indent: min(max(indent, 0), 16)}
	w.value(v, 0)
	return string(w.out)
}
