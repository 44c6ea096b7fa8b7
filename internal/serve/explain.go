package serve

import (
	"context"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"fovea"
	"fovea/annotation"
	"fovea/task"
)

// explainRequest are the fields of /v1/explain beside those that all tasks take.
type explainRequest struct {
	Task   string    `json:"task"`
	Target string    `json:"target"`
	Box    []float64 `json:"box"`
	AUC    bool      `json:"auc"`
}

// explain answers which regions of a picture an answer rests on.
func (c *call) explain(body []byte) error {
	q, err := c.readNative(body)
	if err != nil {
		return err
	}
	c.model = q.Model
	e, err := c.readExplain(body)
	if err != nil {
		return err
	}
	ask := fovea.ExplainRequest{Question: q.Question, Label: e.Target, AUC: e.AUC}
	if len(q.Questions) > 0 && ask.Question == "" {
		ask.Question = q.Questions[0]
	}
	if ask.Label == "" && len(q.Query) > 0 {
		ask.Label = q.Query[0]
	}
	if e.Task == "" {
		e.Task = "classify"
		if ask.Question != "" {
			e.Task = "ask"
		} else if ask.Label != "" {
			e.Task = "detect"
		}
	}
	if ask.Task, err = task.Parse(e.Task); err != nil {
		return bad("task", "the task %.50q cannot be explained; classify, detect, ask and caption can", e.Task)
	}
	if len(e.Box) != 0 {
		if len(e.Box) != 4 {
			return bad("box", "the box has %d numbers, want x0, y0, x1, y1 in pixels", len(e.Box))
		}
		ask.Box = annotation.Box{X0: e.Box[0], Y0: e.Box[1], X1: e.Box[2], Y1: e.Box[3]}
	}
	pics, err := c.nativeQuestion(task.SetOf(task.Classify), q)
	if err != nil {
		return err
	}
	if len(pics.pictures) != 1 {
		return bad("image", "%d pictures, and one at a time is explained", len(pics.pictures))
	}
	res, err := c.s.explain(c.r.Context(), pics, ask)
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, res)
}

// readExplain reads the fields of its own from the URL, and from a body of JSON or a form.
func (c *call) readExplain(body []byte) (*explainRequest, error) {
	e := &explainRequest{}
	kind, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if kind == "application/json" || kind != "multipart/form-data" && strings.HasPrefix(strings.TrimLeft(string(body[:min(len(body), 64)]), " \t\r\n"), "{") {
		if err := json.Unmarshal(body, e); err != nil {
			return nil, bad("box", "task and target are texts, box is a list of numbers, auc is true or false")
		}
	}
	v := c.r.URL.Query()
	if t := v.Get("task"); t != "" {
		e.Task = t
	}
	if t := v.Get("target"); t != "" {
		e.Target = t
	}
	if t := v.Get("auc"); t != "" {
		on, err := strconv.ParseBool(t)
		if err != nil {
			return nil, bad("auc", "auc is %.50q, want true or false", t)
		}
		e.AUC = on
	}
	if b := v.Get("box"); b != "" {
		e.Box = nil
		for part := range strings.SplitSeq(b, ",") {
			x, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
			if err != nil {
				return nil, bad("box", "the box %.100q is not x0,y0,x1,y1", b)
			}
			e.Box = append(e.Box, x)
		}
	}
	return e, nil
}

// explain puts a request about a question's picture to a model when its turn comes. What the question says beside is checked,
// although an explanation makes no use of it: it is not what the client meant.
func (s *Server) explain(ctx context.Context, of *question, q fovea.ExplainRequest) (res *fovea.Explanation, err error) {
	m, err := s.model(of.model)
	if err != nil {
		return nil, err
	}
	if err := m.p.Check(of.req); err != nil {
		return nil, err
	}
	pic := of.pictures[0]
	if err := s.enter(ctx, m, nil); err != nil {
		return nil, err
	}
	defer m.queue.leave(nil)
	err = m.queue.do(&job{ctx: ctx, run: func(ctx context.Context, _ *fovea.Encoded) (err error) {
		img, err := pic.decode(s.limits)
		if err != nil {
			return err
		}
		q.Image, q.Path = img, pic.name
		res, err = m.p.Explain(ctx, q)
		return err
	}})
	return res, err
}
