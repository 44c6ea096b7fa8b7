package serve

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"fovea/task"
)

// ollama is the language of Ollama's API. Models cannot be pulled or deleted through it: the server offers what it was
// started with.
var ollama = &surface{"ollama", func(c *call, f *fault) { c.complain(f, map[string]string{"error": f.message}) }}

func (s *Server) ollamaRoutes() {
	get := func(path string, v func() any) {
		s.on(http.MethodGet, path, ollama, func(c *call) error { return c.reply(http.StatusOK, v()) })
	}
	get("/api/version", func() any { return map[string]string{"version": s.cfg.Version} })
	get("/api/tags", func() any { return map[string]any{"models": s.ollamaModels(false)} })
	get("/api/ps", func() any { return map[string]any{"models": s.ollamaModels(true)} })
	s.post("/api/show", ollama, (*call).ollamaShow)
	s.post("/api/chat", ollama, (*call).ollamaChat)
	s.post("/api/generate", ollama, (*call).ollamaGenerate)
	s.post("/api/embed", ollama, (*call).ollamaEmbed)
	s.post("/api/pull", ollama, (*call).ollamaPull)
	s.on(http.MethodDelete, "/api/delete", ollama, (*call).ollamaDelete)
}

type ollamaDetails struct {
	ParentModel       string   `json:"parent_model"`
	Format            string   `json:"format"`
	Family            string   `json:"family"`
	Families          []string `json:"families"`
	ParameterSize     string   `json:"parameter_size"`
	QuantizationLevel string   `json:"quantization_level"`
}

type ollamaModel struct {
	Name       string        `json:"name"`
	Model      string        `json:"model"`
	ModifiedAt time.Time     `json:"modified_at"`
	Size       int64         `json:"size"`
	Digest     string        `json:"digest"`
	Details    ollamaDetails `json:"details"`
	ExpiresAt  *time.Time    `json:"expires_at,omitempty"`
	SizeVRAM   *int64        `json:"size_vram,omitempty"`
}

// never is when models that stay in memory expire.
var never = time.Date(2318, 1, 1, 0, 0, 0, 0, time.UTC)

func (s *Server) ollamaModels(running bool) []ollamaModel {
	out := []ollamaModel{}
	for _, m := range s.models {
		if m.loaded() != nil {
			continue
		}
		w := ollamaModel{Name: m.name + ":latest", Model: m.name + ":latest", ModifiedAt: m.since.UTC(), Size: 4 * int64(m.p.Card().Parameters), Digest: digestOf(m.name), Details: m.ollamaDetails()}
		if running {
			w.ExpiresAt, w.SizeVRAM = &never, new(int64)
		}
		out = append(out, w)
	}
	return out
}

func (m *served) ollamaDetails() ollamaDetails {
	c := m.p.Card()
	return ollamaDetails{Format: "safetensors", Family: c.Family, Families: []string{c.Family}, ParameterSize: millions(c.Parameters), QuantizationLevel: "F32"}
}

// ollamaNamed is a request that is about a model; older clients say name.
type ollamaNamed struct {
	Model  string `json:"model"`
	Name   string `json:"name"`
	Stream *bool  `json:"stream"`
}

func (q *ollamaNamed) model() string {
	if q.Model == "" {
		return q.Name
	}
	return q.Model
}

func (c *call) ollamaShow(body []byte) error {
	var q ollamaNamed
	if err := decode(body, &q); err != nil {
		return err
	}
	m, err := c.s.model(q.model())
	if err != nil {
		return err
	}
	card := m.p.Card()
	capabilities := []string{"completion", "vision"}
	if card.Tasks.Has(task.Match) {
		capabilities = append(capabilities, "embedding")
	}
	return c.reply(http.StatusOK, map[string]any{
		"modelfile": "", "parameters": "", "template": "", "details": m.ollamaDetails(), "modified_at": m.since.UTC(), "capabilities": capabilities,
		"model_info": map[string]any{"general.architecture": card.Family, "general.parameter_count": card.Parameters, card.Family + ".vision.image_size": card.Size,
			card.Family + ".embedding_length": card.Embed},
	})
}

