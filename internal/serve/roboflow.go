package serve

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"fovea"
	"fovea/annotation"
	"fovea/task"
)

// roboflow is the language of Roboflow's inference server. There a model has one task, so each model is listed once under
// its name, for detection, and as NAME/TASK for each task; what a request does is said by its path.
var roboflow = &surface{"roboflow", func(c *call, f *fault) {
	c.complain(f, map[string]string{"message": f.message, "error_type": f.kind(), "code": f.code})
}}

// roboflowTasks are the paths /infer/NAME, the tasks behind them, and what the list of models calls them.
var roboflowTasks = []struct {
	path, suffix, kind string
	task               task.Task
}{
	{"object_detection", "detect", "object-detection", task.Detect},
	{"instance_segmentation", "segment", "instance-segmentation", task.Segment},
	{"classification", "classify", "classification", task.Classify},
	{"keypoints_detection", "pose", "keypoint-detection", task.Pose},
}

func (s *Server) roboflowRoutes() {
	for _, t := range roboflowTasks {
		s.postKeyed("/infer/"+t.path, func(c *call, body []byte) error { return c.roboflowInfer(t.task, body) })
	}
	list := func(c *call) error { return c.reply(http.StatusOK, map[string]any{"models": s.roboflowModels()}) }
	s.on(http.MethodGet, "/model/registry", roboflow, list)
	s.postKeyed("/model/add", func(c *call, body []byte) error {
		var q struct {
			ModelID string `json:"model_id"`
			APIKey  string `json:"api_key"`
		}
		if err := decode(body, &q); err != nil {
			return err
		}
		if err := c.checkKey(q.APIKey); err != nil {
			return err
		}
		if _, err := s.model(roboflowName(q.ModelID)); err != nil {
			return err
		}
		return list(c)
	})
}

// postKeyed adds a route whose token may be in the body, as api_key; handle checks it.
func (s *Server) postKeyed(path string, handle func(c *call, body []byte) error) {
	s.add(http.MethodPost, path, route{surface: roboflow, public: true, handle: func(c *call) error {
		body, err := c.body()
		if err != nil {
			return err
		}
		return handle(c, body)
	}})
}

// checkKey lets a request in that has its token in the body.
func (c *call) checkKey(key string) error {
	if len(c.s.cfg.Tokens) == 0 || c.s.isToken(key) || c.s.authorised(c.r) {
		return nil
	}
	return c.unauthorised()
}

type roboflowModel struct {
	ModelID     string `json:"model_id"`
	TaskType    string `json:"task_type"`
	BatchSize   int    `json:"batch_size"`
	InputHeight int    `json:"input_height"`
	InputWidth  int    `json:"input_width"`
}

func (s *Server) roboflowModels() []roboflowModel {
	out := []roboflowModel{}
	for _, m := range s.models {
		if m.loaded() != nil {
			continue
		}
		card := m.p.Card()
		for i, t := range roboflowTasks {
			if !card.Tasks.Has(t.task) {
				continue
			}
			entry := roboflowModel{m.name + "/" + t.suffix, t.kind, MaxImages, card.Size, card.Size}
			if i == 0 {
				plain := entry
				plain.ModelID = m.name
				out = append(out, plain)
			}
			out = append(out, entry)
		}
	}
	return out
}

// roboflowName is a model's name without the task or the version behind it.
func roboflowName(id string) string {
	name, _, _ := strings.Cut(id, "/")
	return name
}

// roboflowImage is a picture: {"type": "base64", "value": …}, or of type url, or bare base64.
type roboflowImage struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// UnmarshalJSON takes all of them.
func (r *roboflowImage) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &r.Value) == nil {
		return nil
	}
	type plain roboflowImage
	if err := json.Unmarshal(b, (*plain)(r)); err != nil {
		return bad("image", "image is neither a text nor an object with a type and a value")
	}
	switch r.Type {
	case "", "base64", "url":
		return nil
	}
	return bad("image", "pictures of the type %.50q are not taken, only base64 and url", r.Type)
}

// roboflowImages is one picture or a list of them.
type roboflowImages struct {
	list   []roboflowImage
	single bool
}

// UnmarshalJSON takes both.
func (r *roboflowImages) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, &r.list)
	}
	r.single, r.list = true, make([]roboflowImage, 1)
	return json.Unmarshal(b, &r.list[0])
}

// numberOrWord is a number where clients may also write a word such as "default", which leaves the choice to the server.
type numberOrWord struct{ value *float64 }

// UnmarshalJSON takes both.
func (n *numberOrWord) UnmarshalJSON(b []byte) error {
	var word string
	if json.Unmarshal(b, &word) == nil {
		return nil
	}
	if json.Unmarshal(b, &n.value) != nil {
		return bad("confidence", "confidence is %.50s, want a number", b)
	}
	return nil
}

