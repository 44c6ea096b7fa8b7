package checkpoint

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/internal/memory"
	"fovea/tensor"
)

// Rename maps names of a checkpoint to names of a model. From is a regular expression; every match in a tensor's name is
// replaced by To, in which $1 stands for the first group. Rules apply in order, each to the result of the one before. A To of
// Drop leaves out every tensor whose name matches. A result with bars, "q.weight|k.weight|v.weight", splits the tensor into as
// many equal parts along its first axis, because published models store some maps in one piece; rules that do this match
// the whole name and come last.
type Rename struct{ From, To string }

// Drop as Rename.To says that a tensor is not wanted.
const Drop = "\x00drop"

// BindError lists everything that does not fit, each list in alphabetical order.
type BindError struct {
	Missing    []string // parameters that the source lacks
	Unexpected []string // tensors that no parameter wants
	Misshapen  []string // "name: file has [2 3], model wants [3 2]"
	// Pickle is not nil when Open took a folder's only .safetensors file, of no usual name, and this lies beside it: the weights
	// that would fit may be in there.
	Pickle *PickleError
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
	if e.Pickle != nil {
		fmt.Fprintf(&b, "; perhaps those that do are elsewhere: %s", strings.TrimPrefix(e.Pickle.Error(), "checkpoint: "))
	}
	return b.String()
}

// Bind copies src into params by Param.Name. Shapes must agree exactly, every parameter must be there and every tensor must
// be wanted; otherwise a *BindError lists all differences and no parameter has changed. Parameters without data get it once
// all shapes are known to agree, so a configuration that lies about its size costs no memory.
func Bind(params []*autograd.Param, src Source, renames []Rename) error {
	found, err := match(params, src, renames)
	if err != nil {
		return err
	}
	errs := make([]error, len(params))
	pool := kernel.NewPool(0) // a program that starts has nothing else to do
	defer pool.Close()
	pool.Run(len(params), func(i int) {
		p := params[i]
		if p.Data == nil {
			p.Data = memory.Make[float32](p.Shape.Size())
		}
		errs[i] = found[i].Float32(p.Data)
	})
	return errors.Join(errs...)
}

// match finds the tensor of each parameter, and everything that does not fit.
func match(params []*autograd.Param, src Source, renames []Rename) ([]*Tensor, error) {
	names, err := rename(src.Names(), renames)
	if err != nil {
		return nil, err
	}
	wanted := make(map[string]bool, len(params))
	bad := &BindError{}
	found := make([]*Tensor, len(params))
	for i, p := range params {
		if wanted[p.Name] {
			return nil, fmt.Errorf("checkpoint: bind: two parameters are called %q", p.Name)
		}
		wanted[p.Name] = true
		from, ok := names[p.Name]
		if !ok {
			bad.Missing = append(bad.Missing, p.Name)
			continue
		}
		t, err := src.Tensor(from.name)
		if err != nil {
			return nil, err
		}
		if part := from.of(t); part == nil {
			bad.Misshapen = append(bad.Misshapen, fmt.Sprintf("%s: file has %v, model wants %d equal parts of it", p.Name, t.Shape, from.parts))
		} else if found[i] = part; !part.Shape.Equal(p.Shape) {
			bad.Misshapen = append(bad.Misshapen, fmt.Sprintf("%s: file has %v, model wants %v", p.Name, part.Shape, p.Shape))
		}
	}
	for to, from := range names {
		if !wanted[to] && !slices.Contains(bad.Unexpected, from.name) {
			bad.Unexpected = append(bad.Unexpected, from.name)
		}
	}
	if len(bad.Missing)+len(bad.Unexpected)+len(bad.Misshapen) > 0 {
		slices.Sort(bad.Missing)
		slices.Sort(bad.Unexpected)
		slices.Sort(bad.Misshapen)
		if f, ok := src.(*File); ok && f.instead != "" {
			bad.Pickle = &PickleError{f.instead, "file name"}
		}
		return nil, bad
	}
	return found, nil
}

// piece is a tensor of a source, or one of several equal parts of it.
type piece struct {
	name        string
	part, parts int
}

// of cuts the piece out of its tensor, nil when that does not fall into equal parts.
func (p piece) of(t *Tensor) *Tensor {
	if p.parts == 1 {
		return t
	}
	if len(t.Shape) == 0 || t.Shape[0]%p.parts != 0 {
		return nil
	}
	cut := *t
	cut.Shape = append(tensor.Shape{t.Shape[0] / p.parts}, t.Shape[1:]...)
	n := len(t.Raw) / p.parts
	cut.Raw = t.Raw[p.part*n : (p.part+1)*n]
	if t.scale != nil {
		cut.scale = t.scale[t.scaleBytes()*p.part*cut.Shape[0]:]
	}
	return &cut
}

// rename returns new name → piece of the source.
func rename(names []string, rules []Rename) (map[string]piece, error) {
	res := make([]*regexp.Regexp, len(rules))
	for i, r := range rules {
		var err error
		if res[i], err = regexp.Compile(r.From); err != nil {
			return nil, fmt.Errorf("checkpoint: rename %q: %w", r.From, err)
		}
	}
	out := make(map[string]piece, len(names))
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
		parts := strings.Split(to, "|")
		for i, to := range parts {
			if other, twice := out[to]; twice {
				return nil, fmt.Errorf("checkpoint: rename: %q and %q both become %q", other.name, from, to)
			}
			out[to] = piece{from, i, len(parts)}
		}
	}
	return out, nil
}
