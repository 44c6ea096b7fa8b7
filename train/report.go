package train

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"image"
	"image/png"
	"io"
	"path/filepath"
	"time"

	"fovea/autograd"
	"fovea/checkpoint"
)

//go:embed report.tmpl.html
var reportText string

var reportTemplate = template.Must(template.New("report").Parse(reportText))

// report is what report.html shows.
type report struct {
	Title            string
	When             string
	Tiles            []tile
	Sheet            template.URL // data URL; "" without
	Overview, Detail []figure
	Metrics          []metric
	Config           string
}

type tile struct{ Value, Label string }

type figure struct {
	Title string
	Image template.URL
}

// metric is a row of the table of results.
type metric struct {
	Name, Last, Best string
	Step             int // of the best
}

// writeReport draws curves.png and report.html (which needs no other file) into dir from its metrics.jsonl. sheet is a
// picture of examples, or nil; config is JSON.
func writeReport(dir string, total int, params []*autograd.Param, config []byte, sheet image.Image) error {
	h, err := readHistory(dir)
	if err != nil {
		return err
	}
	overview, detail := h.panels()
	weights := 0
	for _, p := range params {
		if p.Kind != autograd.Buffer {
			weights += len(p.Data)
		}
	}
	r := report{Title: filepath.Base(filepath.Clean(dir)), When: time.Now().Format("2 January 2006, 15:04"), Tiles: []tile{
		{fmt.Sprintf("%d / %d", h.Steps, total), "steps"},
		{duration(time.Duration(h.Seconds * float64(time.Second))), "training time"},
		{fmt.Sprintf("%.4g", h.Loss.smooth(10, false).last()), "loss"},
		{fmt.Sprintf("%.1f", h.Speed.smooth(30, false).last()), "images / s"},
		{fmt.Sprintf("%.2f M", float64(weights)/1e6), "weights"},
	}}
	var curves []image.Image
	if r.Overview, curves, err = figures(overview); err != nil {
		return err
	}
	if r.Detail, _, err = figures(detail); err != nil {
		return err
	}
	all, err := encodePNG(mosaic(curves, 2))
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "curves.png"), all); err != nil {
		return err
	}
	for _, s := range h.Evals {
		best := 0
		for i, y := range s.Y {
			if y > s.Y[best] {
				best = i
			}
		}
		r.Metrics = append(r.Metrics, metric{s.Name, fmt.Sprintf("%.4f", s.last()), fmt.Sprintf("%.4f", s.Y[best]), int(s.X[best])})
	}
	if sheet != nil {
		b, err := encodePNG(sheet)
		if err != nil {
			return err
		}
		r.Sheet = dataURL(b)
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, config, "", "  ") == nil {
		r.Config = pretty.String()
	}
	var out bytes.Buffer
	if err := reportTemplate.Execute(&out, r); err != nil {
		return fmt.Errorf("train: report: %w", err)
	}
	return writeFile(filepath.Join(dir, "report.html"), out.Bytes())
}

func figures(ps []panel) (out []figure, pictures []image.Image, err error) {
	for i := range ps {
		m, err := ps[i].render()
		if err != nil {
			return nil, nil, err
		}
		b, err := encodePNG(m)
		if err != nil {
			return nil, nil, err
		}
		out, pictures = append(out, figure{ps[i].Title, dataURL(b)}), append(pictures, m)
	}
	return out, pictures, nil
}

func writeFile(path string, b []byte) error {
	return checkpoint.AtomicWrite(nil, path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

func encodePNG(m image.Image) ([]byte, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return nil, fmt.Errorf("train: report: %w", err)
	}
	return b.Bytes(), nil
}

func dataURL(png []byte) template.URL {
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(png))
}
