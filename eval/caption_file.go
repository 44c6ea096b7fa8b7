package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// ScoreCaptions scores COCO caption results, [{"image_id", "caption"}, …], one per image, against a COCO captions file,
// {"annotations": [{"image_id", "caption"}, …]}. The metrics are those of Captions.Result over the images that have a
// result; a warning counts the others.
func ScoreCaptions(truth, preds io.Reader) (*Report, error) {
	refs := map[int64][]string{}
	j, err := newReader(truth)
	if err != nil {
		return nil, &sideError{true, err}
	}
	found := false
	err = readDocument(j, func(bad *faults) error {
		return j.object(func(key string) error {
			if key != "annotations" {
				return j.skip()
			}
			found = true
			return readCaptions(j, "annotation", bad, func(image int64, caption string) error {
				refs[image] = append(refs[image], caption)
				return nil
			})
		})
	})
	if err == nil && !found {
		err = fmt.Errorf(`"annotations" is missing; want a COCO captions file`)
	}
	if err != nil {
		return nil, &sideError{true, err}
	}
	captions := map[int64]string{}
	if j, err = newReader(preds); err == nil {
		err = readDocument(j, func(bad *faults) error {
			return readCaptions(j, "result", bad, func(image int64, caption string) error {
				if _, twice := captions[image]; twice {
					return fmt.Errorf("image_id %d has a caption already", image)
				}
				if refs[image] == nil {
					return fmt.Errorf("image_id %d has no caption in the truth's %d images", image, len(refs))
				}
				captions[image] = caption
				return nil
			})
		})
	}
	if err != nil {
		return nil, &sideError{false, err}
	}
	c := NewCaptions()
	for _, image := range slices.Sorted(maps.Keys(captions)) {
		if err := c.Add(refs[image], captions[image]); err != nil {
			return nil, err
		}
	}
	r := &Report{Task: "caption", Images: c.Images(), Metrics: c.Result()}
	if without := len(refs) - len(captions); without > 0 {
		r.Warnings = []string{fmt.Sprintf("%d of %d images have no result and are left out", without, len(refs))}
	}
	return r, nil
}

// readDocument reads a whole file by f and makes one error of the faults it found.
func readDocument(j *jsonReader, f func(bad *faults) error) error {
	var bad faults
	err := f(&bad)
	if err == nil {
		err = j.end()
	}
	if err != nil && !errors.Is(err, errGivenUp) {
		return err
	}
	return bad.err()
}

func readCaptions(j *jsonReader, what string, bad *faults, add func(image int64, caption string) error) error {
	return j.array(func(i int) error {
		var a struct {
			ImageID json.RawMessage `json:"image_id"`
			Caption json.RawMessage `json:"caption"`
		}
		fatal, err := j.decode(&a)
		if fatal {
			return fmt.Errorf("%s %d: %w", what, i, err)
		}
		var image int64
		var caption string
		if err == nil {
			image, err = integer("image_id", a.ImageID)
		}
		if err == nil {
			caption, err = text("caption", a.Caption)
		}
		if err == nil {
			err = add(image, caption)
		}
		if err != nil {
			bad.add("%s %d: %v", what, i, err)
		}
		return giveUp(bad)
	})
}
