package dataset

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
)

// jsonDoc walks through a large JSON document element by element, so that one bad element costs only itself.
type jsonDoc struct {
	dec  *json.Decoder
	name string
}

// openJSON opens a file; the caller closes it.
func openJSON(path string) (*jsonDoc, *os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("dataset: %w", err)
	}
	return newJSON(path, f), f, nil
}

func newJSON(name string, r io.Reader) *jsonDoc {
	b := bufio.NewReaderSize(r, 1<<16)
	if head, _ := b.Peek(3); string(head) == "\xef\xbb\xbf" {
		b.Discard(3)
	}
	return &jsonDoc{json.NewDecoder(newFilter(b)), name}
}

// object calls f with every key of the top-level object; f consumes the value.
func (d *jsonDoc) object(f func(key string) error) error {
	if err := d.delim('{', "an object"); err != nil {
		return err
	}
	for d.dec.More() {
		tok, err := d.dec.Token()
		if err != nil {
			return d.broken(err)
		}
		key, _ := tok.(string)
		if err := f(key); err != nil {
			return err
		}
	}
	if _, err := d.dec.Token(); err != nil {
		return d.broken(err)
	}
	return nil
}

// array calls f with every index of the next value, an array; f consumes the element. The value null is an empty array.
func (d *jsonDoc) array(f func(i int) error) error {
	tok, err := d.dec.Token()
	switch {
	case err != nil:
		return d.broken(err)
	case tok == nil:
		return nil
	case tok != json.Delim('['):
		return fmt.Errorf("dataset: %s: byte %d: want an array", d.name, d.dec.InputOffset())
	}
	for i := 0; d.dec.More(); i++ {
		if err := f(i); err != nil {
			return err
		}
	}
	if _, err := d.dec.Token(); err != nil {
		return d.broken(err)
	}
	return nil
}

func (d *jsonDoc) delim(want json.Delim, kind string) error {
	tok, err := d.dec.Token()
	if err != nil {
		return d.broken(err)
	}
	if tok != want {
		return fmt.Errorf("dataset: %s: want %s at the start", d.name, kind)
	}
	return nil
}

// value reads the next value. wrong is a value of another type than v, which was consumed; err ends the reading.
func (d *jsonDoc) value(v any) (wrong, err error) {
	err = d.dec.Decode(v)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s is a %s", cmp.Or(e.Field, "the entry"), e.Value), nil
	}
	if err != nil {
		return nil, d.broken(err)
	}
	return nil, nil
}

// skip passes over the next value.
func (d *jsonDoc) skip() error {
	depth := 0
	for {
		tok, err := d.dec.Token()
		if err != nil {
			return d.broken(err)
		}
		switch tok {
		case json.Delim('['), json.Delim('{'):
			depth++
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

func (d *jsonDoc) broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("dataset: %s: byte %d: the file ends in the middle of a JSON value; is it cut off?", d.name, d.dec.InputOffset())
	}
	return fmt.Errorf("dataset: %s: byte %d: %w", d.name, d.dec.InputOffset(), err)
}

// nanFilter replaces NaN, Infinity and -Infinity outside strings, which Python writes though JSON has no such words, by
// null. Readers here take null in place of a number as not a number.
type nanFilter struct {
	r      *bufio.Reader
	out    []byte // waiting to be read
	string bool   // inside a string
	escape bool   // after a backslash
}

func newFilter(r io.Reader) *nanFilter { return &nanFilter{r: bufio.NewReaderSize(r, 1<<16)} }

func (f *nanFilter) Read(p []byte) (int, error) {
	if len(f.out) > 0 {
		n := copy(p, f.out)
		f.out = f.out[n:]
		return n, nil
	}
	if f.r.Buffered() == 0 {
		if _, err := f.r.Peek(1); err != nil {
			return 0, err
		}
	}
	chunk, _ := f.r.Peek(min(f.r.Buffered(), len(p)))
	for i, c := range chunk {
		switch {
		case f.escape:
			f.escape = false
		case f.string && c == '\\':
			f.escape = true
		case c == '"':
			f.string = !f.string
		case !f.string && (c == 'N' || c == 'I' || c == '-' && (i+1 == len(chunk) || chunk[i+1] == 'I')):
			if i > 0 {
				f.r.Discard(copy(p, chunk[:i]))
				return i, nil
			}
			return f.word(p)
		}
	}
	n := copy(p, chunk)
	f.r.Discard(n)
	return n, nil
}

// word reads what may be one of the words at the start of the input.
func (f *nanFilter) word(p []byte) (int, error) {
	for _, w := range [...]string{"NaN", "Infinity", "-Infinity"} {
		if head, _ := f.r.Peek(len(w)); string(head) == w {
			f.r.Discard(len(w))
			f.out = []byte("null")
			return f.Read(p)
		}
	}
	c, err := f.r.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = c
	return 1, nil
}

// ident reads an id: a whole number, or a string. Numbers of equal value are equal ids.
func ident(raw json.RawMessage) (string, bool) {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return "", false
	case raw[0] == '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err == nil && s != ""
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return strconv.FormatInt(n, 10), true
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || v != math.Trunc(v) || math.Abs(v) > 1<<53 {
		return "", false
	}
	return strconv.FormatInt(int64(v), 10), true
}

// idNumber is the id as a number, 0 when it is none.
func idNumber(id string) int64 {
	n, _ := strconv.ParseInt(id, 10, 64)
	return n
}

// number reads a number; null and what is none become NaN.
func number(raw json.RawMessage) float64 {
	v, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

// truth reads true, false, 0 and 1; anything else is false.
func truth(raw json.RawMessage) bool { return string(raw) == "true" || number(raw) == 1 }

// floats reads an array of numbers; null becomes NaN. The text must be valid JSON.
func floats(raw json.RawMessage) ([]float64, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) < 2 || raw[0] != '[' {
		return nil, fmt.Errorf("want an array of numbers, got %s", short(string(raw), 40))
	}
	out := make([]float64, 0, bytes.Count(raw, []byte{','})+1)
	for rest := raw[1 : len(raw)-1]; ; {
		word, after, more := bytes.Cut(rest, []byte{','})
		word = bytes.TrimSpace(word)
		switch {
		case len(word) == 0 && !more && len(out) == 0:
			return out, nil
		case string(word) == "null":
			out = append(out, math.NaN())
		default:
			v, err := strconv.ParseFloat(string(word), 64)
			if err != nil && !errors.Is(err, strconv.ErrRange) {
				return nil, fmt.Errorf("want an array of numbers, got %s in it", short(string(word), 40))
			}
			out = append(out, v)
		}
		if !more {
			return out, nil
		}
		rest = after
	}
}
