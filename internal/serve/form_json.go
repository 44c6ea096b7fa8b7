package serve

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"fovea"
	"fovea/annotation"
	"fovea/generate/grammar"
	"fovea/task"
)

// form is a JSON schema that an answer must fit. A model that writes token by token writes it, with a grammar that lets no other
// token pass (package grammar). Others, the program's own among them, speak in words, boxes and scores, so a form is filled in
// rather than written letter by letter: texts, numbers and truths are answers to questions, choices are classes, and lists are
// the objects that are found. What cannot be promised, such as a pattern, is refused.
type form struct {
	param string          // the request's field
	raw   json.RawMessage // the schema; nil: any object
}

// schemaNode is the part of JSON schema that is understood.
type schemaNode struct {
	Type        typeNames              `json:"type"`
	Properties  properties             `json:"properties"`
	Items       *schemaNode            `json:"items"`
	Enum        []json.RawMessage      `json:"enum"`
	Const       json.RawMessage        `json:"const"`
	AnyOf       []*schemaNode          `json:"anyOf"`
	Ref         string                 `json:"$ref"`
	Defs        map[string]*schemaNode `json:"$defs"`
	Definitions map[string]*schemaNode `json:"definitions"`
	Description string                 `json:"description"`
	Minimum     *float64               `json:"minimum"`
	Maximum     *float64               `json:"maximum"`

	Pattern, Format, OneOf, AllOf, Not, MinLength, MaxLength, MinItems, MultipleOf, ExclusiveMinimum, ExclusiveMaximum json.RawMessage
}

// typeNames is a type, or several of which one will do.
type typeNames []string

// UnmarshalJSON takes both.
func (t *typeNames) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = typeNames{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// properties are those of an object, in the order in which the schema has them.
type properties []property

type property struct {
	name string
	node *schemaNode
}

// UnmarshalJSON keeps the order.
func (p *properties) UnmarshalJSON(b []byte) error {
	byName := map[string]*schemaNode{}
	if err := json.Unmarshal(b, &byName); err != nil {
		return err
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			return err
		}
		if n := byName[name]; n != nil {
			*p = append(*p, property{name, n})
			delete(byName, name)
		}
	}
	return nil
}

// readForm takes a JSON schema, which the model will have to understand.
func readForm(param string, schema json.RawMessage) (*form, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(schema, &object); err != nil || object == nil {
		return nil, bad(param, "the schema is no JSON object")
	}
	return &form{param, schema}, nil
}

// answerForm is what is filled in when some JSON object is wanted.
const answerForm = `{"type":"object","properties":{"answer":{"type":"string"}}}`

// schemas remembers the last schemas that models wrote, and with them which tokens may stand where.
type schemas struct {
	mu sync.Mutex
	of map[string]*grammar.Schema
}

const maxSchemas = 64

// schema is the grammar of a form.
func (s *schemas) schema(f *form) (*grammar.Schema, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.of[string(f.raw)]; g != nil {
		return g, nil
	}
	g := grammar.Object()
	if f.raw != nil {
		var err error
		if g, err = grammar.Parse(f.raw); err != nil {
			return nil, bad(f.param, "the schema asks for what cannot be promised: %v", strings.TrimPrefix(err.Error(), "grammar: "))
		}
	}
	if s.of == nil || len(s.of) == maxSchemas {
		s.of = map[string]*grammar.Schema{}
	}
	s.of[string(f.raw)] = g
	return g, nil
}

// Bounds of a form.
const (
	maxFields = 32
	maxDepth  = 16
)

// filler collects what has to be asked for a form, and writes it once that is answered.
type filler struct {
	root      *schemaNode
	prompt    string
	questions []string
	labels    []string
	tasks     task.Set
	fields    int
}

// writer writes one value of a result.
type writer func(b *strings.Builder, r *fovea.Result)

// compiled is a form with everything that has to be asked for it.
type compiled struct {
	filler
	write writer
}

func (f *form) compile(prompt string) (*compiled, error) {
	c := &compiled{filler: filler{root: &schemaNode{}, prompt: prompt}}
	raw := f.raw
	if raw == nil {
		raw = json.RawMessage(answerForm)
	}
	err := json.Unmarshal(raw, c.root)
	if err == nil {
		c.write, err = c.node(c.root, "", 0)
	}
	if err != nil {
		return nil, bad(f.param, "the schema asks for what cannot be promised: %v", err)
	}
	return c, nil
}

// fill answers a chat in its form.
func (c *call) fill(ch *chat) (string, error) {
	f, err := ch.form.compile(ch.prompt)
	if err != nil {
		return "", err
	}
	if f.tasks == 0 { // constants only; still look at the picture, so that a broken one is noticed
		f.tasks = task.SetOf(task.Classify)
	}
	res, err := c.s.askSingle(c.r.Context(), &question{model: ch.model, pictures: ch.pictures,
		req: fovea.Request{Tasks: f.tasks, Questions: f.questions, Labels: f.labels, Top: -1}})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	f.write(&b, res)
	return b.String(), nil
}

