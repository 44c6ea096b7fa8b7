package model

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"unicode/utf8"

	"fovea/autograd"
	"fovea/chat"
	"fovea/generate"
	"fovea/generate/grammar"
	"fovea/imageproc"
	"fovea/nn"
	"fovea/ops"
	"fovea/tokenizer"
)

// Sight is what a network has seen of the pictures of a prompt: rows of features in the places of the tokens that stand for
// them.
type Sight struct {
	Features []float32   // [M, D]
	Deep     [][]float32 // likewise, see nn.Prompt
	Grids    [][2]int    // rows and columns of each picture, in units of the family's choice
}

// Speaker is a Network that answers in words, which a causal decoder writes.
type Speaker interface {
	Network
	Voice() *Voice
	// Look sees pictures, which a prompt will show. The sight outlives the tape.
	Look(t *autograd.Tape, pictures []*imageproc.RGB) (*Sight, error)
	// Prompt asks about them, after what was said before, if anything was. Pictures that before does not show stand with the question.
	Prompt(s *Sight, before []chat.Message, question string) (*nn.Prompt, error)
}

// Voice is what writes for a Speaker.
type Voice struct {
	Decoder  *nn.Decoder
	Words    *tokenizer.Pipeline
	How      Generation
	Describe string // the question whose answer is a caption

	once   sync.Once
	pieces *grammar.Vocabulary // what its words add to a text, once somebody asked
	err    error
}

// vocabulary is what the grammar of an answer needs to know of the words.
func (v *Voice) vocabulary() (*grammar.Vocabulary, error) {
	v.once.Do(func() { v.pieces, v.err = grammar.NewVocabulary(v.Decoder.Config.Vocab, v.Words.Bytes) })
	return v.pieces, v.err
}

// maxAnswer is the longest answer in tokens when nothing else is said.
const maxAnswer = 256

// Voice makes the voice of a folder's model, whose captions answer the question describe. how holds what generation_config.json need
// not say. marks are pieces that the tokenizer must have, the last of which stands for pictures and is called image by config.json.
func (f *Folder) Voice(d *nn.Decoder, describe string, how Generation, image int32, marks ...string) (*Voice, error) {
	words, err := f.Tokenizer(d.Config.Vocab)
	if err != nil {
		return nil, err
	}
	for i, mark := range marks {
		if id, ok := words.Token(mark); !ok || i == len(marks)-1 && id != image {
			return nil, fmt.Errorf("model: the tokenizer has %q as %d; the token of pictures in config.json is %d", mark, id, image)
		}
	}
	v := &Voice{Decoder: d, Words: words, How: how, Describe: describe}
	if err := f.Generation(&v.How); err != nil {
		return nil, err
	}
	return v, v.How.Check(d.Config.Vocab)
}

// Question refuses what speaks to the model past its question: pieces that mark pictures and turns.
func (v *Voice) Question(question string) error {
	for _, a := range v.Words.Added() {
		if a.Special && a.Content != "" && strings.Contains(question, a.Content) {
			return fmt.Errorf("a question with %q, which is no word but a mark of the model's", a.Content)
		}
	}
	return nil
}

// Names are those of some labels that may be put into a question.
func (v *Voice) Names(labels []string) []string {
	var names []string
	for _, l := range labels {
		if v.Question(l) == nil {
			names = append(names, l)
		}
	}
	return names
}

// talkRunner is the Runner of a Speaker.
type talkRunner struct {
	Worker
	net  Speaker
	view func(v *Talk) View
	tell *nn.Teller
	seen *Sight // what the teller may hold a part of a prompt about
}

// NewTalker makes the Runner of a Speaker. view completes what is seen with the tasks that the family has besides answering;
// nil: it has none.
func NewTalker(net Speaker, threads int, view func(v *Talk) View) Runner {
	r := &talkRunner{Worker: NewWorker(threads), net: net, view: view}
	r.tell = nn.NewTeller(net.Voice().Decoder, r.Tape)
	return r
}

