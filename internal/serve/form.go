package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// readNative reads a request in any of its shapes: a JSON object, a form with files, or the bytes of a picture with the
// fields in the URL.
func (c *call) readNative(body []byte) (*nativeRequest, error) {
	q := &nativeRequest{}
	if err := q.set(c.r.URL.Query()); err != nil {
		return nil, err
	}
	kind, params, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	switch {
	case kind == "multipart/form-data":
		return q, q.readForm(body, params["boundary"])
	case kind == "application/json" || bytes.HasPrefix(bytes.TrimLeft(body[:min(len(body), 64)], " \t\r\n"), []byte("{")):
		return q, decode(body, q)
	case len(body) == 0:
		if q.Text == "" && len(q.Texts) == 0 && q.Image == "" {
			return nil, faulty(http.StatusBadRequest, "image.empty", "the body is empty; send a picture's bytes, a form or a JSON object")
		}
		return q, nil
	}
	q.files = append(q.files, file{"body", body})
	return q, nil
}

// maxParts bounds the fields of a form.
const maxParts = 256

// readForm reads multipart/form-data: parts with a file's name are pictures, others are fields.
func (q *nativeRequest) readForm(body []byte, boundary string) error {
	malformed := func(err error) error {
		return faulty(http.StatusBadRequest, "request.form", "the form is malformed: %v", err)
	}
	if boundary == "" {
		return malformed(errors.New("its Content-Type has no boundary"))
	}
	fields := url.Values{}
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for n := 0; ; n++ {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return malformed(err)
		}
		if n == maxParts {
			return malformed(errors.New("it has more than " + strconv.Itoa(maxParts) + " fields"))
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return malformed(err)
		}
		if name := part.FileName(); name != "" {
			q.files = append(q.files, file{name, data})
			if err := checkCount(len(q.files)); err != nil {
				return err
			}
			continue
		}
		fields.Add(part.FormName(), string(data))
	}
	return q.set(fields)
}

// set sets the fields that a form or a URL names; unknown ones are ignored.
func (q *nativeRequest) set(v url.Values) error {
	for key, list := range v {
		last := list[len(list)-1]
		var err error
		switch key {
		case "model":
			q.Model = last
		case "image":
			q.Image = last
		case "images":
			q.Images = list
		case "labels":
			q.Labels = commas(strings.Join(list, ","))
		case "query":
			q.Query = commas(strings.Join(list, ","))
		case "question":
			q.Question, q.Questions = "", list
		case "questions":
			q.Questions = list
		case "text", "texts":
			q.Texts = append(q.Texts, list...)
		case "threshold":
			var t float64
			t, err = strconv.ParseFloat(last, 64)
			q.Threshold = &t
		case "overlap":
			q.Overlap, err = strconv.ParseFloat(last, 64)
		case "top":
			q.Top, err = strconv.Atoi(last)
		case "max":
			q.Max, err = strconv.Atoi(last)
		case "semantic":
			q.Semantic, err = strconv.ParseBool(last)
		case "panoptic":
			q.Panoptic, err = strconv.ParseBool(last)
		case "stuff":
			q.Stuff = commas(strings.Join(list, ","))
		case "temperature":
			q.Temperature, err = strconv.ParseFloat(last, 64)
		case "top_p":
			q.TopP, err = strconv.ParseFloat(last, 64)
		case "seed":
			q.Seed, err = strconv.ParseUint(last, 10, 64)
		case "beams":
			q.Beams, err = strconv.Atoi(last)
		case "max_tokens":
			q.MaxTokens, err = strconv.Atoi(last)
		case "schema":
			q.Schema = json.RawMessage(last)
		case "polygons":
			q.Polygons, err = strconv.ParseBool(last)
		case "stream":
			q.Stream, err = strconv.ParseBool(last)
		case "together":
			q.Together, err = strconv.ParseBool(last)
		}
		if err != nil {
			return bad(key, "%s is %.100q: %v", key, last, errors.Unwrap(err))
		}
	}
	return nil
}
