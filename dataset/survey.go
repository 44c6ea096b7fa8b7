package dataset

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"fovea/annotation"
	"fovea/imageproc"
)

// Kinds of findings of a survey: nothing is left out because of them, but they should be looked at.
const (
	TinyBox      = "tiny box"                           // too small to be seen by a model
	HugeBox      = "box as large as the picture"        // of a picture with other boxes: mostly a slip
	DuplicateBox = "duplicate box"                      // the same label and place twice in one picture
	OneSample    = "class with one sample"              // in one picture only: it can be learned by heart, not measured
	CaseTwins    = "labels that differ only by case"    // or by underscores: they are one name for the model
	Imbalance    = "classes that differ a thousandfold" // in their number of samples
)

// SurveyOptions says what is odd.
type SurveyOptions struct {
	// Tiny is the longer side of a box, as a share of the picture's longer side, below which it is tiny; 0 means .02.
	Tiny float64
}

// Survey is what the annotations of a data set add up to. Pictures are not decoded for it.
type Survey struct {
	Images    int          `json:"images"`
	Sampled   int          `json:"sampled,omitempty"` // so many were looked at, as the pictures are drawn on the fly
	Objects   int          `json:"objects"`
	People    int          `json:"people"` // objects with joints
	Questions int          `json:"questions"`
	Answers   int          `json:"answers"` // different ones
	Captions  int          `json:"captions"`
	Classes   []ClassCount `json:"classes"`
	Faults    []Fault      `json:"faults"`
}

// ClassCount is how often a class occurs.
type ClassCount struct {
	Name    string  `json:"name"`
	Images  int     `json:"images"`           // that show it
	Objects int     `json:"objects"`          // with this label
	Pixels  float64 `json:"pixels,omitempty"` // share of the labelled pixels
}

// Samples is the number of objects or, of a class of pictures or pixels, of pictures.
func (c ClassCount) Samples() int { return max(c.Objects, c.Images) }

// The share of the picture from which a box is huge; how alike duplicates are; how many drawn pictures and label maps are
// looked at; when classes are out of balance.
const (
	hugeShare    = .98
	sameBox      = .98
	surveyDrawn  = 200
	surveyMaps   = 200
	imbalanceMax = 1000
)

// TakeSurvey counts what a data set holds and looks for odd boxes and classes.
func TakeSurvey(src Source, o SurveyOptions) (*Survey, error) {
	if o.Tiny == 0 {
		o.Tiny = .02
	}
	v := &surveyor{options: o, survey: &Survey{Images: src.Len()}, at: map[string]int{}, answers: map[string]bool{}}
	for _, c := range src.Classes() {
		v.class(c)
	}
	if s, ok := unwrap(src).(*set); ok {
		n := 0
		for i, r := range s.records {
			v.record(r)
			if r.semantic != "" && i*surveyMaps/len(s.records) >= n {
				n++
				if err := v.labelMap(r, s.classes); err != nil {
					return nil, err
				}
			}
		}
	} else {
		v.survey.Sampled = min(src.Len(), surveyDrawn)
		for i := range v.survey.Sampled {
			ex, err := src.At(i, RNG(0, i))
			if err != nil {
				return nil, err
			}
			v.picture(ex.ID, &ex.Picture)
		}
	}
	return v.result(), nil
}

// unwrap is the source inside those that only keep or cut what it gives.
func unwrap(src Source) Source {
	if c, ok := src.(*cached); ok {
		return unwrap(c.Source)
	}
	return src
}

type surveyor struct {
	options SurveyOptions
	survey  *Survey
	report  Report
	at      map[string]int // index of a class in survey.Classes
	answers map[string]bool
	pixels  []int64 // of each class
}

func (v *surveyor) class(name string) *ClassCount {
	i, ok := v.at[name]
	if !ok {
		i = len(v.survey.Classes)
		v.at[name] = i
		v.survey.Classes = append(v.survey.Classes, ClassCount{Name: name})
	}
	return &v.survey.Classes[i]
}

// record looks at a picture as the annotation files know it.
func (v *surveyor) record(r *record) {
	p := annotation.Picture{W: r.w, H: r.h, Class: r.class, Questions: r.questions, Captions: r.captions}
	for _, o := range r.objects {
		p.Objects = append(p.Objects, o.Object)
	}
	if len(p.Objects) > 0 && p.W == 0 && r.file != "" {
		if info, err := imageproc.OpenInfo(r.file, imageproc.Limits{}); err == nil { // an unreadable file is found when it is read
			p.W, p.H = info.W, info.H
		}
	}
	v.picture(r.id, &p)
}

