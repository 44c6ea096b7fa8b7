package fovea_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"fovea"
	"fovea/annotation"
	"fovea/imageproc"
	"fovea/task"
)

// TestPublishedSegmentation: a published model divides its fixture's picture, asked all three ways, as the reference does.
func TestPublishedSegmentation(t *testing.T) {
	p, img := openFixture(t, "eomt")
	b, err := os.ReadFile(filepath.Join("testdata", "fixtures", "parity", "eomt", "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	type segments struct {
		Info []struct {
			Label int `json:"label_id"`
			Score float64
		} `json:"segments_info"`
	}
	var want struct {
		Panoptic, Instance segments
		Semantic           struct {
			Pixels map[string]int `json:"class_pixels"`
		}
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	do := func(r fovea.Request) *fovea.Result {
		t.Helper()
		r.Image, r.Tasks = img, task.SetOf(task.Segment)
		out, err := p.Do(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	labels := p.Card().Labels
	for _, c := range []struct {
		got  []fovea.Object
		want segments
	}{{do(fovea.Request{}).Objects, want.Instance}, {do(fovea.Request{Panoptic: true}).Objects, want.Panoptic}} {
		if len(c.got) != len(c.want.Info) {
			t.Fatalf("%d objects, want %d", len(c.got), len(c.want.Info))
		}
		for _, w := range c.want.Info {
			found := false
			for _, o := range c.got {
				found = found || o.Label == labels[w.Label] && o.Score > w.Score-1e-5 && o.Score < w.Score+1e-5
			}
			if !found {
				t.Errorf("no %s with %g", labels[w.Label], w.Score)
			}
		}
	}
	r := do(fovea.Request{Semantic: true})
	for k, n := range want.Semantic.Pixels {
		i, err := strconv.Atoi(k)
		if err != nil {
			t.Fatal(err)
		}
		at := -1
		for j, c := range r.Semantic.Classes {
			if c == labels[i] {
				at = j
			}
		}
		if at < 0 || r.Semantic.Map[at].Area() != float64(n) {
			t.Errorf("%s: %v, want %d pixels", labels[i], r.Semantic.Classes, n)
		}
	}
	line, err := r.MarshalJSON()
	if err != nil || len(r.Semantic.Classes) != len(want.Semantic.Pixels) || !strings.Contains(string(line), `"classes":["bicycle","car"],"map":{"size":[61,97],"rle":["`) {
		t.Errorf("%s, %v", line, err)
	}
	void := 0
	for _, v := range r.Annotation().Semantic.Pix {
		if v == annotation.Void {
			void++
		}
	}
	if void != 0 {
		t.Errorf("%d pixels have no label", void)
	}
}

// TestNativeDivision: the program's own objects are laid over each other, by label or as objects.
func TestNativeDivision(t *testing.T) {
	p, err := fovea.Open(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	img, err := fovea.Load(filepath.Join("testdata", "fixtures", "parity", "eomt", "image.png"))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(r fovea.Request) *fovea.Result {
		t.Helper()
		r.Image, r.Tasks, r.Threshold, r.Max = img, task.SetOf(task.Segment), .001, 12
		out, err := p.Do(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	covered, all := 0., ask(fovea.Request{})
	if len(all.Objects) < 2 {
		t.Fatalf("only %d objects to divide the picture among", len(all.Objects))
	}
	union := *all.Objects[0].Mask
	for _, o := range all.Objects[1:] {
		if union, err = union.Union(*o.Mask); err != nil {
			t.Fatal(err)
		}
	}
	byLabel := map[string]float64{}
	for _, o := range ask(fovea.Request{Panoptic: true}).Objects {
		covered += o.Mask.Area()
		byLabel[o.Label] += o.Mask.Area()
		if b := o.Mask.Bounds(); o.Box != b || b.Empty() {
			t.Errorf("%s: the box %v around pixels in %v", o.Label, o.Box, b)
		}
	}
	s := ask(fovea.Request{Semantic: true}).Semantic
	for i, c := range s.Classes {
		if a := s.Map[i].Area(); a != byLabel[c] {
			t.Errorf("%s: %g pixels by label, %g among objects", c, a, byLabel[c])
		}
	}
	if covered != union.Area() {
		t.Errorf("%g pixels are divided, objects cover %g", covered, union.Area())
	}
	stuff := all.Objects[0].Label
	n := 0
	for _, o := range ask(fovea.Request{Panoptic: true, Stuff: []string{stuff}}).Objects {
		if o.Label == stuff {
			if n++; o.Mask.Area() != byLabel[stuff] {
				t.Errorf("%s as stuff has %g pixels, want %g", stuff, o.Mask.Area(), byLabel[stuff])
			}
		}
	}
	if n != 1 {
		t.Errorf("%d objects of stuff", n)
	}
}

func TestDivisionRefusals(t *testing.T) {
	p, img := openFixture(t, "eomt")
	for name, c := range map[string]struct {
		req        fovea.Request
		code, want string
	}{
		"both ways":     {fovea.Request{Semantic: true, Panoptic: true}, "request.panoptic", "not both"},
		"stuff alone":   {fovea.Request{Stuff: []string{"sky"}}, "request.stuff", "panoptic"},
		"unknown stuff": {fovea.Request{Panoptic: true, Stuff: []string{"jelly"}}, "request.stuff", `"jelly" is none of them`},
		"panorama":      {fovea.Request{Semantic: true, Image: imageproc.NewRGB(3000, 30)}, "image.shape", "less extreme shape"},
	} {
		c.req.Tasks = task.SetOf(task.Segment)
		if c.req.Image == nil {
			c.req.Image = img
		}
		if _, err := p.Do(context.Background(), c.req); err == nil || fovea.Code(err) != c.code || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %s: %v", name, fovea.Code(err), err)
		}
	}
}
