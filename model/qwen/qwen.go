// Package qwen runs published Qwen2.5-VL and Qwen3-VL models (Bai et al. 2025), which answer questions about pictures of any
// shape and name places in them as JSON.
package qwen

import (
	"fmt"
	"strings"

	"fovea/autograd"
	"fovea/chat"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/task"
)

// How configurations name Qwen3-VL.
const classThree, typeThree = "Qwen3VLForConditionalGeneration", "qwen3_vl"

// Family is Qwen/Qwen2.5-VL-*.
var Family = model.Family{Name: "qwen2_5_vl", Architectures: []string{"Qwen2_5_VLForConditionalGeneration"}, New: New, Renames: renames}

// Three is Qwen/Qwen3-VL-*, but for those with experts.
var Three = model.Family{Name: typeThree, Architectures: []string{classThree}, New: New, Renames: renames}

// mark is the piece that stands for a picture's token.
const mark = "<|image_pad|>"

// Model is a Qwen-VL with its tokenizer.
type Model struct {
	Config Config
	Vision *nn.RotaryVision `weight:"vision"`
	Text   *nn.Decoder      `weight:"text"`

	name, class string
	pixels      *pixels
	template    *chat.Template
	voice       *model.Voice
}

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	c, err := readConfig(f)
	if err != nil {
		return nil, err
	}
	m := &Model{Config: *c, name: f.Name, class: f.Class, Vision: nn.NewRotaryVision(c.Vision, c.Third)}
	if m.Text, err = nn.NewDecoder(c.Text); err != nil {
		return nil, err
	}
	if m.voice, err = f.Voice(m.Text, "Describe this image.", model.Generation{}, c.Image, mark); err != nil {
		return nil, err
	}
	if m.template, err = chat.Find(f.Read); err != nil {
		return nil, err
	}
	m.pixels, err = newPixels(f, &c.Vision)
	return m, err
}

// Card implements model.Model.
func (m *Model) Card() model.Card {
	return model.Card{
		Name: m.name, Family: m.class, Tasks: task.SetOf(task.Ask, task.Caption, task.Detect), Parameters: model.Parameters(m),
		Size: m.pixels.patch * m.pixels.merge, OpenVocabulary: true, Talks: true, Question: m.voice.Question, Threshold: leastScore,
	}
}

// Voice implements model.Speaker.
func (m *Model) Voice() *model.Voice { return m.voice }

// Process implements model.Network: a question for as many of the pictures as there are for each.
func (m *Model) Process(s model.Sample) (model.Inputs, error) {
	in := model.Inputs{}
	share, err := s.Shares()
	if err != nil {
		return nil, err
	}
	var rows, thw []float32
	var grids [][2]int
	for _, img := range s.Pictures {
		x, g, err := m.pixels.apply(img)
		if err != nil {
			return nil, err
		}
		rows, grids, thw = append(rows, x...), append(grids, g), append(thw, 1, float32(g[0]), float32(g[1]))
	}
	if grids != nil {
		size := 3 * m.pixels.frames * m.pixels.patch * m.pixels.patch
		in.Put("pixel_values", rows, len(rows)/size, size)
		in.Put("image_grid_thw", thw, len(grids), 3)
	}
	if s.Texts != nil {
		ids, err := s.IDs(grids, share, m.ids)
		if err != nil {
			return nil, err
		}
		in.PutTexts(ids, 0, 0)
	}
	return in, nil
}

// ids is the prompt of a question about pictures, each of which stands as so many marks as it has tokens.
func (m *Model) ids(grids [][2]int, question string) ([]int32, error) {
	return m.talk(grids, nil, question)
}

// talk is the prompt of a question that goes on from what was said before.
func (m *Model) talk(grids [][2]int, before []chat.Message, question string) ([]int32, error) {
	parts, err := m.template.Around(before, len(grids), question, mark)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for i, part := range parts {
		b.WriteString(part)
		if i < len(grids) {
			b.WriteString(strings.Repeat(mark, m.tokens(grids[i])))
		}
	}
	return m.voice.Words.EncodeSpecial(b.String()), nil
}

// tokens is how many a picture has.
func (m *Model) tokens(g [2]int) int { return g[0] * g[1] / (m.pixels.merge * m.pixels.merge) }

// Run implements model.Network: pixel_values and image_grid_thw give the merger's tokens; with input_ids, which they stand in,
// the language model's states and logits.last16.
func (m *Model) Run(t *autograd.Tape, in model.Inputs) model.Outputs {
	out, s := model.Outputs{}, &model.Sight{}
	if x := in.Value(t, "pixel_values"); x != nil {
		for i := range in["image_grid_thw"].Shape[0] {
			g := in["image_grid_thw"].Data[3*i:]
			s.Grids = append(s.Grids, [2]int{int(g[1]), int(g[2])})
		}
		v := m.Vision.Forward(t, x, s.Grids, out.Tap("vision"))
		out["vision.patch_embed"], out["vision.merger"] = v.Embed, v.Merger
		s.Features = v.Tokens.Data
		for i, d := range v.Deep {
			out[fmt.Sprintf("vision.deepstack.%d", i)] = d
			s.Deep = append(s.Deep, d.Data)
		}
	}
	return model.ReadTexts(t, in, out, m.Text, func(ids []int32) *nn.Prompt { return m.prompt(ids, s) })
}

// prompt puts ids and what was seen together, and takes off s what the prompt shows. Words stand one after the other; the
// tokens of a picture stand at one time, in rows and columns, and what follows stands after its longer side.
func (m *Model) prompt(ids []int32, s *model.Sight) *nn.Prompt {
	p := &nn.Prompt{IDs: ids, Image: m.Config.Image}
	tokens, grids := 0, 0
	for i := 0; i < len(ids); {
		if ids[i] != p.Image || grids == len(s.Grids) {
			p.Places = append(p.Places, nn.Line(p.Next, 1)...)
			p.Next++
			i++
			continue
		}
		g := s.Grids[grids]
		h, w := g[0]/m.pixels.merge, g[1]/m.pixels.merge
		n := min(h*w, len(ids)-i)
		for j := range n {
			p.Places = append(p.Places, nn.Place{int32(p.Next), int32(p.Next + j/w), int32(p.Next + j%w)})
		}
		i, p.Next, tokens, grids = i+n, p.Next+max(h, w), tokens+n, grids+1
		p.Shared = i
	}
	if grids > 0 {
		take := func(x []float32) (a, b []float32) { n := min(tokens*m.Config.Text.Width, len(x)); return x[:n], x[n:] }
		p.Features, s.Features = take(s.Features)
		for i := range s.Deep {
			var d []float32
			d, s.Deep[i] = take(s.Deep[i])
			p.Deep = append(p.Deep, d)
		}
		s.Grids = s.Grids[grids:]
	}
	return p
}

// Look implements model.Speaker.
func (m *Model) Look(t *autograd.Tape, pictures []*imageproc.RGB) (*model.Sight, error) {
	s := &model.Sight{Deep: make([][]float32, len(m.Vision.Deep))}
	for _, img := range pictures {
		x, g, err := m.pixels.apply(img)
		if err != nil {
			return nil, err
		}
		t.Reset()
		n := g[0] * g[1]
		v := m.Vision.Forward(t, t.Input(x, n, len(x)/n), [][2]int{g}, nil)
		s.Features, s.Grids = append(s.Features, v.Tokens.Data...), append(s.Grids, g)
		for i, d := range v.Deep {
			s.Deep[i] = append(s.Deep[i], d.Data...)
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
	own := *s
	own.Deep = append([][]float32(nil), s.Deep...)
	return m.prompt(ids, &own), nil
}
