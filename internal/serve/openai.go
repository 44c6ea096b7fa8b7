package serve

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"time"

	"fovea"
	"fovea/model"
	"fovea/task"
)

// openAI is the language of OpenAI's API: chat, embeddings and the list of models.
var openAI = &surface{"openai", func(c *call, f *fault) { c.complain(f, map[string]openAIError{"error": openAIFault(f)}) }}

type openAIError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    string  `json:"code"`
}

func openAIFault(f *fault) openAIError {
	e := openAIError{Message: f.message, Type: f.kind(), Code: f.code}
	if f.param != "" {
		e.Param = &f.param
	}
	switch f.code {
	case "model.missing":
		e.Code = "model_not_found"
	case "request.token":
		e.Code = "invalid_api_key"
	}
	return e
}

func (s *Server) openAIRoutes() {
	s.on(http.MethodGet, "/v1/models", openAI, func(c *call) error {
		list := []openAIModel{}
		for _, m := range s.models {
			list = append(list, s.openAIModel(m))
		}
		return c.reply(http.StatusOK, map[string]any{"object": "list", "data": list})
	})
	s.on(http.MethodGet, "/v1/models/{model...}", openAI, func(c *call) error {
		m, err := s.model(c.r.PathValue("model"))
		if err != nil {
			return err
		}
		return c.reply(http.StatusOK, s.openAIModel(m))
	})
	s.post("/v1/chat/completions", openAI, (*call).openAIChat)
	s.post("/v1/embeddings", openAI, (*call).openAIEmbeddings)
}

type openAIModel struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func (s *Server) openAIModel(m *served) openAIModel {
	w := openAIModel{ID: m.name, Object: "model", OwnedBy: "fovea"}
	if m.loaded() == nil {
		w.Created = m.since.Unix()
	}
	return w
}

