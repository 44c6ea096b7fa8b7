package unified

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/task"
	"fovea/tokenizer"
)

// The files of a model: its configuration, its vocabulary and its weights.
const (
	configFile  = "config.json"
	vocabFile   = "tokenizer.json"
	weightsFile = "model.safetensors"
)

// maxConfig bounds config.json, which is small.
const maxConfig = 1 << 20

// Open reads a model from a folder that Save wrote, on disk or embedded.
func Open(fsys fs.FS) (*Model, error) {
	cb, err := fs.ReadFile(fsys, configFile)
	if err != nil {
		return nil, fmt.Errorf("unified: not a model: %w", err)
	}
	if len(cb) > maxConfig {
		return nil, fmt.Errorf("unified: %s is %d bytes, at most %d", configFile, len(cb), maxConfig)
	}
	var c Config
	if err := json.Unmarshal(cb, &c); err != nil {
		return nil, fmt.Errorf("unified: %s: %w", configFile, err)
	}
	vb, err := fs.ReadFile(fsys, vocabFile)
	if err != nil {
		return nil, fmt.Errorf("unified: not a model: %w", err)
	}
	tok, err := tokenizer.Parse(vb)
	if err != nil {
		return nil, fmt.Errorf("unified: %s: %w", vocabFile, err)
	}
	v, err := task.NewVocabulary(tok)
	if err != nil {
		return nil, err
	}
	if want := v.Tok.Size(); c.Vocab != want {
		return nil, fmt.Errorf("unified: %s says %d words, %s has %d", configFile, c.Vocab, vocabFile, want)
	}
	m, err := build(c, v, nil)
	if err != nil {
		return nil, err
	}
	wb, err := fs.ReadFile(fsys, weightsFile)
	if err != nil {
		return nil, fmt.Errorf("unified: not a model: %w", err)
	}
	w, err := checkpoint.Parse(wb)
	if err != nil {
		return nil, fmt.Errorf("unified: %s: %w", weightsFile, err)
	}
	if err := checkpoint.Bind(m.params, w, nil); err != nil {
		return nil, fmt.Errorf("unified: %s: %w", weightsFile, err)
	}
	return m, nil
}

// Regrown is the model with another configuration of the same width: parts that both have keep their weights, others start
// fresh, a function of the seed. New blocks and refinements pass their input through at first, so that it knows what m knew.
func (m *Model) Regrown(c Config, seed uint64) (*Model, error) {
	n, err := New(c, m.Vocab, seed)
	if err != nil {
		return nil, err
	}
	have := map[string]*autograd.Param{}
	for _, p := range m.params {
		have[p.Name] = p
	}
	for _, p := range n.params {
		switch old := have[p.Name]; {
		case old == nil || ofStem(p.Name) && c.Backbone != m.Config.Backbone:
		case p.Name == tableName && len(old.Data) != len(p.Data):
			resizeTable(p, old, c, m.Config)
		case len(old.Data) != len(p.Data):
			return nil, fmt.Errorf("unified: %s has shape %v here and %v there", p.Name, old.Shape, p.Shape)
		default:
			copy(p.Data, old.Data)
		}
	}
	for _, name := range m.Names.List[len(n.Names.List):] {
		n.Names.Add(name)
	}
	return n, nil
}

// Save writes the model to a folder, its weights with the given type; each file is replaced as a whole or not at all.
func (m *Model) Save(dir string, o checkpoint.WriteOptions) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("unified: save: %w", err)
	}
	tok, ok := m.Vocab.Tok.(*tokenizer.Pipeline)
	if !ok {
		return fmt.Errorf("unified: save: a vocabulary of type %T has no file format", m.Vocab.Tok)
	}
	if err := tok.Save(filepath.Join(dir, vocabFile)); err != nil {
		return fmt.Errorf("unified: save: %w", err)
	}
	b, err := json.MarshalIndent(m.Config, "", "  ")
	if err != nil {
		return fmt.Errorf("unified: save: %w", err)
	}
	fsys := o.FS
	if fsys == nil {
		fsys = checkpoint.OS
	}
	if err := checkpoint.AtomicWrite(fsys, filepath.Join(dir, configFile), writeAll(append(b, '\n'))); err != nil {
		return fmt.Errorf("unified: save: %w", err)
	}
	if err := checkpoint.Write(filepath.Join(dir, weightsFile), m.params, o); err != nil {
		return fmt.Errorf("unified: save: %w", err)
	}
	return nil
}

func writeAll(b []byte) func(w io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

// FileNames are the files that a model's folder has.
func FileNames() []string { return []string{configFile, vocabFile, weightsFile} }

// StoredAs is the format that the matrices of a model's folder have there, F32 when they cannot be read.
func StoredAs(fsys fs.FS) checkpoint.DType {
	b, err := fs.ReadFile(fsys, weightsFile)
	if err != nil {
		return checkpoint.F32
	}
	w, err := checkpoint.Parse(b)
	if err != nil {
		return checkpoint.F32
	}
	t, err := w.Tensor("stack.blocks.0.attn.q.weight")
	if err != nil {
		return checkpoint.F32
	}
	return t.DType
}
