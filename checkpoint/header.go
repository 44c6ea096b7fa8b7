package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of what is accepted. The header's is that of the reference implementation; the others are far above anything in
// use and bound what a hostile header can make us allocate: at most four times its own size.
const (
	maxHeader   = 100_000_000
	maxAxes     = 16
	maxMetadata = 4096
	minEntry    = len(`"":{"dtype":"I8","shape":[],"data_offsets":[0,0]},`)
)

// ErrFormat is wrapped by every error about a file that is not a well-formed safetensors file.
var ErrFormat = errors.New("not a valid safetensors file")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// entry is one tensor of a header: its bytes are data[from:to].
type entry struct {
	name     string
	shape    []int
	from, to int64
	dtype    DType
}

type pair struct{ key, value string }

// parse checks a whole file (8 bytes of header length, a JSON header, data) and returns its tensors ordered by name and its
// metadata. data is the part after the header.
func parse(file []byte) (entries []entry, meta []pair, data []byte, err error) {
	if len(file) < 8 {
		return nil, nil, nil, malformed("%d bytes, but a header length alone takes 8", len(file))
	}
	n := binary.LittleEndian.Uint64(file)
	switch {
	case n > maxHeader:
		return nil, nil, nil, malformed("header of %d bytes, at most %d", n, maxHeader)
	case n > uint64(len(file)-8):
		return nil, nil, nil, malformed("header of %d bytes, but only %d bytes follow: the file is cut short", n, len(file)-8)
	}
	p := headerParser{in: file[8 : 8+n]}
	if err := p.header(); err != nil {
		return nil, nil, nil, err
	}
	data = file[8+n:]
	if err := checkLayout(p.entries, int64(len(data))); err != nil {
		return nil, nil, nil, err
	}
	slices.SortFunc(p.entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(p.entries); i++ {
		if p.entries[i].name == p.entries[i-1].name {
			return nil, nil, nil, malformed("tensor %q appears twice", p.entries[i].name)
		}
	}
	return p.entries, p.meta, data, nil
}

// checkLayout makes sure that each tensor has the bytes that its shape needs and that together they tile the data without
// overlap or hole, as the format demands. It reorders es.
func checkLayout(es []entry, size int64) error {
	for _, e := range es {
		bytes := uint64(e.dtype.Size())
		for _, d := range e.shape {
			hi, lo := bits.Mul64(bytes, uint64(d))
			if hi != 0 || lo > 1<<62 {
				return malformed("tensor %q: shape %v is too large", e.name, e.shape)
			}
			bytes = lo
		}
		switch {
		case e.from > e.to || e.to > size:
			return malformed("tensor %q: data offsets [%d, %d] outside the file's %d bytes of data: the file is cut short or damaged", e.name, e.from, e.to, size)
		case uint64(e.to-e.from) != bytes:
			return malformed("tensor %q: %s%v needs %d bytes, its offsets give %d", e.name, e.dtype, e.shape, bytes, e.to-e.from)
		}
	}
	slices.SortFunc(es, func(a, b entry) int {
		if a.from != b.from {
			return int(min(max(a.from-b.from, -1), 1))
		}
		return int(min(max(a.to-b.to, -1), 1))
	})
	at := int64(0)
	for _, e := range es {
		if e.from != at {
			return malformed("tensor %q starts at %d, the data before it ends at %d: overlap or hole", e.name, e.from, at)
		}
		at = e.to
	}
	if at != size {
		return malformed("%d bytes of data, the tensors use %d", size, at)
	}
	return nil
}

// headerParser reads the one JSON shape that a header may have. A parser of its own, because encoding/json accepts
// duplicate keys and allocates several times a header's size before anything is checked.
type headerParser struct {
	in      []byte
	at      int
	entries []entry
	meta    []pair
	hasMeta bool
}

func (p *headerParser) fail(format string, args ...any) error {
	return malformed("header byte %d: %s", p.at, fmt.Sprintf(format, args...))
}

func (p *headerParser) space() {
	for p.at < len(p.in) && (p.in[p.at] == ' ' || p.in[p.at] == '\n' || p.in[p.at] == '\t' || p.in[p.at] == '\r') {
		p.at++
	}
}

// next skips white space and takes c if it comes next.
func (p *headerParser) next(c byte) bool {
	p.space()
	if p.at < len(p.in) && p.in[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *headerParser) expect(c byte) error {
	if !p.next(c) {
		return p.fail("expected %q", string(c))
	}
	return nil
}

// members reads {"key": value, …} and calls f after each colon.
func (p *headerParser) members(f func(key []byte) error) error {
	if err := p.expect('{'); err != nil {
		return err
	}
	if p.next('}') {
		return nil
	}
	for {
		key, err := p.text()
		if err != nil {
			return err
		}
		if err := p.expect(':'); err != nil {
			return err
		}
		if err := f(key); err != nil {
			return err
		}
		if p.next('}') {
			return nil
		}
		if err := p.expect(','); err != nil {
			return err
		}
	}
}

// text reads a string; the result points into the header unless it held escapes.
func (p *headerParser) text() ([]byte, error) {
	if err := p.expect('"'); err != nil {
		return nil, err
	}
	from, escaped := p.at, false
	for ; p.at < len(p.in); p.at++ {
		switch c := p.in[p.at]; {
		case c == '"':
			s := p.in[from:p.at]
			p.at++
			if !escaped {
				return s, nil
			}
			out, ok := unescape(s)
			if !ok {
				return nil, p.fail("bad escape in a string")
			}
			return out, nil
		case c == '\\':
			escaped = true
			p.at++
		case c < 0x20:
			return nil, p.fail("control character in a string")
		}
	}
	return nil, p.fail("a string does not end")
}

// unescape resolves the escapes of a JSON string. Half a surrogate pair is refused.
func unescape(s []byte) (out []byte, ok bool) {
	out = make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		i++ // text made sure that something follows
		if j := strings.IndexByte(`"\/bfnrt`, s[i]); j >= 0 {
			out = append(out, "\"\\/\b\f\n\r\t"[j])
			continue
		}
		r, ok := hexRune(s[i:])
		if !ok {
			return nil, false
		}
		i += 4
		if utf16.IsSurrogate(r) {
			if len(s) < i+3 || s[i+1] != '\\' {
				return nil, false
			}
			low, ok := hexRune(s[i+2:])
			if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
				return nil, false
			}
			i += 6
		}
		out = utf8.AppendRune(out, r)
	}
	return out, true
}