// node finds out how to write a value.
func (f *filler) node(n *schemaNode, name string, depth int) (writer, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it is more than %d levels deep", maxDepth)
	}
	for _, k := range []struct {
		name string
		set  bool
	}{{"pattern", n.Pattern != nil}, {"format", n.Format != nil}, {"oneOf", n.OneOf != nil}, {"allOf", n.AllOf != nil}, {"not", n.Not != nil}, {"minLength", n.MinLength != nil},
		{"maxLength", n.MaxLength != nil}, {"minItems", n.MinItems != nil}, {"multipleOf", n.MultipleOf != nil}, {"exclusiveMinimum", n.ExclusiveMinimum != nil},
		{"exclusiveMaximum", n.ExclusiveMaximum != nil}} {
		if k.set {
			return nil, fmt.Errorf("%s is not supported (at %q)", k.name, name)
		}
	}
	switch {
	case n.Ref != "":
		to := f.lookup(n.Ref)
		if to == nil {
			return nil, fmt.Errorf("there is no %q", n.Ref)
		}
		return f.node(to, name, depth+1)
	case n.Const != nil:
		return constant(string(n.Const)), nil
	case n.Enum != nil:
		return f.choice(n, name)
	case len(n.AnyOf) > 0:
		var first error
		for _, o := range n.AnyOf {
			w, err := f.node(o, name, depth+1)
			if err == nil {
				return w, nil
			}
			first = err
		}
		return nil, first
	}
	if f.fields++; f.fields > maxFields {
		return nil, fmt.Errorf("it has more than %d fields", maxFields)
	}
	kind := ""
	for _, t := range n.Type {
		if kind == "" || kind == "null" {
			kind = t
		}
	}
	switch {
	case kind == "object" || kind == "" && n.Properties != nil:
		return f.object(n, depth)
	case kind == "array":
		return f.list(n, name, depth)
	case kind == "boolean":
		return f.ask(n, name, func(a string) string { return strconv.FormatBool(isYes(a)) }), nil
	case kind == "integer", kind == "number":
		return f.ask(n, name, func(a string) string { return number(n, kind == "integer", a) }), nil
	case kind == "null":
		return constant("null"), nil
	case kind == "string", kind == "":
		if describing(name) && n.Description == "" {
			f.tasks |= task.SetOf(task.Caption)
			return func(b *strings.Builder, r *fovea.Result) { b.WriteString(quoted(r.Caption.Text)) }, nil
		}
		return f.ask(n, name, quoted), nil
	}
	return nil, fmt.Errorf("there is no type %q", kind)
}

func (f *filler) lookup(ref string) *schemaNode {
	if name, ok := strings.CutPrefix(ref, "#/$defs/"); ok {
		return f.root.Defs[name]
	}
	name, _ := strings.CutPrefix(ref, "#/definitions/")
	return f.root.Definitions[name]
}

func constant(s string) writer { return func(b *strings.Builder, _ *fovea.Result) { b.WriteString(s) } }

// ask adds a question, whose answer becomes a value. A field's description is the question; a field that stands for the
// whole answer takes the prompt.
func (f *filler) ask(n *schemaNode, name string, value func(answer string) string) writer {
	q := f.prompt
	switch {
	case n.Description != "":
		q = n.Description
	case len(task.Split(f.prompt)) == 0 || !slices.Contains([]string{"", "answer", "response", "result", "value", "text", "output", "count", "number"}, strings.ToLower(name)):
		q = "what is the " + strings.NewReplacer("_", " ", "-", " ").Replace(name) + "?"
	}
	i := slices.Index(f.questions, q)
	if i < 0 {
		i = len(f.questions)
		f.questions = append(f.questions, q)
	}
	f.tasks |= task.SetOf(task.Ask)
	return func(b *strings.Builder, r *fovea.Result) { b.WriteString(value(r.Answers[i].Answer)) }
}

// choice is one of several values: what the answer to the question names, or else what the picture shows most likely.
func (f *filler) choice(n *schemaNode, name string) (writer, error) {
	if len(n.Enum) == 0 {
		return nil, fmt.Errorf("the enum of %q is empty", name)
	}
	texts := make([]string, len(n.Enum))
	for i, raw := range n.Enum {
		if json.Unmarshal(raw, &texts[i]) != nil || len(task.Split(texts[i])) == 0 {
			return nil, fmt.Errorf("the enum of %q holds something else than words", name)
		}
	}
	f.tasks |= task.SetOf(task.Classify)
	f.labels = append(f.labels, texts...)
	var answer strings.Builder
	ask := f.ask(n, name, func(a string) string { return a })
	return func(b *strings.Builder, r *fovea.Result) {
		answer.Reset()
		ask(&answer, r)
		best := slices.IndexFunc(texts, func(t string) bool { return strings.EqualFold(t, answer.String()) })
		for i := 0; best < 0 && i < len(r.Classes); i++ {
			best = slices.Index(texts, r.Classes[i].Label)
		}
		b.WriteString(quoted(texts[max(best, 0)]))
	}, nil
}

