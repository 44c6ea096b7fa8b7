package eval

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// ScoreLabels scores labels of pictures. Each file is one of
//
//	{"a.jpg": "cat", "b.jpg": ["dog", "cat"]}                        labels by image, the best first
//	{"image": "a.jpg", "label": "cat"}                               an array, or one object a line
//	{"image": "a.jpg", "classes": [{"label": "cat", "score": .9}]}   as fovea classify --json prints
//
// The truth has one label per image; the classes are the labels that occur in it. The metrics are those of
// Classification.Result, the group is "class". Images without a prediction, and lines with an "error", count as wrong and
// are warned of; predictions for other images are an error.
func ScoreLabels(truth, preds io.Reader) (*Report, error) {
	want, err := readLabels(truth)
	if err == nil {
		var bad faults
		for _, image := range slices.Sorted(maps.Keys(want)) {
			if n := len(want[image]); n != 1 {
				bad.add("image %q has %d labels, want one", image, n)
			}
		}
		err = bad.err()
	}
	if err != nil {
		return nil, &sideError{true, err}
	}
	got, err := readLabels(preds)
	if err == nil {
		var bad faults
		for _, image := range slices.Sorted(maps.Keys(got)) {
			if _, ok := want[image]; !ok {
				bad.add("image %q is not among the truth's %d images", image, len(want))
			}
		}
		err = bad.err()
	}
	if err != nil {
		return nil, &sideError{false, err}
	}
	labels := map[string]bool{}
	for _, l := range want {
		labels[l[0]] = true
	}
	c, err := NewClassification(slices.Sorted(maps.Keys(labels))...)
	if err != nil {
		return nil, err
	}
	var without notes
	for _, image := range slices.Sorted(maps.Keys(want)) {
		if len(got[image]) == 0 {
			without.add("image %q has no prediction and counts as wrong", image)
		}
		if err := c.Add(want[image][0], got[image]...); err != nil {
			return nil, err
		}
	}
	groups := map[string]map[string]float64{}
	for _, s := range c.PerClass() {
		groups[s.Class] = map[string]float64{"images": float64(s.Images), "recall": s.Recall, "precision": s.Precision, "F1": s.F1}
	}
	return &Report{Task: "classify", Images: c.Images(), Metrics: c.Result(),
		Groups: map[string]map[string]map[string]float64{"class": groups}, Warnings: without.lines()}, nil
}

// readLabels reads each image's labels, the best first.
func readLabels(r io.Reader) (map[string][]string, error) {
	j, err := newReader(r)
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	var bad faults
	entries := 0
	add := func(raw json.RawMessage) {
		i := entries
		entries++
		image, labels, err := labelEntry(raw)
		if _, twice := out[image]; err == nil && twice {
			err = fmt.Errorf("image %q appeared before", image)
		}
		if err != nil {
			bad.add("entry %d: %v", i, err)
			return
		}
		out[image] = labels
	}
	for j.dec.More() && !bad.full() {
		var raw json.RawMessage
		if _, err := j.decode(&raw); err != nil {
			return nil, fmt.Errorf("entry %d: %w", entries, err)
		}
		var list []json.RawMessage
		var object map[string]json.RawMessage
		switch {
		case raw[0] == '[' && json.Unmarshal(raw, &list) == nil:
			for _, e := range list {
				add(e)
			}
		case raw[0] == '{' && json.Unmarshal(raw, &object) == nil && !isEntry(object):
			for _, image := range slices.Sorted(maps.Keys(object)) {
				if out[image], err = labelValue(object[image]); err != nil {
					bad.add("image %q: %v", image, err)
				}
			}
		default:
			add(raw)
		}
	}
	if !bad.full() {
		if err := j.end(); err != nil {
			return nil, err
		}
	}
	return out, bad.err()
}

// isEntry tells one image's entry from an object of labels by image.
func isEntry(o map[string]json.RawMessage) bool {
	_, image := o["image"]
	for _, k := range []string{"label", "classes", "error"} {
		if _, ok := o[k]; ok && image {
			return true
		}
	}
	return false
}

func labelEntry(raw json.RawMessage) (string, []string, error) {
	var e struct {
		Image   json.RawMessage `json:"image"`
		Label   json.RawMessage `json:"label"`
		Classes json.RawMessage `json:"classes"`
		Error   json.RawMessage `json:"error"`
	}
	if json.Unmarshal(raw, &e) != nil {
		return "", nil, fmt.Errorf("%s, want an object", quoted(raw))
	}
	image, err := text("image", e.Image)
	switch {
	case err != nil:
		return "", nil, err
	case !absent(e.Label):
		label, err := text("label", e.Label)
		return image, []string{label}, err
	case !absent(e.Classes):
		labels, err := rankedLabels(e.Classes)
		return image, labels, err
	case !absent(e.Error):
		return image, nil, nil
	}
	return "", nil, errors.New("label and classes are missing; want one of them")
}

func rankedLabels(raw json.RawMessage) ([]string, error) {
	var classes []struct {
		Label json.RawMessage `json:"label"`
		Score json.RawMessage `json:"score"`
	}
	if json.Unmarshal(raw, &classes) != nil {
		return nil, fmt.Errorf(`classes is %s, want [{"label", "score"}, …]`, quoted(raw))
	}
	type scored struct {
		label string
		score float64
	}
	list := make([]scored, len(classes))
	for i, c := range classes {
		var err error
		if list[i].label, err = text(fmt.Sprintf("classes[%d].label", i), c.Label); err != nil {
			return nil, err
		}
		if list[i].score, err = number(fmt.Sprintf("classes[%d].score", i), c.Score); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(list, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	labels := make([]string, len(list))
	for i, s := range list {
		labels[i] = s.label
	}
	return labels, nil
}

// labelValue is one label or an array of them.
func labelValue(raw json.RawMessage) ([]string, error) {
	var list []string
	if raw[0] == '[' && json.Unmarshal(raw, &list) == nil {
		return list, nil
	}
	label, err := text("label", raw)
	return []string{label}, err
}