// hexRune reads "uXXXX".
func hexRune(s []byte) (r rune, ok bool) {
	if len(s) < 5 || s[0] != 'u' {
		return 0, false
	}
	for _, c := range s[1:5] {
		d := strings.IndexByte("0123456789abcdef", c|' ')
		if d < 0 || c < '0' {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

// number reads a non-negative integer without sign, fraction or leading zero.
func (p *headerParser) number() (int64, error) {
	p.space()
	from, v := p.at, int64(0)
	for ; p.at < len(p.in) && p.in[p.at] >= '0' && p.in[p.at] <= '9'; p.at++ {
		if p.at-from >= 18 {
			return 0, p.fail("a number is too large")
		}
		v = v*10 + int64(p.in[p.at]-'0')
	}
	if p.at == from || p.in[from] == '0' && p.at > from+1 {
		return 0, p.fail("expected a non-negative whole number")
	}
	return v, nil
}

// numbers reads [n, …] of at most limit numbers into dst.
func (p *headerParser) numbers(dst []int64, limit int) ([]int64, error) {
	if err := p.expect('['); err != nil {
		return nil, err
	}
	if p.next(']') {
		return dst, nil
	}
	for {
		v, err := p.number()
		if err != nil {
			return nil, err
		}
		if len(dst) == limit {
			return nil, p.fail("more than %d numbers in a list", limit)
		}
		dst = append(dst, v)
		if p.next(']') {
			return dst, nil
		}
		if err := p.expect(','); err != nil {
			return nil, err
		}
	}
}

func (p *headerParser) header() error {
	p.entries = make([]entry, 0, len(p.in)/minEntry+1)
	if len(p.in) == 0 || p.in[0] != '{' {
		return p.fail("expected \"{\"")
	}
	if !utf8.Valid(p.in) {
		return p.fail("the header is not UTF-8")
	}
	err := p.members(func(key []byte) error {
		if string(key) == "__metadata__" {
			return p.metadata()
		}
		return p.tensor(string(key))
	})
	if err != nil {
		return err
	}
	if p.space(); p.at != len(p.in) {
		return p.fail("something follows the closing brace")
	}
	return nil
}

func (p *headerParser) metadata() error {
	if p.hasMeta {
		return p.fail("\"__metadata__\" appears twice")
	}
	p.hasMeta = true
	err := p.members(func(key []byte) error {
		k := string(key)
		v, err := p.text()
		if err != nil {
			return err
		}
		if len(p.meta) == maxMetadata {
			return p.fail("more than %d metadata entries", maxMetadata)
		}
		p.meta = append(p.meta, pair{k, string(v)})
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(p.meta, func(a, b pair) int { return strings.Compare(a.key, b.key) })
	for i := 1; i < len(p.meta); i++ {
		if p.meta[i].key == p.meta[i-1].key {
			return p.fail("metadata key %q appears twice", p.meta[i].key)
		}
	}
	return nil
}

func (p *headerParser) tensor(name string) error {
	e := entry{name: name}
	var buf [maxAxes]int64
	var seen [3]bool
	err := p.members(func(key []byte) error {
		field := slices.Index([]string{"dtype", "shape", "data_offsets"}, string(key))
		if field < 0 || seen[field] {
			return p.fail("tensor %q: unexpected or repeated key %q", name, key)
		}
		seen[field] = true
		switch field {
		case 0:
			s, err := p.text()
			if err != nil {
				return err
			}
			var ok bool
			if e.dtype, ok = parseDType(s); !ok {
				return p.fail("tensor %q: unsupported dtype %q", name, s)
			}
		case 1:
			ds, err := p.numbers(buf[:0], maxAxes)
			if err != nil {
				return err
			}
			e.shape = make([]int, len(ds))
			for i, d := range ds {
				if e.shape[i] = int(d); int64(e.shape[i]) != d {
					return p.fail("tensor %q: axis of %d", name, d)
				}
			}
		case 2:
			o, err := p.numbers(buf[:0], 2)
			if err != nil {
				return err
			}
			if len(o) != 2 {
				return p.fail("tensor %q: data_offsets has %d numbers, want 2", name, len(o))
			}
			e.from, e.to = o[0], o[1]
		}
		return nil
	})
	if err != nil {
		return err
	}
	if seen != [3]bool{true, true, true} {
		return p.fail("tensor %q lacks dtype, shape or data_offsets", name)
	}
	p.entries = append(p.entries, e)
	return nil
}
