package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fovea/autograd"
	"fovea/ops"
)

// toy learns y = sin(3x₀)·x₁ with two layers and a running statistic, from samples drawn by number.
type toy struct {
	up, down, upBias, downBias, running *autograd.Param
	params                              []*autograd.Param
	in                                  [8][]float32
	want                                [8][]float32
	weight                              [8][]float32
	parts                               [8][]Part
	broken                              func(step []sample) // called in Loss
}

type sample struct {
	k int
	x [2]float32
	y float32
}

func newToy() *toy {
	rng := rand.New(rand.NewPCG(7, 7))
	t := &toy{
		up: autograd.NewParam(autograd.Matrix, 16, 2), upBias: autograd.NewParam(autograd.Vector, 16),
		down: autograd.NewParam(autograd.Matrix, 1, 16), downBias: autograd.NewParam(autograd.Vector, 1),
		running: autograd.NewParam(autograd.Buffer, 2),
	}
	for _, p := range []*autograd.Param{t.up, t.down} {
		for i := range p.Data {
			p.Data[i] = float32(rng.NormFloat64()) * .5
		}
	}
	t.up.Name, t.upBias.Name, t.down.Name, t.downBias.Name, t.running.Name = "up.weight", "up.bias", "down.weight", "down.bias", "running"
	t.params = []*autograd.Param{t.up, t.upBias, t.down, t.downBias, t.running}
	return t
}

func (o *toy) Params() []*autograd.Param { return o.params }

func (o *toy) Loss(t *autograd.Tape, samples []sample, rng *rand.Rand) (*autograd.Value, []Part) {
	if o.broken != nil {
		o.broken(samples)
	}
	r := t.Replica
	in, want, weight := o.in[r][:0], o.want[r][:0], o.weight[r][:0]
	mean := o.running.Grads[r]
	clear(mean)
	for _, s := range samples {
		noise := float32(rng.NormFloat64()) * .01
		in = append(in, s.x[0]+noise, s.x[1])
		want, weight = append(want, s.y), append(weight, 1/float32(len(samples)))
		mean[0] += s.x[0] / float32(len(samples))
		mean[1] += s.x[1] / float32(len(samples))
	}
	o.in[r], o.want[r], o.weight[r] = in, want, weight
	h := ops.GELU(ops.Linear(t.Input(in, len(samples), 2), t.Use(o.up), t.Use(o.upBias)))
	y := ops.Linear(h, t.Use(o.down), t.Use(o.downBias))
	l := ops.AbsoluteError(y, want, weight)
	o.parts[r] = append(o.parts[r][:0], Part{"l1", l.Data[0], 1})
	return l, o.parts[r]
}

func drawSample(k int) (sample, error) {
	rng := rand.New(rand.NewPCG(99, uint64(k)))
	x := [2]float32{rng.Float32()*2 - 1, rng.Float32()*2 - 1}
	return sample{k, x, float32(math.Sin(3*float64(x[0]))) * x[1]}, nil
}

func toyConfig(out string) Config {
	return Config{Steps: 40, Batch: 12, Accumulate: 2, Replicas: 2, Optimizer: "muon", LR: .02, Warmup: 5, MinLR: .01, Clip: 1, EMA: .99, Seed: 3, Out: out, SnapshotEvery: -1, SnapshotSteps: 7, Readers: 2}
}

func toyLoop(out string) (*Loop[sample], *toy) {
	o := newToy()
	return &Loop[sample]{Objective: o, Next: drawSample, Config: toyConfig(out), Hooks: Hooks{Stdout: io.Discard, Stderr: io.Discard, Quiet: true, NoReport: true}}, o
}

// curve reads the values of metrics.jsonl that must not depend on interruptions.
func curve(t *testing.T, out string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(out, metricsName))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, l := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
		var m map[string]any
		if err := json.Unmarshal(l, &m); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		if m["loss"] == nil {
			continue
		}
		lines = append(lines, fmt.Sprint(m["step"], m["loss"], m["parts"], m["lr"], m["grad_norm"]))
	}
	return lines
}

