package recipe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"fovea/augment"
	"fovea/checkpoint"
)

// Sweep compares variations of recipes: every recipe of Bases is trained in every way that Vary names, with every seed.
type Sweep struct {
	Bases   []string  `yaml:"bases"`   // recipes; paths from the folder of the sweep's file
	Metrics []string  `yaml:"metrics"` // endings of the metrics' names, such as "box AP50"; default: the first that a training run ends with
	Seeds   []uint64  `yaml:"seeds"`   // default: that of the recipe
	Common  yaml.Node `yaml:"common"`  // keys of a recipe that all runs have in place of the recipe's
	// Vary holds, by name and in order, the keys that one variation has in place of the recipe's; the others are compared with the first.
	// The word "augmentations" stands for: none, each transform of the recipe alone, and all.
	Vary yaml.Node `yaml:"vary"`

	Runs []SweepRun `yaml:"-"`
}

// SweepRun is one training run of a sweep.
type SweepRun struct {
	Base, Name string // recipe, without folder and ending, and variation
	Seed       uint64
	Config     *Config

	settings []byte // all keys of the run, but those that the machine decides
}

// SweepResult is what a finished run measured. It is kept in the run's folder.
type SweepResult struct {
	Config  json.RawMessage    `json:"config"`
	Metrics map[string]float64 `json:"metrics"`
	Seconds float64            `json:"seconds"`
}

const (
	augmentations = "augmentations"
	maxSweep      = 1000 // runs
	resultName    = "result.json"
)

// LoadSweep reads a sweep and the recipes that it names. The runs write into folders below out: RECIPE/VARIATION, or, where the sweep
// names seeds, RECIPE/VARIATION-SEED.
func LoadSweep(path, out string) (*Sweep, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	s := &Sweep{}
	if err := s.parse(b, filepath.Dir(path), out); err != nil {
		return nil, fmt.Errorf("recipe: %s: %w", path, err)
	}
	return s, nil
}

func (s *Sweep) parse(b []byte, dir, out string) error {
	var root yaml.Node
	if err := yaml.Unmarshal(b, &root); err != nil {
		return err
	}
	if err := knownKeys(&root, *s); err != nil {
		if knownKeys(&root, Config{}) == nil {
			return errors.New("it is a recipe, which fovea train takes; a sweep names recipes under bases")
		}
		return err
	}
	if err := root.Load(s); err != nil {
		return err
	}
	if len(s.Bases) == 0 {
		return errors.New("bases: name at least one recipe")
	}
	for _, file := range s.Bases {
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		if err := s.add(file, out); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	if len(s.Runs) > maxSweep {
		return fmt.Errorf("%d runs, want at most %d", len(s.Runs), maxSweep)
	}
	return nil
}

// add plans the runs of one recipe.
func (s *Sweep) add(file, out string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	base := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	if slices.ContainsFunc(s.Runs, func(r SweepRun) bool { return r.Base == base }) {
		return fmt.Errorf("two recipes are called %q", base)
	}
	vary, err := s.variations(text)
	if err != nil {
		return err
	}
	for _, v := range vary {
		for k := range max(len(s.Seeds), 1) {
			c, err := Parse(text)
			if err != nil {
				return err
			}
			for _, change := range []*yaml.Node{&s.Common, v.node} {
				if err := c.overlay(change); err != nil {
					return fmt.Errorf("%s: %w", v.name, err)
				}
			}
			if v.augment != nil {
				c.Augment = *v.augment
			}
			folder := v.name
			if len(s.Seeds) > 0 {
				c.Train.Seed = s.Seeds[k]
			}
			if len(s.Seeds) > 0 { // one, too: it is found again when others join it
				folder += "-" + strconv.FormatUint(c.Train.Seed, 10)
			}
			c.Out = filepath.Join(out, base, folder)
			if err := c.Check(); err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			if len(c.Eval) == 0 {
				return errors.New("it measures nothing; list held-out data under eval")
			}
			settings, err := json.Marshal(c)
			if err != nil {
				return err
			}
			s.Runs = append(s.Runs, SweepRun{base, v.name, c.Train.Seed, c, settings})
		}
	}
	return nil
}

// variation is one way in which a recipe is trained: other keys, or other augmentation.
type variation struct {
	name    string
	node    *yaml.Node
	augment *augment.Config
}

func (s *Sweep) variations(text []byte) ([]variation, error) {
	switch n := &s.Vary; {
	case n.Kind == 0:
		return []variation{{name: "as-is"}}, nil
	case n.Kind == yaml.ScalarNode && n.Value == augmentations:
		c, err := Parse(text)
		if err != nil {
			return nil, err
		}
		if err := c.overlay(&s.Common); err != nil {
			return nil, err
		}
		return transforms(c.Augment), nil
	case n.Kind != yaml.MappingNode || len(n.Content) == 0:
		return nil, fmt.Errorf("line %d: vary: want names with the keys that they change, or the word %s", n.Line, augmentations)
	default:
		var out []variation
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i].Value
			if name == "" || name != filepath.Base(name) || name == "." || name == ".." || slices.ContainsFunc(out, func(v variation) bool { return v.name == name }) {
				return nil, fmt.Errorf("line %d: vary: %q is the name of a folder: want another", n.Content[i].Line, name)
			}
			out = append(out, variation{name: name, node: n.Content[i+1]})
		}
		return out, nil
	}
}

