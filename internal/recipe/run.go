package recipe

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"fovea/annotation"
	"fovea/augment"
	"fovea/checkpoint"
	"fovea/dataset"
	"fovea/dataset/scenes"
	"fovea/imageproc"
	"fovea/model/unified"
	"fovea/task"
	"fovea/train"
)

// Run is an opened recipe: data sets, model and loop, ready to go.
type Run struct {
	Config *Config
	Model  *unified.Model
	Loop   *train.Loop[*task.Sample]

	sampler *sampler
	sets    []dataset.Source // of Config.Data, as they were opened
	evals   []Evaluation
	leftOut leftOut
}

// Options are the parts of a run that do not decide its result.
type Options struct {
	Resume   bool
	Override []string // keys of the snapshot's configuration that may differ
	Hooks    train.Hooks
}

// maxEpoch is the number of pictures that make an epoch when the mixture holds more and the recipe says nothing.
const maxEpoch = 20000

// describedEach is the number of pictures of every measured set that are described while training.
const describedEach = 100

// Open prepares a run.
func Open(c *Config, o Options) (*Run, error) {
	if c.Train.Replicas == 0 {
		c.Train.Replicas = replicas(c, o.Resume)
	}
	r := &Run{Config: c}
	var err error
	if r.Model, err = newModel(c); err != nil {
		return nil, err
	}
	sets, err := openAll(c.Data, r.Model.Config.Size)
	if err != nil {
		return nil, err
	}
	teachers, err := openTeachers(c.Data)
	if err != nil {
		return nil, err
	}
	if err := learn(r.Model, c.Data, sets, teachers); err != nil {
		return nil, err
	}
	if len(r.Model.Config.Pixels) > 0 && !r.Model.Divides() { // it gets the read-out
		if r.Model, err = r.Model.Regrown(r.Model.Config, c.Train.Seed); err != nil {
			return nil, fmt.Errorf("recipe: %w", err)
		}
	}
	if rank := c.Train.LoRA; rank > 0 {
		r.Model.Adapt(rank, c.Train.Seed)
	}
	r.sets = sets
	if err := r.mix(sets, teachers); err != nil {
		return nil, err
	}
	tests, err := openAll(c.Eval, r.Model.Config.Size)
	if err != nil {
		return nil, err
	}
	for i, d := range c.Eval {
		r.evals = append(r.evals, Evaluation{Name: d.name(tests[i]), Source: tests[i], Tasks: d.Task.Set, Limit: d.Limit, Captions: describedEach})
	}
	opt, loop, err := c.loop(r.sampler.mix.Len(), o)
	if err != nil {
		return nil, err
	}
	t := c.Train
	w, err := t.weights()
	if err != nil {
		return nil, err
	}
	r.Loop = &train.Loop[*task.Sample]{
		Objective: newObjective(r.Model, w, t.Replicas),
		Optimizer: opt,
		Next:      r.sampler.next,
		Config:    loop,
		Hooks:     o.Hooks,
	}
	if len(r.evals) > 0 {
		r.Loop.Eval, r.Loop.Sheet = r.evaluate, r.contact
	}
	return r, nil
}

// loop is the optimiser of a recipe and the settings of its loop, for a mixture of so many pictures.
func (c *Config) loop(pictures int, o Options) (train.Optimizer, train.Config, error) {
	t := c.Train
	epoch := t.Epoch
	if epoch == 0 {
		epoch = min(pictures, maxEpoch)
	}
	perEpoch := max(epoch/t.Batch, 1)
	steps := t.Epochs * perEpoch
	opt, err := train.NewOptimizer(t.Optimizer, &t.WeightDecay, t.Replicas)
	if err != nil {
		return nil, train.Config{}, err
	}
	lr := t.LR
	if m, ok := opt.(*train.Muon); ok {
		lr, m.InnerRatio = t.MuonLR, float32(t.LR/t.MuonLR)
	}
	return opt, train.Config{
		Steps: steps, EpochSteps: perEpoch, Batch: t.Batch, Accumulate: t.Accumulate, Replicas: t.Replicas, Optimizer: t.Optimizer,
		LR: lr, Warmup: int(math.Ceil(t.Warmup * float64(steps))), MinLR: .01, Clip: t.Clip, EMA: t.EMA, Seed: t.Seed, Precision: t.Precision,
		SnapshotEvery: time.Duration(t.Snapshot * float64(time.Minute)), EvalEvery: t.EvalEvery * perEpoch, LogEvery: 10,
		Out: c.Out, Extra: c, Resume: o.Resume, Override: o.Override,
	}, nil
}