// ollamaOptions are those options that matter here, or that must not be nonsense.
type ollamaOptions struct {
	NumPredict  *int        `json:"num_predict"`
	Stop        oneOrMore   `json:"stop"`
	Temperature *float64    `json:"temperature"`
	TopP        *float64    `json:"top_p"`
	Seed        json.Number `json:"seed"`
}

// apply sets what the options ask for. A negative num_predict means no limit.
func (o *ollamaOptions) apply(ch *chat) (err error) {
	if err := inRange("temperature", o.Temperature, 0, 100); err != nil {
		return err
	}
	if err := inRange("top_p", o.TopP, 0, 1); err != nil {
		return err
	}
	ch.draw(o.Temperature, o.TopP, o.Seed)
	if ch.stop, err = checkStops(o.Stop); err != nil {
		return err
	}
	if n := o.NumPredict; n != nil && *n != -1 && *n != -2 {
		ch.words, err = checkWords("num_predict", n)
	}
	return err
}

// ollamaForm reads format: nothing, "json", or a schema.
func ollamaForm(raw json.RawMessage) (*form, error) {
	switch string(raw) {
	case "", "null", `""`:
		return nil, nil
	case `"json"`:
		return &form{param: "format"}, nil
	}
	return readForm("format", raw)
}

type ollamaMessage struct {
	Role    string   `json:"role"`
	Content string   `json:"content"`
	Images  []string `json:"images,omitempty"`
}

func (c *call) ollamaChat(body []byte) error {
	var q struct {
		Model    string          `json:"model"`
		Messages []ollamaMessage `json:"messages"`
		Stream   *bool           `json:"stream"`
		Format   json.RawMessage `json:"format"`
		Options  ollamaOptions   `json:"options"`
	}
	if err := decode(body, &q); err != nil {
		return err
	}
	m, err := c.s.model(q.Model)
	if err != nil {
		return err
	}
	ch, card := &chat{model: q.Model}, m.p.Card()
	said := make([]message, len(q.Messages))
	for i, m := range q.Messages {
		said[i] = message{m.Role, m.Content, m.Images}
	}
	refs, asked, err := ch.converse(said, &card)
	if err != nil {
		return err
	}
	w := &ollamaWriter{c: c, part: func(text string) map[string]any {
		return map[string]any{"message": ollamaMessage{Role: "assistant", Content: text}}
	}}
	return w.run(ch, refs, q.Stream, q.Format, &q.Options, !asked)
}

func (c *call) ollamaGenerate(body []byte) error {
	var q struct {
		Model   string          `json:"model"`
		Prompt  string          `json:"prompt"`
		Images  []string        `json:"images"`
		Stream  *bool           `json:"stream"`
		Format  json.RawMessage `json:"format"`
		Options ollamaOptions   `json:"options"`
	}
	if err := decode(body, &q); err != nil {
		return err
	}
	w := &ollamaWriter{c: c, part: func(text string) map[string]any { return map[string]any{"response": text} }}
	return w.run(&chat{model: q.Model, prompt: q.Prompt}, q.Images, q.Stream, q.Format, &q.Options, q.Prompt == "" && len(q.Images) == 0)
}

// ollamaWriter writes one answer, whole or line by line.
type ollamaWriter struct {
	c     *call
	model string
	part  func(text string) map[string]any
}

