package eval

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// maxFile is the most that is read of one file, after decompression.
const maxFile = 4 << 30

// faults gathers what is wrong with a file, so that one run names several entries.
type faults struct {
	list []string
	n    int
}

const (
	faultsListed = 5
	faultsMax    = 1000 // then the file is given up
)

var errGivenUp = errors.New("too many entries are wrong")

func (f *faults) add(format string, args ...any) {
	if f.n++; len(f.list) < faultsListed {
		f.list = append(f.list, fmt.Sprintf(format, args...))
	}
}

func (f *faults) full() bool { return f.n >= faultsMax }

// err is nil when nothing was added, else one error that lists the first faults.
func (f *faults) err() error {
	if f.n == 0 {
		return nil
	}
	var b bytes.Buffer
	for i, s := range f.list {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(s)
	}
	if more := f.n - len(f.list); more > 0 {
		fmt.Fprintf(&b, "; and %d more", more)
	}
	return errors.New(b.String())
}

// jsonReader walks through a large JSON document value by value.
type jsonReader struct{ dec *json.Decoder }

// newReader reads plain or gzip-compressed JSON.
func newReader(r io.Reader) (*jsonReader, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	if head, _ := b.Peek(2); len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("decompress: %w", err)
		}
		b = bufio.NewReaderSize(z, 1<<16)
	}
	if head, _ := b.Peek(3); string(head) == "\xef\xbb\xbf" {
		if _, err := b.Discard(3); err != nil {
			return nil, err
		}
	}
	return &jsonReader{json.NewDecoder(&capped{r: b, left: maxFile})}, nil
}

// capped is a reader that fails, rather than ends, at its limit.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("larger than %d GiB", maxFile>>30)
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// open consumes the delimiter that starts an array or object.
func (r *jsonReader) open(want json.Delim) error {
	tok, err := r.dec.Token()
	if err != nil {
		return r.broken(err)
	}
	if tok != want {
		return fmt.Errorf("byte %d: want %s, got %s", r.dec.InputOffset(), kindOf(want), kindOf(tok))
	}
	return nil
}

// close consumes the delimiter that ends an array or object.
func (r *jsonReader) close() error {
	if _, err := r.dec.Token(); err != nil {
		return r.broken(err)
	}
	return nil
}

// end makes sure that nothing follows.
func (r *jsonReader) end() error {
	if _, err := r.dec.Token(); err != io.EOF {
		return fmt.Errorf("byte %d: more text follows the document", r.dec.InputOffset())
	}
	return nil
}

// decode reads the next value into v. fatal says that the document cannot be read on.
func (r *jsonReader) decode(v any) (fatal bool, err error) {
	if err = r.dec.Decode(v); err == nil {
		return false, nil
	}
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) {
		return false, fmt.Errorf("want an object, got %s", mistyped.Value)
	}
	return true, r.broken(err)
}

func (r *jsonReader) broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("byte %d: the file ends in the middle of a JSON value", r.dec.InputOffset())
	}
	return fmt.Errorf("byte %d: %w", r.dec.InputOffset(), err)
}

// array calls f for each element of an array; f reports faults itself and returns only errors that end the reading.
func (r *jsonReader) array(f func(i int) error) error {
	if err := r.open('['); err != nil {
		return err
	}
	for i := 0; r.dec.More(); i++ {
		if err := f(i); err != nil {
			return err
		}
	}
	return r.close()
}

// object calls f with each key of an object; f must consume the value.
func (r *jsonReader) object(f func(key string) error) error {
	if err := r.open('{'); err != nil {
		return err
	}
	for r.dec.More() {
		tok, err := r.dec.Token()
		if err != nil {
			return r.broken(err)
		}
		key, _ := tok.(string)
		if err := f(key); err != nil {
			return err
		}
	}
	return r.close()
}

// skip passes over the next value.
func (r *jsonReader) skip() error {
	depth := 0
	for {
		tok, err := r.dec.Token()
		if err != nil {
			return r.broken(err)
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

func kindOf(tok json.Token) string {
	switch v := tok.(type) {
	case json.Delim:
		return map[json.Delim]string{'[': "an array", '{': "an object", ']': "the array's end", '}': "the object's end"}[v]
	case string:
		return quoted([]byte(strconv.Quote(v)))
	case nil:
		return "null"
	}
	return fmt.Sprint(tok)
}

// quoted cuts raw JSON to a length that fits an error.
func quoted(raw []byte) string {
	if len(raw) > 60 {
		return string(raw[:60]) + "…"
	}
	return string(raw)
}

// The readers below take one field of an entry as raw, valid JSON. An absent field is empty.

func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// integer reads a whole number; 3.0 is one, as tools that pass ids through floats write it.
func integer(field string, raw json.RawMessage) (int64, error) {
	if absent(raw) {
		return 0, fmt.Errorf("%s is missing", field)
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return n, nil
	}
	if f, err := strconv.ParseFloat(string(raw), 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int64(f), nil
	}
	return 0, fmt.Errorf("%s is %s, want a whole number", field, quoted(raw))
}

// number reads a finite number.
func number(field string, raw json.RawMessage) (float64, error) {
	if absent(raw) {
		return 0, fmt.Errorf("%s is missing", field)
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return 0, fmt.Errorf("%s is %s, want a number", field, quoted(raw))
	}
	return f, nil
}

// flag reads 0, 1, false or true; absent is false.
func flag(field string, raw json.RawMessage) (bool, error) {
	switch string(raw) {
	case "", "null", "0", "false":
		return false, nil
	case "1", "true":
		return true, nil
	}
	return false, fmt.Errorf("%s is %s, want 0 or 1", field, quoted(raw))
}

// text reads a string.
func text(field string, raw json.RawMessage) (string, error) {
	if absent(raw) {
		return "", fmt.Errorf("%s is missing", field)
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", fmt.Errorf("%s is %s, want a string", field, quoted(raw))
	}
	return s, nil
}

// numbers reads an array of finite numbers.
func numbers(field string, raw json.RawMessage) ([]float64, error) {
	if absent(raw) {
		return nil, fmt.Errorf("%s is missing", field)
	}
	out := []float64{}
	err := elements(raw, func(i int, e []byte) error {
		f, err := strconv.ParseFloat(string(e), 64)
		if err != nil {
			return fmt.Errorf("%s[%d] is %s, want a number", field, i, quoted(e))
		}
		out = append(out, f)
		return nil
	})
	if errors.Is(err, errNoArray) {
		return nil, fmt.Errorf("%s is %s, want an array of numbers", field, quoted(raw))
	}
	return out, err
}

var errNoArray = errors.New("no array")

// elements calls f with each element of an array of numbers, which it cuts at the commas; another element (a string, an
// array) comes whole as far as its first comma, which is enough to refuse it.
func elements(raw []byte, f func(i int, e []byte) error) error {
	if len(raw) < 2 || raw[0] != '[' {
		return errNoArray
	}
	raw = bytes.TrimSpace(raw[1 : len(raw)-1])
	for i := 0; len(raw) > 0; i++ {
		e, rest, _ := bytes.Cut(raw, []byte(","))
		if err := f(i, bytes.TrimSpace(e)); err != nil {
			return err
		}
		raw = rest
	}
	return nil
}
