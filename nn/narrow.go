package nn

import (
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"

	"fovea/autograd"
	"fovea/ops"
)

// Lower holds the weights of every Dense layer of m, and the table of words of a Decoder, in two bytes each (bf16), one (int8, a
// scale for each output) or half of one (int4, a scale for each 32; of a Decoder's blocks, and int8 elsewhere), for inference:
// the layers cannot be trained, adapted or saved any more. A weight that
// something else uses too stays as it is. Parameters that are stored in a file (checkpoint.Attach) are converted row by row,
// or, bf16 from a file of 16 bits, used where they are; those that are not lowered are loaded as float32. It returns the
// bytes that the lowered weights take, and those that they take as float32. Of models in bf16 that no cache holds, writing makes copies in 12 bits
// after 64 words, of three quarters of the memory again (ops.Narrow.Tighten).
func Lower(m any, precision string) (now, was int, err error) {
	if !slices.Contains(ops.Precisions, precision) {
		return 0, 0, fmt.Errorf("nn: there is no precision %q; there are %s", precision, strings.Join(ops.Precisions, " and "))
	}
	users := map[*autograd.Param]int{}
	var lowered []*ops.Narrow
	mapped := 0
	for n := range Walk(m) {
		if *n.Slot != nil {
			users[*n.Slot]++
		}
	}
	lower := func(w *autograd.Param, to **ops.Narrow, precision string) {
		if err != nil || *to != nil || users[w] != 1 || len(w.Shape) != 2 || w.Data == nil && w.Stored == nil {
			return
		}
		if *to, err = ops.Narrowed(w, precision); err != nil {
			return
		}
		now, was = now+(*to).Bytes(), was+4*w.Shape.Size()
		lowered = append(lowered, *to)
		if (*to).Mapped() {
			mapped += (*to).Bytes()
		}
		w.Data, w.Stored = nil, nil
	}
	wide := precision // of what 4 bits are too few for
	if wide == "int4" {
		wide = "int8"
	}
	layers(reflect.ValueOf(m), func(d *Dense) { lower(d.Weight, &d.narrow, wide) }, func(d *Decoder) {
		layers(reflect.ValueOf(d.Blocks), func(d *Dense) { lower(d.Weight, &d.narrow, precision) }, nil)
		lower(d.Words, &d.narrow, wide)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("nn: %w", err)
	}
	if was <= 4*maxPacked && mapped <= maxMapped && (precision == "bf16" || now <= maxCopied) {
		for _, n := range lowered {
			n.Fix()
		}
	}
	if most := min(maxTight, debug.SetMemoryLimit(-1)/3); precision == "bf16" && now >= minTight && int64(now) <= most {
		for _, n := range lowered {
			n.Tighten()
		}
	}
	return now, was, Load(m)
}

// minTight and maxTight are the bytes of weights of 16 bits between which writing may read a copy of them in 12: what caches hold is
// faster to read as it is, and the copies of larger models take too much memory, which is more than a quarter of GOMEMLIMIT, too.
const (
	minTight = 64 << 20
	maxTight = int64(4 << 30)
)

// maxCopied is the bytes of weights of one byte or less up to which products use copies of them: those of larger models, which were
// to become small, are laid out anew for each product of many rows.
const maxCopied = 128 << 20

// maxMapped is the bytes of mapped weights up to which products may use copies of them. Larger models take no more memory than
// their file does.
const maxMapped = 256 << 20

// Spared is how many bytes less than Lower said the weights of m are that a word's writing reads, now that some may have copies in 12 bits.
func Spared(m any) (n int) {
	count := func(w *ops.Narrow) {
		if w != nil {
			n += w.Spared()
		}
	}
	layers(reflect.ValueOf(m), func(d *Dense) { count(d.narrow) }, func(d *Decoder) { count(d.narrow) })
	return n
}

// Load reads the parameters of m that are stored in a file.
func Load(m any) error {
	for _, p := range Params(m) {
		if err := p.Load(); err != nil {
			return fmt.Errorf("nn: %s: %w", p.Name, err)
		}
	}
	return nil
}

var (
	denseType   = reflect.TypeFor[*Dense]()
	decoderType = reflect.TypeFor[*Decoder]()
)

// layers calls dense and decoder for every such layer below v, found as Walk finds parameters.
func layers(v reflect.Value, dense func(*Dense), decoder func(*Decoder)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		switch {
		case v.IsNil():
		case v.Type() == denseType:
			dense(v.Interface().(*Dense))
		default:
			if v.Type() == decoderType {
				decoder(v.Interface().(*Decoder))
			}
			layers(v.Elem(), dense, decoder)
		}
	case reflect.Slice:
		for i := range v.Len() {
			layers(v.Index(i), dense, decoder)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if _, ok := v.Type().Field(i).Tag.Lookup("weight"); ok {
				layers(v.Field(i), dense, decoder)
			}
		}
	}
}
