// Package idefics3 runs published Idefics3 and SmolVLM models (Laurençon et al. 2024; Marafioti et al. 2025), which answer
// questions about pictures: each picture is seen in tiles and as a whole by a vision transformer, whose tokens are folded
// together and stand among the words of a language model.
//
// Position numbers of patches are 0, 1, 2, … row by row. The reference computes them in single precision and errs for tiles
// of 25, 29, 31 and some more patches a side; no published model has such.
package idefics3

import (
	"fmt"
	"strings"

	"fovea/autograd"
	"fovea/chat"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
	"fovea/task"
)

var renames = append([]checkpoint.Rename{
	{From: `^model\.vision_model\.post_layernorm\.`, To: "vision.encoder.norm."},
	{From: `^model\.vision_model\.`, To: "vision."},
	{From: `^model\.connector\.modality_projection\.proj\.`, To: "connector."},
	{From: `^model\.text_model\.`, To: "text."},
	{From: `^lm_head\.`, To: "text.head."},
}, model.DecoderRenames...)

// Family is HuggingFaceTB/SmolVLM-* and HuggingFaceM4/Idefics3-*.
var Family = model.Family{
	Name: "idefics3", Architectures: []string{"Idefics3ForConditionalGeneration"}, New: New, Renames: renames,
}

// SmolVLM is HuggingFaceTB/SmolVLM2-*: the same network under another name.
var SmolVLM = model.Family{
	Name: "smolvlm", Architectures: []string{"SmolVLMForConditionalGeneration"}, New: New, Renames: renames,
}

// Config is a config.json.
type Config struct {
	Text   nn.DecoderConfig `json:"text_config"`
	Vision nn.VisionConfig  `json:"vision_config"`
	Image  int32            `json:"image_token_id"`
	Fold   int              `json:"scale_factor"` // so many tokens each way become one
	Tied   bool             `json:"tie_word_embeddings"`
}

// Model is an Idefics3 with its tokenizer.
type Model struct {
	Config  Config
	Vision  *nn.Vision  `weight:"vision"`
	Connect *nn.Dense   `weight:"connector"`
	Text    *nn.Decoder `weight:"text"`

	name, class string
	pixels      *tiler
	template    *chat.Template
	voice       *model.Voice
	marks       marks
}

// marks are the pieces around a picture.
type marks struct{ around, global, image string }

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	m := &Model{name: f.Name, class: f.Class, Config: Config{
		Text: nn.DecoderConfig{Width: 4096, Layers: 32, Heads: 32, Inner: 14336, Act: "silu", Eps: 1e-5, Vocab: 128256, MaxLen: 2048, Theta: 10000},
		Vision: nn.VisionConfig{
			EncoderConfig: nn.EncoderConfig{Width: 1152, Layers: 12, Heads: 16, Inner: 3072, Act: "gelu_pytorch_tanh", Eps: 1e-6, QKVBias: true, Final: true},
			Image:         nn.Size{224, 224}, Patch: nn.Size{32, 32}, Channels: 3, PatchBias: true,
		},
		Image: 128257, Fold: 2,
	}}
	c := &m.Config
	err := f.Config(c)
	if err != nil {
		return nil, err
	}
	c.Text.Tied = c.Tied
	if m.Vision, err = nn.NewVision(c.Vision); err != nil {
		return nil, err
	}
	if gh, gw := c.Vision.Grid(c.Vision.Image[0], c.Vision.Image[1]); c.Fold < 1 || gh != gw || gh%c.Fold != 0 {
		return nil, fmt.Errorf("idefics3: scale_factor %d does not divide %d × %d patches", c.Fold, gh, gw)
	}
	if m.Text, err = nn.NewDecoder(c.Text); err != nil {
		return nil, err
	}
	m.Connect = nn.BlankDense(c.Vision.Width*c.Fold*c.Fold, c.Text.Width, false)
	return m, m.read(f)
}