// run answers a chat. Nothing asked means: load the model, which is done.
func (w *ollamaWriter) run(ch *chat, refs []string, stream *bool, format json.RawMessage, o *ollamaOptions, nothing bool) error {
	m, err := w.c.s.model(ch.model)
	if err != nil {
		return err
	}
	w.model = ch.model
	if w.model == "" {
		w.model = m.name
	}
	if nothing {
		v := w.head("", true)
		v["done_reason"] = "load"
		return w.c.reply(http.StatusOK, v)
	}
	if err := o.apply(ch); err != nil {
		return err
	}
	if ch.form, err = ollamaForm(format); err != nil {
		return err
	}
	if ch.pictures, err = w.c.picturesOf(refs); err != nil {
		return err
	}
	begun := time.Now()
	if stream != nil && !*stream {
		r, err := w.c.answer(ch, nil)
		if err != nil {
			return err
		}
		return w.c.reply(http.StatusOK, w.last(r, r.text, begun))
	}
	r, err := w.c.answer(ch, func(piece string) error {
		w.begin()
		return w.c.line(w.head(piece, false))
	})
	if err != nil {
		if w.c.status == 0 || faultOf(err).status == statusGone {
			return err
		}
		f := faultOf(err)
		w.c.code = f.code
		return w.c.line(map[string]string{"error": f.message})
	}
	w.begin()
	return w.c.line(w.last(r, "", begun))
}

func (w *ollamaWriter) begin() {
	if w.c.status == 0 {
		w.c.Header().Set("Content-Type", "application/x-ndjson")
		w.c.Header().Set("X-Accel-Buffering", "no")
	}
}

func (w *ollamaWriter) head(text string, done bool) map[string]any {
	v := w.part(text)
	v["model"], v["created_at"], v["done"] = w.model, time.Now().UTC(), done
	return v
}

// last ends an answer with why it ended and what it took, in nanoseconds.
func (w *ollamaWriter) last(r *chatReply, text string, begun time.Time) map[string]any {
	v := w.head(text, true)
	now := time.Now()
	v["done_reason"] = finishReason(r)
	v["total_duration"], v["load_duration"] = now.Sub(w.c.start).Nanoseconds(), 0
	v["prompt_eval_count"], v["prompt_eval_duration"] = r.prompt, begun.Sub(w.c.start).Nanoseconds()
	v["eval_count"], v["eval_duration"] = r.answer, now.Sub(begun).Nanoseconds()
	return v
}

func (c *call) ollamaEmbed(body []byte) error {
	var q struct {
		Model string          `json:"model"`
		Input json.RawMessage `json:"input"`
	}
	if err := decode(body, &q); err != nil {
		return err
	}
	m, err := c.s.model(q.Model)
	if err != nil {
		return err
	}
	inputs, err := embedInputs(q.Input)
	if err != nil {
		return err
	}
	vectors, words, err := c.embedAll(m, inputs)
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, map[string]any{"model": q.Model, "embeddings": vectors, "total_duration": time.Since(c.start).Nanoseconds(), "load_duration": 0, "prompt_eval_count": words})
}

// ollamaPull finds that a model which is on offer has been pulled; others are none of this server's business.
func (c *call) ollamaPull(body []byte) error {
	var q ollamaNamed
	if err := decode(body, &q); err != nil {
		return err
	}
	m, err := c.s.model(q.model())
	if err != nil {
		return err
	}
	if q.Stream != nil && !*q.Stream {
		return c.reply(http.StatusOK, map[string]string{"status": "success"})
	}
	c.Header().Set("Content-Type", "application/x-ndjson")
	size := 4 * int64(m.p.Card().Parameters)
	for _, v := range []any{map[string]string{"status": "pulling manifest"},
		map[string]any{"status": "pulling " + m.name, "digest": digestOf(m.name), "total": size, "completed": size}, map[string]string{"status": "success"}} {
		if err := c.line(v); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) ollamaDelete() error {
	body, err := io.ReadAll(http.MaxBytesReader(c, c.r.Body, 1<<16))
	if err != nil {
		return err
	}
	var q ollamaNamed
	if err := decode(body, &q); err != nil {
		return err
	}
	if _, err := c.s.model(q.model()); err != nil {
		return err
	}
	return faulty(http.StatusForbidden, "request.method", "models are not deleted over HTTP; end the server and delete the folder")
}
