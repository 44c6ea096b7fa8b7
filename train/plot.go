package train

import (
	"fmt"
	"image"
	"image/color"
	imagedraw "image/draw"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// panel is one chart of the report.
type panel struct {
	Title  string
	Series []series
	Log    bool // logarithmic values
	Noisy  bool // draw a smoothed line over a faint one
	Unit   bool // start the axis of values at 0
	Steps  int  // where the axis of steps ends
}

const (
	panelWidth  = 6 * vg.Inch
	panelHeight = 2.9 * vg.Inch
	panelDPI    = 144
	plotPoints  = 600 // a curve has no more
)

// Colours that people with colour blindness tell apart (Okabe and Ito 2008), the yellow darkened for a white ground.
var curveColors = []color.NRGBA{
	{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255},
	{86, 180, 233, 255}, {230, 159, 0, 255}, {120, 94, 240, 255}, {110, 110, 110, 255},
}

var (
	ink  = color.NRGBA{40, 44, 52, 255}
	soft = color.NRGBA{110, 116, 128, 255}
	grid = color.NRGBA{232, 234, 238, 255}
)

// panels chooses what to draw: overview is what one looks at first, detail every group of metrics on its own. Parts of the
// loss are grouped by what precedes the dot in their names, metrics by their first two words ("scenes box AP50" belongs to
// "scenes box").
func (h *history) panels() (overview, detail []panel) {
	overview = []panel{{Title: "Training loss", Series: []series{h.Loss}, Log: true, Noisy: true}}
	overview = append(overview, grouped(h.Parts, "Loss: ", func(name string) string {
		group, _, ok := strings.Cut(name, ".")
		if !ok {
			return ""
		}
		return group
	}, panel{Log: true, Noisy: true})...)
	detail = grouped(h.Evals, "Evaluation: ", evalGroup, panel{Unit: true})
	overview = append(overview, headlines(h.Evals)...)
	overview = append(overview,
		panel{Title: "Learning rate", Series: []series{h.LR}, Unit: true},
		panel{Title: "Norm of the gradient", Series: []series{h.GradNorm}, Log: true, Noisy: true},
		panel{Title: "Images per second", Series: []series{h.Speed}, Noisy: true, Unit: true},
		panel{Title: "Memory (MB)", Series: []series{h.Memory}, Unit: true})
	for _, ps := range [][]panel{overview, detail} {
		for i := range ps {
			ps[i].Steps = h.Steps
		}
	}
	return overview, detail
}

// evalGroup is the part of a metric's name that says what was measured.
func evalGroup(name string) string {
	words := strings.Fields(name)
	return strings.Join(words[:min(2, max(len(words)-1, 0))], " ")
}

// headlines draws one metric of each group, the best known one, in panels of eight. Metrics that are no share of 1 have panels of their
// own.
func headlines(evals []series) []panel {
	known := []string{"AP", "top1", "mIoU", "vqa_accuracy", "CIDEr", "PCK"}
	rank := func(name string) int {
		words := strings.Fields(name)
		if i := slices.Index(known, words[len(words)-1]); i >= 0 {
			return i
		}
		return len(known)
	}
	var chosen []series
	for i, s := range evals {
		if strings.TrimSpace(s.Name) == "" {
			continue
		}
		n := len(chosen)
		switch {
		case i == 0 || n == 0 || evalGroup(chosen[n-1].Name) != evalGroup(s.Name):
			chosen = append(chosen, s)
		case rank(s.Name) < rank(chosen[n-1].Name):
			chosen[n-1] = s
		}
	}
	var out, open []panel
	chosen = slices.DeleteFunc(chosen, func(s series) bool {
		beyond := strings.HasSuffix(s.Name, "CIDEr")
		if beyond {
			open = append(open, panel{Title: "Evaluation: " + s.Name, Unit: true, Series: []series{s}})
		}
		return beyond
	})
	for i := 0; i < len(chosen); i += len(curveColors) {
		out = append(out, panel{Title: "Evaluation", Unit: true, Series: chosen[i:min(i+len(curveColors), len(chosen))]})
	}
	return append(out, open...)
}

// grouped makes a panel of at most eight curves for each group. Groups of one share panels.
func grouped(ss []series, title string, group func(string) string, like panel) []panel {
	var names []string
	members := map[string][]series{}
	for _, s := range ss {
		g := group(s.Name)
		if _, ok := members[g]; !ok {
			names = append(names, g)
		}
		members[g] = append(members[g], s)
	}
	var out []panel
	var rest []series
	for _, g := range names {
		m := members[g]
		if len(m) == 1 || g == "" {
			rest = append(rest, m...)
			continue
		}
		p := like
		p.Title = title + g
		for _, s := range m[:min(len(m), len(curveColors))] {
			s.Name = strings.TrimLeft(s.Name[len(g):], ". ")
			p.Series = append(p.Series, s)
		}
		out = append(out, p)
	}
	for i := 0; i < len(rest); i += len(curveColors) {
		p := like
		if p.Title = title + "other"; len(names) == len(rest) || names[0] == "" && len(names) == 1 {
			p.Title = strings.TrimSuffix(title, ": ")
		}
		p.Series = rest[i:min(i+len(curveColors), len(rest))]
		out = append(out, p)
	}
	return out
}

// render draws a panel as a picture.
func (p *panel) render() (image.Image, error) {
	c := vgimg.NewWith(vgimg.UseWH(panelWidth, panelHeight), vgimg.UseDPI(panelDPI), vgimg.UseBackgroundColor(color.White))
	if err := p.draw(draw.Crop(draw.New(c), 6, -6, 4, -6)); err != nil {
		return nil, fmt.Errorf("train: report: panel %q: %w", p.Title, err)
	}
	return c.Image(), nil
}

// mosaic puts pictures of one size side by side, row after row.
func mosaic(ms []image.Image, cols int) image.Image {
	size := ms[0].Bounds().Size()
	rows := (len(ms) + cols - 1) / cols
	out := image.NewRGBA(image.Rect(0, 0, cols*size.X, rows*size.Y))
	imagedraw.Draw(out, out.Bounds(), image.White, image.Point{}, imagedraw.Src)
	for i, m := range ms {
		at := image.Pt(i%cols*size.X, i/cols*size.Y)
		imagedraw.Draw(out, image.Rectangle{Min: at, Max: at.Add(size)}, m, m.Bounds().Min, imagedraw.Src)
	}
	return out
}

func textStyle(size vg.Length, c color.Color, bold bool) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = 3
	}
	return text.Style{Font: f, Color: c, Handler: plot.DefaultTextHandler}
}

