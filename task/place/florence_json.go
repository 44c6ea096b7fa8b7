package place

import (
	"bytes"
	"encoding/json"
)

// MarshalJSON writes a result as the reference's processor gives it: a text, or lists of coordinates and labels.
func (r Result) MarshalJSON() ([]byte, error) {
	if r.Kind == Text {
		return encode(r.Text)
	}
	boxes, quads, outlines := [][]float64{}, [][]float64{}, [][][]float64{}
	labels, outlined := []string{}, []string{}
	for _, p := range r.Regions {
		if p.Polygons != nil {
			outlines, outlined = append(outlines, p.Polygons), append(outlined, p.Label)
			continue
		}
		labels = append(labels, p.Label)
		if p.Quad != nil {
			quads = append(quads, p.Quad)
		} else {
			boxes = append(boxes, []float64{p.Box.X0, p.Box.Y0, p.Box.X1, p.Box.Y1})
		}
	}
	switch r.Kind {
	case Outlines:
		return encode(struct {
			Polygons [][][]float64 `json:"polygons"`
			Labels   []string      `json:"labels"`
		}{outlines, outlined})
	case BoxesOrOutlines:
		return encode(struct {
			Boxes    [][]float64   `json:"bboxes"`
			Labels   []string      `json:"bboxes_labels"`
			Polygons [][][]float64 `json:"polygons"`
			Outlined []string      `json:"polygons_labels"`
		}{boxes, labels, outlines, outlined})
	case Quads:
		return encode(struct {
			Quads  [][]float64 `json:"quad_boxes"`
			Labels []string    `json:"labels"`
		}{quads, labels})
	}
	return encode(struct {
		Boxes  [][]float64 `json:"bboxes"`
		Labels []string    `json:"labels"`
	}{boxes, labels})
}

// encode is json.Marshal without the escapes for HTML, which would hide pieces such as <sep>.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