// read finds what belongs to words and pixels.
func (m *Model) read(f *model.Folder) (err error) {
	c := &m.Config
	m.marks = marks{"<fake_token_around_image>", "<global-img>", "<image>"}
	m.voice, err = f.Voice(m.Text, "Can you describe this image?", model.Generation{}, c.Image, m.marks.around, m.marks.global, m.marks.image)
	if err != nil {
		return err
	}
	if m.template, err = chat.Find(f.Read); err != nil {
		return err
	}
	if m.pixels, err = newTiler(f, c.Vision.Image[0]); err == nil {
		m.pixels.most = c.Text.MaxLen / (m.length() + 2)
	}
	return err
}

// length is the number of tokens of a tile.
func (m *Model) length() int {
	n := m.Config.Vision.Image[0] / m.Config.Vision.Patch[0] / m.Config.Fold
	return n * n
}

// Card implements model.Model.
func (m *Model) Card() model.Card {
	return model.Card{
		Name: m.name, Family: m.class, Tasks: task.SetOf(task.Ask, task.Caption), Parameters: model.Parameters(m),
		Size: m.pixels.longest, Talks: true, Question: m.voice.Question,
	}
}

// Voice implements model.Speaker.
func (m *Model) Voice() *model.Voice { return m.voice }

// NewRunner implements model.Model.
func (m *Model) NewRunner(threads int) model.Runner { return model.NewTalker(m, threads, nil) }

// Process implements model.Network: a question for as many of the pictures as there are for each.
func (m *Model) Process(s model.Sample) (model.Inputs, error) {
	in := model.Inputs{}
	share, err := s.Shares()
	if err != nil {
		return nil, err
	}
	var grids [][2]int
	if s.Pictures != nil {
		if grids, err = m.tile(in, s.Pictures, max(share, 1)); err != nil {
			return nil, err
		}
	}
	if s.Texts != nil {
		ids, err := s.IDs(grids, share, m.ids)
		if err != nil {
			return nil, err
		}
		in.PutTexts(ids, 2, 0)
	}
	return in, nil
}

// tile stores pictures as pixel_values [B, N, S, S, 3], filled up with zeros, and pixel_attention_mask [B, N, S, S], which says what is
// there. Each text has share pictures.
func (m *Model) tile(in model.Inputs, pictures []*imageproc.RGB, share int) (grids [][2]int, err error) {
	side := m.pixels.tile
	size := 3 * side * side
	all, most := make([][]float32, len(pictures)/share), 0
	for i, img := range pictures {
		x, rows, cols, err := m.pixels.apply(img)
		if err != nil {
			return nil, err
		}
		grids = append(grids, [2]int{rows, cols})
		all[i/share] = append(all[i/share], x...)
		most = max(most, len(all[i/share])/size)
	}
	pixels, mask := make([]float32, len(all)*most*size), make([]float32, len(all)*most*side*side)
	for i, x := range all {
		copy(pixels[i*most*size:], x)
		for j := range len(x) / 3 {
			mask[i*most*side*side+j] = 1
		}
	}
	in.Put("pixel_values", pixels, len(all), most, side, side, 3)
	in.Put("pixel_attention_mask", mask, len(all), most, side, side)
	return grids, nil
}

// ids is the prompt of a question about pictures: each stands as its tiles, row by row, and its global view.
func (m *Model) ids(grids [][2]int, question string) ([]int32, error) {
	return m.talk(grids, nil, question)
}

// talk is the prompt of a question that goes on from what was said before.
func (m *Model) talk(grids [][2]int, before []chat.Message, question string) ([]int32, error) {
	parts, err := m.template.Around(before, len(grids), question, m.marks.image)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	tokens := strings.Repeat(m.marks.image, m.length())
	for i, part := range parts {
		b.WriteString(part)
		if i == len(grids) {
			break
		}
		for r := range grids[i][0] {
			for c := range grids[i][1] {
				fmt.Fprintf(&b, "%s<row_%d_col_%d>%s", m.marks.around, r+1, c+1, tokens)
			}
			b.WriteByte('\n')
		}
		if grids[i][0] > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(m.marks.around + m.marks.global + tokens + m.marks.around)
	}
	return m.voice.Words.EncodeSpecial(b.String()), nil
}

