package recipe

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"

	"fovea/autograd"
	"fovea/dataset"
	"fovea/model"
	"fovea/model/all"
	"fovea/nn"
	"fovea/task"
	"fovea/train"
)

// Tuning is an opened recipe that trains a published model on: all of its weights, or adapters. It stays what it is, and is saved
// as a folder that opens as the one that it came from.
type Tuning struct {
	Config *Config
	Net    *model.Tuned
	Loop   *train.Loop[*model.Prepared]

	evals   []Evaluation
	leftOut leftOut
}

// Tunes reports that a recipe trains a published model on, rather than a joint one: model.from is one that answers in words, or
// one that matches pictures and texts and nothing else is taught. A model.from that cannot be found is Open's to report.
func Tunes(c *Config) bool {
	if c.Model.From == "" {
		return false
	}
	p, err := locate(c.Model.From)
	if err != nil {
		return false
	}
	f := p.published()
	if f == nil {
		return false
	}
	net, _, err := f.Build(all.Families())
	if err != nil {
		return false
	}
	l, ok := net.(model.Learner)
	if !ok {
		return false
	}
	var tasks task.Set
	for _, d := range c.Data {
		tasks |= d.Task.Set
	}
	_, encoder := net.(model.Encoder)
	return !encoder || tasks == l.Teaches()
}

// settle gives keys that the recipe leaves open the values that suit a model that has been trained.
func (c *Config) settle() {
	t := &c.Train
	set := func(key string, v *float64, to float64) {
		if !c.given["train."+key] {
			*v = to
		}
	}
	set("lr", &t.LR, 2e-5)
	if t.LoRA > 0 {
		set("lr", &t.LR, 2e-4)
	}
	set("ema", &t.EMA, 0)
	set("clip", &t.Clip, 1)
	set("weight_decay", &t.WeightDecay, 0)
	if !c.given["train.optimizer"] {
		t.Optimizer = "adamw"
	}
}

// OpenTuning prepares the run of a recipe that Tunes.
func OpenTuning(c *Config, o Options) (*Tuning, error) {
	c.settle()
	at, err := locate(c.Model.From)
	if err != nil {
		return nil, fmt.Errorf("recipe: model.from: %w", err)
	}
	r := &Tuning{Config: c}
	if r.Net, err = model.LoadLearner(at.dir, all.Families()); err != nil {
		return nil, fmt.Errorf("recipe: model.from: %w", err)
	}
	matching := r.Net.Teaches().Has(task.Match)
	if c.Train.Replicas == 0 {
		c.Train.Replicas = runtime.GOMAXPROCS(0)
		if matching { // what is to be told apart lies in one share
			c.Train.Replicas = 1
		}
		for c.Train.Batch%(c.Train.Replicas*max(c.Train.Accumulate, 1)) != 0 {
			c.Train.Replicas--
		}
	}
	if share := c.Train.Batch / (c.Train.Replicas * max(c.Train.Accumulate, 1)); matching && share < 2 {
		return nil, fmt.Errorf("recipe: train.batch: matching needs at least two pictures in a share of a batch, and there is %d", share)
	}
	if rank := c.Train.LoRA; rank > 0 {
		r.Net.Adapt(rank, c.Train.Seed)
	}
	sets, err := openAll(c.Data, sceneSize)
	if err != nil {
		return nil, err
	}
	l, err := r.lessons(sets)
	if err != nil {
		return nil, err
	}
	tests, err := openAll(c.Eval, sceneSize)
	if err != nil {
		return nil, err
	}
	for i, d := range c.Eval {
		r.evals = append(r.evals, Evaluation{Name: d.name(tests[i]), Source: tests[i], Tasks: d.Task.Set & r.Net.Teaches(), Limit: d.Limit, Captions: describedEach})
	}
	return r, r.loop(l, o)
}

// sceneSize is the side of generated scenes for models that see pictures of their own size.
const sceneSize = 224

// lessons prepares the stream of lessons.
func (r *Tuning) lessons(sets []dataset.Source) (*lessons, error) {
	c := r.Config
	l := &lessons{net: r.Net, seed: c.Train.Seed}
	var parts []dataset.Weighted
	for i, d := range c.Data {
		can := teachable(sets[i], d.Task.Set, r.Net.Teaches())
		if can == 0 {
			return nil, fmt.Errorf("recipe: data[%d] (%s) has labels for none of the tasks asked of it that %s can be taught; see `fovea data info`", i, sets[i].Name(), r.Net.Card().Family)
		}
		set := sets[i]
		if d.Scenes == 0 {
			set = dataset.Cached(set, cacheBytes)
		}
		w := d.Weight
		if w == 0 {
			w = 1
		}
		parts, l.tasks = append(parts, dataset.Weighted{Source: set, Weight: w}), append(l.tasks, can)
	}
	var err error
	if l.mix, err = dataset.NewMixture(c.Train.Seed, parts); err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	return l, nil
}

func (r *Tuning) loop(l *lessons, o Options) error {
	opt, loop, err := r.Config.loop(l.mix.Len(), o)
	if err != nil {
		return err
	}
	r.Loop = &train.Loop[*model.Prepared]{
		Objective: &tuningObjective{r.Net, nn.Params(r.Net.Learner), make([][1]train.Part, r.Config.Train.Replicas)},
		Optimizer: opt,
		Next:      l.next,
		Config:    loop,
		Hooks:     o.Hooks,
	}
	if len(r.evals) > 0 {
		r.Loop.Eval = r.evaluate
	}
	return nil
}

// tuningObjective is the loss of a published model's lessons, as train.Loop wants it.
type tuningObjective struct {
	net    *model.Tuned
	params []*autograd.Param
	parts  [][1]train.Part
}

// Params implements train.Objective.
func (o *tuningObjective) Params() []*autograd.Param { return o.params }

// Loss implements train.Objective.
func (o *tuningObjective) Loss(t *autograd.Tape, batch []*model.Prepared, _ *rand.Rand) (*autograd.Value, []train.Part) {
	loss, name := o.net.Loss(t, batch), "answer"
	if o.net.Teaches().Has(task.Match) {
		name = "match"
	}
	o.parts[t.Replica] = [1]train.Part{{Name: name, Value: loss.Data[0], Weight: 1}}
	return loss, o.parts[t.Replica][:]
}

// Train runs the loop and saves the model in OUT/model, adapters merged.
func (r *Tuning) Train(ctx context.Context) error {
	if err := r.Loop.Run(ctx); err != nil {
		return err
	}
	r.Net.Merge()
	return r.Net.Save(filepath.Join(r.Config.Out, "model"))
}

// evaluate measures the model on every set of the recipe's eval list; metrics are called "set metric".
func (r *Tuning) evaluate(int) (map[string]float64, error) {
	out := map[string]float64{}
	for _, e := range r.evals {
		a := &network{net: r.Net, run: r.Net.NewRunner(runtime.GOMAXPROCS(0))}
		m, err := e.RunOn(context.Background(), a)
		a.run.Close()
		if err != nil && !errors.Is(err, ErrNothing) {
			return nil, err
		}
		r.leftOut.tell(r.Loop.Hooks.Stderr, m)
		for k, v := range m.Metrics {
			out[e.Name+" "+k] = v
		}
	}
	return out, nil
}