func (c *call) roboflowInfer(t task.Task, body []byte) error {
	var q struct {
		ModelID       string         `json:"model_id"`
		APIKey        string         `json:"api_key"`
		Image         roboflowImages `json:"image"`
		Confidence    numberOrWord   `json:"confidence"`
		IoU           float64        `json:"iou_threshold"`
		MaxDetections *int           `json:"max_detections"`
		ClassFilter   []string       `json:"class_filter"`
	}
	if err := decode(body, &q); err != nil {
		return err
	}
	if err := c.checkKey(q.APIKey); err != nil {
		return err
	}
	name := roboflowName(q.ModelID)
	c.model = name
	if len(q.Image.list) == 0 {
		return bad("image", "image is missing")
	}
	ask := &question{model: name, req: fovea.Request{Tasks: task.SetOf(t), Overlap: q.IoU, Top: -1, Polygons: true}}
	if v := q.Confidence.value; v != nil {
		ask.req.Threshold = threshold(*v)
	}
	if n := q.MaxDetections; n != nil {
		ask.req.Max = min(*n, fovea.MaxObjects)
	}
	if t == task.Detect || t == task.Segment {
		ask.req.Query = q.ClassFilter
	}
	var refs []string
	for _, i := range q.Image.list {
		refs = append(refs, i.Value)
	}
	var err error
	if ask.pictures, err = c.picturesOf(refs); err != nil {
		return err
	}
	results, errs, err := c.s.ask(c.r.Context(), ask)
	if err != nil {
		return err
	}
	m, err := c.s.model(name)
	if err != nil {
		return err
	}
	w := roboflowWriter{labels: slices.Clone(m.p.Card().Labels)}
	if t == task.Classify {
		w.labels = slices.Clone(m.p.Card().Classes)
	}
	out := []any{}
	for i, r := range results {
		if errs[i] != nil {
			return errs[i]
		}
		out = append(out, w.result(t, r, q.Confidence.value))
	}
	if q.Image.single {
		return c.reply(http.StatusOK, out[0])
	}
	return c.reply(http.StatusOK, out)
}

// roboflowWriter gives classes their numbers: those of the model's labels, and further ones for others.
type roboflowWriter struct{ labels []string }

func (w *roboflowWriter) classID(label string) int {
	i := slices.Index(w.labels, label)
	if i < 0 {
		i = len(w.labels)
		w.labels = append(w.labels, label)
	}
	return i
}

type roboflowPoint struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

type roboflowKeypoint struct {
	roboflowPoint
	Confidence float64 `json:"confidence"`
	Class      string  `json:"class"`
	ClassID    int     `json:"class_id"`
}

// roboflowBox is an object. x and y are the middle of its box.
type roboflowBox struct {
	roboflowPoint
	Width       float64            `json:"width"`
	Height      float64            `json:"height"`
	Confidence  float64            `json:"confidence"`
	Class       string             `json:"class"`
	ClassID     int                `json:"class_id"`
	DetectionID string             `json:"detection_id"`
	Points      []roboflowPoint    `json:"points,omitempty"`
	Keypoints   []roboflowKeypoint `json:"keypoints,omitempty"`
}

func (w *roboflowWriter) box(label string, score float64, b annotation.Box) roboflowBox {
	return roboflowBox{roboflowPoint: roboflowPoint{(b.X0 + b.X1) / 2, (b.Y0 + b.Y1) / 2}, Width: b.W(), Height: b.H(), Confidence: score, Class: label, ClassID: w.classID(label), DetectionID: token()}
}

type roboflowClass struct {
	Class      string  `json:"class"`
	ClassID    int     `json:"class_id"`
	Confidence float64 `json:"confidence"`
}

func (w *roboflowWriter) result(t task.Task, r *fovea.Result, least *float64) any {
	v := map[string]any{"inference_id": token(), "time": r.Elapsed.Seconds(), "image": map[string]int{"width": r.Width, "height": r.Height}}
	if t == task.Classify {
		list := []roboflowClass{}
		for _, k := range r.Classes {
			if least == nil || k.Score >= *least {
				list = append(list, roboflowClass{k.Label, w.classID(k.Label), k.Score})
			}
		}
		v["predictions"], v["top"], v["confidence"] = list, "", 0
		if len(list) > 0 {
			v["top"], v["confidence"] = list[0].Class, list[0].Confidence
		}
		return v
	}
	list := []roboflowBox{}
	for _, o := range r.Objects {
		b := w.box(o.Label, o.Score, o.Box)
		if t == task.Segment {
			if b.Points = longest(o.Polygons); len(b.Points) == 0 {
				continue // an object of which no pixel was found
			}
		}
		list = append(list, b)
	}
	for _, p := range r.People {
		b := w.box("person", p.Score, p.Box)
		for i, j := range p.Joints {
			b.Keypoints = append(b.Keypoints, roboflowKeypoint{roboflowPoint{j.X, j.Y}, j.Score, p.Skeleton.Joints[i], i})
		}
		list = append(list, b)
	}
	v["predictions"] = list
	return v
}

// longest is the longest outline of a mask.
func longest(polygons [][]float64) (out []roboflowPoint) {
	var longest []float64
	for _, p := range polygons {
		if len(p) > len(longest) {
			longest = p
		}
	}
	for i := 0; i+1 < len(longest); i += 2 {
		out = append(out, roboflowPoint{longest[i], longest[i+1]})
	}
	return out
}
