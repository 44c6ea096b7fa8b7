package serve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"fovea"
	"fovea/annotation"
	"fovea/task"
)

// moondream is the language of Moondream's API. Three of its paths are also the program's own; there, what has an
// image_url is Moondream's. Under /moondream/v1 everything is.
var moondream = &surface{"moondream", func(c *call, f *fault) {
	c.complain(f, map[string]any{"error": codedWire{f.code, f.message, f.param}, "detail": f.message})
}}

func (s *Server) moondreamRoutes() {
	for name, handle := range map[string]func(*call, *moondreamRequest) error{
		"query": (*call).moondreamQuery, "caption": (*call).moondreamCaption, "detect": (*call).moondreamDetect, "point": (*call).moondreamPoint, "segment": (*call).moondreamSegment,
	} {
		answer := func(c *call, body []byte) error {
			c.surface = moondream
			var q moondreamRequest
			if err := decode(body, &q); err != nil {
				return err
			}
			return handle(c, &q)
		}
		s.post("/moondream/v1/"+name, moondream, answer)
		if _, shared := nativeTasks[name]; !shared {
			s.post("/v1/"+name, moondream, answer)
			continue
		}
		set := nativeTasks[name]
		s.post("/v1/"+name, native, func(c *call, body []byte) error {
			if isMoondream(body) {
				return answer(c, body)
			}
			return c.native(set, body)
		})
	}
}

// isMoondream tells the two languages apart.
func isMoondream(body []byte) bool {
	if !bytes.Contains(body, []byte(`"image_url"`)) {
		return false
	}
	var q struct {
		Image    json.RawMessage `json:"image"`
		ImageURL json.RawMessage `json:"image_url"`
	}
	return json.Unmarshal(body, &q) == nil && q.ImageURL != nil && q.Image == nil
}

type moondreamRequest struct {
	Model    string   `json:"model"`
	ImageURL imageURL `json:"image_url"`
	Question string   `json:"question"`
	Object   string   `json:"object"`
	Length   string   `json:"length"`
	Stream   bool     `json:"stream"`
	Settings struct {
		MaxTokens   *int     `json:"max_tokens"`
		MaxObjects  *int     `json:"max_objects"`
		Temperature *float64 `json:"temperature"`
		TopP        *float64 `json:"top_p"`
	} `json:"settings"`
}

// text answers in words under a key.
func (c *call) moondreamText(q *moondreamRequest, key string, ch *chat) error {
	var err error
	if ch.words, err = checkWords("max_tokens", q.Settings.MaxTokens); err != nil {
		return err
	}
	if err := inRange("temperature", q.Settings.Temperature, 0, 2); err != nil {
		return err
	}
	if err := inRange("top_p", q.Settings.TopP, 0, 1); err != nil {
		return err
	}
	ch.model = q.Model
	if q.ImageURL != "" {
		if ch.pictures, err = c.picturesOf([]string{string(q.ImageURL)}); err != nil {
			return err
		}
	}
	if !q.Stream {
		r, err := c.answer(ch, nil)
		if err != nil {
			return err
		}
		return c.reply(http.StatusOK, map[string]string{key: r.text})
	}
	_, err = c.answer(ch, func(piece string) error {
		if c.status == 0 {
			c.events()
		}
		return c.event("", map[string]string{"chunk": piece})
	})
	return c.moondreamEnd(err)
}

// moondreamEnd ends a stream.
func (c *call) moondreamEnd(err error) error {
	if err == nil {
		if c.status == 0 {
			c.events()
		}
		return c.event("", map[string]bool{"completed": true})
	}
	f := faultOf(err)
	if c.status == 0 || f.status == statusGone {
		return err
	}
	c.code = f.code
	return c.event("", map[string]any{"error": nativeError(f), "completed": true})
}

func (c *call) moondreamQuery(q *moondreamRequest) error {
	if len(task.Split(q.Question)) == 0 {
		return bad("question", "question is missing")
	}
	return c.moondreamText(q, "answer", &chat{prompt: q.Question})
}

// shortCaption is the number of words of a short caption.
const shortCaption = 12

func (c *call) moondreamCaption(q *moondreamRequest) error {
	ch := &chat{}
	switch q.Length {
	case "", "normal", "long":
	case "short":
		if q.Settings.MaxTokens == nil {
			n := shortCaption
			q.Settings.MaxTokens = &n
		}
	default:
		return bad("length", "length is %.50q, want short, normal or long", q.Length)
	}
	if q.ImageURL == "" {
		return bad("image_url", "image_url is missing")
	}
	return c.moondreamText(q, "caption", ch)
}

