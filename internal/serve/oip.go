package serve

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"fovea"
	"fovea/task"
)

// oip is the Open Inference Protocol, version 2, which KServe and Triton speak, with Triton's extension for binary tensors.
var oip = &surface{"oip", func(c *call, f *fault) { c.complain(f, map[string]string{"error": f.message}) }}

// oipTensor is a tensor in JSON.
type oipTensor struct {
	Name       string          `json:"name"`
	Shape      []int64         `json:"shape"`
	Datatype   string          `json:"datatype"`
	Parameters oipParameters   `json:"parameters,omitzero"`
	Data       json.RawMessage `json:"data,omitempty"`
}

// oipParameters are those of tensors.
type oipParameters struct {
	BinaryDataSize *int  `json:"binary_data_size,omitempty"`
	BinaryData     *bool `json:"binary_data,omitempty"`
}

// oipRequest is a request, whether it came over HTTP or gRPC.
type oipRequest struct {
	ID         string      `json:"id"`
	Inputs     []oipTensor `json:"inputs"`
	Outputs    []oipTensor `json:"outputs"`
	Parameters struct {
		BinaryDataOutput bool     `json:"binary_data_output"`
		Task             string   `json:"task"`
		Threshold        *float64 `json:"threshold"`
	} `json:"parameters"`
}

// The tensors of every model. What text means depends on the task: labels, things to look for, or questions.
var (
	oipInputs = []oipTensor{
		{Name: "image", Datatype: "BYTES", Shape: []int64{-1}}, {Name: "task", Datatype: "BYTES", Shape: []int64{1}},
		{Name: "text", Datatype: "BYTES", Shape: []int64{-1}}, {Name: "threshold", Datatype: "FP32", Shape: []int64{1}},
	}
	oipOutputs = []oipTensor{
		{Name: "result", Datatype: "BYTES", Shape: []int64{-1}}, {Name: "boxes", Datatype: "FP32", Shape: []int64{-1, 4}}, {Name: "scores", Datatype: "FP32", Shape: []int64{-1}},
		{Name: "labels", Datatype: "BYTES", Shape: []int64{-1}}, {Name: "joints", Datatype: "FP32", Shape: []int64{-1, -1, 3}}, {Name: "answers", Datatype: "BYTES", Shape: []int64{-1}},
		{Name: "vector", Datatype: "FP32", Shape: []int64{-1, -1}},
	}
)

func (s *Server) oipRoutes() {
	health := func(path string, check func() error) {
		s.add(http.MethodGet, path, route{surface: oip, public: true, handle: func(c *call) error {
			if err := check(); err != nil {
				return err
			}
			return c.reply(http.StatusOK, struct{}{})
		}})
	}
	health("/v2/health/live", func() error { return nil })
	health("/v2/health/ready", s.isReady)
	s.on(http.MethodGet, "/v2", oip, func(c *call) error {
		return c.reply(http.StatusOK, map[string]any{"name": "fovea", "version": s.cfg.Version, "extensions": []string{"binary_tensor_data"}})
	})
	s.on(http.MethodPost, "/v2/repository/index", oip, func(c *call) error {
		list := []any{}
		for _, m := range s.models {
			list = append(list, map[string]string{"name": m.name, "version": oipVersion, "state": m.oipState()})
		}
		return c.reply(http.StatusOK, list)
	})
	for _, base := range []string{"/v2/models/{model}", "/v2/models/{model}/versions/{version}"} {
		s.on(http.MethodGet, base, oip, (*call).oipMetadata)
		s.on(http.MethodGet, base+"/ready", oip, func(c *call) error {
			if _, err := c.oipModel(); err != nil {
				return err
			}
			return c.reply(http.StatusOK, struct{}{})
		})
		s.post(base+"/infer", oip, (*call).oipInfer)
	}
}

// oipVersion is the one version that every model has.
const oipVersion = "1"

// oipState is what Triton's list of models calls the model's state.
func (m *served) oipState() string {
	if m.loaded() != nil {
		return "LOADING"
	}
	return "READY"
}

func (s *Server) oipModel(name, version string) (*served, error) {
	if version != "" && version != oipVersion {
		return nil, faulty(http.StatusNotFound, "model.missing", "the model %.100q has no version %.20q, only %s", name, version, oipVersion)
	}
	return s.model(name)
}

func (c *call) oipModel() (*served, error) {
	return c.s.oipModel(c.r.PathValue("model"), c.r.PathValue("version"))
}

