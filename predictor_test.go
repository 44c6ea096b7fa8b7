package fovea

import (
	"context"
	"encoding/json"
	"errors"
	"image"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/task"
)

func TestDoEncodesOnceForAllTasks(t *testing.T) {
	f := newFake()
	p := New(f)
	defer p.Close()
	r, err := p.Do(background, Request{Image: imageproc.NewRGB(10, 8), Tasks: p.Card().Tasks, Questions: []string{"is it?"}})
	if err != nil {
		t.Fatal(err)
	}
	if f.encoded.Load() != 1 {
		t.Errorf("encoded %d times", f.encoded.Load())
	}
	if len(r.Classes) != DefaultTop || len(r.Objects) != 2 || len(r.People) != 1 || len(r.Answers) != 1 || r.Caption == nil || len(r.Vector) != 2 {
		t.Errorf("%+v", r)
	}
}

// The JSON of each task is the contract's, field by field and in its order.
func TestResultJSON(t *testing.T) {
	p := New(newFake(), WithName("m"))
	defer p.Close()
	const head = `{"image":"a.jpg","width":10,"height":8,"model":"m","task":"`
	for _, c := range []struct {
		name string
		req  Request
		want string
	}{
		{"classify", Request{Tasks: task.SetOf(task.Classify), Top: 2}, head + `classify","ms":0,"classes":[{"label":"a","score":0.5},{"label":"b","score":0.25}]}`},
		{"detect", Request{Tasks: task.SetOf(task.Detect), Query: []string{"cat"}}, head + `detect","ms":0,"objects":[{"label":"cat","score":0.9,"box":[1,1,5,5]}]}`},
		{"nothing", Request{Tasks: task.SetOf(task.Detect), Threshold: 1}, head + `detect","ms":0,"objects":[]}`},
		{"segment", Request{Tasks: task.SetOf(task.Segment), Query: []string{"cat"}, Polygons: true},
			head + `segment","ms":0,"objects":[{"label":"cat","score":0.9,"box":[1,1,5,5],"area":16,"mask":{"size":[8,10],"counts":"94400000W1"},"polygons":[[1,1,5,1,5,5,1,5]]}]}`},
		{"semantic", Request{Tasks: task.SetOf(task.Segment), Semantic: true},
			head + `segment","ms":0,"classes":["cat","person"],"map":{"size":[8,10],"rle":["94400000W1","e035000M30000>"]}}`},
		{"ask", Request{Tasks: task.SetOf(task.Ask), Questions: []string{"is it?"}}, head + `ask","ms":0,"question":"is it?","answer":"yes <b>","score":0.75}`},
		{"two questions", Request{Tasks: task.SetOf(task.Ask), Questions: []string{"1", "2"}},
			head + `ask","ms":0,"answers":[{"question":"1","answer":"yes <b>","score":0.75},{"question":"2","answer":"yes <b>","score":0.75}]}`},
		{"caption", Request{Tasks: task.SetOf(task.Caption)}, head + `caption","ms":0,"caption":"a cat and a person","score":0.125}`},
		{"embed", Request{Tasks: task.SetOf(task.Match)}, head + `embed","ms":0,"vector":[0.6,0.8]}`},
		{"look", Request{Tasks: task.SetOf(task.Classify, task.Caption), Top: 1}, head + `look","ms":0,"classes":[{"label":"a","score":0.5}],"caption":"a cat and a person","score":0.125}`},
	} {
		c.req.Image, c.req.Path = imageproc.NewRGB(10, 8), "a.jpg"
		r, err := p.Do(background, c.req)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		r.Elapsed = 0
		got, err := r.MarshalJSON()
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", c.name, err, got, c.want)
		}
	}
	r, err := p.Do(background, Request{Image: imageproc.NewRGB(10, 8), Tasks: task.SetOf(task.Pose)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r)
	if want := `"people":[{"score":0.4,"box":[2,2,8,8],"joints":[{"name":"nose","x":2,"y":2,"score":0.5},{"name":"left_eye","x":2.25,`; err != nil || !strings.Contains(string(b), want) {
		t.Errorf("pose: %v, %s", err, b)
	}
}

