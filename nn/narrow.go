package nn

import (
	"fmt"
	"reflect"

	"fovea/autograd"
	"fovea/ops"
)

// Lower holds the weights of every Dense layer of m in two bytes each (bf16) or one (int8, a scale for each output), for
// inference: the layers cannot be trained, adapted or saved any more. A weight that something else uses too, such as a table
// of words, stays as it is. It returns the bytes that the lowered weights take, and took.
func Lower(m any, precision string) (now, was int, err error) {
	var narrow func(w []float32, out, in int) *ops.Narrow
	switch precision {
	case "bf16":
		narrow = ops.NewBF16
	case "int8":
		narrow = ops.NewInt8
	default:
		return 0, 0, fmt.Errorf("nn: there is no precision %q; there are bf16 and int8", precision)
	}
	users := map[*autograd.Param]int{}
	for n := range Walk(m) {
		if *n.Slot != nil {
			users[*n.Slot]++
		}
	}
	seen := map[*Dense]bool{}
	denses(reflect.ValueOf(m), func(d *Dense) {
		if w := d.Weight; w != nil && !seen[d] && users[w] == 1 && len(w.Shape) == 2 && w.Data != nil {
			d.narrow = narrow(w.Data, w.Shape[0], w.Shape[1])
			now, was = now+d.narrow.Bytes(), was+4*len(w.Data)
			w.Data = nil
		}
		seen[d] = true
	})
	return now, was, nil
}

var denseType = reflect.TypeFor[*Dense]()

// denses calls f for every Dense layer below v, found as Walk finds parameters.
func denses(v reflect.Value, f func(*Dense)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		switch {
		case v.IsNil():
		case v.Type() == denseType:
			f(v.Interface().(*Dense))
		default:
			denses(v.Elem(), f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			denses(v.Index(i), f)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if _, ok := v.Type().Field(i).Tag.Lookup("weight"); ok {
				denses(v.Field(i), f)
			}
		}
	}
}