func (f *filler) object(n *schemaNode, depth int) (writer, error) {
	writers := make([]writer, len(n.Properties))
	for i, p := range n.Properties {
		var err error
		if writers[i], err = f.node(p.node, p.name, depth+1); err != nil {
			return nil, err
		}
	}
	return func(b *strings.Builder, r *fovea.Result) {
		b.WriteByte('{')
		for i, w := range writers {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(quoted(n.Properties[i].name) + ":")
			w(b, r)
		}
		b.WriteByte('}')
	}, nil
}

// list is what is found in the picture: labels, or objects with fields that a found object has.
func (f *filler) list(n *schemaNode, name string, depth int) (writer, error) {
	item := n.Items
	for i := 0; item != nil && item.Ref != "" && i < maxDepth; i++ {
		item = f.lookup(item.Ref)
	}
	if item == nil {
		return nil, fmt.Errorf("the list %q does not say what it holds", name)
	}
	f.tasks |= task.SetOf(task.Detect)
	var fields []func(o *fovea.Object) string
	for _, p := range item.Properties {
		get := objectField(p.name)
		if get == nil {
			return nil, fmt.Errorf("objects in a list have label, score and box, and no %q", p.name)
		}
		fields = append(fields, get)
	}
	if len(fields) == 0 && !slices.Contains(item.Type, "string") {
		return nil, fmt.Errorf("the list %q holds neither texts nor objects with a label, score or box", name)
	}
	return func(b *strings.Builder, r *fovea.Result) {
		b.WriteByte('[')
		for i, o := range r.Objects {
			if i > 0 {
				b.WriteByte(',')
			}
			if len(fields) == 0 {
				b.WriteString(quoted(o.Label))
				continue
			}
			for k, get := range fields {
				b.WriteString(map[bool]string{true: "{", false: ","}[k == 0] + quoted(item.Properties[k].name) + ":" + get(&o))
			}
			b.WriteByte('}')
		}
		b.WriteByte(']')
	}, nil
}

// objectField finds what a field of a found object is, whatever it is called.
func objectField(name string) func(o *fovea.Object) string {
	corner := func(get func(annotation.Box) float64) func(o *fovea.Object) string {
		return func(o *fovea.Object) string { return decimal(get(o.Box)) }
	}
	switch strings.ToLower(name) {
	case "label", "name", "class", "category", "object":
		return func(o *fovea.Object) string { return quoted(o.Label) }
	case "score", "confidence", "probability":
		return func(o *fovea.Object) string { return strconv.FormatFloat(math.Floor(o.Score*1e5)/1e5, 'f', -1, 64) }
	case "box", "bbox", "box_2d", "bbox_2d", "bounding_box":
		return func(o *fovea.Object) string {
			return "[" + decimal(o.Box.X0) + "," + decimal(o.Box.Y0) + "," + decimal(o.Box.X1) + "," + decimal(o.Box.Y1) + "]"
		}
	case "x0", "x1", "y0", "y1", "x_min", "x_max", "y_min", "y_max", "xmin", "xmax", "ymin", "ymax":
		x, low := name[0] == 'x' || name[0] == 'X', strings.HasSuffix(name, "0") || strings.HasSuffix(strings.ToLower(name), "min")
		switch {
		case x && low:
			return corner(func(b annotation.Box) float64 { return b.X0 })
		case x:
			return corner(func(b annotation.Box) float64 { return b.X1 })
		case low:
			return corner(func(b annotation.Box) float64 { return b.Y0 })
		}
		return corner(func(b annotation.Box) float64 { return b.Y1 })
	}
	return nil
}

// describing reports that a field of this name wants a description.
func describing(name string) bool {
	return slices.Contains([]string{"caption", "description", "summary"}, strings.ToLower(name))
}

func isYes(a string) bool {
	a = strings.ToLower(strings.TrimSpace(a))
	return a == "yes" || a == "true" || a == "1" || strings.HasPrefix(a, "yes ") || strings.HasPrefix(a, "yes,")
}

var numerals = []string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"}

// number reads a number from an answer, 0 when it has none, within the schema's bounds.
func number(n *schemaNode, whole bool, answer string) string {
	v := 0.
	for _, w := range strings.Fields(strings.ToLower(answer)) {
		w = strings.Trim(w, ".,;:!?")
		if x, err := strconv.ParseFloat(w, 64); err == nil && x-x == 0 {
			v = x
			break
		}
		if i := slices.Index(numerals, w); i >= 0 {
			v = float64(i)
			break
		}
	}
	low, high := math.Inf(-1), math.Inf(1)
	if n.Minimum != nil {
		low = *n.Minimum
	}
	if n.Maximum != nil {
		high = *n.Maximum
	}
	if whole {
		v, low, high = math.Round(v), math.Ceil(low), math.Floor(high)
	}
	return strconv.FormatFloat(max(min(v, high), low), 'f', -1, 64)
}

func decimal(v float64) string { return strconv.FormatFloat(math.Round(v*100)/100+0, 'f', -1, 64) }

func quoted(s string) string {
	b, err := encode(s)
	if err != nil {
		return `""`
	}
	return string(b)
}