// replicas is the number of shares of a batch when the recipe does not say: those of the run that is resumed, so that its
// numbers stay the same on a machine with other cores, or else one for each core as far as they divide the batch evenly.
func replicas(c *Config, resume bool) int {
	if resume && c.Out != "" {
		if n := train.SavedReplicas(c.Out); n > 0 {
			return n
		}
	}
	share := c.Train.Batch / c.Train.Accumulate
	n := max(min(runtime.GOMAXPROCS(0), share), 1)
	for share%n != 0 {
		n--
	}
	return n
}

// learn adds the labels of the data sets to what the model answers with by default.
func learn(m *unified.Model, data []Data, sets []dataset.Source, teachers []*teacher) error {
	for i, s := range sets {
		_, can := labelsOf(s, data[i].Task.Set, m.Names)
		if t := teachers[i]; t != nil {
			for k := range task.Match {
				if can.Has(k) && t.teaches.Has(k) {
					return fmt.Errorf("recipe: data[%d] (%s) has labels of its own for %s: leave out its teacher, or %[3]s from its tasks", i, s.Name(), k)
				}
			}
			m.Names.AddAll(t.classes)
			m.Config.Classes = addNew(m.Config.Classes, t.classes)
			m.Names.AddAll(t.labels)
			m.Config.Labels = addNew(m.Config.Labels, t.labels)
		} else if can == 0 {
			return fmt.Errorf("recipe: data[%d] (%s) has labels for none of the tasks asked of it; see `fovea data info`", i, s.Name())
		}
		if can.Has(task.Detect) {
			m.Config.Labels = addNew(m.Config.Labels, s.Classes())
		}
		if can.Has(task.Classify) {
			m.Config.Classes = addNew(m.Config.Classes, s.Classes())
		}
		if can.Has(task.Segment) && s.Labels()&dataset.HasSemantic != 0 {
			m.Config.Pixels = addNew(m.Config.Pixels, s.Classes())
		}
	}
	return nil
}

func addNew(list, more []string) []string {
	have := map[string]bool{}
	for _, s := range list {
		have[strings.ToLower(s)] = true
	}
	for _, s := range more {
		if !have[strings.ToLower(s)] {
			have[strings.ToLower(s)] = true
			list = append(list, s)
		}
	}
	return list
}

