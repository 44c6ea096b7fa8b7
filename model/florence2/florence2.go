// Package florence2 runs published Florence-2 models (Xiao et al. 2024): a pyramid of window and channel attention looks at
// the picture, an encoder reads what it saw together with a task in words, and a decoder writes the answer, whose
// coordinates are words too.
//
// Ask answers task prompts ("<OCR>", "<CAPTION_TO_PHRASE_GROUNDING>a green car"), see Tasks; package place takes answers apart.
//
// It is the one family of clearly more than 500 lines: its repositories come in two spellings, with two layouts of weights and two
// tokenizers, and it is the only one whose questions are tasks, each with a prompt and a form of the answer.
package florence2

import (
	"fmt"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
	"fovea/task"
	"fovea/task/place"
	"fovea/tokenizer"
)

// Family is microsoft/Florence-2-* and florence-community/Florence-2-*.
var Family = model.Family{Name: "florence2", Architectures: []string{"Florence2ForConditionalGeneration"}, New: New, Renames: renames}

// Model is a Florence-2 with its tokenizer.
type Model struct {
	Config  Config
	Vision  *nn.DaViT  `weight:"vision"`
	Project *Projector `weight:"project"`
	Text    *nn.Bart   `weight:"text"`

	name   string
	pixels *imageproc.Processor
	words  *tokenizer.Pipeline
	bin    int32 // the piece of the first bin of coordinates
	parser place.Florence
}

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	c, err := readConfig(f)
	if err != nil {
		return nil, err
	}
	m := &Model{Config: *c, name: f.Name}
	if m.Vision, err = nn.NewDaViT(c.Vision.DaViTConfig); err != nil {
		return nil, err
	}
	if m.Text, err = nn.NewBart(c.Text.BartConfig); err != nil {
		return nil, err
	}
	m.Project = newProjector(c)
	if m.words, m.bin, err = readWords(f, c); err != nil {
		return nil, err
	}
	if m.parser, err = readParser(f, c); err != nil {
		return nil, err
	}
	m.pixels, err = f.Processor("CLIP")
	return m, err
}

// readWords reads the tokenizer, and adds to that of older repositories, which is BART's, the pieces that their code adds.
// It returns the piece of the first bin, too.
func readWords(f *model.Folder, c *Config) (*tokenizer.Pipeline, int32, error) {
	words, err := tokenizer.Load(f.Dir)
	if err != nil {
		return nil, 0, err
	}
	if _, ok := words.Token(place.Bin(0)); !ok {
		if words, err = words.Extend(pieces()...); err != nil {
			return nil, 0, err
		}
	}
	first, _ := words.Token(place.Bin(0))
	if last, ok := words.Token(place.Bin(place.Bins - 1)); !ok || last != first+place.Bins-1 {
		return nil, 0, fmt.Errorf("florence2: the tokenizer does not number the pieces %s … %s one after another", place.Bin(0), place.Bin(place.Bins-1))
	}
	size := words.Size()
	if c.Legacy && words.Piece(int32(size-1)) == "<image>" {
		size-- // stands for pictures and has no row
	}
	if size > c.Text.Vocab {
		return nil, 0, fmt.Errorf("the tokenizer has %d pieces, config.json says vocab_size %d", size, c.Text.Vocab)
	}
	return words, first, nil
}

// pieces are those that Florence-2 adds to BART's, in their order.
func pieces() []string {
	out := []string{"<od>", "</od>", "<ocr>", "</ocr>"}
	for i := range place.Bins {
		out = append(out, place.Bin(i))
	}
	return append(out, "<cap>", "</cap>", "<ncap>", "</ncap>", "<dcap>", "</dcap>", "<grounding>", "</grounding>", "<seg>", "</seg>", "<sep>",
		"<region_cap>", "</region_cap>", "<region_to_desciption>", "</region_to_desciption>", "<proposal>", "</proposal>", "<poly>", "</poly>", "<and>")
}

// Card implements model.Model.
func (m *Model) Card() model.Card {
	question := checkQuestion
	if m.Config.Questions {
		question = nil
	}
	return model.Card{
		Name: m.name, Family: "Florence2ForConditionalGeneration", Tasks: task.SetOf(task.Detect, task.Segment, task.Ask, task.Caption),
		OpenVocabulary: true, Anything: true, Question: question, Threshold: 1e-9,
		Parameters: model.Parameters(m), Size: max(m.pixels.Height, m.pixels.Width),
	}
}

