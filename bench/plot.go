package main

import (
	"fmt"
	"image/color"
	"os"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	_ "gonum.org/v1/plot/vg/vgsvg" // writes SVG
)

// ratios are points with a range across, one for each comparison.
type ratios struct {
	plotter.XYs
	spread []struct{ low, high float64 }
}

func (r *ratios) XError(i int) (low, high float64) { return r.spread[i].low, r.spread[i].high }

// plotRatios writes a chart of how many times as fast we are as each peer, with the range of the rounds.
func plotRatios(path string, results []result) error {
	p := plot.New()
	p.Title.Text = "How many times as fast as others"
	p.X.Label.Text = "ratio of medians, range of the rounds"
	var names []string
	var rs ratios
	for _, it := range items(results) {
		for _, r := range it.of {
			ours := it.counterpart(r)
			if ours == nil || strings.HasPrefix(r.Engine, "fovea") {
				continue
			}
			q := compare(ours, r)
			rs.XYs = append(rs.XYs, plotter.XY{X: q.Median, Y: float64(len(names))})
			rs.spread = append(rs.spread, struct{ low, high float64 }{q.Median - q.Low, q.High - q.Median})
			names = append(names, it.what+": "+r.Engine)
		}
	}
	if len(names) == 0 {
		return nil
	}
	points, err := plotter.NewScatter(rs.XYs)
	if err != nil {
		return fmt.Errorf("plot %s: %w", path, err)
	}
	blue := color.NRGBA{0, 114, 178, 255}
	points.Color, points.Shape, points.Radius = blue, draw.CircleGlyph{}, vg.Points(3.5)
	bars, err := plotter.NewXErrorBars(&rs)
	if err != nil {
		return fmt.Errorf("plot %s: %w", path, err)
	}
	bars.Color, bars.CapWidth = blue, vg.Points(4)
	level, err := plotter.NewLine(plotter.XYs{{X: 1, Y: -.5}, {X: 1, Y: float64(len(names)) - .5}})
	if err != nil {
		return fmt.Errorf("plot %s: %w", path, err)
	}
	level.Color, level.Dashes = color.NRGBA{110, 116, 128, 255}, []vg.Length{vg.Points(4), vg.Points(3)}
	p.Add(plotter.NewGrid(), level, bars, points)
	p.X.Min, p.Y.Min, p.Y.Max = min(p.X.Min, .5), -.5, float64(len(names))-.5
	p.NominalY(names...)
	w, err := p.WriterTo(9*vg.Inch, vg.Length(len(names))*.32*vg.Inch+1.2*vg.Inch, "svg")
	if err != nil {
		return fmt.Errorf("plot %s: %w", path, err)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := w.WriteTo(f); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
