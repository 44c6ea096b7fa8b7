package train

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/tensor"
)

func TestOtherConfigurationIsRefused(t *testing.T) {
	out := t.TempDir()
	l, _ := toyLoop(out)
	l.Steps = 8
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	l, _ = toyLoop(out)
	l.Steps = 8
	if err := l.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "--resume") {
		t.Errorf("starting over in a used folder: %v", err)
	}
	l, _ = toyLoop(out)
	l.Steps, l.Resume, l.LR, l.Extra = 8, true, .01, map[string]any{"model": map[string]int{"width": 3}}
	var other *OtherConfig
	if err := l.Run(context.Background()); !errors.As(err, &other) {
		t.Fatalf("got %v", err)
	}
	equal(t, "keys", other.Keys, []string{"extra.model.width: snapshot nothing, now 3", "extra: snapshot null, now nothing", "lr: snapshot 0.02, now 0.01"})
	l, _ = toyLoop(out)
	l.Steps, l.Resume, l.LR, l.Override = 12, true, .01, []string{"lr", "steps"}
	if err := l.Run(context.Background()); err != nil {
		t.Errorf("with Override: %v", err)
	}
}

func TestDamagedSnapshotFallsBack(t *testing.T) {
	whole, out := t.TempDir(), t.TempDir()
	l, want := toyLoop(whole)
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l, _ = toyLoop(out)
	l.Hooks.Step = func(p Progress) {
		if p.Step == 20 {
			cancel()
		}
	}
	if err := l.Run(ctx); err == nil {
		t.Fatal("not interrupted")
	}
	damage := func(path string, f func(b []byte) []byte) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f(b), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	newest := filepath.Join(out, snapshotFolder, "step-00000020.safetensors")
	damage(newest, func(b []byte) []byte { b[len(b)-5] ^= 4; return b })
	var notes bytes.Buffer
	l, got := toyLoop(out)
	l.Resume, l.Stderr = true, &notes
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(notes.String(), newest) || !strings.Contains(notes.String(), "trying the one before") || !strings.Contains(notes.String(), "step 14") {
		t.Errorf("said %q", notes.String())
	}
	equal(t, "parameters", bits(got.params), bits(want.params))
	equal(t, "curve", curve(t, out), curve(t, whole))

	paths, err := filepath.Glob(filepath.Join(out, snapshotFolder, "*"))
	if err != nil || len(paths) != 2 {
		t.Fatalf("%d snapshots kept, want 2 (%v)", len(paths), err)
	}
	for _, p := range paths {
		damage(p, func(b []byte) []byte { return b[:len(b)/2] })
	}
	l, _ = toyLoop(out)
	l.Resume = true
	if err := l.Run(context.Background()); err == nil || !errors.Is(err, checkpoint.ErrFormat) {
		t.Errorf("all snapshots damaged: %v", err)
	}
}

func TestNonFiniteStops(t *testing.T) {
	out := t.TempDir()
	l, o := toyLoop(out)
	l.Next = func(k int) (sample, error) {
		s, err := drawSample(k)
		if k == 12*10+3 {
			s.y = float32(math.NaN())
		}
		return s, err
	}
	err := l.Run(context.Background())
	var bad *NonFinite
	if !errors.As(err, &bad) || bad.Step != 11 || !strings.Contains(err.Error(), `"l1"`) || !strings.Contains(err.Error(), "step-00000007") {
		t.Fatalf("got %v", err)
	}
	for _, p := range o.params {
		for _, v := range p.Data {
			if v != v {
				t.Fatalf("%s was poisoned", p.Name)
			}
		}
	}

	l, o = toyLoop("")
	l.Objective = explosive{o}
	if err := l.Run(context.Background()); !errors.As(err, &bad) || bad.Step != 1 || !strings.Contains(err.Error(), `"up.bias"`) {
		t.Fatalf("got %v", err)
	}
}

// explosive has a finite loss with an infinite gradient.
type explosive struct{ *toy }

func (e explosive) Loss(t *autograd.Tape, samples []sample, rng *rand.Rand) (*autograd.Value, []Part) {
	v, parts := e.toy.Loss(t, samples, rng)
	t.Use(e.upBias).Grad()[3] = float32(math.Inf(1))
	return v, parts
}

func TestFailuresNameTheStep(t *testing.T) {
	for name, c := range map[string]struct {
		change func(l *Loop[sample], o *toy)
		want   string
	}{
		"shape panic in a replica": {func(l *Loop[sample], o *toy) {
			o.broken = func(s []sample) {
				if s[0].k >= 24 {
					panic(&tensor.ShapeError{Op: "linear", Want: "peace"})
				}
			}
		}, "step 3: replica 0: panic: linear: shapes"},
		"panic in Next": {func(l *Loop[sample], o *toy) {
			l.Next = func(k int) (sample, error) {
				if k == 30 {
					panic("torn file")
				}
				return drawSample(k)
			}
		}, "reading sample 30: panic: torn file"},
		"error in Next": {func(l *Loop[sample], o *toy) {
			l.Next = func(k int) (sample, error) {
				if k == 30 {
					return sample{}, io.ErrUnexpectedEOF
				}
				return drawSample(k)
			}
		}, "step 3: train: sample 30: unexpected EOF"},
		"error in Eval": {func(l *Loop[sample], o *toy) {
			l.EvalEvery, l.Eval = 4, func(int) (map[string]float64, error) { return nil, io.ErrNoProgress }
		}, "evaluation after step 4"},
		"panic in Eval": {func(l *Loop[sample], o *toy) {
			l.EvalEvery, l.Eval = 4, func(int) (map[string]float64, error) { panic("no pictures") }
		}, "step 4: evaluation: panic: no pictures"},
		"two names":  {func(l *Loop[sample], o *toy) { o.up.Name = "down.bias" }, `two parameters are called "down.bias"`},
		"bad config": {func(l *Loop[sample], o *toy) { l.LR, l.Batch = math.NaN(), 7 }, "batch is 7, want a multiple of replicas × accumulate = 4"},
	} {
		l, o := toyLoop("")
		c.change(l, o)
		if err := l.Run(context.Background()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	l, o := toyLoop("")
	o.broken = func([]sample) { panic(&tensor.ShapeError{Op: "x"}) }
	var shape *tensor.ShapeError
	if err := l.Run(context.Background()); !errors.As(err, &shape) {
		t.Errorf("%v does not unwrap to a ShapeError", err)
	}
}

// TestFailureBetweenStepsSaves: an unreadable sample costs no step that was done.
func TestFailureBetweenStepsSaves(t *testing.T) {
	whole, out := t.TempDir(), t.TempDir()
	l, want := toyLoop(whole)
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	l, _ = toyLoop(out)
	l.Next = func(k int) (sample, error) {
		if k == 12*9+3 {
			return sample{}, io.ErrUnexpectedEOF
		}
		return drawSample(k)
	}
	if err := l.Run(context.Background()); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "step-00000009") {
		t.Fatalf("got %v", err)
	}
	l, got := toyLoop(out)
	l.Resume = true
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	equal(t, "parameters", bits(got.params), bits(want.params))
}