// style gives a chart its title, axes without lines, and a faint grid.
func style(g *plot.Plot, title string) {
	g.Title.Text = title
	g.Title.TextStyle = textStyle(11, ink, true)
	g.Title.TextStyle.XAlign, g.Title.TextStyle.YAlign = draw.XCenter, draw.YTop
	g.Title.Padding = 6
	axis := func(a *plot.Axis, x text.XAlignment, y text.YAlignment) {
		a.LineStyle.Width, a.Tick.LineStyle.Width = 0, 0
		a.Tick.Label = textStyle(8.5, soft, false)
		a.Tick.Label.XAlign, a.Tick.Label.YAlign = x, y
		a.Tick.Length, a.Padding = 2, 4
	}
	axis(&g.X, draw.XCenter, draw.YTop)
	axis(&g.Y, draw.XRight, draw.YCenter)
	g.X.Tick.Marker, g.Y.Tick.Marker = ticks{}, ticks{}
	lines := plotter.NewGrid()
	lines.Horizontal = draw.LineStyle{Color: grid, Width: .7}
	lines.Vertical = lines.Horizontal
	g.Add(lines)
}

// draw puts the chart on the left of the canvas and its legend on the right.
func (p *panel) draw(c draw.Canvas) error {
	g := plot.New()
	style(g, p.Title)
	g.X.Label.Text, g.X.Label.TextStyle = "step", textStyle(8.5, soft, false)
	g.X.Label.TextStyle.XAlign, g.X.Label.TextStyle.YAlign = draw.XCenter, draw.YBottom

	legend := plot.NewLegend()
	legend.Top, legend.Left, legend.ThumbnailWidth, legend.Padding = true, true, 12, 3
	legend.TextStyle = textStyle(8.5, ink, false)
	drawn := 0
	for i, s := range p.Series {
		s = p.positive(s.thin(plotPoints))
		if len(s.X) == 0 {
			continue
		}
		drawn++
		col := curveColors[i%len(curveColors)]
		main := s
		if p.Noisy && len(s.X) > 20 {
			faint := col
			faint.A = 70
			if err := addLine(g, s, faint, .8, false, nil); err != nil {
				return err
			}
			main = s.smooth(float64(len(s.X))/25, p.Log)
		}
		if err := addLine(g, main, col, 1.6, len(s.X) < 40, &legend); err != nil {
			return err
		}
	}
	if drawn == 0 {
		g.X.Min, g.X.Max, g.Y.Min, g.Y.Max = 0, 1, 0, 1
	} else if p.Log {
		g.Y.Scale, g.Y.Tick.Marker = plot.LogScale{}, logTicks{}
		g.Y.Min, g.Y.Max = g.Y.Min/1.1, g.Y.Max*1.1
	} else if p.Unit {
		g.Y.Min, g.Y.Max = 0, max(g.Y.Max*1.05, 1e-9)
	} else if g.Y.Max-g.Y.Min < 1e-9 {
		g.Y.Min, g.Y.Max = g.Y.Min-.5, g.Y.Max+.5
	}
	g.X.Min, g.X.Max = 0, float64(max(p.Steps, 1))
	width := c.Max.X - c.Min.X
	side := vg.Length(0)
	if len(p.Series) > 1 {
		for _, s := range p.Series {
			side = max(side, legend.TextStyle.Width(s.Name))
		}
		side = min(side+legend.ThumbnailWidth+14, width*.4)
		legend.Draw(draw.Crop(c, width-side+4, 0, 0, -26))
	}
	g.Draw(draw.Crop(c, 0, -side-6, 0, 0))
	return nil
}

