package place

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fovea/annotation"
)

// Kind is the form of an answer of Florence-2.
type Kind uint8

// The forms of answers, see Result.
const (
	Text            Kind = iota // words, as they are
	Boxes                       // boxes, each with a label
	Places                      // boxes without labels
	Phrases                     // boxes, each with a phrase of the caption
	Outlines                    // polygons
	BoxesOrOutlines             // either, each with a label
	Quads                       // four corners around a text, each with the text
)

// Florence turns answers of Florence-2 into results, as the reference's processor does. Its zero value has no settings of a
// repository.
type Florence struct {
	Banned []string // phrases of a caption that are no things
	Least  float64  // Quads of a smaller share of the picture are left out
}

// Result is an answer, taken apart. Of Text, Regions is empty; of the other kinds, Text is.
type Result struct {
	Kind    Kind
	Text    string
	Regions []Region
}

var (
	boxPattern     = regexp.MustCompile(`<loc_(\d+)><loc_(\d+)><loc_(\d+)><loc_(\d+)>`)
	binPattern     = regexp.MustCompile(`<loc_(\d+)>`)
	boxesPattern   = regexp.MustCompile(`[^<]+(?:<loc_\d+>){4,}`)
	placesPattern  = regexp.MustCompile(`(?:<loc_\d+>){4,}`)
	outlinePattern = regexp.MustCompile(`(?:<loc_\d+>|<sep>|<poly>|</poly>){4,}`)
	namedPattern   = regexp.MustCompile(`[^<]+(?:<loc_\d+>|<sep>|<poly>|</poly>){4,}`)
	thingPattern   = regexp.MustCompile(`<poly>(.*?)</poly>`)
	partPattern    = regexp.MustCompile(`((?:<loc_\d+>)+)(?:<sep>|$)`)
	quadPattern    = regexp.MustCompile(`(.+?)((?:<loc_\d+>){8})`)
	ends           = strings.NewReplacer("<s>", "", "</s>", "")
	endsAndPads    = strings.NewReplacer("<s>", "", "</s>", "", "<pad>", "")
)

// Parse takes an answer apart, whose text has all its special pieces. The picture has w × h pixels. What does not have the
// form of the kind is left out.
func (p *Florence) Parse(k Kind, text string, w, h int) Result {
	r := Result{Kind: k, Regions: []Region{}}
	if k == Text {
		r.Text = strings.TrimSpace(ends.Replace(text))
		return r
	}
	text = endsAndPads.Replace(text)
	s := scene{text: text, w: w, h: h}
	switch {
	case k == Boxes || k == BoxesOrOutlines && !strings.Contains(text, "<poly>"):
		s.boxes(boxesPattern, nil)
	case k == Places:
		s.boxes(placesPattern, nil)
	case k == Phrases:
		s.boxes(boxesPattern, p.Banned)
	case k == Outlines:
		s.outlines(outlinePattern)
	case k == BoxesOrOutlines:
		s.outlines(namedPattern)
	case k == Quads:
		s.quads(p.Least)
	}
	r.Regions = append(r.Regions, s.found...)
	return r
}

// scene is an answer at work.
type scene struct {
	text  string
	w, h  int
	found []Region
}

// boxes finds runs of a label, if the pattern has such, and coordinates: every four of these are a box. A rest of up to three
// is nothing.
func (s *scene) boxes(pattern *regexp.Regexp, banned []string) {
	for _, m := range pattern.FindAllStringIndex(s.text, -1) {
		run := s.text[m[0]:m[1]]
		label, n, ok := phrase(run, "<loc_")
		if !ok || slices.Contains(banned, label) {
			continue
		}
		for _, b := range boxPattern.FindAllStringIndex(run, -1) {
			at := s.pixels(run[b[0]:b[1]])
			s.found = append(s.found, Region{
				Label: ascii(label), Box: annotation.Box{X0: at[0], Y0: at[1], X1: at[2], Y1: at[3]}, label: [2]int{m[0], m[0] + n}, where: [2]int{m[0] + b[0], m[0] + b[1]},
			})
		}
	}
}

