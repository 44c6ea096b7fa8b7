// Package paligemma runs published PaliGemma and PaliGemma 2 models (Beyer et al. 2024; Steiner et al. 2024): a SigLIP looks
// at the picture, and a Gemma reads what it saw together with a task in words and writes the answer, whose coordinates are
// words too.
package paligemma

import (
	"errors"
	"fmt"

	"fovea/autograd"
	"fovea/chat"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/task"
)

// Family is google/paligemma-* and google/paligemma2-*.
var Family = model.Family{
	Name: "paligemma", Architectures: []string{"PaliGemmaForConditionalGeneration"}, New: New,
	Renames: append([]checkpoint.Rename{
		{From: `^((model\.)?language_model\.)?lm_head\.`, To: checkpoint.Drop}, // the table of words again
		{From: `^(model\.)?language_model\.(model\.)?`, To: "text."},
		{From: `^(model\.)?vision_tower\.(vision_model\.)?`, To: "vision."},
		{From: `^vision\.post_layernorm\.`, To: "vision.encoder.norm."},
		{From: `^(model\.)?multi_modal_projector\.linear\.`, To: "project."},
	}, model.DecoderRenames...),
}

// Config is a config.json.
type Config struct {
	Text   TextConfig      `json:"text_config"`
	Vision nn.VisionConfig `json:"vision_config"`
	Image  int32           `json:"image_token_index"`
	BOS    int32           `json:"bos_token_id"`
	EOS    int32           `json:"eos_token_id"`
}

// TextConfig is its part about words.
type TextConfig struct {
	nn.DecoderConfig
	Type string `json:"model_type"`
	Act2 string `json:"hidden_activation"` // overrides hidden_act, which older files have wrong
}

// defaults are what the classes gemma and gemma2 mean by silence.
func defaults(kind string) nn.DecoderConfig {
	c := nn.DecoderConfig{HeadDim: 256, Eps: 1e-6, MaxLen: 8192, Theta: 10000, PlusOne: true, Scaled: true, Tied: true}
	if kind == "gemma2" {
		window := 4096
		c.Width, c.Layers, c.Heads, c.KVHeads, c.Inner, c.Vocab = 2304, 26, 8, 4, 9216, 256000
		c.Window, c.ScoreLimit, c.LogitLimit, c.QueryScalar, c.PostNorms, c.Alternate = &window, 50, 30, 256, true, true
	} else {
		c.Width, c.Layers, c.Heads, c.KVHeads, c.Inner, c.Vocab = 3072, 28, 16, 16, 24576, 256000
	}
	return c
}

// readConfig reads config.json over the defaults of the class that it names.
func readConfig(f *model.Folder) (*Config, error) {
	var head struct {
		Text struct {
			Type string `json:"model_type"`
		} `json:"text_config"`
	}
	if err := f.Config(&head); err != nil {
		return nil, err
	}
	kind := head.Text.Type
	if kind != "gemma" && kind != "gemma2" {
		return nil, fmt.Errorf("paligemma: model_type %q of text_config is not supported; there are gemma and gemma2", kind)
	}
	c := &Config{Text: TextConfig{DecoderConfig: defaults(kind)}, Image: 256000, BOS: 2, EOS: 1, Vision: nn.VisionConfig{
		EncoderConfig: nn.EncoderConfig{Width: 768, Layers: 12, Heads: 12, Inner: 3072, Act: "gelu_pytorch_tanh", Eps: 1e-6, QKVBias: true, Final: true},
		Image:         nn.Size{224, 224}, Patch: nn.Size{16, 16}, Channels: 3, PatchBias: true,
	}}
	if err := f.Config(c); err != nil {
		return nil, err
	}
	if c.Text.Act = c.Text.Act2; c.Text.Act == "" {
		c.Text.Act = "gelu_pytorch_tanh"
	}
	for _, id := range []int32{c.Image, c.BOS, c.EOS} {
		if id < 0 || int(id) >= c.Text.Vocab {
			return nil, fmt.Errorf("paligemma: image_token_index %d, bos_token_id %d or eos_token_id %d is not within vocab_size %d", c.Image, c.BOS, c.EOS, c.Text.Vocab)
		}
	}
	return c, nil
}

// Model is a PaliGemma with its tokenizer.
type Model struct {
	Config  Config
	Vision  *nn.Vision  `weight:"vision"`
	Project *nn.Dense   `weight:"project"`
	Text    *nn.Decoder `weight:"text"`

	name   string
	pixels *imageproc.Processor
	voice  *model.Voice
}

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	c, err := readConfig(f)
	if err != nil {
		return nil, err
	}
	m := &Model{Config: *c, name: f.Name}
	if m.Vision, err = nn.NewVision(c.Vision); err != nil {
		return nil, err
	}
	if m.Text, err = nn.NewDecoder(c.Text.DecoderConfig); err != nil {
		return nil, err
	}
	m.Project = nn.BlankDense(c.Vision.Width, c.Text.Width, true)
	how := model.Generation{EOS: model.Ends{c.EOS}}
	if m.voice, err = f.Voice(m.Text, "caption en", how, c.Image, "<image>"); err != nil {
		return nil, err
	}
	if m.pixels, err = f.Processor("Siglip"); err == nil && (m.pixels.Height != c.Vision.Image[0] || m.pixels.Width != c.Vision.Image[1]) {
		err = fmt.Errorf("paligemma: preprocessor_config.json makes pictures of %d × %d pixels, image_size is %v", m.pixels.Width, m.pixels.Height, c.Vision.Image)
	}
	return m, err
}

