package grammar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Schema is a JSON schema as an automaton. It is safe for concurrent use.
type Schema struct {
	nodes []*node
	root  *node
	masks masks
}

// Bounds of a schema.
const (
	maxBytes = 256 << 10
	maxNodes = 4096
	maxDepth = 64
	maxItems = 1000 // minItems and maxItems
)

// Parse compiles a schema (JSON Schema 2020-12): type, properties, required, additionalProperties without a schema of its own,
// items, minItems, maxItems, enum, const, anyOf, and $ref within the document. A keyword that it would have to break or ignore
// is an error that names it.
func Parse(schema []byte) (*Schema, error) {
	if len(schema) > maxBytes {
		return nil, fmt.Errorf("grammar: a schema of %d bytes, at most %d are taken", len(schema), maxBytes)
	}
	if !json.Valid(schema) {
		return nil, errors.New("grammar: the schema is not JSON")
	}
	p := &parser{document: schema, refs: map[string]*node{}}
	root, err := p.node(schema, "#", 0)
	if err != nil {
		return nil, fmt.Errorf("grammar: %w", err)
	}
	return p.finish(root)
}

// Object is the schema of any JSON object.
func Object() *Schema {
	p := &parser{}
	root := p.add(object)
	root.open, root.item = true, p.anything()
	s, _ := p.finish(root) // there always is {}
	return s
}

// Least is the length of the shortest value in bytes, and so the most tokens that a text needs.
func (s *Schema) Least() int { return s.root.least }

type parser struct {
	document []byte
	nodes    []*node
	refs     map[string]*node
	any      *node // any value, once there is one
}

func (p *parser) add(k kind) *node {
	n := &node{id: len(p.nodes), kind: k, max: -1}
	p.nodes = append(p.nodes, n)
	return n
}

func (p *parser) finish(root *node) (*Schema, error) {
	settle(p.nodes)
	if root.least == never {
		return nil, errors.New("grammar: no value fits the schema")
	}
	flatten(p.nodes)
	return &Schema{nodes: p.nodes, root: root}, nil
}

// anything is the node of any value.
func (p *parser) anything() *node {
	if p.any == nil {
		p.any = p.add(choice)
		o, a := p.add(object), p.add(array)
		o.open, o.item, a.item = true, p.any, p.any
		l := p.add(literal)
		l.literals = []string{"false", "null", "true"}
		p.any.any = []*node{p.add(text), p.add(number), l, o, a}
	}
	return p.any
}

// keywords are those of a schema's object.
type keywords struct {
	Type       types             `json:"type"`
	Properties members           `json:"properties"`
	Required   []string          `json:"required"`
	Additional json.RawMessage   `json:"additionalProperties"`
	Items      json.RawMessage   `json:"items"`
	MinItems   *int              `json:"minItems"`
	MaxItems   *int              `json:"maxItems"`
	Enum       []json.RawMessage `json:"enum"`
	Const      json.RawMessage   `json:"const"`
	AnyOf      []json.RawMessage `json:"anyOf"`
	Ref        *string           `json:"$ref"`
}

// known are the keywords that are kept, and those that only say something to people.
var known = []string{
	"type", "properties", "required", "additionalProperties", "items", "minItems", "maxItems", "enum", "const", "anyOf", "$ref",
	"$defs", "definitions", "title", "description", "default", "examples", "$schema", "$comment", "deprecated", "readOnly", "writeOnly",
}

func (p *parser) node(raw json.RawMessage, at string, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%s: the schema is more than %d levels deep", at, maxDepth)
	}
	if len(p.nodes) > maxNodes {
		return nil, fmt.Errorf("%s: the schema has more than %d parts", at, maxNodes)
	}
	switch string(bytes.TrimSpace(raw)) {
	case "true":
		return p.anything(), nil
	case "false":
		return p.add(choice), nil // of nothing
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil || all == nil {
		return nil, fmt.Errorf("%s: a schema is an object, true or false", at)
	}
	for _, name := range sorted(all) {
		if !slices.Contains(known, name) && !strings.HasPrefix(name, "x-") {
			return nil, fmt.Errorf("%s: %q is not supported", at, name)
		}
	}
	var k keywords
	if err := json.Unmarshal(raw, &k); err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	switch {
	case k.Ref != nil:
		return p.alone(all, "$ref", at, func() (*node, error) { return p.ref(*k.Ref, depth) })
	case all["anyOf"] != nil:
		return p.alone(all, "anyOf", at, func() (*node, error) { return p.anyOf(k.AnyOf, at, depth) })
	case all["const"] != nil || all["enum"] != nil:
		return p.values(&k, all, at)
	}
	return p.typed(&k, at, depth)
}

// alone refuses keywords beside one that already says which values there are.
func (p *parser) alone(all map[string]json.RawMessage, name, at string, then func() (*node, error)) (*node, error) {
	for _, other := range sorted(all) {
		if i := slices.Index(known, other); other != name && i >= 0 && i < slices.Index(known, "$defs") {
			return nil, fmt.Errorf("%s: %q beside %q is not supported", at, other, name)
		}
	}
	return then()
}

func sorted[T any](m map[string]T) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ref is the node that a JSON pointer (RFC 6901) into the document stands for.
func (p *parser) ref(ref string, depth int) (*node, error) {
	if n := p.refs[ref]; n != nil {
		return n, nil
	}
	path, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil, fmt.Errorf("$ref %q leads out of the document", ref)
	}
	raw := json.RawMessage(p.document)
	for _, part := range strings.Split(path, "/")[1:] {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		var m map[string]json.RawMessage
		var l []json.RawMessage
		if json.Unmarshal(raw, &m) == nil {
			raw = m[part]
		} else if i, err := strconv.Atoi(part); err == nil && json.Unmarshal(raw, &l) == nil && i >= 0 && i < len(l) {
			raw = l[i]
		} else {
			raw = nil
		}
		if raw == nil {
			return nil, fmt.Errorf("$ref %q leads nowhere", ref)
		}
	}
	if path != "" && path[0] != '/' {
		return nil, fmt.Errorf("$ref %q is no JSON pointer", ref)
	}
	n := p.add(choice)
	p.refs[ref] = n // before what it stands for, which may refer to it
	to, err := p.node(raw, ref, depth+1)
	if err != nil {
		return nil, err
	}
	n.any = []*node{to}
	return n, nil
}

func (p *parser) anyOf(list []json.RawMessage, at string, depth int) (*node, error) {
	n := p.add(choice)
	for i, raw := range list {
		o, err := p.node(raw, fmt.Sprintf("%s/anyOf/%d", at, i), depth+1)
		if err != nil {
			return nil, err
		}
		n.any = append(n.any, o)
	}
	return n, nil
}
