package eval

import (
	"encoding/json"
	"fmt"
	"math"

	"fovea/annotation"
)

// entry is one annotation or result of a COCO file, field by field; unknown fields are passed over.
type entry struct {
	ID           json.RawMessage `json:"id"`
	ImageID      json.RawMessage `json:"image_id"`
	CategoryID   json.RawMessage `json:"category_id"`
	BBox         json.RawMessage `json:"bbox"`
	Segmentation json.RawMessage `json:"segmentation"`
	Keypoints    json.RawMessage `json:"keypoints"`
	NumKeypoints json.RawMessage `json:"num_keypoints"`
	Area         json.RawMessage `json:"area"`
	IsCrowd      json.RawMessage `json:"iscrowd"`
	Score        json.RawMessage `json:"score"`
}

// reset keeps the memory for the next entry.
func (e *entry) reset() {
	for _, f := range []*json.RawMessage{&e.ID, &e.ImageID, &e.CategoryID, &e.BBox, &e.Segmentation, &e.Keypoints,
		&e.NumKeypoints, &e.Area, &e.IsCrowd, &e.Score} {
		*f = (*f)[:0]
	}
}

// side reads the height or width of an image in pixels.
func side(field string, raw json.RawMessage) (int, error) {
	n, err := integer(field, raw)
	if err == nil && (n < 0 || n > annotation.MaxMaskPixels) {
		err = fmt.Errorf("%s is %d", field, n)
	}
	return int(n), err
}

func idOf(raw json.RawMessage) string {
	if absent(raw) {
		return ""
	}
	return " (id " + quoted(raw) + ")"
}

// rectangle reads x, y, width, height; the sizes are not negative.
func rectangle(raw json.RawMessage) (box, error) {
	v, err := numbers("bbox", raw)
	switch {
	case err != nil:
		return box{}, err
	case len(v) != 4:
		return box{}, fmt.Errorf("bbox has %d numbers, want x, y, width, height", len(v))
	case v[2] < 0 || v[3] < 0:
		return box{}, fmt.Errorf("bbox %v has a negative size; want x, y, width, height", v)
	case math.IsInf(v[0]+v[2], 0) || math.IsInf(v[1]+v[3], 0) || math.IsInf(v[2]*v[3], 0):
		return box{}, fmt.Errorf("bbox %v is too large", v)
	}
	return box(v), nil
}

// triples reads joints as x, y, v, ….
func triples(raw json.RawMessage) ([]joint, error) {
	v, err := numbers("keypoints", raw)
	if err != nil {
		return nil, err
	}
	if len(v) == 0 || len(v)%3 != 0 {
		return nil, fmt.Errorf("keypoints has %d numbers, want x, y, v of each joint", len(v))
	}
	out := make([]joint, len(v)/3)
	for i := range out {
		out[i] = joint{v[3*i], v[3*i+1], v[3*i+2]}
	}
	return out, nil
}
