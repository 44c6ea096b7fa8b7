package dataset

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"fovea/annotation"
)

// cocoAnnotation is an element of "annotations", its numbers not read yet.
type cocoAnnotation struct {
	ID           json.RawMessage `json:"id"`
	ImageID      json.RawMessage `json:"image_id"`
	CategoryID   json.RawMessage `json:"category_id"`
	BBox         json.RawMessage `json:"bbox"`
	Segmentation json.RawMessage `json:"segmentation"`
	Keypoints    json.RawMessage `json:"keypoints"`
	Area         json.RawMessage `json:"area"`
	IsCrowd      json.RawMessage `json:"iscrowd"`
	Caption      json.RawMessage `json:"caption"`
	Color        json.RawMessage `json:"color"` // of dataset/scenes
}

// reset forgets the values and keeps their memory.
func (e *cocoAnnotation) reset() {
	for _, f := range []*json.RawMessage{&e.ID, &e.ImageID, &e.CategoryID, &e.BBox, &e.Segmentation, &e.Keypoints, &e.Area, &e.IsCrowd,
		&e.Caption, &e.Color} {
		*f = (*f)[:0]
	}
}

func missing(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// readAnnotation is a function that reads one annotation after the other.
func (c *cocoFile) readAnnotation() func(doc *jsonDoc, i int) error {
	var e cocoAnnotation
	ids := map[string]bool{}
	return func(doc *jsonDoc, i int) error {
		e.reset()
		wrong, err := doc.value(&e)
		if err != nil {
			return err
		}
		if wrong != nil {
			c.bad(BadEntry, "annotation %d: %v", i, wrong)
			return nil
		}
		id, ok := ident(e.ID)
		if !ok {
			id = fmt.Sprintf("at place %d", i)
		}
		if ids[id] {
			c.bad(DuplicateID, "annotation %s", id)
			return nil
		}
		ids[id] = true
		image, ok := ident(e.ImageID)
		if !ok {
			c.bad(BadEntry, "annotation %s: it has no image_id", id)
			return nil
		}
		if !missing(e.Caption) {
			c.addCaption(id, image, e.Caption)
			if missing(e.CategoryID) {
				return nil
			}
		}
		c.pending = append(c.pending, c.object(&e, id, image))
		return nil
	}
}

func (c *cocoFile) addCaption(id, image string, raw json.RawMessage) {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		c.bad(BadEntry, "annotation %s: caption is no text", id)
	} else if text = strings.Join(strings.Fields(text), " "); text == "" {
		c.bad(EmptyText, "caption %s", id)
	} else {
		c.captions = append(c.captions, cocoCaption{id, image, text})
	}
}

// object reads the numbers of an annotation. What is wrong with its mask or joints costs only these.
func (c *cocoFile) object(e *cocoAnnotation, id, image string) cocoObject {
	o := cocoObject{id: id, image: image}
	o.category, _ = ident(e.CategoryID)
	o.Crowd = truth(e.IsCrowd)
	if a := number(e.Area); a > 0 {
		o.Area = a
	}
	_ = json.Unmarshal(e.Color, &o.Color) // "" when it is none
	what := "annotation " + id
	switch box, err := floats(e.BBox); {
	case missing(e.BBox) || err == nil && len(box) == 0:
		o.noBox = true
	case err != nil || len(box) != 4:
		c.bad(BadEntry, "%s: bbox: want four numbers, got %s", what, short(string(e.BBox), 60))
		o.Box = annotation.Box{X0: math.NaN()}
	default:
		o.Box = annotation.Box{X0: box[0], Y0: box[1], X1: box[0] + box[2], Y1: box[1] + box[3]}
	}
	if !missing(e.Segmentation) {
		var err error
		if o.mask, err = outlineOf(e.Segmentation); err != nil {
			c.bad(BadMask, "%s: %v", what, err)
		}
	}
	if !missing(e.Keypoints) {
		var err error
		if o.keypoints, err = floats(e.Keypoints); err != nil {
			c.bad(BadJoints, "%s: keypoints: %v", what, err)
			o.keypoints = nil
		}
	}
	return o
}

// outlineOf reads a "segmentation": a list of polygons, or run lengths as numbers or as a string. An error tells what is
// wrong; the parts that are right come with it.
func outlineOf(raw json.RawMessage) (outline, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] == '{' {
		return runsOf(raw)
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return outline{}, fmt.Errorf("segmentation is neither polygons nor run lengths: %s", short(string(raw), 60))
	}
	if len(parts) > 0 && !bytes.HasPrefix(parts[0], []byte{'['}) { // one polygon without the outer list
		parts = []json.RawMessage{raw}
	}
	var o outline
	var bad error
	for i, part := range parts {
		xy, err := floats(part)
		if err == nil {
			err = polygonFault(xy)
		}
		if err != nil {
			bad = fmt.Errorf("polygon %d: %w", i, err)
			continue
		}
		p := make([]float32, len(xy))
		for j, v := range xy {
			p[j] = float32(v)
		}
		o.polygons = append(o.polygons, p)
	}
	if bad != nil && len(o.polygons) > 0 {
		bad = fmt.Errorf("%w (%d others are kept)", bad, len(o.polygons))
	}
	return o, bad
}

// maxCoordinate bounds polygons: beyond it, drawing would be slow and rounding coarse.
const maxCoordinate = 1 << 20

func polygonFault(xy []float64) error {
	if len(xy) < 6 || len(xy)%2 != 0 {
		return fmt.Errorf("%d numbers, want pairs of x and y for three corners at least", len(xy))
	}
	area := 0.0
	for i := 0; i < len(xy); i += 2 {
		x, y := xy[i], xy[i+1]
		if !(math.Abs(x) < maxCoordinate && math.Abs(y) < maxCoordinate) {
			return fmt.Errorf("corner %d is at %v, %v", i/2, x, y)
		}
		u, v := xy[(i+2)%len(xy)], xy[(i+3)%len(xy)]
		area += (x-xy[0])*(v-xy[1]) - (u-xy[0])*(y-xy[1])
	}
	if area == 0 {
		return fmt.Errorf("its area is 0")
	}
	return nil
}

func runsOf(raw json.RawMessage) (outline, error) {
	var e struct {
		Size   []int           `json:"size"`
		Counts json.RawMessage `json:"counts"`
	}
	if err := json.Unmarshal(raw, &e); err != nil || len(e.Size) != 2 {
		return outline{}, fmt.Errorf("run lengths: want {\"size\": [height, width], \"counts\": …}, got %s", short(string(raw), 60))
	}
	o := outline{h: e.Size[0], w: e.Size[1]}
	if len(e.Counts) > 0 && e.Counts[0] == '"' {
		if err := json.Unmarshal(e.Counts, &o.packed); err != nil {
			return outline{}, fmt.Errorf("run lengths: %w", err)
		}
	} else {
		n, err := floats(e.Counts)
		if err != nil {
			return outline{}, fmt.Errorf("run lengths: %w", err)
		}
		for _, v := range n {
			if !(v >= 0 && v <= math.MaxUint32 && v == math.Trunc(v)) {
				return outline{}, fmt.Errorf("run lengths: %v is no length", v)
			}
			o.runs = append(o.runs, uint32(v))
		}
	}
	r, err := o.rle(o.w, o.h)
	if err != nil {
		return outline{}, err
	}
	if r.Area() == 0 {
		return outline{}, fmt.Errorf("run lengths: the mask is empty")
	}
	return o, nil
}
