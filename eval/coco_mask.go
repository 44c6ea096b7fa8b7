package eval

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"fovea/annotation"
)

// maxRuns bounds what the polygons of both files may unfold to: 1 GiB of run lengths. A triangle of forty characters in a
// picture that claims to be millions of pixels wide has millions of runs; the largest real data sets have a tenth of this.
const maxRuns = 1 << 28

// mask draws a segmentation, or a box where there is none.
func (t *cocoTruth) mask(raw json.RawMessage, b box, im cocoImage) (r annotation.RLE, err error) {
	if absent(raw) {
		r, err = b.mask(im)
	} else {
		r, err = maskOf(raw, im)
	}
	if err == nil && (absent(raw) || raw[0] == '[') {
		if t.runs += len(r.Counts); t.runs > maxRuns {
			return r, fmt.Errorf("the masks up to here have more than %d runs of pixels", maxRuns)
		}
	}
	return r, err
}

// maskOf reads a COCO segmentation: polygons [[x, y, …], …], or run lengths {"size": [h, w], "counts": …} with the
// counts as numbers or as a compressed string. The mask is as large as the image.
func maskOf(raw json.RawMessage, im cocoImage) (annotation.RLE, error) {
	var r annotation.RLE
	switch raw[0] {
	case '[':
		if !im.known {
			return r, errors.New("segmentation holds polygons, but the image has no height and width")
		}
		polygons, err := polygonsOf(raw)
		if err != nil {
			return r, err
		}
		if r, err = annotation.PolygonRLE(im.h, im.w, polygons...); err != nil {
			return r, fmt.Errorf("segmentation: %w", err)
		}
		return r, nil
	case '{':
		r, err := runLengths(raw)
		if err != nil {
			return r, err
		}
		if im.known && (r.H != im.h || r.W != im.w) {
			return r, fmt.Errorf("segmentation of %d×%d pixels (height×width), the image has %d×%d", r.H, r.W, im.h, im.w)
		}
		return r, nil
	}
	return r, fmt.Errorf("segmentation is %s, want polygons or run lengths", quoted(raw))
}

func polygonsOf(raw json.RawMessage) ([][]float64, error) {
	var rows []json.RawMessage
	if err := json.Unmarshal(raw, &rows); err != nil {
		return nil, fmt.Errorf("segmentation: %w", err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("segmentation is [], want at least one polygon")
	}
	out := make([][]float64, len(rows))
	for i, row := range rows {
		var err error
		if out[i], err = numbers("segmentation["+strconv.Itoa(i)+"]", row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func runLengths(raw json.RawMessage) (r annotation.RLE, err error) {
	var v struct {
		Size   json.RawMessage `json:"size"`
		Counts json.RawMessage `json:"counts"`
	}
	if err = json.Unmarshal(raw, &v); err != nil {
		return r, fmt.Errorf("segmentation: %w", err)
	}
	size, err := numbers("segmentation.size", v.Size)
	if err != nil {
		return r, err
	}
	if len(size) != 2 || !whole(size[0], annotation.MaxMaskPixels) || !whole(size[1], annotation.MaxMaskPixels) {
		return r, fmt.Errorf("segmentation.size is %s, want height and width", quoted(v.Size))
	}
	h, w := int(size[0]), int(size[1])
	if absent(v.Counts) {
		return r, fmt.Errorf("segmentation.counts is missing")
	}
	if v.Counts[0] == '"' {
		s, err := text("segmentation.counts", v.Counts)
		if err != nil {
			return r, err
		}
		if r, err = annotation.ParseRLE(h, w, s); err != nil {
			return r, fmt.Errorf("segmentation: %w", err)
		}
		return r, nil
	}
	counts := make([]uint32, 0, bytes.Count(v.Counts, []byte(","))+1)
	err = elements(v.Counts, func(i int, e []byte) error {
		n, err := strconv.ParseFloat(string(e), 64)
		if err != nil || !whole(n, math.MaxUint32) {
			return fmt.Errorf("segmentation.counts[%d] is %s, want a number of pixels", i, quoted(e))
		}
		counts = append(counts, uint32(n))
		return nil
	})
	if errors.Is(err, errNoArray) {
		return r, fmt.Errorf("segmentation.counts is %s, want run lengths", quoted(v.Counts))
	}
	if err != nil {
		return r, err
	}
	if r, err = annotation.NewRLE(h, w, counts); err != nil {
		return r, fmt.Errorf("segmentation: %w", err)
	}
	return r, nil
}

func whole(v, limit float64) bool { return v >= 0 && v <= limit && v == math.Trunc(v) }

// mask fills the box, for results without a mask.
func (b box) mask(im cocoImage) (annotation.RLE, error) {
	x0, y0, x1, y1 := b[0], b[1], b[0]+b[2], b[1]+b[3]
	r, err := annotation.PolygonRLE(im.h, im.w, []float64{x0, y0, x0, y1, x1, y1, x1, y0})
	if err != nil {
		return r, fmt.Errorf("bbox: %w", err)
	}
	return r, nil
}
