// Package recipe turns a training configuration into a run: it opens the data sets, mixes and augments them, builds the
// model, trains it with train.Loop and measures it on held-out data.
package recipe

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"go.yaml.in/yaml/v4"

	"fovea/augment"
	"fovea/model/unified"
	"fovea/task"
)

// Config is the file that `fovea train` reads. Every key has a sensible default; an unknown one is an error that names
// the nearest known key.
type Config struct {
	Model   Model          `yaml:"model" json:"model"`
	Data    []Data         `yaml:"data" json:"data"`
	Eval    []Data         `yaml:"eval" json:"eval"`
	Train   Train          `yaml:"train" json:"train"`
	Augment augment.Config `yaml:"augment" json:"augment"`
	Out     string         `yaml:"out" json:"-"`

	given map[string]bool // keys that somebody has set, "train.lr"
}

// Given notes that a key, such as "train.lr", was set on purpose: its value stays, where others are replaced by what suits the
// model that training starts from.
func (c *Config) Given(key string) {
	if c.given == nil {
		c.given = map[string]bool{}
	}
	c.given[key] = true
}

// Model says what is trained.
type Model struct {
	Variant string `yaml:"variant" json:"variant"` // nano, mini, tiny, cct, vit
	From    string `yaml:"from" json:"from"`       // start from this model: the program's own, a published encoder or one that is itself trained on (see Tunes); a name, a folder or org/repo
	// Size is the side of the picture that the model sees, pixels, when it is not the variant's; with From, pictures may be
	// larger than they were (progressive resizing, Howard 2018).
	Size int `yaml:"size" json:"size"`
	// Grow, with From, gives the model what the variant has and the other model lacks; the new parts start fresh.
	Grow bool `yaml:"grow" json:"grow"`
	// Backbone is a file that configs/lite0.py writes: pretrained convolutions in place of the model's own stem.
	Backbone string `yaml:"backbone" json:"backbone,omitempty"`
	// BackboneRate is the share of the learning rate, in [0, 1], at which pretrained convolutions learn; nil: a default. 0
	// leaves them as they are, which suits few pictures.
	BackboneRate *float64 `yaml:"backbone_rate" json:"backbone_rate,omitempty"`
	Vocab        string   `yaml:"vocab" json:"vocab"` // tokenizer.json; default: the shipped one
}

// Data is one data set of the mixture, or one set to measure on.
type Data struct {
	Task   Tasks   `yaml:"task" json:"task"`
	Path   string  `yaml:"path" json:"path"`
	Split  string  `yaml:"split" json:"split"`
	Weight float64 `yaml:"weight" json:"weight"`
	Scenes int     `yaml:"scenes" json:"scenes"` // instead of a path: so many generated pictures
	Seed   uint64  `yaml:"seed" json:"seed"`     // of the generated pictures
	// Photos is a data set whose pictures serve as backgrounds of generated ones.
	Photos string `yaml:"photos" json:"photos"`
	// Lessons is how many easier questions more a generated picture asks, that prepare harder ones.
	Lessons int `yaml:"lessons" json:"lessons"`
	Limit   int `yaml:"limit" json:"limit"` // use only the first so many examples
	// Skip leaves out the first so many examples, to hold them out of a set that has no other part. Limit counts from there.
	Skip int `yaml:"skip" json:"skip,omitempty"`
	// Except is another part of the data set: pictures whose files it has too are left out.
	Except string `yaml:"except" json:"except,omitempty"`
	Name   string `yaml:"name" json:"name"` // in metrics; default: made from the path
	// CompleteBoxes says whether every object is boxed, where the files leave it open (a keypoint file with one person a
	// picture is taken as incomplete, anything else as complete).
	CompleteBoxes *bool `yaml:"complete_boxes" json:"complete_boxes"`
	// Teacher is a model, nano, a folder or org/repo, that says what is on each picture as the student sees it. Teaches are the tasks that
	// are learned from it, for which labels are not used: classify, which is the default, and detect. TeacherNames is a file of lines
	// "class TAB name" that give its classes other names. With a teacher, Task may be empty.
	Teacher      string `yaml:"teacher" json:"teacher,omitempty"`
	Teaches      Tasks  `yaml:"teaches" json:"teaches,omitzero"`
	TeacherNames string `yaml:"teacher_names" json:"teacher_names,omitempty"`
}

