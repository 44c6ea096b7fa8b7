package recipe

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
)

// knownKeys reports the first key of a YAML tree that the type of v has no field for, with the nearest one that it has.
func knownKeys(n *yaml.Node, v any) error { return checkKeys(n, reflect.TypeOf(v), "") }

func checkKeys(n *yaml.Node, t reflect.Type, path string) error {
	if t == reflect.TypeFor[yaml.Node]() { // read later
		return nil
	}
	switch n.Kind {
	case yaml.DocumentNode:
		for _, c := range n.Content {
			if err := checkKeys(c, t, path); err != nil {
				return err
			}
		}
	case yaml.SequenceNode:
		if t.Kind() != reflect.Slice {
			return nil
		}
		for i, c := range n.Content {
			if err := checkKeys(c, t.Elem(), fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	case yaml.MappingNode:
		if t.Kind() != reflect.Struct {
			return nil
		}
		fields := map[string]reflect.Type{}
		for i := range t.NumField() {
			if name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); name != "" {
				fields[name] = t.Field(i).Type
			}
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			ft, ok := fields[key]
			if !ok {
				return fmt.Errorf("line %d: unknown key %q; did you mean %q?", n.Content[i].Line, join(path, key), join(path, nearest(key, fields)))
			}
			if err := checkKeys(n.Content[i+1], ft, join(path, key)); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachKey calls f for every key below a YAML tree's mappings, "train.lr".
func eachKey(n *yaml.Node, path string, f func(key string)) {
	switch n.Kind {
	case yaml.DocumentNode:
		for _, c := range n.Content {
			eachKey(c, path, f)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := join(path, n.Content[i].Value)
			f(key)
			eachKey(n.Content[i+1], key, f)
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func nearest(key string, fields map[string]reflect.Type) string {
	best, at := "", 1<<30
	for f := range fields {
		if d := distance(key, f); d < at || (d == at && f < best) {
			best, at = f, d
		}
	}
	return best
}

// distance is the number of insertions, deletions and replacements that turn a into b (Levenshtein 1966).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			last, row[j+1] = row[j+1], min(last+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