// openAIRequest are the fields of a chat that matter here, or that must not be nonsense.
type openAIRequest struct {
	Model         string          `json:"model"`
	Messages      []openAIMessage `json:"messages"`
	Stream        bool            `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	MaxTokens           *int        `json:"max_tokens"`
	MaxCompletionTokens *int        `json:"max_completion_tokens"`
	Stop                oneOrMore   `json:"stop"`
	N                   *int        `json:"n"`
	Temperature         *float64    `json:"temperature"`
	TopP                *float64    `json:"top_p"`
	Seed                json.Number `json:"seed"`
	ResponseFormat      *struct {
		Type       string `json:"type"`
		JSONSchema struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	} `json:"response_format"`
}

// openAIMessage is a message; its content is a text or a list of parts.
type openAIMessage struct {
	Role    string        `json:"role"`
	Content openAIContent `json:"content"`
}

type openAIContent struct {
	text   string
	images []string
}

// UnmarshalJSON takes null, a text, and parts of texts and pictures.
func (o *openAIContent) UnmarshalJSON(b []byte) error {
	if string(b) == "null" || json.Unmarshal(b, &o.text) == nil {
		return nil
	}
	var parts []struct {
		Type     string   `json:"type"`
		Text     string   `json:"text"`
		ImageURL imageURL `json:"image_url"`
	}
	if err := json.Unmarshal(b, &parts); err != nil {
		return bad("messages", "content is neither a text nor a list of parts")
	}
	var lines []string
	for _, p := range parts {
		switch p.Type {
		case "text", "input_text":
			lines = append(lines, p.Text)
		case "image_url", "input_image":
			o.images = append(o.images, string(p.ImageURL))
		default:
			return bad("messages", "parts of the type %.50q are not taken, only text and image_url", p.Type)
		}
	}
	o.text = strings.Join(lines, "\n")
	return nil
}

// imageURL is a URL, or an object with one.
type imageURL string

// UnmarshalJSON takes both.
func (u *imageURL) UnmarshalJSON(b []byte) error {
	var o struct {
		URL string `json:"url"`
	}
	if json.Unmarshal(b, (*string)(u)) == nil {
		return nil
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return bad("messages", "image_url is neither a text nor an object with a url")
	}
	*u = imageURL(o.URL)
	return nil
}

// oneOrMore is a text or a list of texts.
type oneOrMore []string

// UnmarshalJSON takes both, and null.
func (o *oneOrMore) UnmarshalJSON(b []byte) error {
	var one string
	if string(b) == "null" {
		return nil
	}
	if json.Unmarshal(b, &one) == nil {
		*o = oneOrMore{one}
		return nil
	}
	if json.Unmarshal(b, (*[]string)(o)) != nil {
		return bad("", "want a text or a list of texts")
	}
	return nil
}

// openAIChat answers a chat: the last question of the user, about the pictures that came with it or, if none did, about
// those of an earlier message.
func (c *call) openAIChat(body []byte) error {
	var q openAIRequest
	if err := decode(body, &q); err != nil {
		return err
	}
	m, err := c.s.model(q.Model)
	if err != nil {
		return err
	}
	ch, err := c.readOpenAI(&q, m.p.Card())
	if err != nil {
		return err
	}
	w := openAIWriter{c: c, id: "chatcmpl-" + token(), created: time.Now().Unix(), model: m.name, usage: q.StreamOptions.IncludeUsage}
	if q.Stream {
		return w.stream(ch)
	}
	r, err := c.answer(ch, nil)
	if err != nil {
		return err
	}
	return w.whole(r)
}

func (c *call) readOpenAI(q *openAIRequest, card model.Card) (*chat, error) {
	if len(q.Messages) == 0 {
		return nil, bad("messages", "messages is empty")
	}
	if q.N != nil && *q.N != 1 {
		return nil, bad("n", "n is %d, and there is only one answer: the most likely", *q.N)
	}
	if err := inRange("temperature", q.Temperature, 0, 2); err != nil {
		return nil, err
	}
	if err := inRange("top_p", q.TopP, 0, 1); err != nil {
		return nil, err
	}
	ch := &chat{model: q.Model}
	ch.draw(q.Temperature, q.TopP, q.Seed)
	var err error
	if ch.stop, err = checkStops(q.Stop); err != nil {
		return nil, err
	}
	param, most := "max_tokens", q.MaxTokens
	if q.MaxCompletionTokens != nil {
		param, most = "max_completion_tokens", q.MaxCompletionTokens
	}
	if ch.words, err = checkWords(param, most); err != nil {
		return nil, err
	}
	if f := q.ResponseFormat; f != nil {
		switch f.Type {
		case "text", "":
		case "json_object":
			ch.form = &form{param: "response_format"}
		case "json_schema":
			if ch.form, err = readForm("response_format", f.JSONSchema.Schema); err != nil {
				return nil, err
			}
		default:
			return nil, bad("response_format", "there is no response_format %.50q", f.Type)
		}
	}
	said := make([]message, len(q.Messages))
	for i, m := range q.Messages {
		said[i] = message{m.Role, m.Content.text, m.Content.images}
	}
	refs, asked, err := ch.converse(said, &card)
	switch {
	case err != nil:
		return nil, err
	case !asked:
		return nil, bad("messages", "no message is of the user")
	}
	ch.pictures, err = c.picturesOf(refs)
	return ch, err
}

// openAIWriter writes one answer.
type openAIWriter struct {
	c       *call
	id      string
	created int64
	model   string
	usage   bool // at the end of a stream
}

type openAIUsage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

func usageOf(r *chatReply) openAIUsage {
	return openAIUsage{r.prompt, r.answer, r.prompt + r.answer}
}

// finishReason is why an answer ends.
func finishReason(r *chatReply) string {
	if r.cut {
		return "length"
	}
	return "stop"
}

func (w *openAIWriter) whole(r *chatReply) error {
	return w.c.reply(http.StatusOK, map[string]any{
		"id": w.id, "object": "chat.completion", "created": w.created, "model": w.model, "usage": usageOf(r),
		"choices": []any{map[string]any{"index": 0, "message": map[string]any{"role": "assistant", "content": r.text, "refusal": nil}, "logprobs": nil, "finish_reason": finishReason(r)}},
	})
}

// stream sends the answer in chunks. The first goes out with the first word, so that a request that fails before gets an
// error rather than a stream.
func (w *openAIWriter) stream(ch *chat) error {
	begin := func() error {
		if w.c.status != 0 {
			return nil
		}
		w.c.events()
		return w.chunk(map[string]any{"role": "assistant", "content": ""}, nil)
	}
	r, err := w.c.answer(ch, func(piece string) error {
		if err := begin(); err != nil {
			return err
		}
		return w.chunk(map[string]any{"content": piece}, nil)
	})
	if err != nil {
		if w.c.status == 0 || faultOf(err).status == statusGone {
			return err
		}
		f := faultOf(err)
		w.c.code = f.code
		return w.c.event("", map[string]openAIError{"error": openAIFault(f)})
	}
	if err := begin(); err != nil {
		return err
	}
	if err := w.chunk(map[string]any{}, finishReason(r)); err != nil {
		return err
	}
	if w.usage {
		v := w.head()
		v["choices"], v["usage"] = []any{}, usageOf(r)
		if err := w.c.event("", v); err != nil {
			return err
		}
	}
	return w.c.rawEvent("", []byte("[DONE]"))
}

func (w *openAIWriter) head() map[string]any {
	return map[string]any{"id": w.id, "object": "chat.completion.chunk", "created": w.created, "model": w.model}
}

func (w *openAIWriter) chunk(delta map[string]any, finish any) error {
	v := w.head()
	v["choices"] = []any{map[string]any{"index": 0, "delta": delta, "logprobs": nil, "finish_reason": finish}}
	if w.usage {
		v["usage"] = nil
	}
	return w.c.event("", v)
}

// token is a random name.
func token() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// openAIEmbeddings places texts and pictures in one space. A picture is a data URL among the texts, or {"image": …}.
func (c *call) openAIEmbeddings(body []byte) error {
	var q struct {
		Model          string          `json:"model"`
		Input          json.RawMessage `json:"input"`
		EncodingFormat string          `json:"encoding_format"`
		Dimensions     *int            `json:"dimensions"`
	}
	if err := decode(body, &q); err != nil {
		return err
	}
	m, err := c.s.model(q.Model)
	if err != nil {
		return err
	}
	c.model = m.name
	if q.Dimensions != nil && *q.Dimensions != m.p.Card().Embed {
		return bad("dimensions", "vectors of the model %q have %d numbers", m.name, m.p.Card().Embed)
	}
	if q.EncodingFormat != "" && q.EncodingFormat != "float" && q.EncodingFormat != "base64" {
		return bad("encoding_format", "there is no encoding_format %.50q, want float or base64", q.EncodingFormat)
	}
	inputs, err := embedInputs(q.Input)
	if err != nil {
		return err
	}
	vectors, words, err := c.embedAll(m, inputs)
	if err != nil {
		return err
	}
	data := []any{}
	for i, v := range vectors {
		var e any = v
		if q.EncodingFormat == "base64" {
			e = floatBytes(v)
		}
		data = append(data, map[string]any{"object": "embedding", "index": i, "embedding": e})
	}
	return c.reply(http.StatusOK, map[string]any{"object": "list", "model": m.name, "data": data, "usage": map[string]int{"prompt_tokens": words, "total_tokens": words}})
}

// embedInput is a text or a reference to a picture.
type embedInput struct{ text, image string }

// UnmarshalJSON takes a text, {"text": …}, {"image": …} and {"image_url": …}.
func (e *embedInput) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &e.text) == nil {
		if strings.HasPrefix(e.text, "data:image/") {
			e.text, e.image = "", e.text
		}
		return nil
	}
	var o struct {
		Text     string   `json:"text"`
		Image    string   `json:"image"`
		ImageURL imageURL `json:"image_url"`
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return bad("input", "input holds something else than texts and pictures")
	}
	e.text, e.image = o.Text, o.Image+string(o.ImageURL)
	return nil
}

func embedInputs(raw json.RawMessage) ([]embedInput, error) {
	var one embedInput
	var list []embedInput
	switch {
	case len(raw) == 0:
		return nil, bad("input", "input is missing")
	case raw[0] == '[':
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, bad("input", "input holds something else than texts and pictures")
		}
	default:
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, bad("input", "input is neither a text nor a list")
		}
		list = append(list, one)
	}
	if len(list) == 0 || len(list) > maxTexts {
		return nil, bad("input", "input holds %d entries, want 1 … %d", len(list), maxTexts)
	}
	return list, nil
}

// embedAll embeds texts and pictures in their order.
func (c *call) embedAll(m *served, inputs []embedInput) (vectors [][]float32, words int, err error) {
	ctx := c.r.Context()
	var refs, texts []string
	for _, e := range inputs {
		if e.image != "" {
			refs = append(refs, e.image)
		} else {
			texts = append(texts, e.text)
			words += len(task.Split(e.text))
		}
	}
	pictures, err := c.picturesOf(refs)
	if err != nil {
		return nil, 0, err
	}
	var ofTexts, ofPictures [][]float32
	err = c.s.embedTexts(ctx, m.name, texts, func(_ *served, _ string, v []float32, _ time.Duration) { ofTexts = append(ofTexts, v) })
	if err != nil {
		return nil, 0, err
	}
	if len(pictures) > 0 {
		results, errs, err := c.s.ask(ctx, &question{model: m.name, pictures: pictures, req: fovea.Request{Tasks: task.SetOf(task.Match)}})
		if err != nil {
			return nil, 0, err
		}
		for i, r := range results {
			if errs[i] != nil {
				return nil, 0, errs[i]
			}
			ofPictures = append(ofPictures, r.Vector)
		}
	}
	for _, e := range inputs {
		from := &ofTexts
		if e.image != "" {
			from = &ofPictures
		}
		vectors = append(vectors, (*from)[0])
		*from = (*from)[1:]
	}
	return vectors, words, nil
}

// floatBytes are numbers as clients unpack them from base64: four bytes each, the lowest first.
func floatBytes(v []float32) string {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(b)
}
