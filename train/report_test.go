package train

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReport: a run leaves a report whose pictures decode, that mentions every metric and loads nothing from elsewhere.
func TestReport(t *testing.T) {
	out := filepath.Join(t.TempDir(), "first")
	l, _ := toyLoop(out)
	l.EvalEvery, l.NoReport = 20, false
	l.Eval = func(s int) (map[string]float64, error) {
		return map[string]float64{"toys box AP": float64(s) / 100, "toys box AP50": .5, "toys box APl": -1, "toys top1": math.NaN()}, nil
	}
	l.Sheet = func() (image.Image, error) { return image.NewGray(image.Rect(0, 0, 30, 20)), nil }
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	html, err := os.ReadFile(filepath.Join(out, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"first · training report", "40 / 40", "toys box AP50", "0.4000", "Examples", "&#34;lr&#34;: 0.02"} {
		if !strings.Contains(string(html), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if regexp.MustCompile(`(src|href)="?(https?:|//)`).Match(html) {
		t.Error("the report loads something")
	}
	images := regexp.MustCompile(`base64,([^"]+)"`).FindAllSubmatch(html, -1)
	if len(images) != 9 { // sheet, loss, part, headline, rate, norm, speed, memory, boxes
		t.Errorf("%d pictures", len(images))
	}
	for _, m := range images {
		b, err := base64.StdEncoding.DecodeString(strings.NewReplacer("&#43;", "+", "&#61;", "=").Replace(string(m[1])))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"curves.png", "sheet.png"} {
		f, err := os.Open(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		f.Close()
	}
}

// TestReportFailureIsNoFailure: a broken sheet is said, and the run succeeds.
func TestReportFailureIsNoFailure(t *testing.T) {
	for _, sheet := range []func() (image.Image, error){
		func() (image.Image, error) { return nil, errors.New("no pictures") },
		func() (image.Image, error) { panic("no pictures") },
	} {
		var notes bytes.Buffer
		l, _ := toyLoop(t.TempDir())
		l.Steps, l.Sheet, l.Stderr, l.NoReport = 4, sheet, &notes, false
		if err := l.Run(context.Background()); err != nil || !strings.Contains(notes.String(), "no pictures") {
			t.Errorf("%v, said %q", err, notes.String())
		}
	}
}

func titles(ps []panel) string {
	var out []string
	for _, p := range ps {
		names := []string{}
		for _, s := range p.Series {
			names = append(names, s.Name)
		}
		out = append(out, p.Title+"("+strings.Join(names, ",")+")")
	}
	return strings.Join(out, " ")
}

func TestPanels(t *testing.T) {
	h := &history{}
	for _, n := range []string{"box.l1", "box.giou", "mask.dice", "words"} {
		h.Parts = append(h.Parts, series{Name: n})
	}
	for _, n := range []string{"a box AP", "a box AP50", "b answers is there", "b answers vqa_accuracy", "b class top5", "c captions CIDEr", "solo"} {
		h.Evals = append(h.Evals, series{Name: n})
	}
	overview, detail := h.panels()
	if got, want := titles(overview[:5]), "Training loss() Loss: box(l1,giou) Loss: other(mask.dice,words) Evaluation(a box AP,b answers vqa_accuracy,b class top5,solo) Evaluation: c captions CIDEr(c captions CIDEr)"; got != want {
		t.Errorf("overview %s, want %s", got, want)
	}
	if got, want := titles(detail), "Evaluation: a box(AP,AP50) Evaluation: b answers(is there,vqa_accuracy) Evaluation: other(b class top5,c captions CIDEr,solo)"; got != want {
		t.Errorf("detail %s, want %s", got, want)
	}
	if got := titles(grouped([]series{{Name: "x"}, {Name: "y"}}, "Loss: ", func(string) string { return "" }, panel{})); got != "Loss(x,y)" {
		t.Errorf("ungrouped: %s", got)
	}
	if _, err := overview[0].render(); err != nil { // nothing to draw yet
		t.Error(err)
	}
}

func TestTicks(t *testing.T) {
	text := func(ts []string) string { return strings.Join(ts, " ") }
	for _, c := range []struct {
		lo, hi float64
		log    bool
		want   string
	}{
		{0, 1, false, "0 0.2 0.4 0.6 0.8 1"}, {0, 3000, false, "0 500 1000 1500 2000 2500 3000"}, {-.01, .013, false, "-0.01 -0.005 0 0.005 0.01"},
		{0, 200000, false, "0 50k 100k 150k 200k"}, {.03, 7, true, "0.05 0.1 0.2 0.5 1 2 5"}, {1e-4, 1e3, true, "0.0001 0.001 0.01 0.1 1 10 100 1000"}, {3, 4, true, "3 3.2 3.4 3.6 3.8 4"},
	} {
		var got []string
		ts := ticks{}.Ticks(c.lo, c.hi)
		if c.log {
			ts = logTicks{}.Ticks(c.lo, c.hi)
		}
		for _, k := range ts {
			got = append(got, k.Label)
		}
		if text(got) != c.want {
			t.Errorf("[%g, %g]: %s, want %s", c.lo, c.hi, text(got), c.want)
		}
	}
}

func TestThinAndSmooth(t *testing.T) {
	var s series
	for i := range 1000 {
		s.add(float64(i), 3)
	}
	if n := s.thin(300); len(n.X) != 250 || n.Y[7] != 3 || n.X[249] != 999 {
		t.Errorf("%d points", len(n.X))
	}
	for _, y := range s.smooth(20, true).Y {
		if math.Abs(y-3) > 1e-9 {
			t.Fatalf("a constant became %g", y)
		}
	}
	if got := (series{X: []float64{1, 2}, Y: []float64{1, 2}}).smooth(2, false).Y[1]; math.Abs(got-2.5/1.5) > 1e-12 {
		t.Errorf("got %g", got)
	}
}