// openAll opens data sets; scenes are drawn size pixels wide, as the model sees them.
func openAll(data []Data, size int) ([]dataset.Source, error) {
	var out []dataset.Source
	for _, d := range data {
		s, err := d.open(size)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (d Data) open(size int) (dataset.Source, error) {
	if d.Scenes > 0 {
		c := scenes.Config{Seed: d.Seed, N: d.Scenes, Size: size, Lessons: d.Lessons}
		if d.Limit > 0 {
			c.N = min(c.N, d.Limit)
		}
		if d.Photos != "" {
			var err error
			if c.Backgrounds, err = photos(d.Photos, d.Split); err != nil {
				return nil, err
			}
		}
		return scenes.New(c), nil
	}
	src, err := dataset.Open(d.Path, dataset.OpenOptions{Split: d.Split, CompleteBoxes: d.CompleteBoxes, Skeleton: annotation.COCO17})
	if err == nil && d.Skip+d.Limit > 0 {
		src, err = dataset.Part(src, d.Skip, d.Limit)
	}
	if err != nil || d.Except == "" {
		return src, err
	}
	other, err := dataset.Open(d.Path, dataset.OpenOptions{Split: d.Except})
	if err != nil {
		return nil, fmt.Errorf("recipe: except: %w", err)
	}
	return dataset.Without(context.Background(), src, other, runtime.GOMAXPROCS(0))
}

// photos reads the pictures without people of a data set, for the backgrounds of scenes.
func photos(path, split string) ([]*imageproc.RGB, error) {
	src, err := dataset.Open(path, dataset.OpenOptions{Split: split})
	if err != nil {
		return nil, fmt.Errorf("recipe: photos: %w", err)
	}
	var out []*imageproc.RGB
	for i := range src.Len() {
		ex, err := src.At(i, nil)
		if err != nil {
			continue // a damaged photo is no loss among backgrounds
		}
		person := false
		for _, o := range ex.Objects {
			person = person || o.Label == unified.Person
		}
		if !person {
			out = append(out, ex.Image)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("recipe: photos: " + path + " has no picture without people")
	}
	return out, nil
}

func (d Data) name(s dataset.Source) string {
	switch {
	case d.Name != "":
		return d.Name
	case d.Scenes > 0:
		return "scenes"
	}
	return filepath.Base(s.Name())
}

// cacheBytes bounds the decoded pictures that are kept of each data set.
const cacheBytes = 256 << 20

// mix prepares the stream of samples.
func (r *Run) mix(sets []dataset.Source, teachers []*teacher) error {
	c, m := r.Config, r.Model
	s := &sampler{seed: c.Train.Seed, builder: &task.Builder{
		Vocab: m.Vocab, Names: m.Names, Side: m.Config.Size, Features: m.Config.FeatureSide(), Questions: c.Train.Questions, People: c.Train.People,
		CaptionShare: c.Train.Captions, BlindShare: c.Train.Blind, MatchShare: c.Train.Matches, DropWords: c.Augment.Words, DropAsked: c.Augment.Asked, Joints: m.JointNames(),
	}}
	// A model that is taught to name photographs chooses among all that it knows when it is asked for nothing else, so every set says that
	// the classes of the others are wrong. Without that the teacher's names win on pictures that the teacher never sees.
	rivals := slices.ContainsFunc(teachers, (*teacher).names)
	var parts []dataset.Weighted
	for i, d := range c.Data {
		set := sets[i]
		if d.Scenes == 0 {
			set = dataset.Cached(set, cacheBytes)
		}
		w := d.Weight
		if w == 0 {
			w = 1
		}
		parts = append(parts, dataset.Weighted{Source: set, Weight: w})
		labels, can := labelsOf(set, d.Task.Set, m.Names)
		t := teachers[i]
		if rivals && (can.Has(task.Classify) || t.names()) {
			labels.Classes = once(m.Names.AddAll(m.Config.Classes))
		}
		if t != nil && t.teaches.Has(task.Detect) { // what it does not say is wrong, whoever's class that is
			labels.Candidates = append([]int32{task.Nothing}, once(m.Names.AddAll(t.labels))...)
		}
		cfg := c.Augment
		if d.Scenes > 0 {
			cfg = augment.Config{} // scenes are varied as they are drawn
		}
		p, err := augment.New(cfg)
		if err != nil {
			return fmt.Errorf("recipe: augment: %w", err)
		}
		p.More = partner(set)
		s.sources = append(s.sources, source{set, can, labels, p, teachers[i]})
	}
	mix, err := dataset.NewMixture(c.Train.Seed, parts)
	if err != nil {
		return fmt.Errorf("recipe: %w", err)
	}
	s.mix, r.sampler = mix, s
	return nil
}

// partner draws examples of a set for mosaics, pasted objects and mixing.
func partner(set dataset.Source) func(rng *rand.Rand) *dataset.Example {
	return func(rng *rand.Rand) *dataset.Example {
		ex, err := set.At(rng.IntN(set.Len()), rng)
		if err != nil {
			return nil // the picture stays alone
		}
		return ex
	}
}

// next makes sample k of the run.
func (s *sampler) next(k int) (*task.Sample, error) {
	rng := dataset.RNG(s.seed, k)
	ex, pick, err := s.mix.Example(k, rng)
	if err != nil {
		return nil, err
	}
	return s.sample(pick.Source, ex, rng)
}

// Train runs the loop and saves the averaged weights as a model in OUT/model.
func (r *Run) Train(ctx context.Context) error {
	if err := r.Loop.Run(ctx); err != nil {
		return err
	}
	r.Model.Merge()
	if r.Model.PlainEncoder() {
		if err := r.Model.SaveEncoder(filepath.Join(r.Config.Out, "encoder")); err != nil {
			return err
		}
	}
	return r.Model.Save(filepath.Join(r.Config.Out, "model"), checkpoint.WriteOptions{})
}

// evaluate measures the model on every set of the recipe's eval list; metrics are called "set metric".
func (r *Run) evaluate(int) (map[string]float64, error) {
	out := map[string]float64{}
	for _, e := range r.evals {
		m, err := e.Run(context.Background(), r.Model)
		if err != nil {
			return nil, err
		}
		r.leftOut.tell(r.Loop.Hooks.Stderr, m)
		for k, v := range m.Metrics {
			out[e.Name+" "+k] = v
		}
	}
	return out, nil
}
