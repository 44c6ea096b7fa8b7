package recipe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"runtime"
	"testing"

	"fovea/train"
)

// TestResumesOnOtherCores: a run that was interrupted on two cores and resumed where there are three, or one, ends with the same
// weights, bit for bit, as one that was never interrupted.
func TestResumesOnOtherCores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	dir := t.TempDir()
	run := func(out string, resume bool, stop int) (*Run, error) {
		c, err := Parse(fmt.Appendf(nil, `
model: {variant: tiny}
data: [{task: [detect, ask], scenes: 20, seed: 3}]
train: {epochs: 1, batch: 6, epoch_images: 36, ema: 0.5}
out: %s
`, filepath.Join(dir, out)))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		r, err := Open(c, Options{Resume: resume, Hooks: train.Hooks{Stdout: io.Discard, Stderr: io.Discard, Quiet: true, NoReport: true, Step: func(p train.Progress) {
			if p.Step == stop {
				cancel()
			}
		}}})
		if err != nil {
			t.Fatal(err)
		}
		return r, r.Loop.Run(ctx)
	}
	whole, err := run("whole", false, 0)
	if err != nil || whole.Config.Train.Replicas != 2 {
		t.Fatalf("%d replicas, %v", whole.Config.Train.Replicas, err)
	}
	for _, cores := range []int{3, 1} {
		out := fmt.Sprint("cut", cores)
		runtime.GOMAXPROCS(2)
		var cut *train.Interrupted
		if _, err := run(out, false, 3); !errors.As(err, &cut) || cut.Step != 3 {
			t.Fatal(err)
		}
		runtime.GOMAXPROCS(cores)
		again, err := run(out, true, 0)
		if err != nil || again.Config.Train.Replicas != 2 {
			t.Fatalf("%d replicas, %v", again.Config.Train.Replicas, err)
		}
		for i, p := range whole.Model.Params() {
			for k, v := range again.Model.Params()[i].Data {
				if math.Float32bits(v) != math.Float32bits(p.Data[k]) {
					t.Fatalf("%d cores: %s differs at %d: %g and %g", cores, p.Name, k, v, p.Data[k])
				}
			}
		}
	}
}

// TestReplicasDivideTheBatch: more cores than a batch can be shared among evenly are no error.
func TestReplicasDivideTheBatch(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(6))
	for _, c := range []struct{ batch, accumulate, want int }{{32, 1, 4}, {36, 2, 6}, {7, 1, 1}, {1, 1, 1}, {10, 2, 5}} {
		if got := replicas(&Config{Train: Train{Batch: c.batch, Accumulate: c.accumulate}}, false); got != c.want {
			t.Errorf("a batch of %d in %d parts: %d replicas, want %d", c.batch, c.accumulate, got, c.want)
		}
	}
}

// TestOddClasses: a class with one picture, and labels that differ only by case. The latter are one name: a model that was told
// apart nothing else is right about both spellings.
func TestOddClasses(t *testing.T) {
	dir := t.TempDir()
	pictures(t, dir, "train/Cat/1.png", "train/cat/2.png", "train/left_knee/3.png", "val/cat/1.png", "val/left knee/2.png", "val/Cat/3.png")
	r := openText(t, `
model: {variant: tiny}
data: [{task: classify, path: %[1]s, split: train}]
eval: [{task: classify, path: %[1]s, split: val, name: v}]
train: {epochs: 1, batch: 3, epoch_images: 9, replicas: 1}
`, dir)
	if n := len(r.sampler.sources[0].labels.Classes); n != 2 {
		t.Errorf("%d names of classes, want 2", n)
	}
	if err := r.Train(context.Background()); err != nil {
		t.Fatal(err)
	}
	// The classes are weighed against each other; with two of them, a model that always says one is right about its share.
	m, err := r.evaluate(0)
	if top := m["v class top1"]; err != nil || top < 1./3-1e-9 || m["v class top5"] != 1 {
		t.Errorf("%v, %v", m, err)
	}
}

// TestOneClassWithOneSample trains on a single picture.
func TestOneClassWithOneSample(t *testing.T) {
	dir := t.TempDir()
	pictures(t, dir, "train/cat/1.png", "val/cat/1.png")
	r := openText(t, `
model: {variant: tiny}
data: [{task: classify, path: %[1]s, split: train}]
eval: [{task: classify, path: %[1]s, split: val, name: v}]
train: {epochs: 1, batch: 2, epoch_images: 4, replicas: 1}
augment: {mixup: 0.5, cutmix: 0.5}
`, dir)
	if err := r.Train(context.Background()); err != nil {
		t.Fatal(err)
	}
	if m, err := r.evaluate(0); err != nil || m["v class top1"] != 1 {
		t.Errorf("%v, %v", m, err)
	}
}
