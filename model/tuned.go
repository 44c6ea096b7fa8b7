package model

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fovea/checkpoint"
	"fovea/nn"
)

// Tuned is a network that is trained on, with the folder that it came from.
type Tuned struct {
	Learner
	folder *Folder
	family *Family
}

// Amender is a Learner that states in its config.json what it has become by training.
type Amender interface {
	Amend(config []byte) ([]byte, error)
}

// LoadLearner opens a folder as Load does, for training: all weights are in memory as float32. The error of a network that
// cannot be trained names those that can.
func LoadLearner(dir string, families []Family) (*Tuned, error) {
	f, err := OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	net, fam, err := f.Build(families)
	if err != nil {
		return nil, err
	}
	l, ok := net.(Learner)
	if !ok {
		return nil, fmt.Errorf("model: %s cannot be trained; there are Florence-2, PaliGemma, Idefics3, SmolVLM, CLIP and SigLIP", f.Class)
	}
	w, err := checkpoint.Open(dir)
	if err != nil {
		return nil, err
	}
	err = checkpoint.Bind(nn.Params(net), w, fam.Renames)
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("model: open %s: %w", dir, err)
	}
	return &Tuned{l, f, fam}, nil
}

// Adapt prepares the network for training at little cost: its attention and feed-forward layers get low-rank adapters of the
// given rank (nn.Adapted), and nothing else is trained.
func (x *Tuned) Adapt(rank int, seed uint64) {
	nn.Freeze(x.Learner, true)
	nn.AdaptAll(rand.New(rand.NewPCG(seed, 0x10a)), x.Learner, rank)
}

// Merge takes the adapters, if any, into the weights: the network that Save can write.
func (x *Tuned) Merge() {
	nn.MergeAll(x.Learner)
	nn.Freeze(x.Learner, false)
}

// Save writes a folder that opens as the one that the network came from does, here and elsewhere: its weights, under the names
// that they had there, in one file of float32, and copies of all else that the folder holds.
func (x *Tuned) Save(dir string) error {
	if err := x.save(dir); err != nil {
		return fmt.Errorf("model: save %s: %w", dir, err)
	}
	return nil
}

func (x *Tuned) save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if a, err := os.Stat(dir); err == nil {
		if b, err := os.Stat(x.folder.Dir); err == nil && os.SameFile(a, b) {
			return errors.New("it is the folder that the network came from")
		}
	}
	w, err := checkpoint.Open(x.folder.Dir)
	if err != nil {
		return err
	}
	items, err := checkpoint.Unbind(nn.Params(x.Learner), w, x.family.Renames)
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	if err := x.folder.copy(dir); err != nil {
		return err
	}
	if a, ok := x.Learner.(Amender); ok {
		config, err := a.Amend(x.folder.config)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return checkpoint.WriteItems(filepath.Join(dir, "model.safetensors"), items, map[string]string{"format": "pt"}, nil)
}

// kept are the endings of the small files of a repository that belong to its model: configurations and vocabularies.
var kept = []string{".json", ".jinja", ".txt", ".model"}

// copy copies the folder's small files.
func (f *Folder) copy(dir string) error {
	all, err := os.ReadDir(f.Dir)
	if err != nil {
		return err
	}
	for _, e := range all {
		name := e.Name()
		if e.IsDir() || !slices.Contains(kept, filepath.Ext(name)) || strings.HasSuffix(name, ".safetensors.index.json") {
			continue
		}
		if err := copyFile(filepath.Join(f.Dir, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	r, err := os.Open(from) // cached repositories hold links
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	return checkpoint.AtomicWrite(checkpoint.OS, to, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
}
