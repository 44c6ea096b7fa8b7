package recipe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"fovea/annotation"
	"fovea/internal/hub"
	"fovea/internal/nano"
	"fovea/model"
	"fovea/model/all"
	"fovea/model/unified"
	"fovea/task"
	"fovea/tokenizer"
)

// place is where a model's files are.
type place struct {
	files fs.FS
	dir   string // "" inside the program
}

// locate finds a model: the one inside the program, a folder, or one of the hub's cache under its name or a short one.
// Nothing is downloaded.
func locate(name string) (place, error) {
	if name == "nano" {
		return place{nano.FS(), ""}, nil
	}
	_, err := os.Stat(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return place{os.DirFS(name), name}, err
	}
	ref, err := hub.Parse(name)
	if err != nil {
		return place{}, fmt.Errorf("there is no model %q: it is neither nano, nor a folder, nor a name like org/repo", name)
	}
	s, err := hub.EnvironmentCache().Find(ref)
	if err != nil {
		return place{}, err
	}
	return place{os.DirFS(s.Dir), s.Dir}, nil
}

// published is the folder of a published family that a place is, or nil.
func (p place) published() *model.Folder {
	if p.dir == "" {
		return nil
	}
	f, err := model.OpenFolder(p.dir)
	if err != nil || f.Class == "" && f.Type == "" {
		return nil
	}
	return f
}

// startFrom makes the model that training starts from: one of the program's own, or one whose stack is a published encoder's.
func startFrom(c *Config) (*unified.Model, error) {
	p, err := locate(c.Model.From)
	if err != nil {
		return nil, err
	}
	if f := p.published(); f != nil {
		return fromEncoder(f, c)
	}
	m, err := unified.Open(p.files)
	if err != nil {
		return nil, err
	}
	return adapt(m, c)
}

// fromEncoder makes a joint model of a published vision transformer.
func fromEncoder(f *model.Folder, c *Config) (*unified.Model, error) {
	if c.Model.Grow {
		return nil, errors.New("model.grow: the stack of a published encoder stays as it is")
	}
	net, err := all.Open(f.Dir)
	if err != nil {
		return nil, err
	}
	e, ok := net.(model.Encoder)
	if !ok {
		return nil, fmt.Errorf("%s is no encoder of pictures that a joint model could start from; there are ViT, DeiT, DINOv2, CLIP and SigLIP", f.Class)
	}
	trunk, err := e.Trunk()
	if err != nil {
		return nil, err
	}
	if c.Model.Backbone != "" {
		return nil, errors.New("model.backbone: a published encoder brings its own input embedding")
	}
	like, vocab, err := blank(c)
	if err != nil {
		return nil, err
	}
	like.Size = c.Model.Size
	return unified.FromEncoder(trunk.Vision, trunk.Post, trunk.Pixels, f.Name, like, vocab, c.Train.Seed)
}

// blank is the configuration of a model of the recipe's variant, and its vocabulary.
func blank(c *Config) (unified.Config, *task.Vocabulary, error) {
	u, err := unified.Variant(c.Model.Variant)
	if err != nil {
		return u, nil, err
	}
	if c.Model.Size != 0 {
		u.Size = c.Model.Size
	}
	if c.Model.Backbone != "" {
		u.Backbone = unified.Lite0
	}
	u.Detailed = u.Detailed || c.Model.Grow && u.Backbone != ""
	u.Joints = annotation.COCO17.Joints
	vb, err := fs.ReadFile(nano.FS(), "tokenizer.json")
	if c.Model.Vocab != "" {
		vb, err = os.ReadFile(c.Model.Vocab)
	}
	if err != nil {
		return u, nil, fmt.Errorf("vocabulary: %w", err)
	}
	tok, err := tokenizer.Parse(vb)
	if err != nil {
		return u, nil, fmt.Errorf("vocabulary: %w", err)
	}
	v, err := task.NewVocabulary(tok)
	return u, v, err
}

// newModel makes the model of a recipe: fresh, or from another one's weights.
func newModel(c *Config) (*unified.Model, error) {
	if c.Model.From != "" {
		m, err := startFrom(c)
		if err != nil {
			return nil, fmt.Errorf("recipe: model.from: %w", err)
		}
		return m, rateBackbone(m, c)
	}
	u, v, err := blank(c)
	if err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	m, err := unified.New(u, v, c.Train.Seed)
	if err == nil {
		m, err = withBackbone(m, c)
	}
	if err != nil {
		return nil, err
	}
	return m, rateBackbone(m, c)
}

// rateBackbone says how fast pretrained convolutions learn, if the recipe does.
func rateBackbone(m *unified.Model, c *Config) error {
	if c.Model.BackboneRate == nil {
		return nil
	}
	if err := m.SetBackboneRate(float32(*c.Model.BackboneRate)); err != nil {
		return fmt.Errorf("recipe: model.backbone_rate: %w", err)
	}
	return nil
}

// withBackbone fills a model's pretrained convolutions, if the recipe names some.
func withBackbone(m *unified.Model, c *Config) (*unified.Model, error) {
	if c.Model.Backbone == "" {
		return m, nil
	}
	if err := m.LoadBackbone(c.Model.Backbone); err != nil {
		return nil, fmt.Errorf("model.backbone: %w; configs/lite0.py writes the file", err)
	}
	return m, nil
}

// adapt gives a model that training starts from the size and the parts that the recipe asks for.
func adapt(m *unified.Model, c *Config) (*unified.Model, error) {
	u := m.Config
	if c.Model.Grow {
		v, err := unified.Variant(c.Model.Variant)
		if err != nil {
			return nil, err
		}
		if u.Trunk != nil {
			return nil, errors.New("model.grow: the stack of a published encoder stays as it is")
		}
		u.Size, u.Layers, u.Prefix, u.Refine = v.Size, max(u.Layers, v.Layers), v.Prefix, v.Refine
	}
	if c.Model.Size != 0 {
		u.Size = c.Model.Size
	}
	if c.Model.Backbone != "" {
		u.Backbone = unified.Lite0
	}
	u.Detailed = u.Detailed || c.Model.Grow && u.Backbone != ""
	m, err := m.Regrown(u, c.Train.Seed)
	if err != nil {
		return nil, err
	}
	return withBackbone(m, c)
}