// No pixel of a semantic map has two labels, and the better object has those that both cover.
func TestSemantic(t *testing.T) {
	p := New(newFake())
	defer p.Close()
	r, err := p.Do(background, Request{Image: imageproc.NewRGB(10, 8), Tasks: task.SetOf(task.Segment), Semantic: true})
	if err != nil {
		t.Fatal(err)
	}
	m := r.Annotation().Semantic
	for y := range m.H {
		for x := range m.W {
			want := uint8(annotation.Void)
			switch {
			case x >= 1 && x < 5 && y >= 1 && y < 5:
				want = 0
			case x >= 2 && x < 8 && y >= 2 && y < 8:
				want = 1
			}
			if got := m.Pix[y*m.W+x]; got != want {
				t.Errorf("pixel %d,%d is %d, want %d", x, y, got, want)
			}
		}
	}
}

func TestAnnotationPutsJointsToTheirObject(t *testing.T) {
	p := New(newFake())
	defer p.Close()
	r, err := p.Look(background, imageproc.NewRGB(10, 8))
	if err != nil {
		t.Fatal(err)
	}
	a := r.Annotation()
	if len(a.Objects) != 2 || len(a.Objects[1].Joints) != 17 || a.Objects[1].Mask.Area() != 36 || a.Objects[0].Joints != nil || a.Class != "a" {
		t.Errorf("%+v", a.Objects)
	}
	r.Objects = nil
	if a = r.Annotation(); len(a.Objects) != 1 || a.Objects[0].Label != "person" {
		t.Errorf("people alone: %+v", a.Objects)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	f := newFake()
	f.card.Tasks &^= task.SetOf(task.Pose)
	p := New(f)
	defer p.Close()
	img := imageproc.NewRGB(4, 4)
	long := strings.Repeat("x", MaxText+1)
	for name, c := range map[string]struct {
		req  Request
		code string
	}{
		"no task":            {Request{Image: img}, "request.task"},
		"not capable":        {Request{Image: img, Tasks: task.SetOf(task.Pose)}, "request.task"},
		"threshold":          {Request{Image: img, Tasks: Everything &^ (1 << task.Pose), Threshold: 1.1}, "request.threshold"},
		"threshold NaN":      {Request{Image: img, Tasks: 1, Threshold: math.NaN()}, "request.threshold"},
		"negative overlap":   {Request{Image: img, Tasks: 1, Overlap: -1}, "request.overlap"},
		"max":                {Request{Image: img, Tasks: 1, Max: -1}, "request.max"},
		"no question":        {Request{Image: img, Tasks: task.SetOf(task.Ask)}, "request.question"},
		"long question":      {Request{Image: img, Tasks: task.SetOf(task.Ask), Questions: []string{long}}, "request.question"},
		"empty label":        {Request{Image: img, Tasks: 1, Labels: []string{"cat", " "}}, "request.label"},
		"many things":        {Request{Image: img, Tasks: 2, Query: make([]string, MaxList+1)}, "request.query"},
		"no picture":         {Request{Tasks: 1}, imageproc.CodeNotFound},
		"picture of nothing": {Request{Image: &imageproc.RGB{}, Tasks: 1}, "image.empty"},
		"picture half there": {Request{Image: &imageproc.RGB{W: 2, H: 2, Pix: make([]uint8, 3)}, Tasks: 1}, "image.empty"},
		"no pixels":          {Request{Image: image.NewRGBA(image.Rect(0, 0, 0, 9)), Tasks: 1}, "image.empty"},
	} {
		_, err := p.Do(background, c.req)
		var e *Error
		if !errors.As(err, &e) || e.Code != c.code || !e.BadInput {
			t.Errorf("%s: %v (code %q), want code %q", name, err, Code(err), c.code)
		}
	}
	if f.encoded.Load() != 0 {
		t.Errorf("%d pictures were encoded for nothing", f.encoded.Load())
	}
	if _, err := p.EmbedText(background, ""); Code(err) != "request.text" {
		t.Errorf("empty text: %v", err)
	}
}

// A shape that does not fit is a bug inside the model: an error for this request, and the next one works.
func TestShapePanicBecomesAnError(t *testing.T) {
	f := newFake()
	p := New(f)
	defer p.Close()
	f.panics = shapePanic
	if _, err := p.Caption(background, imageproc.NewRGB(4, 4)); Code(err) != "model.bug" || !errors.Is(err, shapePanic) {
		t.Errorf("%v", err)
	}
	f.panics = nil
	if c, err := p.Caption(background, imageproc.NewRGB(4, 4)); err != nil || c.Text == "" {
		t.Errorf("after it: %v, %v", c, err)
	}
	f.panics = "another bug"
	defer func() {
		if recover() == nil {
			t.Error("a panic of another kind must not be hidden")
		}
	}()
	_, _ = p.Caption(background, imageproc.NewRGB(4, 4))
}

func TestNumbersThatAreNotFinite(t *testing.T) {
	f := newFake()
	f.nan = true
	p := New(f)
	defer p.Close()
	if _, err := p.Embed(background, imageproc.NewRGB(4, 4)); Code(err) != "model.damaged" {
		t.Errorf("%v", err)
	}
}

func TestRunnersAreBounded(t *testing.T) {
	f := newFake()
	f.wait = make(chan struct{})
	p := New(f, WithRunners(2))
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if _, err := p.Detect(background, imageproc.NewRGB(4, 4)); err != nil {
				t.Error(err)
			}
		})
	}
	for f.atWork.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(background, 20*time.Millisecond)
	defer cancel()
	if _, err := p.Detect(ctx, imageproc.NewRGB(4, 4)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("all runners at work: %v", err)
	}
	close(f.wait)
	wg.Wait()
	if f.most.Load() != 2 {
		t.Errorf("%d runners were at work at the same time, want 2", f.most.Load())
	}
	if err := p.Close(); err != nil || f.closed.Load() != 2 {
		t.Errorf("close: %v, %d of 2 runners closed", err, f.closed.Load())
	}
	if _, err := p.Detect(background, imageproc.NewRGB(4, 4)); !errors.Is(err, ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

func TestStepHearsTheCaption(t *testing.T) {
	p := New(newFake())
	defer p.Close()
	var heard []string
	step := func(s string) { heard = append(heard, s) }
	for _, tasks := range []task.Set{task.SetOf(task.Caption, task.Ask), task.SetOf(task.Ask)} {
		if _, err := p.Do(background, Request{Image: imageproc.NewRGB(4, 4), Tasks: tasks, Questions: []string{"is it?"}, Step: step}); err != nil {
			t.Fatal(err)
		}
	}
	if len(heard) != 2 || heard[0] != "a cat" || heard[1] != "yes" {
		t.Errorf("heard %q", heard)
	}
}

func TestCancelled(t *testing.T) {
	p := New(newFake())
	defer p.Close()
	ctx, cancel := context.WithCancel(background)
	cancel()
	if _, err := p.Look(ctx, imageproc.NewRGB(4, 4)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := Open(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("open: %v", err)
	}
}

// TestThresholdIsOfTheScore: whatever a score is made of, none below the threshold is answered.
func TestThresholdIsOfTheScore(t *testing.T) {
	p, err := Open(background, "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i := range 4 {
		r, err := p.Do(background, Request{Image: scene(t, i, 192), Tasks: task.SetOf(task.Segment, task.Detect, task.Pose), Threshold: .05})
		if err != nil {
			t.Fatal(err)
		}
		for _, least := range []float64{.2, .5, .8} {
			some, err := p.Do(background, Request{Image: scene(t, i, 192), Tasks: r.Tasks, Threshold: least})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range some.Objects {
				if o.Score < least {
					t.Errorf("%s of %g, want at least %g", o.Label, o.Score, least)
				}
			}
			for _, o := range some.People {
				if o.Score < least {
					t.Errorf("a person of %g, want at least %g", o.Score, least)
				}
			}
		}
	}
}
