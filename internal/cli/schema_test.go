package cli

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"fovea/annotation"
)

// fields are the fields of each kind of result in the contract, with the form that their values have; a ? marks those that may
// be missing.
var fields = map[string]map[string]string{
	"classify": {"classes": "class*"},
	"detect":   {"objects": "box*"},
	"points":   {"points": "spot*"},
	"segment":  {"objects": "mask*"},
	"polygons": {"objects": "polygon*"},
	"semantic": {"classes": "text*", "map": "map"},
	"pose":     {"people": "person*"},
	"ask":      {"question": "text", "answer": "text", "score": "share"},
	"asks":     {"answers": "answer*"},
	"caption":  {"caption": "text", "score": "share"},
	"embed":    {"vector": "vector"},
	"explain":  {"target": "text", "score": "share", "method": "text", "regions": "regions", "tokens?": "token*", "deletion_auc?": "share", "insertion_auc?": "share"},
	"look":     {"classes": "class*", "objects": "mask*", "people": "person*", "caption": "text", "score": "share", "answers?": "answer*"},
}

var common = map[string]string{"image": "text", "width": "count", "height": "count", "model": "text", "task": "text", "ms": "number", "frame?": "count"}

var parts = map[string]map[string]string{
	"class":     {"label": "text", "score": "share"},
	"spot":      {"label": "text", "score": "share", "x": "number", "y": "number"},
	"box":       {"label": "text", "score": "share", "box": "corners"},
	"mask":      {"label": "text", "score": "share", "box": "corners", "area": "count", "mask": "rle"},
	"polygon":   {"label": "text", "score": "share", "box": "corners", "area": "count", "mask": "rle", "polygons": "outlines"},
	"person":    {"score": "share", "box": "corners", "joints": "joint*"},
	"joint":     {"name": "text", "x": "number", "y": "number", "score": "share"},
	"answer":    {"question": "text", "answer": "text", "score": "share"},
	"rle":       {"size": "size", "counts": "text"},
	"map":       {"size": "size", "rle": "text*"},
	"error":     {"image": "text", "error": "fault", "frame?": "count"},
	"fault":     {"code": "text", "message": "text"},
	"text line": {"text": "text", "model": "text", "task": "text", "ms": "number", "vector": "vector"},
	"regions":   {"grid": "size", "values": "share*"},
	"token":     {"text": "text", "value": "share"},
	"compress": {"task": "text", "model": "text", "out": "text", "how": "text*", "parameters": "change", "bytes": "change", "ms?": "change", "data?": "text",
		"images?": "count", "metrics?": "metrics"},
	"batch":    {"task": "text", "out": "text", "images": "count", "before": "count", "failed": "count", "images_per_second": "number"},
	"change":   {"before": "number", "after": "number"},
	"measures": {"task": "text", "data": "text", "images": "count", "metrics": "metrics", "images_per_second": "number"},
}

// checkSchema compares a line of JSON with the contract: no field may be missing, and none may be there that the contract
// does not name.
func checkSchema(kind string, v map[string]any) error {
	want, ok := fields[kind]
	if !ok {
		return checkPart(kind, parts[kind], v)
	}
	all := map[string]string{}
	for _, m := range []map[string]string{common, want} {
		for k, f := range m {
			all[k] = f
		}
	}
	if err := checkPart(kind, all, v); err != nil {
		return err
	}
	return checkMeaning(v)
}

func checkPart(kind string, want map[string]string, v map[string]any) error {
	if want == nil {
		return fmt.Errorf("there is no kind %q", kind)
	}
	for name, form := range want {
		name, optional := strings.CutSuffix(name, "?")
		got, there := v[name]
		if !there {
			if optional {
				continue
			}
			return fmt.Errorf("%s: no field %q", kind, name)
		}
		if err := checkForm(form, got); err != nil {
			return fmt.Errorf("%s.%s: %w", kind, name, err)
		}
	}
	for name := range v {
		if want[name] == "" && want[name+"?"] == "" {
			return fmt.Errorf("%s: the field %q is not in the contract", kind, name)
		}
	}
	return nil
}

