package place

import (
	"encoding/json"
	"regexp"
)

// entry is one JSON object without others inside, with its numbers and texts.
var entry = regexp.MustCompile(`\{[^{}]*\}`)

// named is such an entry.
type named struct {
	Box   []float64 `json:"bbox_2d"`
	Point []float64 `json:"point_2d"`
	Label string    `json:"label"`
}

// entries are those of a text that are complete, fenced or not, cut off or not.
func entries(text string) (out []named) {
	for _, one := range entry.FindAllString(text, -1) {
		var x named
		if json.Unmarshal([]byte(one), &x) == nil && x.Label != "" {
			out = append(out, x)
		}
	}
	return out
}

// Qwen reads [{"bbox_2d": [x1, y1, x2, y2], "label": "…"}, …] of Qwen-VL. sx and sy are pixels of the picture of w × h for each step of a
// coordinate; score is that of all.
func Qwen(text string, score, sx, sy float64, w, h int) (out []Region) {
	for _, x := range entries(text) {
		if len(x.Box) != 4 {
			continue
		}
		if b := spanned(x.Box[0]*sx, x.Box[1]*sy, x.Box[2]*sx, x.Box[3]*sy).Clip(float64(w), float64(h)); b.Finite() && !b.Empty() {
			out = append(out, Region{Label: x.Label, Score: score, Box: b})
		}
	}
	return out
}

// QwenPoints reads {"point_2d": [x, y], "label": "…"} likewise, as boxes without extent; a place outside the picture is none.
func QwenPoints(text string, score, sx, sy float64, w, h int) (out []Region) {
	for _, x := range entries(text) {
		if len(x.Point) != 2 {
			continue
		}
		at, up := x.Point[0]*sx, x.Point[1]*sy
		if at >= 0 && up >= 0 && at <= float64(w) && up <= float64(h) {
			out = append(out, Region{Label: x.Label, Score: score, Box: spanned(at, up, at, up)})
		}
	}
	return out
}
