package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"fovea/autograd"
)

// OtherConfig refuses a snapshot that was taken by a run with another configuration.
type OtherConfig struct {
	Snapshot string
	Keys     []string // "lr: snapshot 0.02, now 0.01"
}

func (e *OtherConfig) Error() string {
	return fmt.Sprintf("train: snapshot %s belongs to another configuration: %s; go back to its values, name the keys in Override to change them on purpose, or train into another folder",
		e.Snapshot, strings.Join(e.Keys, "; "))
}

// identity is the canonical JSON of all that decides a run's result: the configuration, the optimiser and the model's shapes.
func identity(c Config, opt Optimizer, params []*autograd.Param) ([]byte, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("train: config: %w", err)
	}
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("train: config: %w", err)
	}
	m["optimizer"] = opt.Settings()
	delete(m, "weight_decay") // the optimiser's settings have what became of it
	shapes := map[string]string{}
	for _, p := range params {
		s := fmt.Sprint(p.Shape)
		if !trained(p) {
			s += " fixed"
		}
		if _, twice := shapes[p.Name]; twice || p.Name == "" {
			return nil, fmt.Errorf("train: two parameters are called %q; names must be given and differ", p.Name)
		}
		shapes[p.Name] = s
	}
	m["params"] = shapes
	return json.Marshal(m) // maps are written in the order of their keys
}

// differing lists the keys that two identities do not agree on, except those under a name in override.
func differing(snapshot, now []byte, override []string) []string {
	was, is := flatten(snapshot), flatten(now)
	keys := map[string]bool{}
	for k := range was {
		keys[k] = true
	}
	for k := range is {
		keys[k] = true
	}
	var out []string
next:
	for k := range keys {
		a, b := was[k], is[k]
		if a == b {
			continue
		}
		for _, o := range override {
			if k == o || strings.HasPrefix(k, o+".") {
				continue next
			}
		}
		if a == "" {
			a = "nothing"
		}
		if b == "" {
			b = "nothing"
		}
		out = append(out, fmt.Sprintf("%s: snapshot %s, now %s", k, a, b))
	}
	sort.Strings(out)
	return out
}

// flatten turns nested objects into dotted keys with JSON values.
func flatten(b []byte) map[string]string {
	out := map[string]string{}
	var walk func(prefix string, raw json.RawMessage)
	walk = func(prefix string, raw json.RawMessage) {
		var m map[string]json.RawMessage
		if json.Unmarshal(raw, &m) != nil || m == nil {
			out[prefix] = string(raw)
			return
		}
		for k, v := range m {
			if prefix != "" {
				k = prefix + "." + k
			}
			walk(k, v)
		}
	}
	walk("", b)
	return out
}
