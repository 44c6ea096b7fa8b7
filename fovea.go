// Package fovea opens a vision-language model and asks it about pictures: what they show, where things and people are,
// pixel by pixel and joint by joint, and any question in words.
//
//	p, err := fovea.Open(ctx, "")               // the model inside the program; or a folder
//	defer p.Close()
//	img, err := fovea.Load("street.jpg")
//	found, err := p.Detect(ctx, img, "person")  // boxes in pixels of the picture, with probabilities
//	reply, err := p.Ask(ctx, img, "how many people are there?")
//
// A Predictor is safe for concurrent use. Do puts several tasks to one picture, which is encoded only once. Answers are
// always well-formed, carry probabilities, and come in pixels of the original picture, x to the right and y down.
//
// Compatibility: names and JSON fields stay; new ones may be added.
package fovea

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"fovea/internal/hub"
	"fovea/internal/nano"
	"fovea/model"
)

// DefaultModel is the name of the model that is part of the program.
const DefaultModel = "nano"

// Models lists the names of the models that are part of the program.
func Models() []string { return []string{DefaultModel} }

// Option changes how a model is opened.
type Option func(*options)

type options struct {
	threads, runners int
	name             string
	precision        Precision
}

// WithThreads bounds the threads of all requests together; by default as many as the program may run at once.
func WithThreads(n int) Option { return func(o *options) { o.threads = n } }

// WithRunners bounds the requests that are served at the same time, by default 1; further ones wait. Each of them has an
// equal share of the threads: one runner answers soonest, as many as threads answer most.
func WithRunners(n int) Option { return func(o *options) { o.runners = n } }

// WithName sets the name that results give for the model, by default the one it was opened by.
func WithName(name string) Option { return func(o *options) { o.name = name } }

// Open opens a model: "" or "nano" for the one that is part of the program, a folder with config.json, tokenizer.json and
// model.safetensors, a folder of a published family (model/all) as the Hugging Face hub has it, or "org/repo",
// "org/repo@revision" or a short name (docs/reference/models.md) of one that `fovea pull`, or a Python tool, has put into the
// hub's cache. Nothing is downloaded.
func Open(ctx context.Context, name string, opts ...Option) (*Predictor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	at, err := locate(name)
	if err != nil {
		return nil, err
	}
	var o options
	for _, f := range opts {
		f(&o)
	}
	if err := o.precision.check(); err != nil {
		return nil, err
	}
	m, err := openFolder(at.files, at.dir, at.name, o.precision)
	if err != nil {
		return nil, &Error{Code: "model.unreadable", BadInput: true, Hint: remedy(err), Err: fmt.Errorf("fovea: open model %q: %w", at.name, err)}
	}
	return New(m, append([]Option{WithName(at.name)}, opts...)...), nil
}

// New makes a Predictor of a model that is already in memory.
func New(m model.Model, opts ...Option) *Predictor {
	o := options{threads: runtime.GOMAXPROCS(0), runners: 1, name: m.Card().Name}
	for _, f := range opts {
		f(&o)
	}
	o.threads = min(max(o.threads, 1), runtime.GOMAXPROCS(0))
	o.runners = max(o.runners, 1)
	return newPredictor(m, o)
}

// Files says where the files of a model that Open knows are, and its short name.
func Files(name string) (fs.FS, string, error) {
	at, err := locate(name)
	return at.files, at.name, err
}

// place is where a model lies.
type place struct {
	files fs.FS
	dir   string // "" inside the program
	name  string // that results give for it
}

// locate finds a model by name. A folder comes before a model of the hub that is called the same.
func locate(name string) (place, error) {
	if name == "" || name == DefaultModel {
		return place{nano.FS(), "", DefaultModel}, nil
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return locateCached(name)
	case err != nil:
		return place{}, &Error{Code: "model.unreadable", Err: fmt.Errorf("fovea: open model: %w", err)}
	case !info.IsDir():
		e := &Error{Code: "model.unreadable", BadInput: true, Err: fmt.Errorf("fovea: the model %q is a file; give the folder that holds config.json", name)}
		if _, err := os.Stat(filepath.Join(filepath.Dir(name), "config.json")); err == nil {
			e.Hint = "name the folder: " + filepath.Dir(name)
		}
		return place{}, e
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		abs = name
	}
	return place{os.DirFS(name), name, filepath.Base(abs)}, nil
}

// locateCached finds a model in the hub's cache.
func locateCached(name string) (place, error) {
	ref, err := hub.Parse(name)
	if err != nil {
		return place{}, badInput("model.missing", fmt.Errorf("fovea: there is no model %q: it is neither %q, nor a folder, nor a name like org/repo", name, DefaultModel))
	}
	s, err := hub.EnvironmentCache().Find(ref)
	if err != nil {
		e := &Error{Code: "model.missing", BadInput: true, Err: fmt.Errorf("fovea: %s", strings.TrimPrefix(err.Error(), "hub: "))}
		if known := (*hub.Error)(nil); errors.As(err, &known) {
			e.Hint = known.Hint
		}
		return place{}, e
	}
	return place{os.DirFS(s.Dir), s.Dir, name}, nil
}