// outlines finds runs of a label, if the pattern has such, and coordinates with marks between them: <sep> stands between the
// parts of a thing, <poly> and </poly> around each thing when there are several.
func (s *scene) outlines(pattern *regexp.Regexp) {
	for _, m := range pattern.FindAllStringIndex(s.text, -1) {
		run, at := s.text[m[0]:m[1]], m[0]
		rest := run
		if b := binPattern.FindStringIndex(run); b != nil && b[0] == 0 {
			rest = run[b[1]:] // the reference looks for the label behind the first coordinate
		}
		label, n, ok := phrase(rest, "<loc_", "<poly>")
		if !ok {
			continue
		}
		things := [][]int{{0, len(run), 0, len(run)}}
		if strings.Contains(run, "<poly>") && strings.Contains(run, "</poly>") {
			things = thingPattern.FindAllStringSubmatchIndex(run, -1)
		}
		for _, thing := range things {
			one := run[thing[2]:thing[3]]
			parts := partPattern.FindAllStringSubmatch(one, -1)
			if len(parts) == 0 {
				continue
			}
			found := Region{Label: label, label: [2]int{at, at + n}, where: [2]int{at + thing[2], at + thing[3]}}
			for _, part := range parts {
				found.Polygons = append(found.Polygons, s.pixels(part[1]))
			}
			s.found = append(s.found, found)
		}
	}
}

// quads finds texts that eight coordinates follow. Like the reference it measures them without the edge that closes them.
func (s *scene) quads(least float64) {
	for _, m := range quadPattern.FindAllStringSubmatchIndex(s.text, -1) {
		q := s.pixels(s.text[m[4]:m[5]])
		twice := 0.
		for i := 0; i < 6; i += 2 {
			twice += q[i]*q[i+3] - q[i+2]*q[i+1]
		}
		if area := max(twice, -twice); least > 0 && area/2 < float64(s.w*s.h)*least {
			continue
		}
		s.found = append(s.found, Region{Label: strings.TrimSpace(s.text[m[2]:m[3]]), Quad: q, label: [2]int{m[2], m[3]}, where: [2]int{m[4], m[5]}})
	}
}

// pixels turns bins, x and y by turns, into coordinates. An x without a y is left out.
func (s *scene) pixels(text string) []float64 {
	all := binPattern.FindAllStringSubmatch(text, -1)
	out := make([]float64, 0, len(all))
	for i, m := range all[:len(all)/2*2] {
		b, err := strconv.Atoi(m[1])
		if err != nil || b >= Bins { // spelled in letters, as no piece is
			b = Bins - 1
		}
		size := s.w
		if i%2 == 1 {
			size = s.h
		}
		out = append(out, float64(dequantise(b, size)))
	}
	return out
}

// marks are pieces that a label ends before, besides those of its kind.
var marks = []string{"<od>", "</od>", "<box>", "</box>", "<bbox>", "</bbox>"}

// phrase is what a run begins with, up to the first mark, and its length in bytes before white space around it is cut off. A
// run without a mark has none, and neither has one with a line break inside.
func phrase(run string, more ...string) (string, int, bool) {
	end := -1
	for _, list := range [][]string{marks, more} {
		for _, mark := range list {
			if i := strings.Index(run, mark); i >= 0 && (end < 0 || i < end) {
				end = i
			}
		}
	}
	if end < 0 || strings.Contains(strings.TrimLeft(run[:end], " \t\n\v\f\r"), "\n") {
		return "", 0, false
	}
	return strings.TrimSpace(run[:end]), end, true
}

// ascii is a label without the letters beyond ASCII, which the reference drops.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 1<<7 {
			return -1
		}
		return r
	}, s)
}

// Bins is the number of steps along each side of a picture.
const Bins = 1000

// Bin is the piece of a step.
func Bin(i int) string { return fmt.Sprintf("<loc_%d>", i) }

// Write writes a box, in pixels of a picture of w × h pixels, as prompts have it: four bins, x first.
func Write(b annotation.Box, w, h int) string {
	return Bin(quantise(b.X0, w)) + Bin(quantise(b.Y0, h)) + Bin(quantise(b.X1, w)) + Bin(quantise(b.Y1, h))
}

// quantise is the bin of a coordinate, in pixels along a side of size pixels. Like the reference it computes in single
// precision.
func quantise(x float64, size int) int {
	q := math.Floor(float64(float32(x) / float32(float64(size)/Bins)))
	return int(min(max(q, 0), Bins-1))
}

// dequantise is the middle of a bin in pixels, cut off to whole ones.
func dequantise(bin, size int) int { return int((float32(bin) + .5) * float32(float64(size)/Bins)) }
