package nn

import (
	"iter"
	"reflect"
	"strconv"
	"strings"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// Named is a parameter's dotted path, its slot in the model and whether a checkpoint may omit it.
type Named struct {
	Name     string
	Slot     **autograd.Param
	Optional bool
}

var paramType = reflect.TypeFor[*autograd.Param]()

// Walk yields every field of m that carries a weight tag, depth first in order of declaration. Nil layers are skipped,
// nil parameters are yielded (a loader may fill them).
func Walk(m any) iter.Seq[Named] {
	return func(yield func(Named) bool) { walk(reflect.ValueOf(m), "", yield) }
}

func walk(v reflect.Value, path string, yield func(Named) bool) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return v.IsNil() || walk(v.Elem(), path, yield)
	case reflect.Slice:
		for i := range v.Len() {
			if !walk(v.Index(i), path+"."+strconv.Itoa(i), yield) {
				return false
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			tag, ok := v.Type().Field(i).Tag.Lookup("weight")
			if !ok {
				continue
			}
			name, opt, _ := strings.Cut(tag, ",")
			if name = strings.TrimPrefix(path+"."+name, "."); strings.HasSuffix(name, ".") || name == "" {
				name = path // an empty tag: the field's parameters are as those of the struct itself
			}
			if v.Type().Field(i).Type == paramType {
				if !yield(Named{name, v.Field(i).Addr().Interface().(**autograd.Param), opt == "optional"}) {
					return false
				}
			} else if !walk(v.Field(i), name, yield) {
				return false
			}
		}
	}
	return true
}

// Params names every parameter of m by its path and returns them in order of declaration.
func Params(m any) []*autograd.Param {
	var ps []*autograd.Param
	for n := range Walk(m) {
		if p := *n.Slot; p != nil {
			p.Name = n.Name
			ps = append(ps, p)
		}
	}
	return ps
}

// maxPacked is the number of weights of the largest model that Fix doubles: 1 GiB of them.
const maxPacked = 1 << 28

// Fix promises that parameters change no more, so that products may use copies of them in the kernels' own layout. The
// copies take as much memory again: very large models go without.
func Fix(ps []*autograd.Param) {
	if Count(ps) > maxPacked {
		return
	}
	for _, p := range ps {
		p.Fix()
	}
}

// Pack makes the copies of the matrices [Out, In] of m at once, on all processors; otherwise the first product by each makes
// it, while the other processors wait.
func Pack(m any) {
	var ps []*autograd.Param
	for n := range Walk(m) {
		if p := *n.Slot; p != nil && p.Kind == autograd.Matrix && len(p.Shape) == 2 && len(p.Data) > 0 && p.Fixed() {
			ps = append(ps, p)
		}
	}
	pool := kernel.NewPool(0)
	defer pool.Close()
	pool.Run(len(ps), func(i int) { ps[i].Pack() })
}

// Count is the number of trained weights in ps.
func Count(ps []*autograd.Param) int {
	n := 0
	for _, p := range ps {
		if p.Kind != autograd.Buffer {
			n += p.Shape.Size()
		}
	}
	return n
}