func (c *call) oipMetadata() error {
	m, err := c.oipModel()
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, map[string]any{"name": m.name, "versions": []string{oipVersion}, "platform": "fovea", "inputs": oipInputs, "outputs": oipOutputs})
}

// oipInfer answers one request about one or more pictures.
func (c *call) oipInfer(body []byte) error {
	m, err := c.oipModel()
	if err != nil {
		return err
	}
	c.model = m.name
	q, tensors, err := c.oipRead(body)
	if err != nil {
		return err
	}
	outputs, err := c.s.oipAnswer(c.r.Context(), m, q, tensors)
	if err != nil {
		return err
	}
	return c.oipWrite(m, q, outputs)
}

// oipAnswer is what a model answers to a request and its tensors: the outputs that the request names, or all.
func (s *Server) oipAnswer(ctx context.Context, m *served, q *oipRequest, tensors map[string]*tensor) ([]oipOutput, error) {
	ask, err := s.oipQuestion(ctx, m, q, tensors)
	if err != nil {
		return nil, err
	}
	results, errs, err := s.ask(ctx, ask)
	if err != nil {
		return nil, err
	}
	for i := range results {
		if errs[i] != nil {
			return nil, errs[i]
		}
	}
	all, err := oipResults(ask.req.Tasks, results)
	if err != nil {
		return nil, err
	}
	return q.choose(all)
}

// oipQuestion is what the tensors of a request ask.
func (s *Server) oipQuestion(ctx context.Context, m *served, q *oipRequest, tensors map[string]*tensor) (*question, error) {
	ask := &question{model: m.name}
	name := q.Parameters.Task
	if t := tensors["task"]; t != nil {
		if len(t.texts) != 1 {
			return nil, bad("task", "the input task holds %d texts, want 1", len(t.texts))
		}
		name = string(t.texts[0])
	}
	if name == "" {
		name = "detect"
	}
	set, ok := nativeTasks[name]
	if !ok || name == "look" {
		return nil, bad("task", "there is no task %.50q", name)
	}
	ask.req = fovea.Request{Tasks: set}
	if v := q.Parameters.Threshold; v != nil {
		ask.req.Threshold = threshold(*v)
	}
	if t := tensors["threshold"]; t != nil {
		if len(t.floats) != 1 {
			return nil, bad("threshold", "the input threshold holds %d numbers, want 1", len(t.floats))
		}
		ask.req.Threshold = threshold(float64(t.floats[0]))
	}
	if t := tensors["text"]; t != nil {
		var list []string
		for _, b := range t.texts {
			list = append(list, string(b))
		}
		switch name {
		case "classify":
			ask.req.Labels, ask.req.Top = list, -1
		case "ask":
			ask.req.Questions = list
		default:
			ask.req.Query = list
		}
	}
	var err error
	ask.pictures, err = s.oipPictures(ctx, tensors["image"])
	return ask, err
}

