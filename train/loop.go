package train

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/internal/cpu"
)

// Objective is what is being learnt. S is a sample of the data.
type Objective[S any] interface {
	// Params are all parameters, named, in an order that never changes.
	Params() []*autograd.Param
	// Loss records the loss of samples on t and returns it, a scalar, with its parts. It is called by several goroutines at
	// the same time, each with its own tape; t.Replica tells them apart, for scratch memory. Whatever it draws comes from
	// rng, which depends on the step and the replica alone. The loop sums replicas with equal weight, so a loss is a mean
	// over its samples. Parts may be reused after the next call on the same tape.
	Loss(t *autograd.Tape, samples []S, rng *rand.Rand) (loss *autograd.Value, parts []Part)
}

// Loop trains an objective.
type Loop[S any] struct {
	Objective Objective[S]
	// Next returns sample k = 0, 1, 2, …, the same one whenever it is asked; goroutines call it side by side. A picture that
	// cannot be read is Next's business (take another one, say so); an error ends the run.
	Next func(k int) (S, error)
	Config
	// Optimizer is nil to let Config.Optimizer choose.
	Optimizer Optimizer
	// Eval measures the model, whose parameters hold the averaged weights while it runs; nil: no evaluation. step is the
	// number of steps done. The values are logged and drawn; they do not influence the training.
	Eval func(step int) (map[string]float64, error)
	Hooks
}

// Hooks connect a run to its surroundings. All may be left out.
type Hooks struct {
	Stdout io.Writer // "Epoch [3/10] Training Loss: 1.2345" and the last evaluation; os.Stdout
	Stderr io.Writer // progress and remarks; os.Stderr
	Quiet  bool      // no progress on Stderr
	// NoReport leaves out report.html, curves.png and the sheet of examples, which take a second or two at each evaluation.
	NoReport bool
	// Step is called after every step.
	Step func(Progress)
	// Results turns the last evaluation into lines such as "Test Accuracy: 85.5 %"; by default one "Test name: value" each.
	Results func(metrics map[string]float64) []string
	// Sheet draws examples with the model's answers for the report. It is called after each evaluation, while the parameters
	// hold the averaged weights.
	Sheet func() (image.Image, error)
	// FS writes snapshots; nil: the real file system.
	FS checkpoint.FS
}

// Progress is what is known after a step.
type Progress struct {
	Step            int     // done so far
	Loss            float64 // of this step
	GradNorm        float64 // before clipping
	LR              float64
	ImagesPerSecond float64 // of the last few steps
}

// Run trains until Config.Steps steps are done, the context ends (*Interrupted), a loss or gradient is not finite
// (*NonFinite) or something fails. When it returns nil the parameters hold the averaged weights, if Config.EMA is set.
//
// Snapshots are safetensors files with the arrays "param/NAME", "ema/NAME" and "optimizer/ROLE/NAME" and the metadata
// "format" (fovea-snapshot-1), "state" and "config" (JSON), and a checksum. They appear complete or not at all.
func (l *Loop[S]) Run(ctx context.Context) (err error) {
	r, err := newRun(l)
	if err != nil {
		return err
	}
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{r.state.Step + 1, "training loop", v, debug.Stack()}
		}
		err = errors.Join(err, r.record.close())
	}()
	if err := r.start(); err != nil {
		return err
	}
	return r.train(ctx)
}

// run is a Loop under way.
type run[S any] struct {
	loop     *Loop[S]
	cfg      Config
	stepper  *stepper[S]
	snaps    *snapshots // nil without an output folder
	state    snapshotState
	record   *record
	lastSnap string
	snapTime time.Time
	examples image.Image // last Sheet
	began    time.Time
	before   float64 // seconds spent by earlier runs
	done     int     // steps that this run did itself
}