// Train says how.
type Train struct {
	Epochs      int     `yaml:"epochs" json:"epochs"`
	Epoch       int     `yaml:"epoch_images" json:"epoch_images"` // pictures an epoch; default: the mixture's size, at most 20,000
	Batch       int     `yaml:"batch" json:"batch"`
	Accumulate  int     `yaml:"accumulate" json:"accumulate"`
	Replicas    int     `yaml:"replicas" json:"replicas"` // shares of a batch; default: as many as there are cores and divide it
	Optimizer   string  `yaml:"optimizer" json:"optimizer"`
	LR          float64 `yaml:"lr" json:"lr"`           // AdamW's
	MuonLR      float64 `yaml:"muon_lr" json:"muon_lr"` // Muon's, for matrices
	Warmup      float64 `yaml:"warmup" json:"warmup"`   // share of all steps
	WeightDecay float64 `yaml:"weight_decay" json:"weight_decay"`
	Clip        float64 `yaml:"clip" json:"clip"`
	EMA         float64 `yaml:"ema" json:"ema"`
	Precision   string  `yaml:"precision" json:"precision"` // f32, or bf16: products of rounded operands
	LoRA        int     `yaml:"lora" json:"lora,omitempty"` // rank of adapters, which are trained in place of the blocks; 0: all weights are
	Smooth      float64 `yaml:"label_smoothing" json:"label_smoothing"`
	Drop        float64 `yaml:"dropout" json:"dropout,omitempty"` // of a picture's and a text's features before they are matched
	// Weights are of parts of the loss, by their names, in place of the defaults (unified.DefaultWeights).
	Weights   map[string]float64 `yaml:"loss_weights" json:"loss_weights,omitempty"`
	Seed      uint64             `yaml:"seed" json:"seed"`
	EvalEvery int                `yaml:"eval_every" json:"eval_every"`             // epochs
	Snapshot  float64            `yaml:"snapshot_minutes" json:"-"`                // between snapshots
	Questions int                `yaml:"questions" json:"questions"`               // asked of a picture in a step, at most
	People    int                `yaml:"people" json:"people"`                     // asked for their joints, at most
	Blind     float64            `yaml:"blind_share" json:"blind_share,omitempty"` // of questions, asked without the picture
	Captions  float64            `yaml:"caption_share" json:"caption_share"`       // of captioned pictures
	Matches   float64            `yaml:"matching_share" json:"matching_share"`     // of captioned pictures
}

// Default is what keys that are not given are set to.
func Default() Config {
	return Config{
		Model: Model{Variant: "nano"},
		Train: Train{Epochs: 10, Batch: 32, Accumulate: 1, Optimizer: "muon", LR: 2e-3, MuonLR: .02, Warmup: .03, WeightDecay: .02, Clip: 5, EMA: .999,
			Precision: "f32", Seed: 1, EvalEvery: 1, Snapshot: 5, Questions: 4, People: 1, Captions: .25, Matches: .25},
		Augment: augment.Default(),
		Out:     "runs/last",
	}
}

// Load reads and checks a configuration.
func Load(path string) (*Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	c, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("recipe: %s: %w", path, err)
	}
	return c, nil
}

// Parse is Load from memory.
func Parse(b []byte) (*Config, error) {
	c := Default()
	var root yaml.Node
	if err := yaml.Unmarshal(b, &root); err != nil {
		return nil, err
	}
	if err := knownKeys(&root, c); err != nil {
		if knownKeys(&root, Sweep{}) == nil {
			return nil, errors.New("it is a sweep, which fovea sweep takes")
		}
		return nil, err
	}
	eachKey(&root, "", c.Given)
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil {
		return nil, err
	}
	return &c, c.Check()
}

