package fovea

import (
	"context"
	"encoding/json"
	"errors"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fovea/generate/grammar"
	"fovea/task"
)

// TestPublishedModelsWrite asks a model that writes through the facade: the answer is the reference's, sampling follows the
// seed, and what cannot work is refused.
func TestPublishedModelsWrite(t *testing.T) {
	dir := filepath.Join("testdata", "fixtures", "parity", "idefics3")
	b, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Question string
		Split    struct {
			Text string `json:"generated_text"`
		}
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	p, err := Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ask := func(ctx context.Context, question string, w Writing) (string, error) {
		r, err := p.Do(ctx, Request{Path: filepath.Join(dir, "image.png"), Tasks: task.SetOf(task.Ask), Questions: []string{question}, Writing: w})
		if err != nil {
			return "", err
		}
		return r.Answers[0].Answer, nil
	}
	text := strings.TrimSpace(strings.ReplaceAll(want.Split.Text, "<row_1_col_6>", "")) // a special piece
	if got, err := ask(ctx, want.Question, Writing{MaxTokens: 12}); err != nil || got != text {
		t.Errorf("%q, %v; want %q", got, err, text)
	}
	one, err1 := ask(ctx, "What is it?", Writing{MaxTokens: 12, Temperature: 1, TopP: .9, Seed: 1})
	two, err2 := ask(ctx, "What is it?", Writing{MaxTokens: 12, Temperature: 1, TopP: .9, Seed: 2})
	again, err3 := ask(ctx, "What is it?", Writing{MaxTokens: 12, Temperature: 1, TopP: .9, Seed: 1})
	if errors.Join(err1, err2, err3) != nil || one != again || one == two {
		t.Errorf("seeds 1, 2, 1 wrote %q, %q, %q: %v", one, two, again, errors.Join(err1, err2, err3))
	}
	if _, err := ask(ctx, "What is it?", Writing{MaxTokens: 12, Beams: 3}); err != nil {
		t.Error(err)
	}
	for stop, until := range map[string]string{text[len(text)-3:]: text[:strings.Index(text, text[len(text)-3:])], text[:2]: "", "never written": text} {
		if got, err := ask(ctx, want.Question, Writing{MaxTokens: 12, Stop: []string{"nor this", stop}}); err != nil || got != strings.TrimSpace(until) {
			t.Errorf("up to %q: %q, %v; want %q", stop, got, err, until)
		}
	}
	for _, c := range []struct {
		question string
		w        Writing
		code     string
	}{
		{"What is it?", Writing{Temperature: -1}, "request.writing"},
		{"What is it?", Writing{Temperature: 1, Beams: 2}, "request.writing"},
		{"What is it?", Writing{MaxTokens: -1}, "request.writing"},
		{"What is it?", Writing{Stop: []string{""}}, "request.writing"},
		{"What is it?", Writing{Stop: []string{"a"}, Schema: grammar.Object()}, "request.writing"},
		{"What is <image>?", Writing{}, "request.question"},
	} {
		var e *Error
		if _, err := ask(ctx, c.question, c.w); !errors.As(err, &e) || e.Code != c.code {
			t.Errorf("%q %+v: %v, want %s", c.question, c.w, err, c.code)
		}
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := ask(stopped, "What is it?", Writing{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	nano, err := Open(ctx, DefaultModel)
	if err != nil {
		t.Fatal(err)
	}
	defer nano.Close()
	caption := func(w Writing) (*Result, error) {
		return nano.Do(ctx, Request{Path: filepath.Join("examples", "astronaut.jpg"), Tasks: task.SetOf(task.Caption), Writing: w})
	}
	for _, w := range []Writing{{Temperature: 1}, {Beams: 2, MaxTokens: 3}, {Stop: []string{"a"}}, {Beams: 1000}} {
		var e *Error
		if _, err := caption(w); !errors.As(err, &e) || e.Code != "request.writing" {
			t.Errorf("%+v: got %v", w, err)
		}
	}
	var said []string
	for _, w := range []Writing{{}, {Beams: 1}, {}} { // how it is found is of one request, and not of the next
		r, err := caption(w)
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, r.Caption.Text)
	}
	if said[0] == said[1] || said[0] != said[2] {
		t.Errorf("as it likes, by the likeliest word, and as it likes nano says %q", said)
	}
}

// TestTogether: a question about several pictures depends on all of them and on their order; one about the same picture alone is the
// usual one; what cannot be asked so is refused.
func TestTogether(t *testing.T) {
	dir := filepath.Join("testdata", "fixtures", "parity", "qwen2_5_vl")
	var pictures []image.Image
	for _, name := range []string{"image.png", "image2.png"} {
		img, err := Load(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		pictures = append(pictures, img)
	}
	ctx := context.Background()
	p, err := Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	req := func(pictures ...image.Image) Request {
		return Request{Image: pictures[0], Beside: pictures[1:], Tasks: task.SetOf(task.Ask), Questions: []string{"What differs?"}, Writing: Writing{MaxTokens: 8}}
	}
	ask := func(pictures ...image.Image) string {
		r, err := p.Do(ctx, req(pictures...))
		if err != nil {
			t.Fatal(err)
		}
		return r.Answers[0].Answer
	}
	a, b := pictures[0], pictures[1]
	seen := map[string]bool{ask(a): true, ask(a, b): true, ask(b, a): true, ask(a, b, a): true}
	if first, again := ask(a, b), ask(a, b); len(seen) != 4 || first != again {
		t.Errorf("one, two, two the other way round and three pictures: %v", seen)
	}
	encoded, err := p.Encode(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	both, err := p.Encode(ctx, b, a)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r, err := p.DoEncoded(ctx, both, req(nil)); err != nil || r.Answers[0].Answer != ask(b, a) {
			t.Errorf("two that were encoded together: %+v, %v, want %q", r, err, ask(b, a))
		}
	}
	vilt, err := Open(ctx, filepath.Join("testdata", "fixtures", "parity", "vilt"))
	if err != nil {
		t.Fatal(err)
	}
	defer vilt.Close()
	caption, many, hole := req(a, b), req(a), req(a, nil)
	caption.Tasks = task.SetOf(task.Ask, task.Caption)
	for range MaxTogether {
		many.Beside = append(many.Beside, b)
	}
	for name, c := range map[string]struct {
		do   func() (*Result, error)
		code string
	}{
		"of a model that cannot":                               {func() (*Result, error) { r := req(a, b); r.Writing = Writing{}; return vilt.Do(ctx, r) }, "request.pictures"},
		"of an encoded picture":                                {func() (*Result, error) { return p.DoEncoded(ctx, encoded, req(a, b)) }, "request.pictures"},
		"of pictures that are encoded for a model that cannot": {func() (*Result, error) { _, err := vilt.Encode(ctx, a, b); return nil, err }, "request.pictures"},
		"with another task of encoded pictures":                {func() (*Result, error) { r := caption; r.Beside = nil; return p.DoEncoded(ctx, both, r) }, "request.pictures"},
		"of a picture that is missing beside another":          {func() (*Result, error) { _, err := p.Encode(ctx, a, nil); return nil, err }, "image.empty"},
		"with another task":                                    {func() (*Result, error) { return p.Do(ctx, caption) }, "request.pictures"},
		"of too many":                                          {func() (*Result, error) { return p.Do(ctx, many) }, "request.pictures"},
		"of one that is missing":                               {func() (*Result, error) { return p.Do(ctx, hole) }, "image.empty"},
		"of a mirror image":                                    {func() (*Result, error) { r := req(a); r.Flip = true; return p.Do(ctx, r) }, "request.flip"},
	} {
		if _, err := c.do(); Code(err) != c.code {
			t.Errorf("a question %s: %v, want %s", name, err, c.code)
		}
	}
}
