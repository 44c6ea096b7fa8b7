package cli

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fovea/dataset"
	"fovea/internal/recipe"
	"fovea/task"
	"fovea/train"
)

type trainOptions struct {
	data, tasks, override []string
	split                 string
	scenes                int
	variant, from, out    string
	epochs, batch, lora   int
	lr                    float64
	optimizer, precision  string
	seed                  uint64
	resume, check, dry    bool
}

func (a *app) train() *cobra.Command {
	var o trainOptions
	c := &cobra.Command{
		Use: "train [CONFIG.yaml]", Short: "Train one model on any mix of data sets and tasks",
		Long: `Trains a model on all its tasks at once. A configuration names the data sets and how to train; flags say the same in short and win over it. ` +
			`Prints the loss of every epoch and, at the end, the metric of every task. OUT receives metrics.jsonl, TensorBoard events, snapshots to resume from, and the model. ` +
			`Ctrl-C saves a snapshot before it stops.`,
		Example: "fovea train nano.yaml\nfovea train --from HuggingFaceTB/SmolVLM-256M-Instruct --lora --data vqa/ --task ask\nfovea train --data cifar10/ --task classify --epochs 10 --out runs/cifar\nfovea train --scenes 100000 --data coco/ --task detect,segment --from nano\nfovea train nano.yaml --resume\nfovea train mine.yaml --dry-run",
		Args:    args(0, 1, ""),
		RunE:    func(c *cobra.Command, args []string) error { return a.runTrain(c, &o, args) },
	}
	// --config is the configuration to train with here, not a file of flags.
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		file := a.config
		a.config = ""
		defer func() { a.config = file }()
		return a.settle(c)
	}
	f := c.Flags()
	f.StringArrayVar(&o.data, "data", nil, "train on this data set; may be repeated")
	f.StringVar(&o.split, "split", "", "the part of --data to train on (default train, or the only one)")
	f.IntVar(&o.scenes, "scenes", 0, "train on so many generated scenes, too")
	f.StringArrayVar(&o.tasks, "task", []string{"all"}, "teach these tasks: classify, detect, segment, pose, ask, caption, match, all")
	f.StringVar(&o.variant, "variant", "", "size of a new model: nano, mini, tiny, cct for pictures of some 32 pixels, or vit: a small plain vision transformer, which is saved by itself too, in OUT/encoder")
	f.StringVar(&o.from, "from", "", "start from this model instead: a name, a folder or org/repo. Of a published encoder the joint model gets the stack; a published model that answers in words, or, with --task match, one that matches pictures and texts, is itself trained on")
	f.StringVarP(&o.out, "out", "o", "", "folder for everything that the run writes")
	f.IntVar(&o.epochs, "epochs", 0, "go through the data so many times")
	f.IntVar(&o.batch, "batch", 0, "pictures in a step")
	f.IntVar(&o.lora, "lora", 0, "with --from, train adapters of this rank (8 when none is given) and, of a joint model, the read-outs only")
	f.Lookup("lora").NoOptDefVal = "8"
	f.Float64Var(&o.lr, "lr", 0, "learning rate at its peak")
	f.StringVar(&o.optimizer, "optimizer", "", "muon or adamw")
	f.StringVar(&o.precision, "precision", "", "f32, or bf16: products of operands rounded to bfloat16 (the same numbers as on hardware that has it, no faster without)")
	f.Uint64Var(&o.seed, "seed", 0, "other seeds give other weights and samples")
	f.BoolVar(&o.resume, "resume", false, "go on from the newest snapshot in OUT")
	f.StringSliceVar(&o.override, "override", nil, "keys that may differ from the snapshot's, such as lr")
	f.BoolVar(&o.dry, "dry-run", false, "say how everything was understood, what is odd in the data, and how long it will take; train nothing")
	f.BoolVar(&o.check, "check", false, "open everything, say what would be trained, and stop")
	_ = c.RegisterFlagCompletionFunc("task", completeTasks)
	_ = c.RegisterFlagCompletionFunc("from", completeModels)
	_ = c.RegisterFlagCompletionFunc("variant", cobra.FixedCompletions([]string{"nano", "mini", "tiny", "cct", "vit"}, cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("optimizer", cobra.FixedCompletions([]string{"muon", "adamw"}, cobra.ShellCompDirectiveNoFileComp))
	c.ValidArgsFunction = cobra.FixedCompletions([]string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt)
	return c
}

func (a *app) runTrain(c *cobra.Command, o *trainOptions, args []string) error {
	file := a.config
	if len(args) > 0 {
		if file != "" {
			return usage("give one of them", "both %s and --config name a configuration", args[0])
		}
		file = args[0]
	}
	cfg, err := o.recipe(c, file)
	if err != nil {
		return err
	}
	opts := recipe.Options{Resume: o.resume, Override: o.override, Hooks: train.Hooks{Stdout: a.out, Stderr: a.err, Quiet: a.quiet, Results: results}}
	if recipe.Tunes(cfg) {
		return a.tune(c.Context(), o, cfg, opts)
	}
	run, err := recipe.Open(cfg, opts)
	if err != nil {
		return bad("", "%s", strings.TrimPrefix(err.Error(), "recipe: "))
	}
	if o.dry {
		return a.dryRun(c.Context(), run)
	}
	if !a.quiet {
		a.describe(run)
		for _, h := range run.Hints() {
			fmt.Fprintf(a.err, "%s %s\n", a.errStyle.paint(bold, "fovea: hint:"), printable(h))
		}
	}
	if o.check {
		return nil
	}
	if err := run.Train(c.Context()); err != nil {
		return trainError(err)
	}
	if !a.quiet {
		model := filepath.Join(cfg.Out, "model")
		fmt.Fprintf(a.err, "the model is in %s; try fovea look PHOTO --model %s\n", model, model)
	}
	return nil
}

// trainError says whether a run that ended early is worth another try with the same command: one that diverged is not.
func trainError(err error) error {
	code := exitFailed
	if diverged := (*train.NonFinite)(nil); errors.As(err, &diverged) {
		code = exitBad
	}
	return &failure{code, errors.New(strings.TrimPrefix(err.Error(), "train: ")), ""}
}

// recipe is the configuration in a file, or the default one, with what the flags say instead.
func (o *trainOptions) recipe(c *cobra.Command, file string) (*recipe.Config, error) {
	cfg := recipe.Default()
	if file != "" {
		read, err := recipe.Load(file)
		if err != nil {
			return nil, usage("", "%s", strings.TrimPrefix(err.Error(), "recipe: "))
		}
		cfg = *read
	}
	if err := o.sets(c, &cfg); err != nil {
		return nil, err
	}
	if len(cfg.Data) == 0 {
		return nil, usage("fovea train CONFIG.yaml, or fovea train --data PATH --task TASK", "nothing to train on")
	}
	put(c, "variant", &cfg.Model.Variant, o.variant)
	put(c, "from", &cfg.Model.From, o.from)
	put(c, "out", &cfg.Out, o.out)
	put(c, "epochs", &cfg.Train.Epochs, o.epochs)
	put(c, "batch", &cfg.Train.Batch, o.batch)
	put(c, "lora", &cfg.Train.LoRA, o.lora)
	put(c, "optimizer", &cfg.Train.Optimizer, o.optimizer)
	put(c, "precision", &cfg.Train.Precision, o.precision)
	put(c, "seed", &cfg.Train.Seed, o.seed)
	if put(c, "lr", &cfg.Train.LR, o.lr); cfg.Train.Optimizer == "muon" {
		put(c, "lr", &cfg.Train.MuonLR, o.lr)
	}
	for _, flag := range []string{"lr", "optimizer"} {
		if c.Flags().Changed(flag) {
			cfg.Given("train." + flag)
		}
	}
	if err := cfg.Check(); err != nil {
		return nil, usage("", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return &cfg, nil
}

// put overwrites a setting with a flag that was given.
func put[T any](c *cobra.Command, flag string, setting *T, value T) {
	if c.Flags().Changed(flag) {
		*setting = value
	}
}

// sets replaces the data sets of the configuration by those that flags name. Each is measured on its held-out part, when
// it has one.
func (o *trainOptions) sets(c *cobra.Command, cfg *recipe.Config) error {
	tasks, err := parseTasks(o.tasks)
	if err != nil {
		return err
	}
	if o.scenes < 0 || o.scenes > maxScenes {
		return usage("", "--scenes is %d, want 0 … %d", o.scenes, maxScenes)
	}
	if len(o.data) == 0 && o.scenes == 0 {
		if c.Flags().Changed("task") || c.Flags().Changed("split") {
			return usage("name data with --data or --scenes, or write the tasks into the configuration", "--task and --split say how --data is used, and there is none")
		}
		return nil
	}
	asked := recipe.Tasks{Set: tasks}
	if words := list(o.tasks); !slices.Contains(words, "all") {
		if asked.Listed = tasks; !slices.Contains(words, "detect") { // it comes with segment
			asked.Listed &^= task.SetOf(task.Detect)
		}
	}
	cfg.Data, cfg.Eval = nil, nil
	for _, path := range o.data {
		cfg.Data = append(cfg.Data, recipe.Data{Task: asked, Path: path, Split: o.split})
		if held := heldOut(path); held != "" && held != o.split {
			cfg.Eval = append(cfg.Eval, recipe.Data{Task: asked, Path: path, Split: held})
		}
	}
	if o.scenes > 0 {
		cfg.Data = append(cfg.Data, recipe.Data{Task: asked, Scenes: o.scenes, Seed: 1})
		cfg.Eval = append(cfg.Eval, recipe.Data{Task: asked, Scenes: 300, Seed: unseenScenes})
	}
	return nil
}

// heldOut is the part of a data set to measure on, or "".
func heldOut(path string) string {
	splits, _, err := dataset.Splits(path)
	if err != nil {
		return ""
	}
	for _, want := range []string{"val", "validation", "valid", "test", "val2017"} {
		if slices.Contains(splits, want) {
			return want
		}
	}
	return ""
}

// describe says what is about to be trained.
func (a *app) describe(run *recipe.Run) {
	parameters := 0
	for _, p := range run.Model.Params() {
		parameters += len(p.Data)
	}
	cfg := run.Config
	name := cmp.Or(cfg.Model.From, cfg.Model.Variant)
	if run.Model.Config.Trunk != nil { // what reads an encoder out is the variant's
		name = cfg.Model.Variant + " from " + cfg.Model.From
	}
	fmt.Fprintf(a.err, "%s %s, %.2f M parameters, %d px\n", a.errStyle.paint(bold, "model"), name, float64(parameters)/1e6, run.Model.Config.Size)
	a.describeData(cfg, run.Loop.Config.Steps)
}

// describeData says what is trained on, and for how long.
func (a *app) describeData(cfg *recipe.Config, steps int) {
	for i, d := range append(slices.Clone(cfg.Data), cfg.Eval...) {
		what := "data "
		if i >= len(cfg.Data) {
			what = "eval "
		}
		where := d.Path
		if d.Scenes > 0 {
			where = fmt.Sprintf("%d scenes", d.Scenes)
		} else if d.Split != "" {
			where += " (" + d.Split + ")"
		}
		learned := taskNames(d.Task.Set)
		if d.Teacher != "" {
			learned = strings.TrimPrefix(learned+", and what "+d.Teacher+" sees", ", and ")
		}
		fmt.Fprintf(a.err, "%s %s: %s\n", a.errStyle.paint(bold, what), where, learned)
	}
	fmt.Fprintf(a.err, "%s %d epochs of %d steps of %d pictures, into %s\n", a.errStyle.paint(bold, "train"), cfg.Train.Epochs,
		steps/max(cfg.Train.Epochs, 1), cfg.Train.Batch, cfg.Out)
}