// positive leaves out what a logarithmic axis cannot show, and what is not finite.
func (p *panel) positive(s series) series {
	out := series{Name: s.Name}
	for i, y := range s.Y {
		if y-y == 0 && (!p.Log || y > 0) {
			out.add(s.X[i], y)
		}
	}
	return out
}

func addLine(g *plot.Plot, s series, c color.Color, width vg.Length, points bool, legend *plot.Legend) error {
	xys := make(plotter.XYs, len(s.X))
	for i := range xys {
		xys[i].X, xys[i].Y = s.X[i], s.Y[i]
	}
	l, err := plotter.NewLine(xys)
	if err != nil {
		return err
	}
	l.Color, l.Width = c, width
	g.Add(l)
	if points {
		p, err := plotter.NewScatter(xys)
		if err != nil {
			return err
		}
		p.GlyphStyle = draw.GlyphStyle{Color: c, Radius: 2, Shape: draw.CircleGlyph{}}
		g.Add(p)
	}
	if legend != nil {
		legend.Add(s.Name, l)
	}
	return nil
}

// ticks puts about five marks at round numbers.
type ticks struct{}

// Ticks implements plot.Ticker.
func (ticks) Ticks(lo, hi float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/4)))
	for _, m := range []float64{5, 2} {
		if (hi-lo)/(step*m) >= 3 {
			step *= m
			break
		}
	}
	var out []plot.Tick
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi+step*1e-9; i++ {
		v := i*step + 0 // never −0
		out = append(out, plot.Tick{Value: v, Label: label(v)})
	}
	return out
}

// logTicks marks 1, 2 and 5 times the powers of ten, or the powers alone where there are many.
type logTicks struct{}

// Ticks implements plot.Ticker.
func (logTicks) Ticks(lo, hi float64) []plot.Tick {
	factors := []float64{1, 2, 5}
	if hi/lo > 300 {
		factors = factors[:1]
	}
	var out []plot.Tick
	for e := math.Floor(math.Log10(lo)); e <= math.Log10(hi); e++ {
		for _, f := range factors {
			if v := f * math.Pow(10, e); v >= lo && v <= hi {
				out = append(out, plot.Tick{Value: v, Label: label(v)})
			}
		}
	}
	if len(out) < 2 { // a narrow range between two marks
		return ticks{}.Ticks(lo, hi)
	}
	return out
}

// label is a number in few characters.
func label(v float64) string {
	if a := math.Abs(v); a >= 1e4 && a < 1e6 {
		return strconv.FormatFloat(v/1000, 'g', 4, 64) + "k"
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}
