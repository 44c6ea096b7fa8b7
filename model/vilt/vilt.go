// Package vilt runs published ViLT models (Kim et al. 2021): answers to questions, chosen from a list, by one transformer
// over a question's words and a picture's patches.
package vilt

import (
	"fmt"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
	"fovea/task"
	"fovea/tensor"
	"fovea/tokenizer"
)

// Family is dandelin/vilt-b32-finetuned-vqa and its kin.
var Family = model.Family{
	Name: "vilt", Architectures: []string{"ViltForQuestionAnswering"}, New: New,
	Renames: append([]checkpoint.Rename{
		{From: `^vilt\.embeddings\.token_type_embeddings\.weight$`, To: "kinds"},
		{From: `^vilt\.embeddings\.text_embeddings\.`, To: "embeddings."},
		{From: `^vilt\.pooler\.dense\.`, To: "pooler."},
		{From: `^vilt\.`, To: "vision."},
		{From: `^vision\.layernorm\.`, To: "vision.encoder.norm."},
	}, model.BertRenames...),
}

// Config is a config.json.
type Config struct {
	nn.VisionConfig
	Vocab  int          `json:"vocab_size"`
	MaxLen int          `json:"max_position_embeddings"`
	Types  int          `json:"type_vocab_size"`
	Kinds  int          `json:"modality_type_vocab_size"` // words, pixels, and perhaps a second picture's
	Labels model.Labels `json:"id2label"`
}

// Model is a ViLT with its tokenizer.
type Model struct {
	Config Config
	Vision *nn.Vision      `weight:"vision"` // its stack is that of words and patches
	Text   *nn.BertEmbed   `weight:"embeddings"`
	Kinds  *autograd.Param `weight:"kinds"`
	Pooler *nn.Dense       `weight:"pooler"`
	Head   *nn.Dense       `weight:"classifier.0"`
	Norm   *nn.LayerNorm   `weight:"classifier.1"`
	Answer *nn.Dense       `weight:"classifier.3"`

	name   string
	pixels *imageproc.Processor
	words  tokenizer.Tokenizer
}

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	m := &Model{name: f.Name, Config: Config{
		VisionConfig: nn.VisionConfig{
			EncoderConfig: nn.EncoderConfig{Width: 768, Layers: 12, Heads: 12, Inner: 3072, Act: "gelu", Eps: 1e-12, QKVBias: true, Final: true},
			Image:         nn.Size{384, 384}, Patch: nn.Size{32, 32}, Channels: 3, ClassToken: true, PatchBias: true, Batched: true,
		},
		Vocab: 30522, MaxLen: 40, Types: 2, Kinds: 2, Labels: model.Labels{"LABEL_0", "LABEL_1"},
	}}
	c := &m.Config
	err := f.Config(c)
	if err != nil {
		return nil, err
	}
	if c.Kinds < 2 || c.Kinds > 16 {
		return nil, fmt.Errorf("vilt: modality_type_vocab_size %d is not within 2 … 16", c.Kinds)
	}
	if m.Vision, err = nn.NewVision(c.VisionConfig); err != nil {
		return nil, err
	}
	if m.Text, err = nn.NewBertEmbed(nn.BertConfig{EncoderConfig: c.EncoderConfig, Vocab: c.Vocab, MaxLen: c.MaxLen, Types: c.Types}); err != nil {
		return nil, err
	}
	d := c.Width
	m.Kinds, m.Pooler = nn.Blank(autograd.Table, c.Kinds, d), nn.BlankDense(d, d, true)
	m.Head, m.Norm, m.Answer = nn.BlankDense(d, 2*d, true), nn.BlankNorm(2*d, 1e-5), nn.BlankDense(2*d, len(c.Labels), true)
	if m.words, err = f.Tokenizer(c.Vocab); err != nil {
		return nil, err
	}
	if m.pixels, err = f.Processor("Vilt"); err == nil && m.pixels.Multiple%c.Patch[0] != 0 {
		err = fmt.Errorf("vilt: size_divisor %d is no multiple of patch_size %d", m.pixels.Multiple, c.Patch[0])
	}
	return m, err
}

// Card implements model.Model.
func (m *Model) Card() model.Card {
	return model.Card{
		Name: m.name, Family: "ViltForQuestionAnswering", Tasks: task.SetOf(task.Ask),
		Parameters: model.Parameters(m), Size: m.Config.Image[0],
	}
}