func checkForm(form string, v any) error {
	if each, ok := strings.CutSuffix(form, "*"); ok {
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%v is no list", v)
		}
		for i, e := range list {
			if err := checkForm(each, e); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return nil
	}
	n, number := v.(float64)
	list, _ := v.([]any)
	good := true
	switch form {
	case "text":
		_, good = v.(string)
	case "number":
		good = number
	case "share":
		good = number && n >= 0 && n <= 1
	case "count":
		good = number && n >= 0 && n == math.Trunc(n)
	case "corners":
		good = len(list) == 4 && list[0].(float64) < list[2].(float64) && list[1].(float64) < list[3].(float64)
	case "size":
		good = len(list) == 2
	case "vector":
		sum := 0.
		for _, x := range list {
			sum += x.(float64) * x.(float64)
		}
		good = math.Abs(sum-1) < 1e-3
	case "outlines":
		for _, p := range list {
			ring := p.([]any)
			good = good && len(ring) >= 6 && len(ring)%2 == 0
		}
	case "metrics":
		m, ok := v.(map[string]any)
		good = ok && len(m) > 0
	default:
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("%v is no object", v)
		}
		return checkPart(form, parts[form], m)
	}
	if !good {
		return fmt.Errorf("%v is no %s", v, form)
	}
	return nil
}

// checkMeaning checks what the contract says beyond the form: boxes and masks lie in the picture and fit each other, lists are sorted
// by score, and probabilities of classes sum to at most 1.
func checkMeaning(v map[string]any) error {
	w, h := v["width"].(float64), v["height"].(float64)
	var scores []float64
	for _, key := range []string{"objects", "people"} {
		list, _ := v[key].([]any)
		scores = scores[:0]
		for _, e := range list {
			o := e.(map[string]any)
			scores = append(scores, -o["score"].(float64))
			b := o["box"].([]any)
			if b[0].(float64) < 0 || b[1].(float64) < 0 || b[2].(float64) > w || b[3].(float64) > h {
				return fmt.Errorf("the box %v leaves the picture", b)
			}
			if err := checkMask(o, int(w), int(h)); err != nil {
				return err
			}
			if joints, ok := o["joints"].([]any); ok && len(joints) != 17 {
				return fmt.Errorf("%d joints", len(joints))
			}
		}
		if !slices.IsSorted(scores) {
			return fmt.Errorf("%s are not sorted: %v", key, scores)
		}
	}
	classes, _ := v["classes"].([]any)
	sum := 0.
	scores = scores[:0]
	for _, e := range classes {
		if c, ok := e.(map[string]any); ok {
			sum += c["score"].(float64)
			scores = append(scores, -c["score"].(float64))
		}
	}
	if sum > 1 || !slices.IsSorted(scores) {
		return fmt.Errorf("the classes' scores %v sum to %v", scores, sum)
	}
	if m, ok := v["map"].(map[string]any); ok {
		return checkMap(m, len(classes), int(w), int(h))
	}
	return nil
}

func checkMask(o map[string]any, w, h int) error {
	m, ok := o["mask"].(map[string]any)
	if !ok {
		return nil
	}
	r, err := parseMask(m["size"], m["counts"], w, h)
	if err != nil {
		return err
	}
	if r.Area() != o["area"].(float64) {
		return fmt.Errorf("the mask covers %v pixels, not %v", r.Area(), o["area"])
	}
	b := o["box"].([]any)
	if in := r.Bounds(); r.Area() > 0 && (in.X0 < math.Floor(b[0].(float64)-.01) || in.Y0 < math.Floor(b[1].(float64)-.01) ||
		in.X1 > math.Ceil(b[2].(float64)+.01) || in.Y1 > math.Ceil(b[3].(float64)+.01)) {
		return fmt.Errorf("the mask %v leaves its box %v", in, b)
	}
	return nil
}

// checkMap checks that no pixel has two labels.
func checkMap(m map[string]any, classes, w, h int) error {
	list := m["rle"].([]any)
	if len(list) != classes {
		return fmt.Errorf("%d maps for %d classes", len(list), classes)
	}
	taken := annotation.RLE{H: h, W: w, Counts: []uint32{uint32(w * h)}}
	for _, counts := range list {
		r, err := parseMask(m["size"], counts, w, h)
		if err != nil {
			return err
		}
		if both, err := r.Intersect(taken); err != nil || both.Area() > 0 {
			return errors.New("a pixel has two labels")
		}
		taken, _ = taken.Union(r)
	}
	return nil
}

func parseMask(size, counts any, w, h int) (annotation.RLE, error) {
	s := size.([]any)
	if s[0].(float64) != float64(h) || s[1].(float64) != float64(w) {
		return annotation.RLE{}, fmt.Errorf("the mask's size is %v, the picture's %d × %d", s, w, h)
	}
	return annotation.ParseRLE(h, w, counts.(string))
}