// Check names everything that is wrong with the values.
func (c *Config) Check() error {
	var errs []error
	bad := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if _, err := unified.Variant(c.Model.Variant); err != nil {
		errs = append(errs, err)
	}
	bad(c.Model.Size == 0 || c.Model.Size >= 32 && c.Model.Size <= 1024 && c.Model.Size%16 == 0, "model.size: %d, want a multiple of 16 in [32, 1024]", c.Model.Size)
	bad(!c.Model.Grow || c.Model.From != "", "model.grow: say in model.from which model grows")
	bad(c.Model.BackboneRate == nil || *c.Model.BackboneRate >= 0 && *c.Model.BackboneRate <= 1, "model.backbone_rate is a share of the learning rate, in [0, 1]")
	bad(len(c.Data) > 0, "data: name at least one data set, or scenes")
	for i, d := range append(append([]Data(nil), c.Data...), c.Eval...) {
		where := fmt.Sprintf("data[%d]", i)
		if i >= len(c.Data) {
			where = fmt.Sprintf("eval[%d]", i-len(c.Data))
		}
		bad((d.Path != "") != (d.Scenes > 0), "%s: give either path or scenes", where)
		bad(d.Except == "" || d.Path != "", "%s: except names a part of the data set in path", where)
		bad(d.Skip >= 0 && d.Limit >= 0 && (d.Skip == 0 || d.Path != ""), "%s: skip and limit are numbers of examples of a data set, at least 0", where)
		bad(d.Teacher == "" || i < len(c.Data), "%s: a teacher looks at what is trained on", where)
		bad(d.Teaches.Set == 0 || d.Teacher != "", "%s: teaches says what the teacher does; name it in teacher", where)
		bad(d.Teaches.Set&^task.SetOf(task.Classify, task.Detect) == 0, "%s: a teacher teaches classify and detect", where)
		bad(d.TeacherNames == "" || d.Teacher != "", "%s: teacher_names are of a teacher; name it in teacher", where)
		bad(d.Weight >= 0, "%s: weight %g is negative", where, d.Weight)
		bad(d.Task.Set != 0 || d.Teacher != "", "%s: give a task, or all", where)
		bad(d.Lessons >= 0 && d.Lessons <= 8, "%s: lessons %d, want 0 … 8", where, d.Lessons)
	}
	t := c.Train
	bad(t.Epochs >= 1, "train.epochs: %d, want at least 1", t.Epochs)
	bad(t.Batch >= 1 && t.Batch <= 65536, "train.batch: %d, want 1 … 65536", t.Batch)
	bad(t.Accumulate >= 1, "train.accumulate: %d, want at least 1", t.Accumulate)
	bad(t.LR > 0 && t.LR < 10, "train.lr: %g, want a small positive number such as 1e-3", t.LR)
	bad(t.Optimizer == "muon" || t.Optimizer == "adamw", "train.optimizer: %q, want muon or adamw", t.Optimizer)
	bad(t.MuonLR > 0 && t.MuonLR < 10, "train.muon_lr: %g, want a small positive number such as 0.02", t.MuonLR)
	bad(t.Warmup >= 0 && t.Warmup <= 1, "train.warmup: %g is a share of all steps, in [0, 1]", t.Warmup)
	bad(t.EMA >= 0 && t.EMA < 1, "train.ema: %g, want [0, 1)", t.EMA)
	bad(t.Precision == "f32" || t.Precision == "bf16", "train.precision: %q, want f32 or bf16", t.Precision)
	bad(t.LoRA >= 0 && t.LoRA <= 1024, "train.lora: rank %d, want 0 … 1024; 8 is usual", t.LoRA)
	bad(t.LoRA == 0 || c.Model.From != "", "train.lora: adapters suit a trained model; name it in model.from")
	bad(t.Smooth >= 0 && t.Smooth < 1, "train.label_smoothing: %g, want [0, 1)", t.Smooth)
	bad(t.Drop >= 0 && t.Drop < 1, "train.dropout: %g, want a share in [0, 1)", t.Drop)
	if _, err := t.weights(); err != nil {
		errs = append(errs, err)
	}
	bad(t.Blind >= 0 && t.Blind <= 1, "train.blind_share: %g, want a share in [0, 1]", t.Blind)
	bad(t.Captions >= 0 && t.Captions <= 1 && t.Matches >= 0 && t.Matches <= 1, "train.caption_share and matching_share are shares, in [0, 1]")
	errs = append(errs, c.Augment.Check())
	return errors.Join(errs...)
}

// weights are those of the loss's parts.
func (t *Train) weights() (unified.Weights, error) {
	w := unified.DefaultWeights
	w.Smooth, w.Drop = float32(t.Smooth), float32(t.Drop)
	for _, part := range slices.Sorted(maps.Keys(t.Weights)) {
		if err := w.Set(part, t.Weights[part]); err != nil {
			return w, fmt.Errorf("train.loss_weights: %w", err)
		}
	}
	return w, nil
}

// Tasks is one task, a list of them, or all.
type Tasks struct {
	task.Set
	Listed task.Set `json:"-"` // those that were named, and so are expected to have labels
}

// UnmarshalYAML reads `detect`, `[segment, detect]` or `all`.
func (t *Tasks) UnmarshalYAML(n *yaml.Node) error {
	var list []string
	if n.Kind == yaml.ScalarNode {
		list = []string{n.Value}
	} else if err := n.Decode(&list); err != nil {
		return fmt.Errorf("line %d: task: want a name, a list of names or all", n.Line)
	}
	for _, s := range list {
		if s == "all" {
			t.Set |= task.SetOf(task.Classify, task.Detect, task.Segment, task.Pose, task.Ask, task.Caption, task.Match)
			continue
		}
		k, err := task.Parse(s)
		if err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
		t.Listed |= task.SetOf(k)
		t.Set |= task.SetOf(k)
		if k == task.Segment { // a mask is read out by the token that finds the object
			t.Set |= task.SetOf(task.Detect)
		}
	}
	return nil
}
