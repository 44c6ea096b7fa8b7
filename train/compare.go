package train

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"fovea/checkpoint"
	"fovea/imageproc"
)

// Compared is a run whose measurements are compared with those of others.
type Compared struct {
	Name string // in the legend
	Dir  string // the run's output folder
}

// Compare draws a measurement of several runs, such as "clothing class top1", over their steps into a PNG file.
func Compare(path, title, metric string, runs ...Compared) error {
	p := panel{Title: title, Unit: true}
	for _, r := range runs {
		h, err := readHistory(r.Dir)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(h.Evals, func(s series) bool { return s.Name == metric })
		if i < 0 {
			return fmt.Errorf("train: compare: %s has no measurement %q", r.Dir, metric)
		}
		s := h.Evals[i]
		s.Name = fmt.Sprintf("%s: %.3f", r.Name, s.last())
		p.Series, p.Steps = append(p.Series, s), max(p.Steps, h.Steps)
	}
	if len(p.Series) == 0 {
		return errors.New("train: compare: no run is named")
	}
	img, err := p.render()
	if err != nil {
		return err
	}
	return checkpoint.AtomicWrite(checkpoint.OS, path, func(w io.Writer) error { return imageproc.EncodePNG(w, imageproc.FromImage(img)) })
}
