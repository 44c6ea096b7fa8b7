package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"fovea"
	"fovea/task"
)

// native is the program's own language: results are those of the command line's --json.
var native = &surface{"native", func(c *call, f *fault) { c.complain(f, failedLine{Error: nativeError(f)}) }}

// failedLine is a picture, or a whole request, that failed.
type failedLine struct {
	Image string    `json:"image,omitempty"`
	Error codedWire `json:"error"`
}

type codedWire struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Param   string `json:"param,omitempty"`
}

func nativeError(f *fault) codedWire { return codedWire{f.code, f.message, f.param} }

// nativeTasks are the paths /v1/NAME and the tasks behind them.
var nativeTasks = map[string]task.Set{
	"classify": task.SetOf(task.Classify), "detect": task.SetOf(task.Detect), "segment": task.SetOf(task.Segment), "pose": task.SetOf(task.Pose),
	"ask": task.SetOf(task.Ask), "caption": task.SetOf(task.Caption), "embed": task.SetOf(task.Match), "look": fovea.Everything,
}

func (s *Server) nativeRoutes() {
	for name, set := range nativeTasks {
		s.post("/v1/"+name, native, func(c *call, body []byte) error { return c.native(set, body) })
	}
}

// nativeRequest are the fields of a request; which of them count depends on the task.
type nativeRequest struct {
	Model     string   `json:"model"`
	Image     string   `json:"image"`
	Images    []string `json:"images"`
	Labels    texts    `json:"labels"`
	Query     texts    `json:"query"`
	Question  string   `json:"question"`
	Questions []string `json:"questions"`
	Text      string   `json:"text"`
	Texts     []string `json:"texts"`
	Threshold *float64 `json:"threshold"`
	Overlap   float64  `json:"overlap"`
	Top       int      `json:"top"`
	Max       int      `json:"max"`
	Semantic  bool     `json:"semantic"`
	Panoptic  bool     `json:"panoptic"`
	Stuff     texts    `json:"stuff"`
	Polygons  bool     `json:"polygons"`
	Stream    bool     `json:"stream"`
	Together  bool     `json:"together"`

	// How models write that do so token by token.
	Temperature float64         `json:"temperature"`
	TopP        float64         `json:"top_p"`
	Seed        uint64          `json:"seed"`
	Beams       int             `json:"beams"`
	MaxTokens   int             `json:"max_tokens"`
	Schema      json.RawMessage `json:"schema"`

	files []file // pictures that came as bytes
}

// file is a picture as bytes.
type file struct {
	name string
	data []byte
}

// texts is a list, or a text with commas, as people write it in command lines.
type texts []string

// UnmarshalJSON takes both.
func (t *texts) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = commas(one)
		return nil
	}
	var list []string
	if err := json.Unmarshal(b, &list); err != nil {
		return bad("", "a list of labels holds something else than texts")
	}
	*t = list
	return nil
}

func commas(s string) (out []string) {
	for e := range strings.SplitSeq(s, ",") {
		if e = strings.TrimSpace(e); e != "" {
			out = append(out, e)
		}
	}
	return out
}

// native answers a request of the program's own language.
func (c *call) native(set task.Set, body []byte) error {
	q, err := c.readNative(body)
	if err != nil {
		return err
	}
	c.model = q.Model
	ask, err := c.nativeQuestion(set, q)
	if err != nil {
		return err
	}
	texts := q.Texts
	if q.Text != "" {
		texts = append([]string{q.Text}, texts...)
	}
	if !set.Has(task.Match) {
		texts = nil
	}
	if len(ask.pictures) == 0 && len(texts) == 0 {
		return bad("image", "there is no picture; send it as \"image\" in JSON, as a file of a form, or as the body")
	}
	if q.Stream {
		if len(ask.pictures) != 1 || set != task.SetOf(task.Ask) && set != task.SetOf(task.Caption) {
			return bad("stream", "only an answer or a caption of one picture can be streamed")
		}
		return c.nativeStream(ask)
	}
	lines, err := c.nativeTexts(q.Model, texts)
	if err != nil {
		return err
	}
	if len(ask.pictures) == 0 {
		return c.nativeLines(lines, nil)
	}
	results, errs, err := c.s.ask(c.r.Context(), ask)
	if err != nil {
		return err
	}
	var failed error
	for i, r := range results {
		if errs[i] != nil {
			failed = errs[i]
			lines = append(lines, failedLine{ask.pictures[i].name, nativeError(faultOf(failed))})
			continue
		}
		lines = append(lines, told{r})
	}
	return c.nativeLines(lines, failed)
}

// nativeLines answers with one object for one picture and with lines for several.
func (c *call) nativeLines(lines []any, failed error) error {
	if len(lines) == 1 {
		if failed != nil {
			return failed
		}
		return c.reply(http.StatusOK, lines[0])
	}
	c.Header().Set("Content-Type", "application/x-ndjson")
	c.WriteHeader(http.StatusOK)
	for _, l := range lines {
		if err := c.line(l); err != nil {
			return err
		}
	}
	return nil
}

// textLine is the vector of a text.
type textLine struct {
	Text   string    `json:"text"`
	Model  string    `json:"model"`
	Task   string    `json:"task"`
	MS     float64   `json:"ms"`
	Vector []float32 `json:"vector"`
}

// told is a result that says, beside what the command line prints, how it should be told to people.
type told struct{ *fovea.Result }

