package fovea

import (
	"context"
	"testing"

	"fovea/internal/kernel"
	"fovea/model"
)

// roundingFake counts runners that are told to round.
type roundingFake struct {
	*fake
	told int
}

func (f *roundingFake) NewRunner(int) model.Runner { return roundingRunner{&fakeRunner{f.fake}, f} }

type roundingRunner struct {
	*fakeRunner
	f *roundingFake
}

func (r roundingRunner) RoundBF16() { r.f.told++ }

// TestRounding: runners round to bfloat16 when that is asked for and is faster here, which the program's own model can.
func TestRounding(t *testing.T) {
	for precision, want := range map[Precision]bool{"": false, F32: false, Int8: false, BF16: kernel.FastBF16()} {
		f := &roundingFake{fake: newFake()}
		p := New(f, WithPrecision(precision))
		r, err := p.take(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if p.slots <- r; (f.told == 1) != want {
			t.Errorf("precision %q: told %d times to round, want %v", precision, f.told, want)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	p, err := Open(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	r := p.model.NewRunner(1)
	defer r.Close()
	if _, ok := r.(model.Rounder); !ok {
		t.Error("the runner of the program's own model cannot round")
	}
}
