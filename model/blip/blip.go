// Package blip runs published BLIP models (Li et al. 2022): those that answer questions, with a vision transformer, an encoder
// of the question that looks at the picture, and a decoder of the answer that looks at the question; and those that describe
// pictures, whose decoder looks at the picture itself.
package blip

import (
	"fmt"
	"slices"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
	"fovea/task"
	"fovea/tokenizer"
)

const (
	asks     = "BlipForQuestionAnswering"
	captions = "BlipForConditionalGeneration"
)

// Family is Salesforce/blip-vqa-*, Salesforce/blip-image-captioning-* and their kin.
var Family = model.Family{
	Name: "blip", Architectures: []string{asks, captions}, New: New,
	Renames: append([]checkpoint.Rename{
		{From: `^vision_model\.post_layernorm\.`, To: "vision.encoder.norm."},
		{From: `^vision_model\.`, To: "vision."},
		{From: `^text_encoder\.`, To: "question."},
		{From: `^text_decoder\.bert\.`, To: "answer."},
		{From: `^text_decoder\.cls\.predictions\.decoder\.`, To: checkpoint.Drop}, // the table of words again
		{From: `^text_decoder\.cls\.predictions\.transform\.dense\.`, To: "read."},
		{From: `^text_decoder\.cls\.predictions\.transform\.LayerNorm\.`, To: "read_norm."},
		{From: `^text_decoder\.cls\.predictions\.bias$`, To: "read_bias"},
	}, model.BertRenames...),
}

// Config is a config.json.
type Config struct {
	Text   TextConfig      `json:"text_config"`
	Vision nn.VisionConfig `json:"vision_config"`
}

// TextConfig is its part about question and answer.
type TextConfig struct {
	nn.BertConfig
	Encoder int   `json:"encoder_hidden_size"`
	Begin   int32 `json:"bos_token_id"` // of the answer
	End     int32 `json:"sep_token_id"`
}

// Model is a BLIP with its tokenizer.
type Model struct {
	Config   Config
	Vision   *nn.Vision      `weight:"vision"`
	Question *nn.Bert        `weight:"question"` // nil: it describes pictures and takes no questions
	Answer   *nn.Bert        `weight:"answer"`
	Read     *nn.Dense       `weight:"read"`
	ReadNorm *nn.LayerNorm   `weight:"read_norm"`
	Bias     *autograd.Param `weight:"read_bias"` // of the read-out, whose map is the answer's table of words

	name   string
	pixels *imageproc.Processor
	words  tokenizer.Tokenizer
}

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	m := &Model{name: f.Name, Config: Config{
		Text: TextConfig{Encoder: 768, Begin: 30522, End: 102, BertConfig: nn.BertConfig{
			EncoderConfig: nn.EncoderConfig{Width: 768, Layers: 12, Heads: 8, Inner: 3072, Act: "gelu", Eps: 1e-12}, Vocab: 30524, MaxLen: 512,
		}},
		Vision: nn.VisionConfig{
			EncoderConfig: nn.EncoderConfig{Width: 768, Layers: 12, Heads: 12, Inner: 3072, Act: "gelu", Eps: 1e-5, QKVBias: true, Final: true},
			Image:         nn.Size{384, 384}, Patch: nn.Size{16, 16}, Channels: 3, ClassToken: true, PatchBias: true, Batched: true, Filter: imageproc.Bicubic,
		},
	}}
	c := &m.Config
	err := f.Config(c)
	if err != nil {
		return nil, err
	}
	x := &c.Text
	describes := f.Class == captions
	if x.Encoder != c.Vision.Width || x.Encoder != x.Width && !describes {
		return nil, fmt.Errorf("blip: encoder_hidden_size %d is not hidden_size of pictures, %d, and texts, %d", x.Encoder, c.Vision.Width, x.Width)
	}
	if x.Begin < 0 || x.End < 0 || int(max(x.Begin, x.End)) >= x.Vocab {
		return nil, fmt.Errorf("blip: bos_token_id %d or sep_token_id %d is not within vocab_size %d", x.Begin, x.End, x.Vocab)
	}
	if m.Vision, err = nn.NewVision(c.Vision); err != nil {
		return nil, err
	}
	x.Seen, x.Types = x.Encoder, 0
	if !describes {
		if m.Question, err = nn.NewBert(x.BertConfig); err != nil {
			return nil, err
		}
	}
	if m.Answer, err = nn.NewBert(x.BertConfig); err != nil {
		return nil, err
	}
	m.Read, m.ReadNorm, m.Bias = nn.BlankDense(x.Width, x.Width, true), nn.BlankNorm(x.Width, x.Eps), nn.Blank(autograd.Vector, x.Vocab)
	if m.words, err = f.Tokenizer(x.Vocab); err != nil {
		return nil, err
	}
	m.pixels, err = f.Processor("Blip")
	return m, err
}

