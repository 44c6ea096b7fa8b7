package model

import (
	"fmt"
	"slices"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/nn"
	"fovea/ops"
	"fovea/task"
)

// Lesson is something that a network is to learn of a picture.
type Lesson struct {
	Task     task.Task // Ask, Caption or Match
	Picture  *imageproc.RGB
	ID       string // of the picture
	Question string // of Ask
	Answer   string // to the question, or the caption
}

// Learner is a Network that can be trained on.
type Learner interface {
	Network
	// Teaches are the tasks that lessons may be of: those that are answered in words, or Match.
	Teaches() task.Set
	// Prepare makes a lesson ready. It does not look at weights, so that it may run ahead of the training.
	Prepare(l Lesson) (*Prepared, error)
	// Loss is the mean loss of lessons, [1]. What is given, the picture and the question, is not learnt.
	Loss(t *autograd.Tape, batch []*Prepared) *autograd.Value
}

// Prepared is a lesson as its network takes it.
type Prepared struct {
	Inputs         // of Process, for one picture
	Prompt []int32 // what the answer goes on from, the places of the picture among it
	Answer []int32 // what is to be written after it, the token that ends it included
	ID     string  // of the picture
}

// Prepare has a network process a lesson's picture and a prompt, to which answer is to be written.
func Prepare(net Network, l Lesson, prompt string, answer []int32) (*Prepared, error) {
	in, err := net.Process(Sample{Pictures: []*imageproc.RGB{l.Picture}, Texts: []string{prompt}})
	if err != nil {
		return nil, err
	}
	return &Prepared{Inputs: in, Prompt: in.Texts()[0], Answer: answer, ID: l.ID}, nil
}

// Batched piles an input of several lessons up along its first axis. All are of one shape from the second one on, which inputs of
// one network are unless it takes pictures in their own shape.
func Batched(t *autograd.Tape, name string, batch []*Prepared) *autograd.Value {
	shape := slices.Clone(batch[0].Inputs[name].Shape)
	shape[0] = 0
	for _, p := range batch {
		shape[0] += p.Inputs[name].Shape[0]
	}
	x, at := t.New(false, shape...), 0
	for _, p := range batch {
		at += copy(x.Data[at:], p.Inputs[name].Data)
	}
	return x
}

// Ending is an answer in tokens, as a lesson wants it written after a prompt of n tokens, with the token that ends texts.
func (v *Voice) Ending(n int, answer string) ([]int32, error) {
	if err := v.Question(answer); err != nil {
		return nil, fmt.Errorf("model: an answer like %w", err)
	}
	if len(v.How.EOS) == 0 {
		return nil, fmt.Errorf("model: generation_config.json names no eos_token_id that an answer could end with")
	}
	ids := v.Words.Encode(answer)
	return v.Room(n, append(ids, v.How.EOS[0]))
}

// Room cuts an answer that goes on from n tokens to what the decoder can read.
func (v *Voice) Room(n int, answer []int32) ([]int32, error) {
	room := v.Decoder.Config.MaxLen + 1 - n // the last token is written, but not read
	if room < 2 {
		return nil, fmt.Errorf("model: a prompt of %d tokens leaves no place for an answer within %d (max_position_embeddings)", n, v.Decoder.Config.MaxLen)
	}
	return Cut(answer, room), nil
}

// Loss is the mean cross-entropy of the answers' tokens after their prompts, [1]. features are the rows that stand in the places
// of the token image, lesson after lesson. place is that of a text's first token. With prefix, tokens of a prompt see each other
// both ways.
func (v *Voice) Loss(features *autograd.Value, image int32, batch []*Prepared, place int, prefix bool) *autograd.Value {
	var ids, targets []int32
	var rows []ops.Ref
	t, r := features.Tape(), nn.Reading{}
	for _, p := range batch {
		last := len(ids) + len(p.Prompt) - 1
		ids = append(append(ids, p.Prompt...), p.Answer[:len(p.Answer)-1]...)
		for i, id := range p.Answer {
			rows, targets = append(rows, ops.Ref{Row: int32(last + i)}), append(targets, id)
		}
		n := len(p.Prompt) + len(p.Answer) - 1
		r.Lens, r.Places, r.Prefixes = append(r.Lens, n), append(r.Places, nn.Line(place, n)...), append(r.Prefixes, 0)
		if prefix {
			r.Prefixes[len(r.Prefixes)-1] = len(p.Prompt)
		}
	}
	h := v.Decoder.Forward(&nn.Pass{}, v.Decoder.Embed(t, ids, image, features), r)
	return MeanLoss(v.Decoder.Logits(ops.Gather(t, rows, h)), targets)
}

// MeanLoss is the mean cross-entropy of logits [N, V], [1].
func MeanLoss(logits *autograd.Value, targets []int32) *autograd.Value {
	weight := make([]float32, len(targets))
	for i := range weight {
		weight[i] = 1 / float32(len(targets))
	}
	return ops.CrossEntropy(logits, targets, weight, 0)
}

// Pairs says which of a batch's texts fit which pictures, row by row: their own, and those that are of the same picture or say
// the same.
func Pairs(batch []*Prepared) []bool {
	out := make([]bool, 0, len(batch)*len(batch))
	for i, a := range batch {
		for j, b := range batch {
			out = append(out, i == j || a.ID != "" && a.ID == b.ID || slices.Equal(a.Prompt, b.Prompt))
		}
	}
	return out
}
