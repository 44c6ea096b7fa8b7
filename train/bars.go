package train

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"fovea/checkpoint"
	"fovea/imageproc"
)

// Bar is what one of several ways of training reached, once for each seed.
type Bar struct {
	Name   string
	Values []float64
}

// Mean is the mean of the values.
func (b *Bar) Mean() float64 {
	sum := 0.
	for _, v := range b.Values {
		sum += v
	}
	return sum / float64(len(b.Values))
}

const (
	barHeight  = .24 * vg.Inch
	barsMargin = .75 * vg.Inch // title and axis
)

// Bars draws one value of several ways of training into a PNG file: the mean as a bar, from 0, in the first's colour for the first
// and another for the rest, and every seed as a dot.
func Bars(path, title string, bars ...Bar) error {
	if len(bars) == 0 {
		return errors.New("train: bars: nothing to draw")
	}
	g := plot.New()
	style(g, title)
	names := make([]string, len(bars))
	for i, b := range bars {
		if len(b.Values) == 0 {
			return fmt.Errorf("train: bars: %q has no value", b.Name)
		}
		at := float64(len(bars) - 1 - i) // the first on top
		names[int(at)] = b.Name
		bar, err := plotter.NewBarChart(plotter.Values{b.Mean()}, barHeight*.62)
		if err != nil {
			return err
		}
		bar.Horizontal, bar.XMin, bar.LineStyle.Width = true, at, 0
		if bar.Color = curveColors[0]; i > 0 {
			bar.Color = curveColors[4]
		}
		g.Add(bar)
		label, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: slices.Max(b.Values), Y: at}}, Labels: []string{fmt.Sprintf("%.3f", b.Mean())}})
		if err != nil {
			return err
		}
		label.TextStyle[0] = textStyle(8.5, ink, false)
		label.TextStyle[0].XAlign, label.TextStyle[0].YAlign = draw.XLeft, draw.YCenter
		label.Offset.X = 5
		g.Add(label)
		if len(b.Values) > 1 {
			var dots plotter.XYs
			for _, v := range b.Values {
				dots = append(dots, plotter.XY{X: v, Y: at})
			}
			s, err := plotter.NewScatter(dots)
			if err != nil {
				return err
			}
			s.GlyphStyle = draw.GlyphStyle{Color: ink, Radius: 1.6, Shape: draw.CircleGlyph{}}
			g.Add(s)
		}
	}
	g.NominalY(names...)
	g.Y.Tick.Label = textStyle(8.5, ink, false)
	g.Y.Tick.Label.XAlign, g.Y.Tick.Label.YAlign = text.XRight, text.YCenter
	g.X.Min, g.X.Max = 0, max(g.X.Max*1.1, 1e-9)
	canvas := vgimg.NewWith(vgimg.UseWH(panelWidth, barsMargin+barHeight*vg.Length(len(bars))), vgimg.UseDPI(panelDPI))
	g.Draw(draw.Crop(draw.New(canvas), 8, -8, 4, -4))
	return checkpoint.AtomicWrite(checkpoint.OS, path, func(w io.Writer) error { return imageproc.EncodePNG(w, imageproc.FromImage(canvas.Image())) })
}
