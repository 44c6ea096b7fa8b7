package fovea

import (
	"fmt"
	"slices"

	"fovea/annotation"
	"fovea/model"
)

// Semantic implements model.Segmenter for models that divide pictures (unified.Model.Divides). Without a query a pixel belongs
// to one of the model's classes of pixels. Those that are asked for have the others as rivals: a pixel whose best class was
// not asked for has no label.
func (v *nativeView) Semantic(query []string) ([]string, []annotation.RLE, error) {
	w := v.wanted(query)
	names := slices.Clone(w.ids)
	for _, id := range v.model.DefaultPixels() {
		if !slices.Contains(names, id) {
			names = append(names, id)
		}
	}
	if len(names) > annotation.Void {
		return nil, nil, fmt.Errorf("pixels are divided among at most %d classes, these are %d", annotation.Void, len(names))
	}
	m, err := v.run.Divide(v.pic, v.g, names)
	if err != nil {
		return nil, nil, err
	}
	asked := len(names)
	if w.ids != nil {
		asked = len(w.ids)
	}
	return v.pixels(w, names[:asked], m)
}

// pixels are the masks of the first classes of a label map that occur, that of most pixels first.
func (v *nativeView) pixels(w wanted, names []int32, m *annotation.LabelMap) ([]string, []annotation.RLE, error) {
	strokes, areas := make([]model.Strokes, len(names)), make([]int, len(names))
	for x := range m.W {
		for y := range m.H {
			if c := int(m.Pix[y*m.W+x]); c < len(names) {
				strokes[c].Add(x*m.H + y)
				areas[c]++
			}
		}
	}
	var order []int
	for c, n := range areas {
		if n > 0 {
			order = append(order, c)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return areas[b] - areas[a] })
	labels, pixels := make([]string, len(order)), make([]annotation.RLE, len(order))
	for i, c := range order {
		labels[i], pixels[i] = v.label(w, names[c]), strokes[c].Mask(m.W, m.H)
	}
	return labels, pixels, nil
}

// Panoptic implements model.Segmenter as for models that find objects only.
func (v *nativeView) Panoptic(o model.DetectOptions, stuff []string) []model.Object {
	return panoptic(v.Detect(o), stuff)
}

// divider is a view that divides pictures by itself. The program's own model does when it was trained on classes of pixels.
func divider(v model.View) (model.Segmenter, bool) {
	if n, own := v.(*nativeView); own && !n.model.Divides() {
		return nil, false
	}
	s, ok := v.(model.Segmenter)
	return s, ok
}
