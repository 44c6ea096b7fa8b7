package recipe

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"fovea/dataset"
	"fovea/imageproc"
	"fovea/task"
	"fovea/train"
)

// Cost is what a run will take on this machine, as far as a few steps tell.
type Cost struct {
	StepSeconds  float64 `json:"step_seconds"`  // the middle one of the steps that were timed
	TimedSteps   int     `json:"timed_steps"`   // so many
	TrainSeconds float64 `json:"train_seconds"` // all steps
	EvalSeconds  float64 `json:"eval_seconds"`  // all evaluations
	Seconds      float64 `json:"seconds"`       // together
	Bytes        int64   `json:"bytes"`         // memory at its peak, with the pictures that are kept decoded
}

// How long the trial may take: warm-up steps are not counted, as the first allocates everything.
const (
	trialWarm  = 1
	trialSteps = 4
	trialTime  = 40 * time.Second
	trialLooks = 4 // pictures of each measured set
)

// Trial runs a few steps and looks at a few pictures to tell what the whole run will take. It trains the model of r a little,
// so r is of no use afterwards. Nothing is written.
func (r *Run) Trial(ctx context.Context) (*Cost, error) {
	steps, err := r.timeSteps(ctx)
	if err != nil {
		return nil, err
	}
	c := r.Loop.Config
	cost := &Cost{StepSeconds: median(steps), TimedSteps: len(steps)}
	cost.TrainSeconds = cost.StepSeconds * float64(c.Steps)
	times := 1
	if c.EvalEvery > 0 {
		times += (c.Steps - 1) / c.EvalEvery
	}
	for _, e := range r.evals {
		s, err := r.timeEvaluation(ctx, e)
		if err != nil {
			return nil, err
		}
		cost.EvalSeconds += s * float64(times)
	}
	cost.Seconds = cost.TrainSeconds + cost.EvalSeconds
	cost.Bytes = train.PeakMemory()
	for i, d := range r.Config.Data {
		if d.Scenes == 0 {
			cost.Bytes += keptBytes(r.sets[i])
		}
	}
	return cost, nil
}

// timeSteps are the seconds of some steps.
func (r *Run) timeSteps(ctx context.Context) ([]float64, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	l := *r.Loop
	l.Config.Out, l.Config.Resume, l.Config.EvalEvery = "", false, 0
	l.Config.Steps = min(l.Config.Steps, trialWarm+trialSteps)
	l.Config.Warmup = min(l.Config.Warmup, l.Config.Steps)
	l.Eval = nil
	var took []float64
	done, began := 0, time.Now()
	last := began
	l.Hooks = train.Hooks{Stdout: io.Discard, Stderr: io.Discard, Quiet: true, NoReport: true, Step: func(train.Progress) {
		now := time.Now()
		if done++; done > trialWarm || l.Config.Steps == 1 {
			took = append(took, now.Sub(last).Seconds())
		}
		if last = now; len(took) > 0 && now.Sub(began) > trialTime {
			stop()
		}
	}}
	err := l.Run(ctx)
	if early := (*train.Interrupted)(nil); errors.As(err, &early) && len(took) > 0 {
		err = nil
	}
	return took, err
}

// timeEvaluation is about how long one evaluation of a set takes, seconds. Captions take longest and are bounded apart.
func (r *Run) timeEvaluation(ctx context.Context, e Evaluation) (float64, error) {
	n := e.Source.Len()
	if e.Limit > 0 {
		n = min(n, e.Limit)
	}
	total := 0.0
	for _, p := range []struct {
		tasks task.Set
		n     int
	}{{e.Tasks &^ task.SetOf(task.Caption), n}, {e.Tasks & task.SetOf(task.Caption), min(n, describedEach)}} {
		if p.tasks == 0 || p.n == 0 {
			continue
		}
		e.Tasks, e.Limit, e.Progress, e.Keep = p.tasks, min(trialLooks, p.n), nil, nil
		began := time.Now()
		got, err := e.Run(ctx, r.Model)
		if err != nil {
			return 0, err
		}
		total += time.Since(began).Seconds() / float64(max(got.Images, 1)) * float64(p.n)
	}
	return total, nil
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// keptBytes is about what the decoded pictures of a set take that dataset.Cached keeps: a few headers stand for all.
func keptBytes(src dataset.Source) int64 {
	n := int64(src.Len())
	const looked = 16
	files := dataset.Files(src)
	if len(files) == 0 {
		return 0
	}
	var sum, known int64
	for i := range min(looked, len(files)) {
		if info, err := imageproc.OpenInfo(files[i*len(files)/min(looked, len(files))], imageproc.Limits{}); err == nil {
			sum, known = sum+int64(3*info.W*info.H), known+1
		}
	}
	return min(sum/max(known, 1)*n, cacheBytes)
}