// transforms are no augmentation, each transform of c by itself, under its key, and all of them.
func transforms(c augment.Config) []variation {
	out := []variation{{name: "none", augment: &augment.Config{}}}
	for i, v := 0, reflect.ValueOf(c); i < v.NumField(); i++ {
		key := v.Type().Field(i).Tag.Get("yaml")
		if v.Field(i).IsZero() || key == "min_visible" || key == "scale" && c.Scale == [2]float64{1, 1} ||
			key == "translate" { // it goes with scale: a picture that fills the square has nowhere to go
			continue
		}
		var one augment.Config
		reflect.ValueOf(&one).Elem().Field(i).Set(v.Field(i))
		if key == "scale" {
			one.Translate = c.Translate
		}
		out = append(out, variation{name: key, augment: &one})
	}
	return append(out, variation{name: "all", augment: &c})
}

// overlay sets the keys that a YAML tree has.
func (c *Config) overlay(n *yaml.Node) error {
	if n == nil || n.Kind == 0 || n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: want keys of a recipe, such as {train: {lr: 1e-3}}", n.Line)
	}
	if err := knownKeys(n, *c); err != nil {
		return err
	}
	eachKey(n, "", c.Given)
	return n.Load(c)
}

// Finished is what a run measured, if it has ended. A folder in which something else was trained is an error that says so.
func (r *SweepRun) Finished() (*SweepResult, bool, error) {
	b, err := os.ReadFile(filepath.Join(r.Config.Out, resultName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("recipe: %w", err)
	}
	var got SweepResult
	if err := json.Unmarshal(b, &got); err != nil {
		return nil, false, fmt.Errorf("recipe: %s: %w", filepath.Join(r.Config.Out, resultName), err)
	}
	var have bytes.Buffer
	if json.Compact(&have, got.Config) != nil || !bytes.Equal(have.Bytes(), r.settings) {
		return nil, false, fmt.Errorf("recipe: %s was trained with other settings; remove it, or choose another folder for the sweep", r.Config.Out)
	}
	return &got, true, nil
}

// Finish keeps what a run measured.
func (r *SweepRun) Finish(metrics map[string]float64, seconds float64) (*SweepResult, error) {
	got := &SweepResult{r.settings, metrics, seconds}
	b, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	path := filepath.Join(r.Config.Out, resultName)
	return got, checkpoint.AtomicWrite(checkpoint.OS, path, func(w io.Writer) error { _, err := w.Write(b); return err })
}

// Pick are the metrics among those of a result that a sweep compares: for each that it names the first, by name, that ends so; when it
// names none, the first that ends with one of known. Those that were not measured are missing.
func (s *Sweep) Pick(metrics map[string]float64, known []string) (names []string) {
	wanted := s.Metrics
	if len(wanted) == 0 {
		wanted = known
	}
	for _, k := range wanted {
		name := ""
		for m := range metrics {
			if (m == k || strings.HasSuffix(m, " "+k)) && (name == "" || m < name) {
				name = m
			}
		}
		if name == "" {
			continue
		}
		if names = append(names, name); len(s.Metrics) == 0 {
			break
		}
	}
	return names
}
