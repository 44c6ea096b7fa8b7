package checkpoint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"fovea/autograd"
)

// Rename maps names of a checkpoint to names of a model. From is a regular expression; every match in a tensor's name is
// replaced by To, in which $1 stands for the first group. Rules apply in order, each to the result of the one before. A To of
// Drop leaves out every tensor whose name matches.
type Rename struct{ From, To string }

// Drop as Rename.To says that a tensor is not wanted.
const Drop = "\x00drop"

// BindError lists everything that does not fit, each list in alphabetical order.
type BindError struct {
	Missing    []string // parameters that the source lacks
	Unexpected []string // tensors that no parameter wants
	Misshapen  []string // "name: file has [2 3], model wants [3 2]"
}

func (e *BindError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "checkpoint: the weights do not fit the model: %d missing, %d unexpected, %d misshapen", len(e.Missing), len(e.Unexpected), len(e.Misshapen))
	for _, l := range []struct {
		title string
		names []string
	}{{"missing", e.Missing}, {"unexpected", e.Unexpected}, {"misshapen", e.Misshapen}} {
		if n := len(l.names); n > 0 {
			fmt.Fprintf(&b, "; %s: %s", l.title, strings.Join(l.names[:min(n, 8)], ", "))
			if n > 8 {
				fmt.Fprintf(&b, " and %d more", n-8)
			}
		}
	}
	return b.String()
}

// Bind copies src into params by Param.Name. Shapes must agree exactly, every parameter must be there and every tensor must
// be wanted; otherwise a *BindError lists all differences and no parameter has changed.
func Bind(params []*autograd.Param, src Source, renames []Rename) error {
	names, err := rename(src.Names(), renames)
	if err != nil {
		return err
	}
	wanted := make(map[string]bool, len(params))
	bad := &BindError{}
	found := make([]*Tensor, len(params))
	for i, p := range params {
		if wanted[p.Name] {
			return fmt.Errorf("checkpoint: bind: two parameters are called %q", p.Name)
		}
		wanted[p.Name] = true
		from, ok := names[p.Name]
		if !ok {
			bad.Missing = append(bad.Missing, p.Name)
			continue
		}
		t, err := src.Tensor(from)
		if err != nil {
			return err
		}
		if !t.Shape.Equal(p.Shape) {
			bad.Misshapen = append(bad.Misshapen, fmt.Sprintf("%s: file has %v, model wants %v", p.Name, t.Shape, p.Shape))
		}
		found[i] = t
	}
	for to, from := range names {
		if !wanted[to] {
			bad.Unexpected = append(bad.Unexpected, from)
		}
	}
	if len(bad.Missing)+len(bad.Unexpected)+len(bad.Misshapen) > 0 {
		slices.Sort(bad.Missing)
		slices.Sort(bad.Unexpected)
		slices.Sort(bad.Misshapen)
		return bad
	}
	for i, p := range params {
		if err := found[i].Float32(p.Data); err != nil {
			return err
		}
	}
	return nil
}

// rename returns new name → name in the source.
func rename(names []string, rules []Rename) (map[string]string, error) {
	res := make([]*regexp.Regexp, len(rules))
	for i, r := range rules {
		var err error
		if res[i], err = regexp.Compile(r.From); err != nil {
			return nil, fmt.Errorf("checkpoint: rename %q: %w", r.From, err)
		}
	}
	out := make(map[string]string, len(names))
next:
	for _, from := range names {
		to := from
		for i, re := range res {
			if rules[i].To == Drop {
				if re.MatchString(to) {
					continue next
				}
			} else {
				to = re.ReplaceAllString(to, rules[i].To)
			}
		}
		if other, twice := out[to]; twice {
			return nil, fmt.Errorf("checkpoint: rename: %q and %q both become %q", other, from, to)
		}
		out[to] = from
	}
	return out, nil
}