// Card implements model.Model.
func (m *Model) Card() model.Card {
	return model.Card{
		Name: m.name, Family: "PaliGemmaForConditionalGeneration", Tasks: task.SetOf(task.Ask, task.Caption, task.Detect),
		Parameters: model.Parameters(m), Size: m.Config.Vision.Image[0], OpenVocabulary: true, Question: m.voice.Question,
		Threshold: leastScore,
	}
}

// Voice implements model.Speaker.
func (m *Model) Voice() *model.Voice { return m.voice }

// length is the number of tokens of a picture.
func (m *Model) length() int {
	gh, gw := m.Config.Vision.Grid(m.Config.Vision.Image[0], m.Config.Vision.Image[1])
	return gh * gw
}

// Process implements model.Network: a task for as many of the pictures as there are for each.
func (m *Model) Process(s model.Sample) (model.Inputs, error) {
	in := model.Inputs{}
	share, err := s.Shares()
	if err != nil {
		return nil, err
	}
	if s.Pictures != nil {
		if _, err := in.PutPictures(m.pixels, s.Pictures, m.Config.Vision.CheckPicture); err != nil {
			return nil, fmt.Errorf("paligemma: %w", err)
		}
	}
	if s.Texts != nil {
		ids := make([][]int32, len(s.Texts))
		for i, text := range s.Texts {
			ids[i] = m.ids(share, text)
		}
		in.PutTexts(ids, 0, 0)
	}
	return in, nil
}

// ids is a prompt: <image> for every token of n pictures, <bos>, the task and a line's end.
func (m *Model) ids(n int, text string) []int32 {
	ids := make([]int32, 0, n*m.length()+len(text))
	for range n * m.length() {
		ids = append(ids, m.Config.Image)
	}
	return append(append(ids, m.Config.BOS), m.voice.Words.Encode(text+"\n")...)
}

// Run implements model.Network: pixel_values give the projector's tokens; with input_ids, which they stand in, the language
// model's states and logits.last16. Tokens see each other both ways where token_type_ids are 0, without them everywhere.
func (m *Model) Run(t *autograd.Tape, in model.Inputs) model.Outputs {
	out := model.Outputs{}
	var features []float32
	if x := in.Value(t, "pixel_values"); x != nil {
		h := m.Vision.Forward(&nn.Pass{Tap: out.Tap("vision")}, x)
		y := m.Project.Forward(h)
		out["vision.post_norm"], features = h, y.Data
		out["projector"] = y
	}
	kinds, row := in["token_type_ids"], 0
	return model.ReadTexts(t, in, out, m.Text, func(ids []int32) *nn.Prompt {
		p := m.prompt(ids, &features)
		if kinds != nil {
			p.Prefix = 0
			for _, k := range kinds.Data[row*kinds.Shape[1]:][:len(ids)] {
				if k == 0 {
					p.Prefix++
				}
			}
			row++
		}
		return p
	})
}

// prompt puts ids and features together, and takes the features that the prompt shows off the list. All of its tokens see each other.
func (m *Model) prompt(ids []int32, features *[]float32) *nn.Prompt {
	p := nn.NewPrompt(ids, 1, m.Config.Image, m.Config.Text.Width, features)
	p.Prefix, p.Shared = len(ids), 0
	return p
}

// Look implements model.Speaker.
func (m *Model) Look(t *autograd.Tape, pictures []*imageproc.RGB) (*model.Sight, error) {
	s := &model.Sight{}
	for _, img := range pictures {
		in, err := m.Process(model.Sample{Pictures: []*imageproc.RGB{img}})
		if err != nil {
			return nil, err
		}
		t.Reset()
		h := m.Vision.Forward(&nn.Pass{}, in.Value(t, "pixel_values"))
		s.Features = append(s.Features, m.Project.Forward(h).Data...)
		s.Grids = append(s.Grids, [2]int{1, m.length()})
	}
	return s, nil
}

// Prompt implements model.Speaker. The question is a task in the words that the model was trained with, "answer en What is
// it?"; it knows no conversations.
func (m *Model) Prompt(s *model.Sight, before []chat.Message, question string) (*nn.Prompt, error) {
	if len(before) > 0 {
		return nil, errors.New("paligemma: questions are answered one by one; leave out instructions and what was said before")
	}
	features := s.Features
	return m.prompt(m.ids(len(s.Grids), question), &features), nil
}
