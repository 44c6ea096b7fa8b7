package dataset

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
)

// Names gives classes other names, where several may have one: breeds become "dog".
type Names map[string]string

// ReadNames reads lines "class TAB name"; empty ones and those that begin with # say nothing.
func ReadNames(path string) (Names, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("dataset: names: %w", err)
	}
	defer func() { _ = f.Close() }()
	out := Names{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		l := strings.TrimSpace(lines.Text())
		if l == "" || l[0] == '#' {
			continue
		}
		class, name, ok := strings.Cut(l, "\t")
		if !ok || name == "" {
			return nil, fmt.Errorf("dataset: %s:%d: %q, want a class, a tab and its name", path, n, l)
		}
		if _, twice := out[class]; twice {
			return nil, fmt.Errorf("dataset: %s:%d: %q has a name already", path, n, class)
		}
		out[class] = name
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("dataset: names: %w", err)
	}
	return out, nil
}

// Of is the name of a class. One that has several, separated by commas ("tabby, tabby cat"), is called after the first that is listed.
// A class that is not listed keeps its name, the first if it has several. Without any Names all keep what they have.
func (n Names) Of(class string) string {
	if name, ok := n[class]; ok {
		return name
	}
	if n == nil {
		return class
	}
	for one := range strings.SplitSeq(class, ",") {
		if name, ok := n[strings.TrimSpace(one)]; ok {
			return name
		}
	}
	first, _, _ := strings.Cut(class, ",")
	return strings.TrimSpace(first)
}

// All are the names of classes, each once, in the order in which they occur.
func (n Names) All(classes []string) (out []string) {
	seen := map[string]bool{}
	for _, c := range classes {
		if name := n.Of(c); !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}

// Renamed is src with other names for the classes of whole pictures and for its objects. Label maps are left out: what their indices
// mean would change.
func Renamed(src Source, n Names) Source { return renamed{src, n} }

type renamed struct {
	Source
	names Names
}

func (r renamed) Labels() Labels    { return r.Source.Labels() &^ HasSemantic }
func (r renamed) Classes() []string { return r.names.All(r.Source.Classes()) }

func (r renamed) At(i int, rng *rand.Rand) (*Example, error) {
	ex, err := r.Source.At(i, rng)
	if err != nil {
		return nil, err
	}
	if ex.Class != "" {
		ex.Class = r.names.Of(ex.Class)
	}
	for k := range ex.Objects {
		ex.Objects[k].Label = r.names.Of(ex.Objects[k].Label)
	}
	ex.Labels, ex.Semantic = ex.Labels&^HasSemantic, nil
	return ex, nil
}
