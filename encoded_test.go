package fovea

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"

	"fovea/dataset/scenes"
	"fovea/internal/testmodel"
	"fovea/task"
)

// tinyPredictor has a small random model.
func tinyPredictor(t *testing.T, runners int) *Predictor {
	t.Helper()
	m, err := testmodel.New(1)
	if err != nil {
		t.Fatal(err)
	}
	p := New(native{m, "tiny"}, WithRunners(runners))
	t.Cleanup(func() { p.Close() })
	return p
}

// Whatever is asked of an encoded picture, in whatever order and from several goroutines, is what Do answers.
func TestEncodedAnswersAsDo(t *testing.T) {
	p := tinyPredictor(t, 3)
	ctx := context.Background()
	ex, err := scenes.New(scenes.Config{Seed: 3, N: 1, Size: 96}).At(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := p.Encode(ctx, ex.Image)
	if err != nil {
		t.Fatal(err)
	}
	if w, h := e.Size(); w != ex.Image.W || h != ex.Image.H || e.Bytes() < 1000 {
		t.Errorf("size %d×%d, %d bytes", w, h, e.Bytes())
	}
	reqs := []Request{
		{Tasks: Everything, Threshold: .01, Max: 5}, {Tasks: task.SetOf(task.Match)}, {Tasks: task.SetOf(task.Segment), Threshold: .01, Query: []string{"circle"}, Max: 3},
		{Tasks: task.SetOf(task.Ask), Questions: []string{"what is it?", "what color?"}}, {Tasks: task.SetOf(task.Caption)},
	}
	var wg sync.WaitGroup
	for range 2 {
		for _, r := range reqs {
			wg.Go(func() {
				got, err := p.DoEncoded(ctx, e, r)
				if err != nil {
					t.Error(err)
					return
				}
				r.Image = ex.Image
				want, err := p.Do(ctx, r)
				if err != nil {
					t.Error(err)
					return
				}
				got.Elapsed, want.Elapsed = 0, 0
				if !reflect.DeepEqual(want, got) {
					t.Errorf("%v: %+v, want %+v", r.Tasks, got, want)
				}
			})
		}
	}
	wg.Wait()
}

func TestEncodedStops(t *testing.T) {
	p := tinyPredictor(t, 1)
	ex, err := scenes.New(scenes.Config{Seed: 3, N: 1, Size: 96}).At(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := p.Encode(context.Background(), ex.Image)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	steps := 0
	_, err = p.DoEncoded(ctx, e, Request{Tasks: task.SetOf(task.Caption), Step: func(string) { steps++; cancel() }})
	if !errors.Is(err, context.Canceled) || steps != 1 {
		t.Errorf("after %d steps: %v", steps, err)
	}
	if _, err := p.DoEncoded(context.Background(), e, Request{Tasks: task.SetOf(task.Caption)}); err != nil {
		t.Errorf("the runner is lost: %v", err)
	}
	other := tinyPredictor(t, 1)
	if _, err := other.DoEncoded(context.Background(), e, Request{Tasks: task.SetOf(task.Caption)}); Code(err) != "request.encoded" {
		t.Errorf("another model's picture: %v", err)
	}
	if _, err := p.Encode(context.Background(), nil); Code(err) != "image.empty" {
		t.Errorf("no picture: %v", err)
	}
}