// Encode implements Runner.
func (r *talkRunner) Encode(img *imageproc.RGB) (View, error) {
	return r.EncodeAll([]*imageproc.RGB{img})
}

// EncodeAll implements Gatherer.
func (r *talkRunner) EncodeAll(pictures []*imageproc.RGB) (View, error) {
	r.tell.Forget()
	r.Tape.Reset()
	s, err := r.net.Look(r.Tape, pictures)
	if err != nil {
		return nil, err
	}
	return r.Resume(sighting{s, pictures[0].W, pictures[0].H}), nil
}

// sighting is a picture as a Speaker has seen it.
type sighting struct {
	sight *Sight
	w, h  int
}

// Keep detaches a view from its runner, for Resume of any runner of the model, and says how many bytes it holds.
func (r *talkRunner) Keep(v View) (any, int64) {
	t := v.(interface{ talk() *Talk }).talk()
	n := len(t.Sight.Features)
	for _, d := range t.Sight.Deep {
		n += len(d)
	}
	return sighting{t.Sight, t.W, t.H}, int64(4 * n)
}

// Resume makes a view of what Keep gave. What the runner has read about the same picture just before, it need not read again.
func (r *talkRunner) Resume(k any) View {
	p := k.(sighting)
	if r.seen != p.sight {
		r.tell.Forget()
		r.seen = p.sight
	}
	v := &Talk{Pen: NewPen(nil), r: r, Sight: p.sight, W: p.w, H: p.h}
	if r.view == nil {
		return v
	}
	return r.view(v)
}

// talk finds a Talk inside the view of a family.
func (v *Talk) talk() *Talk { return v }

// TextVector implements Runner.
func (r *talkRunner) TextVector(string) []float32 { return nil }

// Writer is a View that can be told how to write, and says what went wrong.
type Writer interface {
	View
	// Write sets how the next answers are written; the end of ctx ends them early.
	Write(ctx context.Context, w Writing)
	// Err is the first error of answers since then.
	Err() error
}

// Searcher is a View that can look for the likeliest text as a whole.
type Searcher interface {
	View
	// Search has the next texts found by following so many beginnings at once: 1 is the likeliest word after the likeliest, 0 what
	// the view thinks best. The end of ctx ends them early.
	Search(ctx context.Context, beams int)
}

// Talk is the View of a Speaker.
type Talk struct {
	Nothing
	Pen
	W, H  int    // of the picture, the first of several, pixels
	Sight *Sight // what was seen of them

	r *talkRunner
}

// Said is a text that was written.
type Said struct {
	IDs     []int32   // with the token that ended it
	Text    string    // without special pieces
	Prob    float64   // of all of it
	Chances []float64 // of each token, if they were asked for; nil after a search with several beams
}

// Weigh is Say with the chances of every token.
func (v *Talk) Weigh(question string) Said {
	v.r.tell.Weigh = true
	defer func() { v.r.tell.Weigh = false }()
	return v.Say(question, nil)
}

// Say answers a question. step, when not nil, receives the text so far after every token. An answer that failed is empty,
// with probability 0; see Err.
func (v *Talk) Say(question string, step func(text string)) Said {
	s, err := v.say(question, step)
	if err != nil {
		if v.err == nil {
			v.err = err
		}
		return Said{}
	}
	return s
}

