package model

import (
	"strings"

	"fovea/imageproc"
)

// Matcher is the Runner of networks that place pictures and texts in one space: their outputs image_embeds [B, E] and
// text_embeds [N, E] are unit vectors, and Scale times the dot product is the logit of a text for a picture.
type Matcher struct {
	Worker
	Net   Network
	Scale float32
	// Template is what a label is put into before it is read, at {}.
	Template string

	known map[string][]float32 // vectors of labels
}

// Template is the sentence that the reference's pipeline of zero-shot recognition has.
const Template = "This is a photo of {}."

// NewMatcher makes a runner of one goroutine.
func NewMatcher(net Network, threads int, scale float32) *Matcher {
	return &Matcher{Worker: NewWorker(threads), Net: net, Scale: scale, Template: Template, known: map[string][]float32{}}
}

// Encode implements Runner.
func (m *Matcher) Encode(img *imageproc.RGB) (View, error) {
	out, err := m.Run(m.Net, Sample{Pictures: []*imageproc.RGB{img}})
	if err != nil {
		return nil, err
	}
	return &matched{m: m, vector: out.Copy("image_embeds"), sentence: m.Template}, nil
}

// TextVector implements Runner.
func (m *Matcher) TextVector(text string) []float32 {
	out, err := m.Run(m.Net, Sample{Texts: []string{text}})
	if err != nil {
		return nil
	}
	return out.Copy("text_embeds")
}

// maxKnown bounds the labels whose vectors are kept for the next picture.
const maxKnown = 1 << 14

// LabelVector is the vector of a label in the sentence of Template, see SentenceVector.
func (m *Matcher) LabelVector(label string) []float32 { return m.SentenceVector(m.Template, label) }

// SentenceVector is the vector of a label that is put into a sentence at {}; it is remembered for the next picture.
func (m *Matcher) SentenceVector(sentence, label string) []float32 {
	text := strings.ReplaceAll(sentence, "{}", label)
	v, ok := m.known[text]
	if !ok {
		if len(m.known) >= maxKnown {
			clear(m.known)
		}
		v = m.TextVector(text)
		m.known[text] = v
	}
	return v
}

// Reader is a View that puts labels into a sentence, at {}, before it reads them.
type Reader interface {
	View
	// Sentence sets it for the next Classify of this view.
	Sentence(sentence string)
}

type matched struct {
	Nothing
	m        *Matcher
	vector   []float32
	sentence string
}

// Sentence implements Reader.
func (v *matched) Sentence(s string) { v.sentence = s }

// Classify weighs labels by how well their sentences fit the picture.
func (v *matched) Classify(labels []string) []Class {
	logits := make([]float32, len(labels))
	for i, l := range labels {
		for j, x := range v.m.SentenceVector(v.sentence, l) {
			logits[i] += v.m.Scale * x * v.vector[j]
		}
	}
	return Weigh(labels, logits)
}

// Vector implements View.
func (v *matched) Vector() []float32 { return v.vector }