// Process implements model.Network: a prompt for each picture. The pieces of a picture stand before its prompt.
func (m *Model) Process(s model.Sample) (model.Inputs, error) {
	in, seen := model.Inputs{}, 0
	if s.Pictures != nil {
		_, err := in.PutPictures(m.pixels, s.Pictures, func(h, w int) (err error) {
			seen, err = m.checkPicture(h, w)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("florence2: %w", err)
		}
	}
	if s.Texts != nil {
		ids := make([][]int32, len(s.Texts))
		for i, text := range s.Texts {
			prompt, err := Prompt(text)
			if err != nil {
				return nil, err
			}
			for range seen {
				ids[i] = append(ids[i], m.Config.Image)
			}
			ids[i] = append(ids[i], m.read(prompt, seen)...)
		}
		in.PutTexts(ids, 1, 0)
	}
	return in, nil
}

// checkPicture gives the number of rows that a picture of h × w pixels becomes.
func (m *Model) checkPicture(h, w int) (int, error) {
	gh, gw, err := m.Vision.Config.Grid(h, w)
	if err != nil {
		return 0, err
	}
	n, most := 1+gh*gw, m.Config.Vision.MaxSide
	if gh > most || gw > most || n+minPrompt > m.Config.Text.MaxLen {
		return 0, fmt.Errorf("%d × %d pixels give %d × %d places; at most %d × %d, and %d altogether, are taken", w, h, gw, gh, most, most, m.Config.Text.MaxLen-minPrompt-1)
	}
	return n, nil
}

// minPrompt is the room that a picture must leave to the prompt.
const minPrompt = 3

// read turns a prompt into pieces, as many as there is room for after seen rows of a picture. None of them stands for a
// picture.
func (m *Model) read(prompt string, seen int) []int32 {
	ids := []int32{m.Config.Text.Begin}
	for _, id := range m.words.Encode(prompt) {
		if id != m.Config.Image && int(id) < m.Config.Text.Vocab {
			ids = append(ids, id)
		}
	}
	return model.Cut(append(ids, m.Config.Text.End), m.Config.Text.MaxLen-seen)
}

// Run implements model.Network: pixel_values give projector, the rows of a picture; with input_ids, a prompt for each picture
// with a piece for each of its rows, encoder_last_hidden_state and, after decoder_input_ids or the piece that answers begin
// with, logits.
func (m *Model) Run(t *autograd.Tape, in model.Inputs) model.Outputs {
	out, x, ids := model.Outputs{}, in.Value(t, "pixel_values"), in.Texts()
	if x == nil {
		return out
	}
	out["projector"] = m.Project.Forward(m.Vision.Forward(x, func(stage, block int, x *autograd.Value) {
		out[fmt.Sprintf("vision.stage%d.hidden.%d", stage, block)] = x
	}))
	if ids == nil {
		return out
	}
	out.Mask(t, "encoder", in["attention_mask"])
	seen, lens := m.encode(t, &nn.Pass{Tap: out.Tap("encoder")}, ids, out["projector"])
	out["encoder_last_hidden_state"] = seen
	known := make([][]int32, len(ids))
	for i := range known {
		known[i] = []int32{m.Config.Text.Start}
	}
	if d := in["decoder_input_ids"]; d != nil {
		known = model.Inputs{"input_ids": d}.Texts()
	}
	out["logits"] = m.Text.Logits(m.Text.Decode(t, &nn.Pass{Tap: out.Tap("decoder")}, known, seen, lens))
	return out
}

// encode reads prompts, in which the pieces of pictures stand for the rows of seen, in order. It returns the lengths, too.
func (m *Model) encode(t *autograd.Tape, p *nn.Pass, ids [][]int32, seen *autograd.Value) (*autograd.Value, []int) {
	var refs []ops.Ref
	lens, next := nn.Lengths(ids), int32(0)
	for _, text := range ids {
		for _, id := range text {
			if id == m.Config.Image {
				refs = append(refs, ops.Ref{Table: 1, Row: next})
				next++
			} else {
				refs = append(refs, ops.Ref{Row: id})
			}
		}
	}
	return m.Text.Encode(p, ops.Gather(t, refs, t.Use(m.Text.Words), seen), lens), lens
}