func (v *Talk) say(question string, step func(text string)) (Said, error) {
	voice := v.r.net.Voice()
	before := v.writing.Before
	if n := chat.Pictures(before); n > len(v.Sight.Grids) {
		return Said{}, fmt.Errorf("model: the conversation shows %d pictures, and %d are given", n, len(v.Sight.Grids))
	}
	for _, m := range before {
		for _, p := range m.Parts {
			if err := voice.Question(p.Text); err != nil {
				return Said{}, err
			}
		}
	}
	prompt, err := v.r.net.Prompt(v.Sight, before, question)
	if err != nil {
		return Said{}, err
	}
	if len(prompt.IDs) >= voice.Decoder.Config.MaxLen {
		return Said{}, fmt.Errorf("model: a prompt of %d tokens leaves no place for an answer within %d (max_position_embeddings)", len(prompt.IDs), voice.Decoder.Config.MaxLen)
	}
	first, err := v.r.tell.Read(prompt)
	if err != nil {
		return Said{}, err
	}
	room := voice.Decoder.Config.MaxLen - len(prompt.IDs)
	limit := min(maxAnswer, room)
	if v.writing.Schema != nil {
		limit = room
	}
	c := voice.How.Rules(v.writing, limit)
	if v.writing.MaxTokens > maxAnswer {
		c.MaxTokens = min(v.writing.MaxTokens, room)
	}
	c.Prompt, c.Stop, c.Text = prompt.IDs, v.writing.Stop, v.words
	if s := v.writing.Schema; s != nil {
		words, err := voice.vocabulary()
		if err != nil {
			return Said{}, err
		}
		t, err := s.Text(words, c.MaxTokens, c.EOS)
		if err != nil {
			return Said{}, err
		}
		c.Allow = t.Allow
	}
	var ids []int32
	if step != nil {
		c.OnToken = func(id int32) error {
			ids = append(ids, id)
			if text := v.text(ids); text != "" && !strings.HasSuffix(text, string(utf8.RuneError)) {
				step(text)
			}
			return nil
		}
	}
	said, sum, err := generate.Generate(v.ctx, v.r.tell, first, c)
	if err != nil {
		return Said{}, err
	}
	s := Said{IDs: said, Text: v.text(said), Prob: math.Exp(max(sum, -700))} // above 0, however long it is
	if tell := v.r.tell; tell.Weigh {
		if c.Beams <= 1 && len(tell.Chances) < len(said) {
			tell.Chance(said[len(said)-1:])
		}
		if len(tell.Chances) == len(said) {
			s.Chances = append([]float64(nil), tell.Chances...)
		}
	}
	if step != nil {
		step(s.Text)
	}
	return s, nil
}

// text is what tokens say, up to where the writing wants it to end.
func (v *Talk) text(ids []int32) string {
	return strings.TrimSpace(v.Before(v.words(ids)))
}

func (v *Talk) words(ids []int32) string { return v.r.net.Voice().Words.Decode(ids, true) }

// Ask implements View.
func (v *Talk) Ask(questions []string, step func(string)) []Answer {
	out := make([]Answer, len(questions))
	for i, q := range questions {
		if i > 0 {
			step = nil
		}
		s := v.Say(q, step)
		out[i] = Answer{Question: q, Answer: s.Text, Score: s.Prob}
	}
	return out
}

// Caption implements View.
func (v *Talk) Caption(step func(string)) Caption {
	s := v.Say(v.r.net.Voice().Describe, step)
	return Caption{Text: s.Text, Score: s.Prob}
}

// lastPlaces is how many logits of each text a forward pass gives: those of all places of a long text would take much memory.
const lastPlaces = 16

// ReadTexts is the part of a Speaker's Run that reads input_ids, text after text; prompt is called for each in order. The
// outputs are text.hidden.N, text.norm and logits.last16, of the last 16 places of each text. Texts that the network cannot
// read give no outputs.
func ReadTexts(t *autograd.Tape, in Inputs, out Outputs, d *nn.Decoder, prompt func(ids []int32) *nn.Prompt) Outputs {
	hidden := map[string][]*autograd.Value{}
	for _, ids := range in.Texts() {
		p := prompt(ids)
		if p == nil || d.Fits(p) != nil {
			return out
		}
		one := Outputs{}
		h := d.Read(t, &nn.Pass{Tap: one.Tap("text")}, nn.NewKVCache(d.Config.Layers), p, 0, len(ids))
		one["text.norm"] = h
		one["logits.last16"] = d.Logits(ops.Slice(h, max(0, len(ids)-lastPlaces), len(ids)))
		for name, x := range one {
			hidden[name] = append(hidden[name], x)
		}
	}
	for name, parts := range hidden {
		if out[name] = parts[0]; len(parts) > 1 {
			out[name] = nn.Pile(parts)
		}
	}
	out.Mask(t, "text", in["attention_mask"])
	return out
}