// oipPictures are files of any format (BYTES), or pixels (UINT8, [H, W, 3] or [N, H, W, 3]).
func (s *Server) oipPictures(ctx context.Context, t *tensor) (out []*picture, err error) {
	if t == nil {
		return nil, bad("inputs", "the input image is missing")
	}
	if t.datatype == "BYTES" {
		if err := checkCount(len(t.texts)); err != nil {
			return nil, err
		}
		for _, b := range t.texts {
			var p *picture
			if t.binary {
				p, err = s.ingestBytes("image", b)
			} else {
				p, err = s.ingest(ctx, string(b))
			}
			if err != nil {
				return nil, err
			}
			out = append(out, p)
		}
		if len(out) == 0 {
			return nil, bad("inputs", "the input image holds no picture")
		}
		return out, nil
	}
	n, shape := int64(1), t.shape
	if len(shape) == 4 {
		n, shape = shape[0], shape[1:]
	}
	if t.datatype != "UINT8" || len(shape) != 3 || shape[2] != 3 || n < 1 {
		return nil, bad("inputs", "the input image is %s %v, want BYTES [N], UINT8 [H, W, 3] or UINT8 [N, H, W, 3]", t.datatype, t.shape)
	}
	if err := checkCount(int(min(n, MaxImages+1))); err != nil {
		return nil, err
	}
	size := len(t.bytes) / int(n)
	for i := range int(n) {
		p, err := s.ingestPixels("image", int(shape[1]), int(shape[0]), t.bytes[i*size:(i+1)*size])
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// oipResults are the tensors of results: the JSON of each, and for one picture its parts as arrays.
func oipResults(set task.Set, results []*fovea.Result) (out []*tensor, err error) {
	whole := newTexts("result")
	for _, r := range results {
		b, err := encode(r)
		if err != nil {
			return nil, err
		}
		whole.addText(string(b))
	}
	out = append(out, whole)
	if set.Has(task.Match) {
		v := newFloats("vector", int64(len(results[0].Vector)))
		for _, r := range results {
			v.addFloats(r.Vector...)
		}
		return append(out, v), nil
	}
	if len(results) != 1 {
		return out, nil
	}
	r := results[0]
	boxes, scores, labels, answers := newFloats("boxes", 4), newFloats("scores"), newTexts("labels"), newTexts("answers")
	switch {
	case r.Classes != nil:
		for _, k := range r.Classes {
			scores.addFloats(float32(k.Score))
			labels.addText(k.Label)
		}
		return append(out, scores, labels), nil
	case r.Objects != nil:
		for _, o := range r.Objects {
			boxes.addFloats(float32(o.Box.X0), float32(o.Box.Y0), float32(o.Box.X1), float32(o.Box.Y1))
			scores.addFloats(float32(o.Score))
			labels.addText(o.Label)
		}
		return append(out, boxes, scores, labels), nil
	case r.People != nil:
		joints := newFloats("joints", 17, 3)
		for _, p := range r.People {
			boxes.addFloats(float32(p.Box.X0), float32(p.Box.Y0), float32(p.Box.X1), float32(p.Box.Y1))
			scores.addFloats(float32(p.Score))
			joints.shape[1] = int64(len(p.Joints))
			for _, j := range p.Joints {
				joints.addFloats(float32(j.X), float32(j.Y), float32(j.Score))
			}
		}
		return append(out, boxes, scores, joints), nil
	}
	for _, a := range r.Answers {
		answers.addText(a.Answer)
		scores.addFloats(float32(a.Score))
	}
	if r.Caption != nil {
		answers.addText(r.Caption.Text)
		scores.addFloats(float32(r.Caption.Score))
	}
	return append(out, answers, scores), nil
}

// oipOutput is a tensor of an answer, and whether it leaves as bytes.
type oipOutput struct {
	*tensor
	binary bool
}

// choose picks the outputs that a request names, or all.
func (q *oipRequest) choose(all []*tensor) (out []oipOutput, err error) {
	for _, o := range q.Outputs {
		i := slices.IndexFunc(all, func(t *tensor) bool { return t.name == o.Name })
		if i < 0 {
			return nil, bad("outputs", "there is no output %.100q for this task and number of pictures", o.Name)
		}
		binary := q.Parameters.BinaryDataOutput
		if b := o.Parameters.BinaryData; b != nil {
			binary = *b
		}
		out = append(out, oipOutput{all[i], binary})
	}
	if len(q.Outputs) == 0 {
		for _, t := range all {
			out = append(out, oipOutput{t, q.Parameters.BinaryDataOutput})
		}
	}
	return out, nil
}

// oipWrite answers over HTTP.
func (c *call) oipWrite(m *served, q *oipRequest, outputs []oipOutput) error {
	var raw []byte
	var list []oipTensor
	for _, o := range outputs {
		t := oipTensor{Name: o.name, Shape: o.shape, Datatype: o.datatype}
		if o.binary {
			b := o.encode()
			n := len(b)
			t.Parameters.BinaryDataSize = &n
			raw = append(raw, b...)
		} else {
			var err error
			if t.Data, err = o.json(); err != nil {
				return err
			}
		}
		list = append(list, t)
	}
	v := struct {
		ID      string      `json:"id,omitempty"`
		Model   string      `json:"model_name"`
		Version string      `json:"model_version"`
		Outputs []oipTensor `json:"outputs"`
	}{q.ID, m.name, oipVersion, list}
	if raw == nil {
		return c.reply(http.StatusOK, v)
	}
	head, err := encode(v)
	if err != nil {
		return err
	}
	c.Header().Set("Content-Type", "application/octet-stream")
	c.Header().Set(oipHeader, strconv.Itoa(len(head)))
	c.WriteHeader(http.StatusOK)
	_, err = c.Write(append(head, raw...))
	return gone(err)
}
