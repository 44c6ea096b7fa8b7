package grammar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// types is a type, or several of which one will do.
type types []string

// UnmarshalJSON takes both.
func (t *types) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = types{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// members are those of a JSON object, in their order.
type members []member

type member struct {
	name  string
	value json.RawMessage
}

// UnmarshalJSON keeps the order; of a name that comes twice the last counts.
func (m *members) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("properties is no object")
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		if i := slices.IndexFunc(*m, func(o member) bool { return o.name == name }); i >= 0 {
			*m = slices.Delete(*m, i, i+1)
		}
		*m = append(*m, member{name, raw})
	}
	return nil
}

// typed is a value of a type. A schema without one that has properties or items is taken to mean objects or lists: others fit
// it too, but nobody wants them.
func (p *parser) typed(k *keywords, at string, depth int) (*node, error) {
	list := k.Type
	switch {
	case list != nil:
	case k.Properties != nil || k.Required != nil:
		list = types{"object"}
	case k.Items != nil || k.MinItems != nil || k.MaxItems != nil:
		list = types{"array"}
	case k.Additional != nil:
		list = types{"object"}
	default:
		return p.anything(), nil
	}
	n := p.add(choice)
	for _, t := range list {
		o, err := p.ofType(t, k, at, depth)
		if err != nil {
			return nil, err
		}
		n.any = append(n.any, o)
	}
	return n, nil
}

func (p *parser) ofType(t string, k *keywords, at string, depth int) (*node, error) {
	switch t {
	case "object":
		return p.object(k, at, depth)
	case "array":
		return p.array(k, at, depth)
	case "string":
		return p.add(text), nil
	case "number":
		return p.add(number), nil
	case "integer":
		return p.add(integer), nil
	case "boolean", "null":
		n := p.add(literal)
		if n.literals = []string{"null"}; t == "boolean" {
			n.literals = []string{"false", "true"}
		}
		return n, nil
	}
	return nil, fmt.Errorf("%s: there is no type %.50q", at, t)
}

func (p *parser) object(k *keywords, at string, depth int) (*node, error) {
	closed := false
	switch string(bytes.TrimSpace(k.Additional)) {
	case "", "true", "{}":
	case "false":
		closed = true
	default:
		return nil, fmt.Errorf("%s: additionalProperties with a schema is not supported", at)
	}
	n := p.add(object)
	for _, m := range k.Properties {
		v, err := p.node(m.value, at+"/properties/"+m.name, depth+1)
		if err != nil {
			return nil, err
		}
		n.props = append(n.props, prop{key: encode(m.name), value: v})
	}
	for _, name := range k.Required {
		key := encode(name)
		i := slices.IndexFunc(n.props, func(o prop) bool { return o.key == key })
		if i < 0 {
			if closed {
				return nil, fmt.Errorf("%s: %.50q is required, but additionalProperties is false and properties does not have it", at, name)
			}
			i = len(n.props)
			n.props = append(n.props, prop{key: key, value: p.anything()})
		}
		n.props[i].required = true
	}
	if len(n.props) == 0 && !closed {
		n.open, n.item = true, p.anything()
	}
	return n, nil
}

func (p *parser) array(k *keywords, at string, depth int) (*node, error) {
	n := p.add(array)
	for _, b := range []struct {
		name string
		from *int
		to   *int
	}{{"minItems", k.MinItems, &n.min}, {"maxItems", k.MaxItems, &n.max}} {
		if b.from == nil {
			continue
		}
		if *b.to = *b.from; *b.from < 0 || *b.from > maxItems {
			return nil, fmt.Errorf("%s: %s is %d, want 0 … %d", at, b.name, *b.from, maxItems)
		}
	}
	if n.max >= 0 && n.min > n.max {
		return nil, fmt.Errorf("%s: minItems %d is more than maxItems %d", at, n.min, n.max)
	}
	n.item = p.anything()
	if k.Items != nil {
		var err error
		if n.item, err = p.node(k.Items, at+"/items", depth+1); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// values are those of const and enum that are of the schema's type.
func (p *parser) values(k *keywords, all map[string]json.RawMessage, at string) (*node, error) {
	for _, other := range []string{"properties", "required", "additionalProperties", "items", "minItems", "maxItems"} {
		if all[other] != nil {
			return nil, fmt.Errorf("%s: %q beside values is not supported", at, other)
		}
	}
	list := k.Enum
	if all["const"] != nil {
		if all["enum"] != nil {
			return nil, fmt.Errorf("%s: const beside enum is not supported", at)
		}
		list = []json.RawMessage{all["const"]}
	}
	n := p.add(literal)
	for _, raw := range list {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		if k.Type == nil || slices.ContainsFunc(k.Type, func(t string) bool { return is(t, v) }) {
			n.literals = append(n.literals, encode(v))
		}
	}
	if len(n.literals) == 0 {
		return nil, fmt.Errorf("%s: no value is of the type %s", at, strings.Join(k.Type, " or "))
	}
	slices.Sort(n.literals)
	n.literals = slices.Compact(n.literals)
	return n, nil
}

// is reports that a value is of a type.
func is(t string, v any) bool {
	switch v := v.(type) {
	case nil:
		return t == "null"
	case bool:
		return t == "boolean"
	case string:
		return t == "string"
	case json.Number:
		_, err := v.Int64()
		return t == "number" || t == "integer" && err == nil
	case []any:
		return t == "array"
	}
	return t == "object"
}

// encode writes a value as compact JSON.
func encode(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // values that were JSON are
	return strings.TrimSuffix(b.String(), "\n")
}
