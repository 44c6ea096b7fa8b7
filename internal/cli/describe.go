package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

	"fovea"
	"fovea/checkpoint"
	"fovea/internal/hub"
	"fovea/model"
	"fovea/model/all"
	"fovea/task"
)

// States of a model.
const (
	stateReady       = "ready"
	stateIncomplete  = "incomplete"  // only part is in the cache
	stateUnsupported = "unsupported" // it is no model that the program runs
	statePublished   = "published"   // on the hub, not in the cache
)

// description is the JSON of a model.
type description struct {
	Name         string   `json:"name"`
	Tasks        []string `json:"tasks"`
	Parameters   int      `json:"parameters"`
	Bytes        int64    `json:"bytes"`
	Licence      string   `json:"licence"`
	Source       string   `json:"source"`
	State        string   `json:"state"`
	Problem      string   `json:"problem,omitempty"`
	Short        string   `json:"short,omitempty"`
	Architecture string   `json:"architecture,omitempty"`
	Revision     string   `json:"revision,omitempty"`
	Path         string   `json:"path,omitempty"`
	Score        string   `json:"score,omitempty"`
}

// unknown stands for a licence that the model's card does not state.
const unknown = "unknown"

// describeOwn describes the model inside the program.
func describeOwn(ctx context.Context) (description, error) {
	d := description{Name: fovea.DefaultModel, Licence: "Apache-2.0", Source: "inside the program", State: stateReady}
	files, _, err := fovea.Files("")
	if err != nil {
		return d, err
	}
	if f, err := files.Open("model.safetensors"); err == nil {
		if info, err := f.Stat(); err == nil {
			d.Bytes = info.Size()
		}
		_ = f.Close()
	}
	return d, d.open(ctx, "")
}

// describeSnapshot describes a model of the cache without reading its weights.
func describeSnapshot(s *hub.Snapshot) description {
	d := description{Name: s.Ref().String(), Revision: s.Commit, Source: sourceOf(s.Repo), Licence: licence(s.Dir), Bytes: s.Bytes()}
	for _, m := range hub.Short() {
		if m.Repo == s.Repo {
			d.Short, d.Score = m.Name, m.Score
			if d.Licence == unknown {
				d.Licence = m.Licence
			}
		}
	}
	if d.describeFolder(s.Dir); d.State == stateReady && !s.Whole() {
		d.State, d.Problem = stateIncomplete, "fovea pull "+d.Name
	}
	return d
}

// sourceOf is a model's page.
func sourceOf(repo string) string {
	endpoint := strings.TrimRight(hub.Environment().Endpoint, "/")
	if endpoint == "" {
		endpoint = hub.DefaultEndpoint
	}
	return endpoint + "/" + repo
}

// describeFolder fills in what a folder of a model says.
func (d *description) describeFolder(dir string) {
	d.Path, d.State, d.Tasks = dir, stateReady, []string{}
	d.Parameters = countParameters(dir)
	f, err := model.OpenFolder(dir)
	if err == nil {
		if d.Architecture = f.Class; d.Architecture == "" {
			d.Architecture = f.Type
		}
		if f.Class == "" && f.Type == "" {
			err = d.open(context.Background(), dir)
		} else {
			var net model.Network
			if net, _, err = f.Build(all.Families()); err == nil {
				d.Tasks = commands(net.Card().Tasks)
			}
		}
	}
	if err != nil {
		d.State, d.Problem = stateUnsupported, strings.ReplaceAll(strings.TrimPrefix(strings.TrimPrefix(err.Error(), "fovea: "), "model: "), dir, "it")
	}
}

// open fills in what one of the program's own models says; they are small.
func (d *description) open(ctx context.Context, name string) error {
	p, err := fovea.Open(ctx, name)
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	c := p.Card()
	d.Tasks, d.Parameters, d.Architecture = commands(c.Tasks), c.Parameters, c.Family
	return nil
}

// commands are the names of tasks as commands.
func commands(s task.Set) []string {
	out := []string{}
	for t := task.Classify; t <= task.Match; t++ {
		switch {
		case s.Has(t) && t == task.Match:
			out = append(out, "embed")
		case s.Has(t):
			out = append(out, t.String())
		}
	}
	return out
}

// countParameters counts the numbers in a folder's weights; 0 when they cannot be read.
func countParameters(dir string) (n int) {
	w, err := checkpoint.Open(dir)
	if err != nil {
		return 0
	}
	defer func() { _ = w.Close() }()
	for _, name := range w.Names() {
		if t, err := w.Tensor(name); err == nil {
			n += t.Shape.Size()
		}
	}
	return n
}

// maxCard bounds a model's card.
const maxCard = 4 << 20

// licence is what a model's card, README.md, states at its top.
func licence(dir string) string {
	path := filepath.Join(dir, "README.md")
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxCard {
		return unknown
	}
	b, err := os.ReadFile(path)
	rest, ok := bytes.CutPrefix(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("---\n"))
	head, _, closed := bytes.Cut(rest, []byte("\n---"))
	if err != nil || !ok || !closed {
		return unknown
	}
	var card struct {
		Licence any    `yaml:"license"`
		Name    string `yaml:"license_name"`
	}
	if yaml.Unmarshal(head, &card) != nil || card.Licence == nil {
		return unknown
	}
	if card.Name != "" {
		return card.Name
	}
	switch v := card.Licence.(type) {
	case string:
		return v
	case []any:
		var all []string
		for _, e := range v {
			all = append(all, fmt.Sprint(e))
		}
		return strings.Join(all, ", ")
	}
	return unknown
}

// knownModels are the names of the models that can be opened.
func knownModels() []string {
	out := fovea.Models()
	list, _ := hub.EnvironmentCache().List()
	for _, s := range list {
		if s.Whole() {
			out = append(out, s.Ref().String())
		}
	}
	return out
}

// missingModel explains that there is no such model; other errors stay.
func missingModel(name string, err error) error {
	var e *fovea.Error
	if !errors.As(err, &e) || e.Code != "model.missing" {
		return err
	}
	hint := e.Hint
	if n := nearest(name, append(knownModels(), pullable()...)); n != "" && n != name {
		hint = "did you mean --model " + n + "?"
	} else if hint == "" {
		hint = didYouMean(name, knownModels(), "--model ")
	}
	return usage(hint, "%s", tidy(err))
}
