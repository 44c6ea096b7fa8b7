package florence2

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fovea/model"
)

// Parser turns answers into results, as the reference's processor does. Its zero value has no settings of a repository.
type Parser struct {
	Banned []string // phrases of a caption that are no things
	Least  float64  // Quads of a smaller share of the picture are left out
}

// readParser reads the settings of a repository. Those of the older spelling are in its code: it bans nothing that we know,
// and leaves out quads of less than a hundredth.
func readParser(f *model.Folder, c *Config) (Parser, error) {
	var p Parser
	if c.Legacy {
		p.Least = .01
	}
	b, err := f.Read("processor_config.json")
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	} else if err != nil {
		return p, err
	}
	var file struct {
		Post struct {
			OCR    map[string]any `json:"ocr"`
			Phrase struct {
				Banned []string `json:"banned_grounding_tokens"`
			} `json:"phrase_grounding"`
		} `json:"post_processor_config"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return p, fmt.Errorf("processor_config.json: %w", err)
	}
	if least, ok := file.Post.OCR["AREA_THRESHOLD"].(float64); ok { // in lower case, as files have it, the reference ignores it
		p.Least = least
	}
	p.Banned = file.Post.Phrase.Banned
	return p, nil
}

// Result is an answer, taken apart. Of Text, Regions is empty; of the other kinds, Text is.
type Result struct {
	Kind    Kind
	Text    string
	Regions []Place
}

// Place is a part of the picture that an answer names. Coordinates are pixels of the picture, x to the right and y down.
type Place struct {
	Label string
	// One of these, as the kind of the answer says.
	Box      []int   // left, top, right, bottom
	Quad     []int   // x and y of four corners
	Polygons [][]int // x and y of corners; a thing may have several parts

	label, where [2]int // the bytes of the answer, without the pieces around it, that say so
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
func (p *Parser) Parse(k Kind, text string, w, h int) Result {
	r := Result{Kind: k, Regions: []Place{}}
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
	found []Place
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
			s.found = append(s.found, Place{
				Label: ascii(label), Box: s.pixels(run[b[0]:b[1]]), label: [2]int{m[0], m[0] + n}, where: [2]int{m[0] + b[0], m[0] + b[1]},
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
			found := Place{Label: label, label: [2]int{at, at + n}, where: [2]int{at + thing[2], at + thing[3]}}
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
		twice := 0
		for i := 0; i < 6; i += 2 {
			twice += q[i]*q[i+3] - q[i+2]*q[i+1]
		}
		if area := max(twice, -twice); least > 0 && float64(area)/2 < float64(s.w*s.h)*least {
			continue
		}
		s.found = append(s.found, Place{Label: strings.TrimSpace(s.text[m[2]:m[3]]), Quad: q, label: [2]int{m[2], m[3]}, where: [2]int{m[4], m[5]}})
	}
}

// pixels turns bins, x and y by turns, into coordinates. An x without a y is left out.
func (s *scene) pixels(text string) []int {
	all := binPattern.FindAllStringSubmatch(text, -1)
	out := make([]int, 0, len(all))
	for i, m := range all[:len(all)/2*2] {
		b, err := strconv.Atoi(m[1])
		if err != nil || b >= bins { // spelled in letters, as no piece is
			b = bins - 1
		}
		size := s.w
		if i%2 == 1 {
			size = s.h
		}
		out = append(out, dequantise(b, size))
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

// MarshalJSON writes a result as the reference's processor gives it: a text, or lists of coordinates and labels.
func (r Result) MarshalJSON() ([]byte, error) {
	if r.Kind == Text {
		return encode(r.Text)
	}
	boxes, quads, outlines := [][]int{}, [][]int{}, [][][]int{}
	labels, outlined := []string{}, []string{}
	for _, p := range r.Regions {
		if p.Polygons != nil {
			outlines, outlined = append(outlines, p.Polygons), append(outlined, p.Label)
			continue
		}
		labels = append(labels, p.Label)
		if p.Quad != nil {
			quads = append(quads, p.Quad)
		} else {
			boxes = append(boxes, p.Box)
		}
	}
	switch r.Kind {
	case Outlines:
		return encode(struct {
			Polygons [][][]int `json:"polygons"`
			Labels   []string  `json:"labels"`
		}{outlines, outlined})
	case BoxesOrOutlines:
		return encode(struct {
			Boxes    [][]int   `json:"bboxes"`
			Labels   []string  `json:"bboxes_labels"`
			Polygons [][][]int `json:"polygons"`
			Outlined []string  `json:"polygons_labels"`
		}{boxes, labels, outlines, outlined})
	case Quads:
		return encode(struct {
			Quads  [][]int  `json:"quad_boxes"`
			Labels []string `json:"labels"`
		}{quads, labels})
	}
	return encode(struct {
		Boxes  [][]int  `json:"bboxes"`
		Labels []string `json:"labels"`
	}{boxes, labels})
}

// encode is json.Marshal without the escapes for HTML, which would hide pieces such as <sep>.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
