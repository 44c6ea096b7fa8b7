package bench

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	_ "gonum.org/v1/plot/vg/vgimg" // writes PNG
	_ "gonum.org/v1/plot/vg/vgsvg" // writes SVG
)

// Colours that people with colour blindness tell apart (Okabe and Ito 2008).
var rooflineColors = []color.NRGBA{{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}}

// PlotRoofline draws rates over intensities with their roofs, which ShareLimits made equal, one colour for each format and number of threads, to a .svg or
// .png file.
func PlotRoofline(path string, rates []Rate) error {
	ext := strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), ".")
	if ext != "svg" && ext != "png" {
		return fmt.Errorf("bench: cannot draw %q; name the file .svg or .png", path)
	}
	p := plot.New()
	p.Title.Text = "Matrix products under their roofs"
	p.X.Label.Text, p.Y.Label.Text = "operations a byte", "GFLOP/s"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	type group struct {
		bf16    bool
		threads int
	}
	var order []group
	top := 0.
	points, roof := map[group]plotter.XYs{}, map[group]Rate{}
	for _, r := range rates {
		g := group{r.BF16, r.Threads}
		if points[g] == nil {
			order = append(order, g)
		}
		points[g] = append(points[g], plotter.XY{X: r.Intensity(), Y: r.Best / 1e9})
		roof[g] = r
		top = max(top, r.Peak/1e9, r.Best/1e9)
	}
	for i, g := range order {
		c := rooflineColors[i%len(rooflineColors)]
		s, err := plotter.NewScatter(points[g])
		if err != nil {
			return fmt.Errorf("bench: draw %q: %w", path, err)
		}
		s.Color, s.Shape, s.Radius = c, draw.CircleGlyph{}, vg.Points(3)
		p.Add(s)
		name := Rate{Product: Product{BF16: g.bf16}, Threads: g.threads}.format()
		if r := roof[g]; r.Peak > 0 && r.Memory > 0 {
			line := plotter.NewFunction(func(x float64) float64 { return math.Min(r.Peak, r.Memory*x) / 1e9 })
			line.Color, line.Width, line.Samples, line.XMin, line.XMax = c, vg.Points(1.2), 2000, .3, 1000
			p.Add(line)
			p.Legend.Add(name, line, s)
			continue
		}
		p.Legend.Add(name, s)
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = .3, 1000, 1, 1.6*top
	w, err := p.WriterTo(8*vg.Inch, 5*vg.Inch, ext)
	if err != nil {
		return fmt.Errorf("bench: draw %q: %w", path, err)
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("bench: draw: %w", err)
	}
	if _, err = w.WriteTo(f); err != nil {
		_ = f.Close()
		return fmt.Errorf("bench: draw %q: %w", path, err)
	}
	return f.Close()
}

// format says what of a rate is common to a colour.
func (r Rate) format() string {
	f := "f32"
	if r.BF16 {
		f = "bf16"
	}
	if r.Threads == 1 {
		return f + ", 1 thread"
	}
	return fmt.Sprintf("%s, %d threads", f, r.Threads)
}