// MarshalJSON adds the doubts.
func (r told) MarshalJSON() ([]byte, error) {
	b, err := r.Result.MarshalJSON()
	if err != nil {
		return nil, err
	}
	doubts := map[string]fovea.Doubt{}
	if d := r.ClassDoubt(); len(r.Classes) > 0 && d != fovea.Sure {
		doubts["classes"] = d
	}
	if d := r.CaptionDoubt(); r.Caption != nil && d != fovea.Sure {
		doubts["caption"] = d
	}
	if len(doubts) == 0 {
		return b, nil
	}
	d, err := json.Marshal(doubts)
	return slices.Concat(bytes.TrimSuffix(b, []byte("}")), []byte(`,"doubt":`), d, []byte("}")), err
}

// nativeTexts embeds texts.
func (c *call) nativeTexts(model string, texts []string) (lines []any, err error) {
	err = c.s.embedTexts(c.r.Context(), model, texts, func(m *served, text string, v []float32, took time.Duration) {
		lines = append(lines, textLine{text, m.name, "embed", milliseconds(took), v})
	})
	return lines, err
}

func milliseconds(d time.Duration) float64 { return math.Round(float64(d.Microseconds())/100) / 10 }

// maxTexts bounds the texts of one request that asks for vectors.
const maxTexts = 256

// embedTexts embeds texts, one after the other.
func (s *Server) embedTexts(ctx context.Context, model string, texts []string, each func(m *served, text string, v []float32, took time.Duration)) error {
	if len(texts) == 0 {
		return nil
	}
	if len(texts) > maxTexts {
		return bad("texts", "%d texts in one request, at most %d are taken", len(texts), maxTexts)
	}
	m, err := s.model(model)
	if err != nil {
		return err
	}
	if err := s.enter(ctx, m, nil); err != nil { // all texts together cost less than a picture
		return err
	}
	defer m.queue.leave(nil)
	for _, t := range texts {
		start := time.Now()
		v, err := s.embedText(ctx, m, t)
		if err != nil {
			return err
		}
		each(m, t, v, time.Since(start))
	}
	return nil
}

// nativeStream sends the words of an answer as the model finds them, and then the result.
func (c *call) nativeStream(ask *question) error {
	m, err := c.s.model(ask.model)
	if err != nil {
		return err
	}
	d := deltas{verbatim: m.p.Card().Writes}
	ask.step = func(_ int, text string) error {
		if more := d.next(text); more != "" {
			if c.status == 0 {
				c.events()
			}
			return c.event("delta", map[string]string{"delta": more})
		}
		return nil
	}
	res, err := c.s.askSingle(c.r.Context(), ask)
	if err != nil {
		if c.status == 0 {
			return err
		}
		f := faultOf(err)
		c.code = f.code
		return c.event("error", failedLine{ask.pictures[0].name, nativeError(f)})
	}
	if c.status == 0 {
		c.events()
	}
	if more := d.rest(said(res)); more != "" {
		if err := c.event("delta", map[string]string{"delta": more}); err != nil {
			return err
		}
	}
	return c.event("result", told{res})
}

// nativeQuestion is what a request asks.
func (c *call) nativeQuestion(set task.Set, q *nativeRequest) (*question, error) {
	ask := &question{model: q.Model, req: fovea.Request{
		Tasks: set, Labels: q.Labels, Query: q.Query, Questions: q.Questions, Overlap: q.Overlap, Top: q.Top, Max: q.Max, Semantic: q.Semantic,
		Panoptic: q.Panoptic, Stuff: q.Stuff, Polygons: q.Polygons,
		Writing: fovea.Writing{Temperature: q.Temperature, TopP: q.TopP, Seed: q.Seed, Beams: q.Beams, MaxTokens: q.MaxTokens}}}
	if raw := string(q.Schema); raw != "" && raw != "null" {
		f, err := readForm("schema", q.Schema)
		if err != nil {
			return nil, err
		}
		if ask.req.Writing.Schema, err = c.s.schemas.schema(f); err != nil {
			return nil, err
		}
	}
	if q.Threshold != nil {
		ask.req.Threshold = threshold(*q.Threshold)
	}
	if q.Question != "" {
		ask.req.Questions = append([]string{q.Question}, q.Questions...)
	}
	if set == fovea.Everything {
		m, err := c.s.model(q.Model)
		if err != nil {
			return nil, err
		}
		ask.req.Tasks &= m.p.Card().Tasks
		ask.req.NoZoom = true // a look is quick; /v1/pose is exact
		if len(ask.req.Questions) > 0 {
			ask.req.Tasks |= task.SetOf(task.Ask)
		}
	}
	refs := q.Images
	if q.Image != "" {
		refs = append([]string{q.Image}, refs...)
	}
	if err := checkCount(len(refs) + len(q.files)); err != nil {
		return nil, err
	}
	for _, ref := range refs {
		p, err := c.s.ingest(c.r.Context(), ref)
		if err != nil {
			return nil, err
		}
		ask.pictures = append(ask.pictures, p)
	}
	for _, f := range q.files {
		p, err := c.s.ingestBytes(f.name, f.data)
		if err != nil {
			return nil, err
		}
		ask.pictures = append(ask.pictures, p)
	}
	if q.Together {
		return ask, c.together(set, ask)
	}
	return ask, nil
}

// together makes one question about all pictures of several.
func (c *call) together(set task.Set, ask *question) error {
	m, err := c.s.model(ask.model)
	switch {
	case err != nil:
		return err
	case set != task.SetOf(task.Ask):
		return bad("together", "only questions are about several pictures together")
	case !m.p.Card().Together:
		return bad("together", "the model %q answers about one picture at a time; without \"together\" each is asked about by itself", m.name)
	}
	if len(ask.pictures) > 1 {
		ask.pictures = []*picture{gather(ask.pictures)}
	}
	return nil
}

// threshold is the one that a client asks for: a request's 0 means the default, a client's means everything.
func threshold(t float64) float64 {
	if t == 0 {
		return 1e-9
	}
	return t
}
