package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
)

// decode reads a JSON object. Unknown fields are ignored; wrong types name their field.
func decode(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	err := d.Decode(v)
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &typ) && typ.Field != "":
		f := bad("", "the field %q holds a %s, want %s", typ.Field, typ.Value, kindOf(typ.Type))
		f.param = typ.Field
		return f
	case errors.Is(err, io.EOF):
		return faulty(http.StatusBadRequest, "request.json", "the body is empty, want a JSON object")
	case err != nil:
		var f *fault
		if errors.As(err, &f) {
			return f
		}
		return faulty(http.StatusBadRequest, "request.json", "the body is no valid JSON: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return faulty(http.StatusBadRequest, "request.json", "the body goes on after the JSON object")
	}
	return nil
}

// kindOf is what a field holds, as clients know it.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number, and none that is too large"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a whole number, and none that is too large"
}

// encode is JSON without escapes for HTML, which would blow up run lengths, and without a line's end.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// reply writes an answer of JSON.
func (c *call) reply(status int, v any) error {
	b, err := encode(v)
	if err != nil {
		return err
	}
	c.Header().Set("Content-Type", "application/json")
	c.WriteHeader(status)
	_, err = c.Write(append(b, '\n'))
	return gone(err)
}

// complain is reply for faults, which have nowhere left to go.
func (c *call) complain(f *fault, v any) { _ = c.reply(f.status, v) }

// text writes an answer of plain text.
func (c *call) text(status int, s string) error {
	c.Header().Set("Content-Type", "text/plain; charset=utf-8")
	c.WriteHeader(status)
	_, err := io.WriteString(c, s)
	return gone(err)
}

// events begins a stream of server-sent events.
func (c *call) events() {
	c.Header().Set("Content-Type", "text/event-stream")
	c.Header().Set("Cache-Control", "no-store")
	c.Header().Set("X-Accel-Buffering", "no") // proxies like to collect
}

// event sends one event of a stream; name is "" for most surfaces.
func (c *call) event(name string, v any) error {
	b, err := encode(v)
	if err != nil {
		return err
	}
	return c.rawEvent(name, b)
}

func (c *call) rawEvent(name string, data []byte) error {
	var line bytes.Buffer
	if name != "" {
		line.WriteString("event: " + name + "\n")
	}
	line.WriteString("data: ")
	line.Write(data)
	line.WriteString("\n\n")
	if _, err := c.Write(line.Bytes()); err != nil {
		return gone(err)
	}
	return gone(c.flush())
}

// line sends one line of a stream of JSON lines.
func (c *call) line(v any) error {
	b, err := encode(v)
	if err != nil {
		return err
	}
	if _, err := c.Write(append(b, '\n')); err != nil {
		return gone(err)
	}
	return gone(c.flush())
}

// gone sorts a failure to write: the client is no longer there.
func gone(err error) error {
	if err == nil || errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return &fault{status: statusGone, code: "client.gone", message: "the client has gone: " + err.Error()}
}