func bits(ps []*autograd.Param) []uint32 {
	var out []uint32
	for _, p := range ps {
		for _, v := range p.Data {
			out = append(out, math.Float32bits(v))
		}
	}
	return out
}

func equal[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestLoopLearns(t *testing.T) {
	l, _ := toyLoop(t.TempDir())
	l.Steps, l.EMA = 300, 0
	var first, last float64
	l.Hooks.Step = func(p Progress) {
		if p.Step <= 20 {
			first += p.Loss / 20
		}
		if p.Step > 280 {
			last += p.Loss / 20
		}
	}
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if last > first/3 {
		t.Errorf("loss went from %.3f to %.3f only", first, last)
	}
}

// TestResumeBitIdentical: a run that is interrupted three times gives the same parameters and curve as one that is not.
func TestResumeBitIdentical(t *testing.T) {
	for _, optimizer := range []string{"muon", "adamw"} {
		whole, parts := t.TempDir(), t.TempDir()
		l, want := toyLoop(whole)
		l.Config.Optimizer, l.LogEvery = optimizer, 3
		if err := l.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		var got *toy
		for _, stop := range []int{4, 15, 29, 0} {
			var l *Loop[sample]
			l, got = toyLoop(parts)
			l.Config.Optimizer, l.LogEvery, l.Resume = optimizer, 3, true
			ctx, cancel := context.WithCancel(context.Background())
			l.Hooks.Step = func(p Progress) {
				if p.Step == stop {
					cancel()
				}
			}
			err := l.Run(ctx)
			cancel()
			var in *Interrupted
			if stop > 0 && (!errors.As(err, &in) || in.Step != stop || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "--resume")) {
				t.Fatalf("stopped at %d: %v", stop, err)
			}
			if stop == 0 && err != nil {
				t.Fatal(err)
			}
		}
		equal(t, optimizer+" parameters", bits(got.params), bits(want.params))
		equal(t, optimizer+" curve", curve(t, parts), curve(t, whole))
	}
}

// TestReadersChangeNothing: however samples are read, the bits are the same.
func TestReadersChangeNothing(t *testing.T) {
	run := func(readers, ahead int) []uint32 {
		l, o := toyLoop("")
		l.Readers, l.Ahead = readers, ahead
		l.Next = func(k int) (sample, error) {
			time.Sleep(time.Duration(k*7919%13) * 10 * time.Microsecond)
			return drawSample(k)
		}
		if err := l.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		return bits(o.params)
	}
	equal(t, "parameters", run(5, 3), run(1, 30))
}

// TestAccumulateEqualsBatch: the gradient of two micro-batches is that of one, up to rounding.
func TestAccumulateEqualsBatch(t *testing.T) {
	run := func(accumulate, replicas int) []float32 {
		l, o := toyLoop("")
		l.Accumulate, l.Replicas, l.Steps, l.Config.Optimizer, l.LR = accumulate, replicas, 1, "adamw", 1e-3
		l.Objective = quiet{o}
		if err := l.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		return o.up.Grads[0]
	}
	want := run(1, 1)
	for _, c := range [][2]int{{2, 1}, {1, 2}, {3, 2}, {1, 4}} {
		for i, g := range run(c[0], c[1]) {
			if d := math.Abs(float64(g - want[i])); d > 1e-6 {
				t.Fatalf("accumulate %d, replicas %d: gradient %d is %g, want %g", c[0], c[1], i, g, want[i])
			}
		}
	}
}

// quiet takes the noise out of toy, whose draws depend on how the batch is split.
type quiet struct{ *toy }

func (q quiet) Loss(t *autograd.Tape, samples []sample, _ *rand.Rand) (*autograd.Value, []Part) {
	return q.toy.Loss(t, samples, rand.New(zero{}))
}

type zero struct{}

func (zero) Uint64() uint64 { return 0 }