func newRun[S any](l *Loop[S]) (*run[S], error) {
	cfg, err := l.Config.checked()
	if err != nil {
		return nil, err
	}
	opt := l.Optimizer
	if opt == nil {
		if opt, err = NewOptimizer(cfg.Optimizer, cfg.WeightDecay, cfg.Replicas); err != nil {
			return nil, err
		}
	}
	id, err := identity(cfg, opt, l.Objective.Params())
	if err != nil {
		return nil, err
	}
	r := &run[S]{loop: l, cfg: cfg, stepper: newStepper(cfg, l.Objective, opt), record: newRecord(cfg, l.Hooks)}
	r.state.Seed = cfg.Seed
	if cfg.Out != "" {
		r.snaps = &snapshots{filepath.Join(cfg.Out, snapshotFolder), cfg.Keep, l.FS, id, cfg.Override}
	}
	return r, nil
}

// start makes the output folder and loads the snapshot to resume from.
func (r *run[S]) start() error {
	r.began, r.snapTime = time.Now(), time.Now()
	if r.snaps == nil {
		return r.record.open(0)
	}
	if err := os.MkdirAll(r.snaps.dir, 0o777); err != nil {
		return fmt.Errorf("train: output folder: %w", err)
	}
	if err := checkpoint.RemovePartial(r.snaps.dir); err != nil {
		return err
	}
	if r.cfg.Resume {
		st, path, err := r.snaps.restore(r.stepper.params, r.stepper.average, r.stepper.opt, r.record.console.say)
		if err != nil {
			return err
		}
		if path != "" {
			r.state, r.lastSnap, r.before = st, path, st.Seconds
			r.record.started = r.began.Add(-time.Duration(st.Seconds * float64(time.Second)))
			r.record.console.say("resuming from %s, step %d", path, st.Step)
			if now := cpu.Active("kernel"); now != st.Kernel {
				r.record.console.say("the snapshot was computed with the %s kernels, this machine uses %s: results will differ in the last digits", st.Kernel, now)
			}
		}
	} else if old, err := r.snaps.list(); err != nil {
		return err
	} else if len(old) > 0 {
		return fmt.Errorf("train: %s holds the snapshots of an earlier run; resume it (--resume) or choose another output folder", r.cfg.Out)
	}
	return r.record.open(r.state.Step)
}

func (r *run[S]) train(ctx context.Context) error {
	feed := newFeed(r.loop.Next, r.state.Position, r.cfg.Readers, r.cfg.Ahead)
	defer feed.close()
	batch := make([]S, r.cfg.Batch)
	for r.state.Step < r.cfg.Steps {
		err := feed.take(ctx, batch)
		if ctx.Err() != nil {
			return r.interrupted(ctx)
		}
		if err != nil {
			return r.rescue(fmt.Errorf("train: step %d: %w", r.state.Step+1, err))
		}
		if err := r.step(batch); err != nil {
			return err
		}
	}
	return r.finish()
}

// step does everything that belongs to one step.
func (r *run[S]) step(batch []S) error {
	norm, err := r.stepper.run(r.state.Step, batch)
	if err != nil {
		var bad *NonFinite
		if errors.As(err, &bad) {
			bad.Snapshot = r.lastSnap
		}
		return err
	}
	lr := r.cfg.Rate(r.state.Step)
	r.state.Step++
	r.done++
	r.state.Position += len(batch)
	r.state.Interval.merge(&r.stepper.tally)
	r.state.Epoch.merge(&r.stepper.tally)
	p := Progress{Step: r.state.Step, Loss: r.stepper.tally.mean(), GradNorm: norm, LR: lr}
	if err := r.record.step(&p, &r.state); err != nil {
		return err
	}
	if r.loop.Step != nil {
		r.loop.Step(p)
	}
	if n := r.cfg.EvalEvery; n > 0 && r.state.Step%n == 0 && r.state.Step < r.cfg.Steps {
		if _, err := r.evaluate(); err != nil {
			return r.rescue(err)
		}
	}
	if r.snaps != nil && r.state.Step < r.cfg.Steps && r.snapshotDue() {
		if _, err := r.snapshot(); err != nil { // the older ones are intact: go on and try again later
			r.record.console.say("%v; training goes on, the last good snapshot is %q", err, r.lastSnap)
		}
	}
	return nil
}

