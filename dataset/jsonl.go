package dataset

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fovea/annotation"
)

// jsonlSplits recognises <split>.jsonl, metadata.jsonl, or one of the two in a folder for each split.
func jsonlSplits(root string) []string {
	var out []string
	entries, _ := os.ReadDir(root)
	for _, e := range entries {
		switch name := strings.ToLower(e.Name()); {
		case e.IsDir() && jsonlIn(filepath.Join(root, e.Name())) != "" && isSplit(e.Name()):
			out = append(out, e.Name())
		case !e.IsDir() && filepath.Ext(name) == ".jsonl":
			out = append(out, splitOf(e.Name()))
		}
	}
	return out
}

// jsonlIn is the only JSON-lines file of a folder, or "".
func jsonlIn(dir string) string {
	found, _ := filepath.Glob(filepath.Join(escape(dir), "*.jsonl"))
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// escape makes a path stand for itself in a pattern.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// readJSONL reads all files of the split.
func readJSONL(b *builder) error {
	entries, err := os.ReadDir(b.root)
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(b.root, e.Name())
		switch {
		case e.IsDir() && e.Name() == b.split:
			path = jsonlIn(path)
		case e.IsDir() || filepath.Ext(strings.ToLower(e.Name())) != ".jsonl" || splitOf(e.Name()) != b.split:
			continue
		}
		if path != "" {
			if err := b.readLines(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// line is one line of a JSON-lines file; docs/format/jsonl.md describes it.
type line struct {
	Labels    []string        `json:"labels"` // a header, without image
	Image     string          `json:"image"`
	Width     int             `json:"width"`
	Height    int             `json:"height"`
	Label     string          `json:"label"`
	Complete  *bool           `json:"complete"`
	Objects   []lineObject    `json:"objects"`
	People    []lineObject    `json:"people"`
	Question  string          `json:"question"`
	Answer    string          `json:"answer"`
	Answers   []string        `json:"answers"`
	Questions []lineQuestion  `json:"questions"`
	Caption   string          `json:"caption"`
	Captions  []string        `json:"captions"`
	Error     json.RawMessage `json:"error"` // in results of a run
}

type lineObject struct {
	Label    string          `json:"label"`
	Box      json.RawMessage `json:"box"` // x0, y0, x1, y1
	Mask     json.RawMessage `json:"mask"`
	Polygons json.RawMessage `json:"polygons"`
	Joints   []lineJoint     `json:"joints"`
	Crowd    bool            `json:"crowd"`
	Color    string          `json:"color"`
	Area     float64         `json:"area"`
}

type lineJoint struct {
	Name string          `json:"name"`
	X    json.RawMessage `json:"x"`
	Y    json.RawMessage `json:"y"`
	V    *uint8          `json:"v"` // 0, 1, 2 as COCO's; 2 when it is left out
}

type lineQuestion struct {
	Question string   `json:"question"`
	Answer   string   `json:"answer"`
	Answers  []string `json:"answers"`
	Type     string   `json:"type"`
}

// maxLine bounds a line, bytes.
const maxLine = 64 << 20

// readLines adds the lines of a file.
func (b *builder) readLines(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	defer f.Close()
	return b.lines(path, f)
}

func (b *builder) lines(path string, f io.Reader) error {
	s := bufio.NewScanner(f)
	s.Buffer(make([]byte, 1<<16), maxLine)
	l := lineReader{builder: b, dir: filepath.Dir(path), name: filepath.Base(path), skeletons: map[string]*annotation.Skeleton{}}
	for n := 1; s.Scan(); n++ {
		text := bytes.TrimSpace(bytes.TrimPrefix(s.Bytes(), []byte("\xef\xbb\xbf")))
		if len(text) == 0 {
			continue
		}
		l.where = fmt.Sprintf("%s:%d", l.name, n)
		var e line
		if err := newJSON(l.where, bytes.NewReader(text)).dec.Decode(&e); err != nil {
			b.report.add(BadEntry, "%s: %v", l.where, err)
			continue
		}
		l.add(&e)
	}
	if err := s.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("a line is longer than %d MiB; want one JSON object a line", maxLine>>20)
		}
		return fmt.Errorf("dataset: %s: %w", path, err)
	}
	return nil
}

// lineReader adds lines to a builder.
type lineReader struct {
	*builder
	dir, name, where string
	skeletons        map[string]*annotation.Skeleton // by the names of their joints
}

func (l *lineReader) bad(kind, format string, args ...any) {
	l.report.add(kind, "%s: %s", l.where, fmt.Sprintf(format, args...))
}

func (l *lineReader) add(e *line) {
	if e.Image == "" {
		if len(e.Labels) == 0 {
			l.bad(BadEntry, "it has no image")
		}
		for _, c := range e.Labels {
			l.class(c)
		}
		return
	}
	if !missing(e.Error) {
		l.bad(BadEntry, "%s failed in the run that wrote this", e.Image)
		return
	}
	file := filepath.FromSlash(e.Image)
	if !filepath.IsAbs(file) {
		file = filepath.Join(l.dir, file)
	}
	if !l.folders.has(file) {
		l.bad(MissingFile, "%s", file)
		return
	}
	if e.Width < 0 || e.Height < 0 || (e.Width == 0) != (e.Height == 0) {
		l.bad(BadEntry, "size %d × %d", e.Width, e.Height)
		return
	}
	r := l.record(file)
	if e.Width != 0 {
		if r.w != 0 && (r.w != e.Width || r.h != e.Height) {
			l.bad(SizeMismatch, "%s: %d × %d, before %d × %d", e.Image, e.Width, e.Height, r.w, r.h)
		}
		r.w, r.h = e.Width, e.Height
	}
	l.addClass(r, e)
	l.addObjects(r, e)
	for _, q := range append(e.Questions, lineQuestion{Question: e.Question, Answer: e.Answer, Answers: e.Answers}) {
		l.addQuestion(r, q)
	}
	for _, c := range append(e.Captions, e.Caption) {
		if c = strings.Join(strings.Fields(c), " "); c != "" {
			r.captions = append(r.captions, c)
			r.labels |= HasCaptions
		}
	}
	if r.labels == 0 {
		l.bad(NoAnnotations, "%s", e.Image)
	}
}

func (l *lineReader) addClass(r *record, e *line) {
	label := strings.TrimSpace(e.Label)
	switch {
	case label == "":
	case r.class != "" && r.class != label:
		l.bad(DuplicateID, "%s is %q here and was %q", e.Image, label, r.class)
	default:
		r.class = label
		r.labels |= HasClass
		l.class(label)
	}
}

func (l *lineReader) addQuestion(r *record, q lineQuestion) {
	text := strings.Join(strings.Fields(q.Question), " ")
	answers := byFrequency(q.Answers, q.Answer)
	switch {
	case text == "" && len(answers) == 0:
	case text == "":
		l.bad(EmptyText, "an answer without a question")
	case len(answers) == 0:
		l.bad(NoAnswer, "%q", short(text, 80))
	default:
		r.questions = append(r.questions, annotation.Question{ID: int64(len(r.questions) + 1), Text: text, Answers: answers, Type: q.Type})
		r.labels |= HasQuestions
	}
}

// addObjects reads boxes, masks and joints. A list that is there but empty says that there is nothing.
func (l *lineReader) addObjects(r *record, e *line) {
	if e.Objects == nil && e.People == nil {
		return
	}
	for i := range e.People {
		if e.People[i].Label == "" {
			e.People[i].Label = "person"
		}
	}
	complete := e.Complete == nil || *e.Complete
	if l.opt.CompleteBoxes != nil {
		complete = *l.opt.CompleteBoxes
	}
	masks := len(e.Objects)+len(e.People) > 0
	for i, o := range slices.Concat(e.Objects, e.People) {
		got, lost := l.object(r, &o, fmt.Sprintf("object %d", i))
		complete = complete && !lost
		if got == nil {
			continue
		}
		masks = masks && (!got.mask.empty() || got.Crowd)
		if got.Joints != nil {
			r.labels |= HasJoints
		}
		r.objects = append(r.objects, *got)
	}
	if complete {
		r.labels |= HasBoxes
		if masks {
			r.labels |= HasMasks
		}
	}
}

// object reads one object; lost says that there is one whose place is not known.
func (l *lineReader) object(r *record, e *lineObject, what string) (got *object, lost bool) {
	o := &object{}
	o.Label, o.Crowd, o.Color = strings.TrimSpace(e.Label), e.Crowd, e.Color
	if e.Area > 0 && !math.IsInf(e.Area, 0) {
		o.Area = e.Area
	}
	if o.Label == "" {
		l.bad(BadLabel, "%s has no label", what)
		return nil, true
	}
	for _, raw := range []json.RawMessage{e.Mask, e.Polygons} {
		if missing(raw) || !o.mask.empty() {
			continue
		}
		var err error
		if o.mask, err = outlineOf(raw); err != nil {
			l.bad(BadMask, "%s: %v", what, err)
		}
	}
	box, err := floats(e.Box)
	switch {
	case missing(e.Box):
		c := cocoObject{object: *o}
		if o.Box, err = c.outlineBounds(&cocoImage{w: r.w, h: r.h}); err != nil {
			l.bad(BadEntry, "%s: no box, and no mask to take it from: %v", what, err)
			return nil, true
		}
	case err != nil || len(box) != 4:
		l.bad(BadEntry, "%s: box: want x0, y0, x1, y1, got %s", what, short(string(e.Box), 60))
		return nil, true
	default:
		o.Box = annotation.Box{X0: box[0], Y0: box[1], X1: box[2], Y1: box[3]}
	}
	if !o.Box.Finite() {
		l.bad(NotANumber, "%s: box %v", what, o.Box)
		return nil, true
	}
	if whole := o.Box; r.w != 0 {
		w, h := float64(r.w), float64(r.h)
		o.Box = whole.Clip(w, h)
		if !o.Box.Empty() && (whole.X0 < -rounding || whole.Y0 < -rounding || whole.X1 > w+rounding || whole.Y1 > h+rounding) {
			l.bad(BoxClipped, "%s: box %v in a picture of %d × %d", what, whole, r.w, r.h)
		}
	}
	if o.Box.Empty() {
		l.bad(BoxEmpty, "%s: box %s", what, short(string(e.Box), 60))
		return nil, false
	}
	l.setJoints(o, e.Joints, what)
	l.class(o.Label)
	return o, false
}

// setJoints finds the skeleton by the names.
func (l *lineReader) setJoints(o *object, js []lineJoint, what string) {
	if len(js) == 0 {
		return
	}
	names := make([]string, len(js))
	for i, j := range js {
		names[i] = j.Name
	}
	key := strings.Join(names, "\x00")
	s := l.skeletons[key]
	if s == nil {
		for i, n := range names {
			if n == "" || slices.Contains(names[:i], n) {
				l.bad(BadJoints, "%s: joint %d has the name %q, which is empty or taken", what, i, n)
				return
			}
		}
		s = skeletonOf(o.Label, names, nil)
		l.skeletons[key] = s
	}
	out := make([]annotation.Joint, len(js))
	known := 0
	for i, j := range js {
		v := annotation.Visible
		if j.V != nil {
			v = annotation.Visibility(min(*j.V, 2))
		}
		x, y := number(j.X), number(j.Y)
		switch {
		case v == annotation.Absent:
		case math.IsNaN(x + y):
			l.bad(NotANumber, "%s: joint %q at %v, %v", what, j.Name, x, y)
		default:
			out[i] = annotation.Joint{X: x, Y: y, V: v}
			known++
		}
	}
	if known > 0 {
		o.Joints, o.Skeleton = l.joints(out, s)
	}
}
