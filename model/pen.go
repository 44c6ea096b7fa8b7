package model

import (
	"context"
	"math"

	"fovea/generate"
)

// Pen is what views that write have in common, the part of Writer besides View: how they are told to, and what went wrong. Views
// embed it.
type Pen struct {
	ctx     context.Context
	writing Writing
	err     error
	noJSON  error
}

// NewPen makes a pen that writes in the model's own way. noJSON is what is said about a schema that answers are to follow, nil when
// they can.
func NewPen(noJSON error) Pen { return Pen{ctx: context.Background(), noJSON: noJSON} }

// Write implements Writer.
func (p *Pen) Write(ctx context.Context, w Writing) {
	if p.ctx, p.writing, p.err = ctx, w, nil; w.Schema != nil {
		p.err = p.noJSON
	}
}

// Err implements Writer.
func (p *Pen) Err() error { return p.err }

// Writing is how somebody wants texts to be written.
func (p *Pen) Writing() Writing { return p.writing }

// Before is a text up to where the writing wants it to end.
func (p *Pen) Before(text string) string { return generate.Before(text, p.writing.Stop) }

// Text has a decoder write a text by rules, which begins after the piece start. logProb is that of all of it: NaN when the logits
// were no numbers, and −∞ when the request has ended, which Err tells.
func (p *Pen) Text(d generate.Decoder, start int32, rules generate.Config) (ids []int32, logProb float64) {
	first, err := d.Step([]int32{start})
	if err == nil {
		ids, logProb, err = generate.Generate(p.ctx, d, first, rules)
	}
	switch end := p.ctx.Err(); {
	case err != nil && end != nil:
		p.err = end
		return ids, math.Inf(-1)
	case err != nil:
		return ids, math.NaN()
	}
	return ids, logProb
}