func (r *run[S]) snapshotDue() bool {
	n, d := r.cfg.SnapshotSteps, r.cfg.SnapshotEvery
	return n > 0 && r.state.Step%n == 0 || d > 0 && time.Since(r.snapTime) >= d
}

// snapshot saves the run. The time of the attempt counts, so that a full disk is not tried at every step.
func (r *run[S]) snapshot() (string, error) {
	r.snapTime = time.Now()
	defer r.record.pause()
	s := r.stepper
	r.state.OptimizerSteps = s.opt.State(s.params).Steps
	r.state.Seconds = r.before + time.Since(r.began).Seconds()
	path, err := r.snaps.save(r.state, items(s.params, s.average, s.opt))
	if path != "" {
		r.lastSnap = path
	}
	return path, err
}

// evaluate calls Eval and Sheet on the averaged weights and brings the report up to date.
func (r *run[S]) evaluate() (m map[string]float64, err error) {
	defer r.record.pause()
	r.stepper.average.swap()
	defer r.stepper.average.swap()
	if r.loop.Eval != nil {
		began := time.Now()
		if m, err = r.eval(); err != nil {
			return nil, err
		}
		if err := r.record.evaluation(r.state.Step, m, time.Since(began)); err != nil {
			return nil, err
		}
	}
	r.report(true)
	return m, nil
}

// report writes the report; with draw it asks for a new sheet of examples. A report that fails must not end a training.
func (r *run[S]) report(draw bool) {
	if r.snaps == nil || r.loop.NoReport {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			r.record.console.say("the report failed: panic: %v", v)
		}
	}()
	if draw && r.loop.Sheet != nil {
		m, err := r.loop.Sheet()
		if err == nil && m != nil {
			r.examples = m
			err = r.record.sheet(r.state.Step, m)
		}
		if err != nil {
			r.record.console.say("the sheet of examples failed: %v", err)
		}
	}
	if err := writeReport(r.cfg.Out, r.cfg.Steps, r.stepper.params, r.snaps.identity, r.examples); err != nil {
		r.record.console.say("the report failed: %v", err)
	}
}

func (r *run[S]) eval() (m map[string]float64, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{r.state.Step, "evaluation", v, debug.Stack()}
		}
	}()
	if m, err = r.loop.Eval(r.state.Step); err != nil {
		return nil, fmt.Errorf("train: evaluation after step %d: %w", r.state.Step, err)
	}
	return m, nil
}

// rescue saves what was learnt before a failure between two steps, and says so in the error.
func (r *run[S]) rescue(err error) error {
	if r.snaps == nil || r.done == 0 {
		return err
	}
	path, failed := r.snapshot()
	if path == "" {
		return errors.Join(err, failed)
	}
	return fmt.Errorf("%w; saved %s: mend the cause and resume (--resume)", err, path)
}

func (r *run[S]) interrupted(ctx context.Context) error {
	e := &Interrupted{Step: r.state.Step, Cause: context.Cause(ctx)}
	if r.snaps == nil {
		return e
	}
	path, err := r.snapshot()
	r.report(false)
	if path == "" {
		e.Snapshot = r.lastSnap
		return errors.Join(e, err)
	}
	e.Snapshot = path
	return e
}

// finish saves the trained state, evaluates, prints the result and leaves the averaged weights in the parameters.
func (r *run[S]) finish() error {
	if r.snaps != nil && r.done > 0 {
		if _, err := r.snapshot(); err != nil {
			return err
		}
	}
	metrics, err := r.evaluate()
	if err != nil {
		return err
	}
	r.record.results(metrics)
	r.stepper.average.swap()
	return nil
}
