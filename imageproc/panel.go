package imageproc

import (
	"math"

	"fovea/annotation"
)

var (
	paper = rgb{250, 250, 248}
	ink   = rgb{24, 24, 28}
	faint = rgb{112, 112, 120}
)

// withPanel puts the picture's class, legend, questions and captions below it. Without any of them the picture stays as it
// is.
func (d *drawing) withPanel(p *annotation.Picture) *RGB {
	size := max(math.Round(d.letter), 12)
	plain, bold := newTypeface(false, size), newTypeface(true, size)
	text := d.paragraphs(p, plain, bold)
	if len(text) == 0 {
		return d.RGB
	}
	margin := math.Round(.8 * size)
	width := max(float64(d.W), 14*size) // a narrow picture still gets lines of some words
	words, height := layout(text, width-2*margin)
	out := canvas{NewRGB(int(width), d.H+int(height+1.4*margin))}
	out.fill(0, 0, out.W, out.H, paper)
	out.paste(d.RGB, (out.W-d.W)/2, 0)
	for _, w := range words {
		x, y := margin+w.x, float64(d.H)+margin+w.y
		if w.chip != nil {
			a := w.face.ascent
			out.RGB.chip(x, y-.78*a, .78*a, *w.chip)
			x += a
		}
		out.text(w.face, x, y, w.text, w.ink)
	}
	return out.RGB
}

// chip paints a square of a legend.
func (m *RGB) chip(x, y, side float64, c rgb) {
	canvas{m}.panel(x, y, x+side, y+side, side/5, c, 1)
}

// paragraphs are what there is to say.
func (d *drawing) paragraphs(p *annotation.Picture, plain, bold *typeface) (out [][]run) {
	if p.Class != "" {
		out = append(out, []run{{text: p.Class, face: bold, ink: ink}})
	}
	if p.Semantic != nil {
		if l := d.legend(p.Semantic, plain); len(l) > 0 {
			out = append(out, l)
		}
	}
	for _, q := range p.Questions {
		runs := []run{{text: q.Text, face: bold, ink: ink}}
		switch {
		case q.Answer != "":
			runs = append(runs, run{text: q.Answer, face: plain, ink: ink}, run{text: percent(q.Score), face: plain, ink: faint})
		case len(q.Answers) > 0:
			runs = append(runs, run{text: q.Answers[0], face: plain, ink: ink})
		}
		out = append(out, runs)
	}
	for _, c := range p.Captions {
		out = append(out, []run{{text: c, face: plain, ink: ink}})
	}
	return out
}

// legend names the classes that cover at least a thousandth of the picture, the largest first.
func (d *drawing) legend(l *annotation.LabelMap, t *typeface) (out []run) {
	var count [256]int
	for _, v := range l.Pix {
		count[v]++
	}
	count[annotation.Void] = 0
	for {
		best := 0
		for i, n := range count {
			if n > count[best] {
				best = i
			}
		}
		if count[best] == 0 || count[best]*1000 < len(l.Pix) {
			return out
		}
		count[best] = 0
		c := Color(best)
		out = append(out, run{text: d.names[best], face: t, ink: ink, chip: &c})
	}
}