// Process implements model.Network: a question for each picture.
func (m *Model) Process(s model.Sample) (model.Inputs, error) {
	in := model.Inputs{}
	if s.Pictures != nil {
		if _, err := in.PutPictures(m.pixels, s.Pictures, m.Config.CheckPicture); err != nil {
			return nil, fmt.Errorf("vilt: %w", err)
		}
	}
	in.PutWords(s.Texts, m.words, m.Config.MaxLen, 0, 0)
	return in, nil
}

// Run implements model.Network: pixel_values and input_ids, a text for each picture, give logits of the answers.
func (m *Model) Run(t *autograd.Tape, in model.Inputs) model.Outputs {
	out, x, ids := model.Outputs{}, in.Value(t, "pixel_values"), in.Texts()
	if x == nil || ids == nil {
		return out
	}
	kinds := t.Use(m.Kinds)
	words := ops.Add(m.Text.Forward(t, ids), ops.Slice(kinds, 0, 1))
	patches := m.Vision.Patch.Forward(x)
	th, tw := m.grid()
	first, _, _ := m.Vision.Positions(t.Use(m.Vision.Pos), th, tw)
	cls := ops.Add(ops.Add(t.View(t.Use(m.Vision.Class), 1, m.Config.Width), first), ops.Slice(kinds, 1, 2))
	p := &nn.Pass{Layout: &ops.Layout{}, Tap: out.Tap("joint")}
	var parts []*autograd.Value
	var tops []ops.Ref // the first token of each text
	row, word := 0, 0
	for i, text := range ids {
		pixels := ops.Add(m.patches(patches, in["pixel_mask"], i), ops.Slice(kinds, 1, 2))
		n := len(text) + 1 + pixels.Shape[0]
		p.Layout.Groups = append(p.Layout.Groups, ops.Group{Image: -1, Start: row, Len: n})
		parts = append(parts, ops.Slice(words, word, word+len(text)), cls, pixels)
		tops = append(tops, ops.Ref{Row: int32(row)})
		row, word = row+n, word+len(text)
	}
	out.Mask(t, "joint", mask(in, p.Layout.Groups, ids))
	h := m.Vision.Stack.Forward(p, nn.Pile(parts))
	out["joint.norm"] = h
	pooled := ops.Tanh(m.Pooler.Forward(ops.Gather(t, tops, h)))
	out["logits"] = m.Answer.Forward(ops.GELUExact(m.Norm.Forward(m.Head.Forward(pooled))))
	return out
}

// grid is the table of positions' own.
func (m *Model) grid() (gh, gw int) {
	return m.Config.Image[0] / m.Config.Patch[0], m.Config.Image[1] / m.Config.Patch[1]
}

// patches are picture i's embedded patches, as far as its mask says that there is picture, with their positions: the table's
// corners lie on the picture's corners.
func (m *Model) patches(all *autograd.Value, pixels *tensor.Tensor, i int) *autograd.Value {
	t, gh, gw, d := all.Tape(), all.Shape[1], all.Shape[2], all.Shape[3]
	h, w := gh, gw
	if side := m.Config.Patch[0]; pixels != nil {
		ph, pw := pixels.Shape[1], pixels.Shape[2]
		at := func(y, x int) bool { return pixels.Data[(i*ph+y*side)*pw+x*side] != 0 }
		for h = 0; h < gh && at(h, 0); {
			h++
		}
		for w = 0; w < gw && at(0, w); {
			w++
		}
	}
	refs := make([]ops.Ref, h*w)
	for j := range refs {
		refs[j].Row = int32((i*gh+j/w)*gw + j%w)
	}
	th, tw := m.grid()
	_, table, _ := m.Vision.Positions(t.Use(m.Vision.Pos), th, tw)
	pos := ops.Resize(t.View(table, 1, th, tw, d), nn.AlignedTaps(th, h), nn.AlignedTaps(tw, w))
	return ops.Add(ops.Gather(t, refs, all), t.View(pos, h*w, d))
}

// mask says which of the reference's rows are there: it fills up texts to the longest and pictures to the largest.
func mask(in model.Inputs, groups []ops.Group, ids [][]int32) *tensor.Tensor {
	l, most := in["input_ids"].Shape[1], 0
	for i, g := range groups {
		most = max(most, g.Len-len(ids[i]))
	}
	rows := tensor.New(len(groups), l+most)
	for i, g := range groups {
		row := rows.Data[i*(l+most):]
		for j := range ids[i] {
			row[j] = 1
		}
		for j := range g.Len - len(ids[i]) {
			row[l+j] = 1
		}
	}
	return rows
}