func (v *surveyor) picture(id string, p *annotation.Picture) {
	s := v.survey
	s.Questions, s.Captions = s.Questions+len(p.Questions), s.Captions+len(p.Captions)
	for _, q := range p.Questions {
		for _, a := range q.Answers[:min(len(q.Answers), 1)] {
			v.answers[strings.ToLower(a)] = true
		}
	}
	shown := map[string]bool{}
	if p.Class != "" {
		shown[p.Class] = true
		v.class(p.Class).Images++
	}
	for i, o := range p.Objects {
		s.Objects++
		if o.Joints != nil {
			s.People++
		}
		c := v.class(o.Label)
		c.Objects++
		if !shown[o.Label] {
			shown[o.Label] = true
			c.Images++
		}
		v.box(id, p, i)
	}
}

// box looks at the i-th box of a picture.
func (v *surveyor) box(id string, p *annotation.Picture, i int) {
	o := p.Objects[i]
	if o.Crowd {
		return
	}
	where := fmt.Sprintf("%s: %s at %.0f, %.0f, %.0f × %.0f pixels", id, o.Label, o.Box.X0, o.Box.Y0, o.Box.W(), o.Box.H())
	if w, h := float64(p.W), float64(p.H); w > 0 && h > 0 {
		if max(o.Box.W(), o.Box.H()) < v.options.Tiny*max(w, h) {
			v.report.add(TinyBox, "%s of %d × %d", where, p.W, p.H)
		}
		if len(p.Objects) > 1 && o.Box.Area() >= hugeShare*w*h {
			v.report.add(HugeBox, "%s of %d × %d", where, p.W, p.H)
		}
	}
	for _, q := range p.Objects[:i] {
		if q.Label == o.Label && !q.Crowd && q.Box.IoU(o.Box) >= sameBox {
			v.report.add(DuplicateBox, "%s", where)
			return
		}
	}
}

// labelMap counts the pixels of a picture's classes.
func (v *surveyor) labelMap(r *record, classes []string) error {
	m, err := readLabels(r.semantic, r.values)
	if err != nil {
		return fmt.Errorf("dataset: %s: %w", r.id, err)
	}
	if v.pixels == nil {
		v.pixels = make([]int64, 256)
	}
	var n [256]int64
	for _, c := range m.Pix {
		n[c]++
	}
	for k, c := range classes {
		if n[k] > 0 {
			v.class(c).Images++
			v.pixels[v.at[c]] += n[k]
		}
	}
	return nil
}

// result adds up and looks at the classes.
func (v *surveyor) result() *Survey {
	s := v.survey
	s.Answers = len(v.answers)
	var labelled int64
	for _, n := range v.pixels {
		labelled += n
	}
	for i := range s.Classes {
		if labelled > 0 && i < len(v.pixels) {
			s.Classes[i].Pixels = float64(v.pixels[i]) / float64(labelled)
		}
	}
	least, most := ClassCount{Images: math.MaxInt}, ClassCount{}
	for _, c := range s.Classes {
		n := c.Samples()
		if n == 1 && s.Sampled == 0 {
			v.report.add(OneSample, "%s", c.Name)
		}
		if n > 0 && n < least.Samples() {
			least = c
		}
		if n > most.Samples() {
			most = c
		}
	}
	if n := least.Samples(); n > 0 && most.Samples()/n >= imbalanceMax {
		v.report.add(Imbalance, "%s %d, %s %d", most.Name, most.Samples(), least.Name, n)
	}
	var names []string
	for _, c := range s.Classes {
		names = append(names, c.Name)
	}
	for _, t := range Twins(names) {
		v.report.add(CaseTwins, "%s", strings.Join(t, ", "))
	}
	s.Faults = append([]Fault{}, v.report.Faults()...)
	return s
}

// Twins are the groups of names that differ only by case or by underscores for spaces, which a model takes for one name.
func Twins(names []string) [][]string {
	var keys []string
	groups := map[string][]string{}
	for _, n := range names {
		k := strings.ToLower(strings.ReplaceAll(n, "_", " "))
		if groups[k] == nil {
			keys = append(keys, k)
		}
		if !slices.Contains(groups[k], n) {
			groups[k] = append(groups[k], n)
		}
	}
	var out [][]string
	for _, k := range keys {
		if len(groups[k]) > 1 {
			out = append(out, groups[k])
		}
	}
	return out
}

// Files are the paths of a source's pictures, in its order; nil for pictures that are drawn or packed in one file.
func Files(src Source) []string {
	s, ok := unwrap(src).(*set)
	if !ok {
		return nil
	}
	var out []string
	for _, r := range s.records {
		if r.raw == nil {
			out = append(out, r.file)
		}
	}
	return out
}
