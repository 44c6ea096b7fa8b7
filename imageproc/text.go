package imageproc

import (
	"image"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// The Go fonts (Bigelow & Holmes, BSD licence) are compiled in. They hold Latin, Greek and Cyrillic letters; others show
// as boxes.
var (
	regularFont = sync.OnceValue(func() *opentype.Font { return mustParse(goregular.TTF) })
	boldFont    = sync.OnceValue(func() *opentype.Font { return mustParse(gobold.TTF) })
)

func mustParse(ttf []byte) *opentype.Font {
	f, err := opentype.Parse(ttf)
	if err != nil {
		panic(err) // the fonts are constants of the program
	}
	return f
}

// typeface is a font at a size; it is not safe for use by several goroutines.
type typeface struct {
	face                   font.Face
	ascent, descent, lines float64 // pixels; lines is the distance of two baselines
}

// newTypeface makes a font of a size in pixels.
func newTypeface(bold bool, size float64) *typeface {
	f := regularFont()
	if bold {
		f = boldFont()
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		panic(err) // only an invalid size
	}
	m := face.Metrics()
	px := func(v fixed.Int26_6) float64 { return float64(v) / 64 }
	return &typeface{face, px(m.Ascent), px(m.Descent), 1.25 * (px(m.Ascent) + px(m.Descent))}
}

// width is how far a text reaches, in pixels.
func (t *typeface) width(s string) float64 { return float64(font.MeasureString(t.face, s)) / 64 }

// text writes s with its baseline beginning at (x, y).
func (m canvas) text(t *typeface, x, y float64, s string, c rgb) {
	w := int(t.width(s)) + 3
	h := int(t.ascent+t.descent) + 3
	x0, y0 := int(x)-1, int(y-t.ascent)-1
	ink := image.NewAlpha(image.Rect(0, 0, w, h))
	d := font.Drawer{Dst: ink, Src: image.Opaque, Face: t.face,
		Dot: fixed.Point26_6{X: fixed.Int26_6((x - float64(x0)) * 64), Y: fixed.Int26_6((y - float64(y0)) * 64)}}
	d.DrawString(s)
	for j := max(0, -y0); j < min(h, m.H-y0); j++ {
		for i := max(0, -x0); i < min(w, m.W-x0); i++ {
			if a := ink.Pix[j*ink.Stride+i]; a > 0 {
				m.over(x0+i, y0+j, c, float64(a)/255)
			}
		}
	}
}

// cut shortens a text with an ellipsis to a width in pixels.
func (t *typeface) cut(s string, width float64) string {
	if t.width(s) <= width {
		return s
	}
	r := []rune(s)
	for n := len(r) - 1; n > 0; n-- {
		if short := strings.TrimRight(string(r[:n]), " ") + "…"; t.width(short) <= width {
			return short
		}
	}
	return "…"
}

// run is a piece of a paragraph in one style. A run with a chip begins with a square of that colour.
type run struct {
	text string
	face *typeface
	ink  rgb
	chip *rgb
}

// word is a placed word.
type word struct {
	run
	x, y float64 // of the baseline's beginning
}

// layout breaks paragraphs into lines that fit a width, and says how high they are. A word that is wider than a line is
// broken within.
func layout(paragraphs [][]run, width float64) (words []word, height float64) {
	for _, p := range paragraphs {
		if len(p) == 0 {
			continue
		}
		f := p[0].face
		x, y := 0.0, height+f.ascent
		for _, r := range p {
			space := r.face.width(" ")
			parts := strings.Fields(r.text)
			if r.chip != nil {
				parts = []string{r.text} // the name beside a chip stays on its line
				space *= 4
			}
			for _, s := range parts {
				w := r
				for s != "" {
					lead := 0.0
					if w.chip != nil {
						lead = f.ascent
					}
					n := r.face.width(s)
					if x > 0 && x+lead+n > width {
						x, y = 0, y+f.lines
					}
					head := s
					for utf8.RuneCountInString(head) > 1 && x+lead+r.face.width(head) > width {
						_, size := utf8.DecodeLastRuneInString(head)
						head = head[:len(head)-size]
					}
					w.text = head
					words = append(words, word{w, x, y})
					x += lead + r.face.width(head) + space
					s, w.chip = s[len(head):], nil
				}
			}
		}
		height = y + f.descent + .45*f.lines
	}
	return words, height
}