// Card implements model.Model.
func (m *Model) Card() model.Card {
	c := model.Card{Name: m.name, Family: asks, Tasks: task.SetOf(task.Ask), Parameters: model.Parameters(m), Size: m.Config.Vision.Image[0]}
	if m.Question == nil {
		c.Family, c.Tasks = captions, task.SetOf(task.Caption)
	}
	return c
}

// Process implements model.Network: a question for each picture, or the beginning of its description.
func (m *Model) Process(s model.Sample) (model.Inputs, error) {
	in := model.Inputs{}
	if s.Pictures != nil {
		if _, err := in.PutPictures(m.pixels, s.Pictures, m.Config.Vision.CheckPicture); err != nil {
			return nil, fmt.Errorf("blip: %w", err)
		}
	}
	in.PutWords(s.Texts, m.words, m.Config.Text.MaxLen, 0, 0)
	return in, nil
}

// Run implements model.Network: pixel_values give image_embeds; with input_ids, a question for each picture, and
// decoder_input_ids, as much of an answer as is known, decoder_logits of the next piece at each place. Models that describe give logits of the
// next piece at each place of input_ids, a description for each picture.
func (m *Model) Run(t *autograd.Tape, in model.Inputs) model.Outputs {
	out, x, ids := model.Outputs{}, in.Value(t, "pixel_values"), in.Texts()
	if x == nil {
		return out
	}
	b := x.Shape[0]
	seen := m.Vision.Forward(&nn.Pass{Tap: out.Tap("vision")}, x)
	out["vision.post_norm"], out["image_embeds"] = seen, seen
	if ids == nil {
		return out
	}
	if m.Question == nil {
		out.Mask(t, "text_decoder", in["attention_mask"])
		out["logits"] = m.decode(t, ids, seen, slices.Repeat([]int{seen.Shape.Rows() / b}, b), out.Tap("text_decoder"))
		return out
	}
	out.Mask(t, "text_encoder", in["attention_mask"])
	q := m.Question.Forward(t, &nn.Pass{Tap: out.Tap("text_encoder")}, ids, seen, slices.Repeat([]int{seen.Shape.Rows() / b}, b), false)
	if d := in["decoder_input_ids"]; d != nil {
		known := model.Inputs{"input_ids": d}.Texts()
		out["decoder_logits"] = m.decode(t, known, q, nn.Lengths(ids), out.Tap("text_decoder"))
	}
	return out
}

// decode gives the logits of the next piece at each place of answers, which look at the rows q of their questions.
func (m *Model) decode(t *autograd.Tape, known [][]int32, q *autograd.Value, lens []int, tap func(int, *autograd.Value) *autograd.Value) *autograd.Value {
	return m.logits(m.Answer.Forward(t, &nn.Pass{Tap: tap}, known, q, lens, true))
}

// logits reads hidden states out.
func (m *Model) logits(h *autograd.Value) *autograd.Value {
	h = m.ReadNorm.Forward(ops.GELUExact(m.Read.Forward(h)))
	return ops.Linear(h, h.Tape().Use(m.Answer.Embed.Words), h.Tape().Use(m.Bias))
}