func TestBuffersFollowBatches(t *testing.T) {
	l, o := toyLoop("")
	l.Steps, l.Batch, l.Accumulate, l.Replicas = 1, 2, 1, 2
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	a, _ := drawSample(0)
	b, _ := drawSample(1)
	for i := range 2 {
		want := .05 * (a.x[i] + b.x[i]) / 2
		if d := math.Abs(float64(o.running.Data[i] - want)); d > 1e-7 {
			t.Errorf("running[%d] is %g, want %g", i, o.running.Data[i], want)
		}
	}
}

func TestEvaluationSeesAveragedWeights(t *testing.T) {
	l, o := toyLoop("")
	var seen []float32
	raw := map[int]float32{}
	l.EvalEvery = 10
	l.Hooks.Step = func(p Progress) { raw[p.Step] = o.up.Data[0] }
	l.Eval = func(step int) (map[string]float64, error) {
		if o.up.Data[0] == raw[step] {
			t.Errorf("step %d: evaluated on the current weights", step)
		}
		seen = append(seen, o.up.Data[0])
		return map[string]float64{"x": 1}, nil
	}
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 4 || seen[3] != o.up.Data[0] {
		t.Errorf("evaluated %d times, the last on %v; the run left %v", len(seen), seen, o.up.Data[0])
	}
}

// TestStepAllocatesNothing: the loop's own work in steady state, reading and recording included.
func TestStepAllocatesNothing(t *testing.T) {
	l, _ := toyLoop(t.TempDir())
	l.SnapshotSteps, l.Steps, l.EpochSteps = 0, 1<<20, 1<<20
	r, err := newRun(l)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.start(); err != nil {
		t.Fatal(err)
	}
	defer r.record.close()
	batch := make([]sample, l.Batch)
	for i := range batch {
		batch[i], _ = drawSample(i)
	}
	step := func() {
		if err := r.step(batch); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		step()
	}
	if n := testing.AllocsPerRun(200, step); n > 0 {
		t.Errorf("%v allocations a step", n)
	}
}

func TestRate(t *testing.T) {
	c := Config{Steps: 101, Warmup: 10, LR: 2, MinLR: .1}
	for step, want := range map[int]float64{0: .2, 4: 1, 9: 2, 10: 2, 55: 1.1, 100: .2, 500: .2} {
		if got := c.Rate(step); math.Abs(got-want) > 1e-9 {
			t.Errorf("Rate(%d) = %g, want %g", step, got, want)
		}
	}
}

// TestPrecision: with bf16 a run learns as well as in f32, with other numbers, and is another run.
func TestPrecision(t *testing.T) {
	losses := map[string]float64{}
	out := t.TempDir()
	for _, p := range []string{"", "f32", "bf16"} {
		cfg := toyConfig("")
		cfg.Steps, cfg.Precision = 150, p
		if p == "bf16" {
			cfg.Out = out
		}
		l := &Loop[sample]{Objective: newToy(), Next: drawSample, Config: cfg, Hooks: Hooks{Stdout: io.Discard, Stderr: io.Discard, Quiet: true}}
		sum, n := 0.0, 0
		l.Step = func(p Progress) {
			if p.Step > 100 {
				sum, n = sum+p.Loss, n+1
			}
		}
		if err := l.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		losses[p] = sum / float64(n)
	}
	if losses[""] != losses["f32"] || losses["bf16"] == losses["f32"] || math.Abs(losses["bf16"]/losses["f32"]-1) > .15 {
		t.Errorf("mean losses %v", losses)
	}
	cfg := toyConfig(out)
	cfg.Steps, cfg.Resume = 150, true
	l := &Loop[sample]{Objective: newToy(), Next: drawSample, Config: cfg, Hooks: Hooks{Stdout: io.Discard, Stderr: io.Discard, Quiet: true}}
	var other *OtherConfig
	if err := l.Run(context.Background()); !errors.As(err, &other) || !strings.Contains(err.Error(), "precision") {
		t.Errorf("resumed in f32 what ran in bf16: %v", err)
	}
}