// Run implements model.Network: pixel_values give the connector's tokens; with input_ids, which they stand in, the language
// model's states and logits.last16, of the last places of each text.
func (m *Model) Run(t *autograd.Tape, in model.Inputs) model.Outputs {
	out := model.Outputs{}
	var features []float32
	if x := in["pixel_values"]; x != nil {
		n := x.Shape[0] * x.Shape[1]
		size := len(x.Data) / n
		there := make([]float32, 0, len(x.Data))
		for i := range n {
			if mask := in["pixel_attention_mask"]; mask == nil || mask.Data[i*len(mask.Data)/n] != 0 {
				there = append(there, x.Data[i*size:(i+1)*size]...)
			}
		}
		v := m.see(t, out.Tap("vision"), there, out)
		features = v.Data
	}
	return model.ReadTexts(t, in, out, m.Text, func(ids []int32) *nn.Prompt { return m.prompt(ids, &features) })
}

// see maps tiles [N, S, S, 3] to tokens [N·L, D].
func (m *Model) see(t *autograd.Tape, tap func(int, *autograd.Value) *autograd.Value, tiles []float32, out model.Outputs) *autograd.Value {
	side := m.Config.Vision.Image[0]
	x := m.Vision.Forward(&nn.Pass{Tap: tap}, t.Input(tiles, len(tiles)/(3*side*side), side, side, 3))
	y := m.Connect.Forward(m.fold(x))
	if out != nil {
		out["vision.post_norm"], out["connector"] = x, y
	}
	return y
}

// fold puts the features of Fold × Fold neighbours into one row ("pixel shuffle", Shi et al. 2016): row by row, those of a row
// from left to right.
func (m *Model) fold(x *autograd.Value) *autograd.Value {
	t, f, d := x.Tape(), m.Config.Fold, x.Shape.Last()
	n := m.Config.Vision.Image[0] / m.Config.Vision.Patch[0]
	refs := make([]ops.Ref, x.Shape.Rows())
	for i := range refs {
		tile, at := i/(n*n), i%(n*n)
		row, in := at/(f*f), at%(f*f)
		y, z := row/(n/f)*f+in/f, row%(n/f)*f+in%f
		refs[i].Row = int32(tile*n*n + y*n + z)
	}
	return t.View(ops.Gather(t, refs, x), len(refs)/(f*f), d*f*f)
}

// prompt puts ids and features together, and takes the features that the prompt shows off the list.
func (m *Model) prompt(ids []int32, features *[]float32) *nn.Prompt {
	return nn.NewPrompt(ids, 0, m.Config.Image, m.Config.Text.Width, features)
}

// Look implements model.Speaker.
func (m *Model) Look(t *autograd.Tape, pictures []*imageproc.RGB) (*model.Sight, error) {
	s := &model.Sight{}
	side := m.pixels.tile
	for _, img := range pictures {
		tiles, rows, cols, err := m.pixels.apply(img)
		if err != nil {
			return nil, err
		}
		s.Grids = append(s.Grids, [2]int{rows, cols})
		for size := 3 * side * side; len(tiles) > 0; tiles = tiles[size:] { // one after the other, to save memory
			t.Reset()
			s.Features = append(s.Features, m.see(t, nil, tiles[:size], nil).Data...)
		}
	}
	return s, nil
}

// Prompt implements model.Speaker.
func (m *Model) Prompt(s *model.Sight, before []chat.Message, question string) (*nn.Prompt, error) {
	ids, err := m.talk(s.Grids, before, question)
	if err != nil {
		return nil, err
	}
	features := s.Features
	return m.prompt(ids, &features), nil
}
