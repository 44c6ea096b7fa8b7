package fovea

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	for _, c := range []struct {
		question string
		w        Writing
		code     string
	}{
		{"What is it?", Writing{Temperature: -1}, "request.writing"},
		{"What is it?", Writing{Temperature: 1, Beams: 2}, "request.writing"},
		{"What is it?", Writing{MaxTokens: -1}, "request.writing"},
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
	var e *Error
	_, err = nano.Do(ctx, Request{Path: filepath.Join(dir, "image.png"), Tasks: task.SetOf(task.Caption), Writing: Writing{Beams: 2}})
	if !errors.As(err, &e) || e.Code != "request.writing" {
		t.Errorf("got %v", err)
	}
}
