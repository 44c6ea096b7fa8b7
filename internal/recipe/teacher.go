package recipe

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"fovea/augment"
	"fovea/imageproc"
	"fovea/model"
	"fovea/model/all"
	"fovea/task"
)

// leastShare is the least probability of a teacher's that is passed on; the many below it are noise.
const leastShare = 1e-3

// teacher is a model that names what is on the pictures of a data set, so that photographs that nobody has labelled teach
// recognition (distillation: Hinton et al. 2015). It looks at the very pictures that the student gets, cut and coloured as they
// are, so that few photographs become many examples (Beyer et al. 2022, Knowledge distillation: A good teacher is patient and
// consistent). It is safe for use by several goroutines.
type teacher struct {
	net     model.Model
	rename  map[string]string
	classes []string // what it may say, each once
	idle    chan model.Runner
}

// openTeachers opens those of the data sets that have one; nil for the others.
func openTeachers(data []Data) ([]*teacher, error) {
	out := make([]*teacher, len(data))
	open := map[[2]string]*teacher{}
	for i, d := range data {
		if d.Teacher == "" {
			continue
		}
		key := [2]string{d.Teacher, d.TeacherNames}
		if open[key] == nil {
			t, err := openTeacher(d.Teacher, d.TeacherNames)
			if err != nil {
				return nil, fmt.Errorf("recipe: data[%d].teacher: %w", i, err)
			}
			open[key] = t
		}
		out[i] = open[key]
	}
	return out, nil
}

// openTeacher opens a published model that recognises. names is a file of lines "class TAB name" that give its classes other names,
// where several may have one; "": its classes keep theirs.
func openTeacher(name, names string) (*teacher, error) {
	p, err := locate(name)
	if err != nil {
		return nil, err
	}
	if p.dir == "" {
		return nil, fmt.Errorf("%s chooses among few classes; a teacher is a published model", name)
	}
	net, err := all.Open(p.dir)
	if err != nil {
		return nil, err
	}
	t := &teacher{net: net, idle: make(chan model.Runner, 64)}
	card := net.Card()
	if !card.Tasks.Has(task.Classify) || len(card.Classes) == 0 {
		return nil, fmt.Errorf("%s does not name what is on a picture; it cannot teach recognition", name)
	}
	if names != "" {
		if t.rename, err = readNames(names); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{}
	for _, c := range card.Classes {
		if n := t.nameOf(c); !seen[n] {
			seen[n] = true
			t.classes = append(t.classes, n)
		}
	}
	for c := range t.rename {
		if model.IndexLabel(card.Classes, c) < 0 {
			return nil, fmt.Errorf("%s: %q is none of the classes of %s", names, c, name)
		}
	}
	return t, nil
}

// readNames reads lines "class TAB name"; empty ones and those that begin with # say nothing.
func readNames(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	out := map[string]string{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		l := strings.TrimSpace(lines.Text())
		if l == "" || l[0] == '#' {
			continue
		}
		class, name, ok := strings.Cut(l, "\t")
		if !ok || name == "" {
			return nil, fmt.Errorf("%s:%d: %q, want a class, a tab and its name", path, n, l)
		}
		if _, twice := out[class]; twice {
			return nil, fmt.Errorf("%s:%d: %q has a name already", path, n, class)
		}
		out[class] = name
	}
	return out, lines.Err()
}

func (t *teacher) nameOf(class string) string {
	if n, ok := t.rename[class]; ok {
		return n
	}
	return class
}

// look says what a picture shows, most likely first; weights add up to 1.
func (t *teacher) look(img *imageproc.RGB) ([]augment.Soft, error) {
	var run model.Runner
	select {
	case run = <-t.idle:
	default:
		run = t.net.NewRunner(1)
	}
	view, err := run.Encode(img)
	if err != nil {
		run.Close()
		return nil, err
	}
	var out []augment.Soft
	at, sum := map[string]int{}, 0.
	for _, c := range view.Classify(nil) {
		if c.Score < leastShare {
			break
		}
		n := t.nameOf(c.Label)
		i, ok := at[n]
		if !ok {
			i = len(out)
			at[n] = i
			out = append(out, augment.Soft{Class: n})
		}
		out[i].Weight += c.Score
		sum += c.Score
	}
	for i := range out {
		out[i].Weight /= sum
	}
	select {
	case t.idle <- run:
	default:
		run.Close()
	}
	return out, nil
}