// find finds the objects that a request names, at most most of them.
func (c *call) moondreamFind(q *moondreamRequest, t task.Task, most int, pointing bool) (*fovea.Result, error) {
	c.model = q.Model
	if len(task.Split(q.Object)) == 0 {
		return nil, bad("object", "object is missing")
	}
	if q.ImageURL == "" {
		return nil, bad("image_url", "image_url is missing")
	}
	if n := q.Settings.MaxObjects; n != nil {
		if *n < 1 || *n > fovea.MaxObjects {
			return nil, bad("max_objects", "max_objects is %d, want 1 … %d", *n, fovea.MaxObjects)
		}
		most = min(most, *n)
	}
	pics, err := c.picturesOf([]string{string(q.ImageURL)})
	if err != nil {
		return nil, err
	}
	return c.s.askSingle(c.r.Context(), &question{model: q.Model, pictures: pics, req: fovea.Request{Tasks: task.SetOf(t), Query: []string{q.Object}, Max: most, Pointing: pointing, Polygons: true}})
}

// region is a box in fractions of the picture.
type region struct {
	X0    float64  `json:"x_min"`
	Y0    float64  `json:"y_min"`
	X1    float64  `json:"x_max"`
	Y1    float64  `json:"y_max"`
	Score *float64 `json:"score,omitempty"`
}

func regionOf(r *fovea.Result, o *fovea.Object) region {
	w, h := float64(r.Width), float64(r.Height)
	return region{o.Box.X0 / w, o.Box.Y0 / h, o.Box.X1 / w, o.Box.Y1 / h, &o.Score}
}

func (c *call) moondreamDetect(q *moondreamRequest) error {
	r, err := c.moondreamFind(q, task.Detect, 100, false)
	if err != nil {
		return err
	}
	list := []region{}
	for i := range r.Objects {
		list = append(list, regionOf(r, &r.Objects[i]))
	}
	return c.reply(http.StatusOK, map[string]any{"objects": list})
}

func (c *call) moondreamPoint(q *moondreamRequest) error {
	r, err := c.moondreamFind(q, task.Detect, 100, true)
	if err != nil {
		return err
	}
	type point struct {
		X     float64 `json:"x"`
		Y     float64 `json:"y"`
		Score float64 `json:"score"`
	}
	list := []point{}
	for _, s := range r.Spots {
		list = append(list, point{s.X / float64(r.Width), s.Y / float64(r.Height), s.Score})
	}
	return c.reply(http.StatusOK, map[string]any{"points": list, "count": len(list)})
}

// moondreamSegment outlines the best object of a name. The box is in fractions of the picture and the path in fractions of
// the box, which is where Moondream's own programs draw it.
func (c *call) moondreamSegment(q *moondreamRequest) error {
	r, err := c.moondreamFind(q, task.Segment, 1, false)
	if err != nil {
		return err
	}
	path, box := "", (*region)(nil)
	if len(r.Objects) > 0 {
		o := &r.Objects[0]
		b := regionOf(r, o)
		path, box = svgPath(o.Polygons, o.Box), &b
	}
	if !q.Stream {
		return c.reply(http.StatusOK, map[string]any{"path": path, "bbox": box})
	}
	c.events()
	for _, e := range []any{map[string]any{"type": "bbox", "bbox": box}, map[string]any{"type": "path_delta", "chunk": path, "completed": false},
		map[string]any{"type": "final", "path": path, "bbox": box, "completed": true}} {
		if err := c.event("", e); err != nil {
			return err
		}
	}
	return nil
}

// svgPath is outlines as an SVG path in fractions of a box.
func svgPath(polygons [][]float64, box annotation.Box) string {
	if box.Empty() {
		return ""
	}
	var parts []string
	for _, p := range polygons {
		for i := 0; i+1 < len(p); i += 2 {
			letter := "L"
			if i == 0 {
				letter = "M"
			}
			parts = append(parts, fmt.Sprintf("%s %.4g %.4g", letter, (p[i]-box.X0)/box.W(), (p[i+1]-box.Y0)/box.H()))
		}
		parts = append(parts, "Z")
	}
	return strings.Join(parts, " ")
}
