package fovea

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"fovea/annotation"
	"fovea/autograd"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/model"
	"fovea/nn"
	"fovea/task"
)

// Precision is how the weights of a model's matrices are held. "", the default, is BF16 for published models with more than
// 1 GiB of 16-bit weights, and F32 for all others.
type Precision string

const (
	F32  Precision = "f32"  // four bytes a weight
	BF16 Precision = "bf16" // two bytes; those of a file that has such are used where they are, mapped into memory
	Int8 Precision = "int8" // one byte, and a scale for each row
	Int4 Precision = "int4" // half a byte, and a scale for each 32, in what writes texts; elsewhere as Int8
)

// WithPrecision holds the weights of the model's matrices in fewer bytes; tables, convolutions and norms stay float32. With BF16,
// on processors that multiply bfloat16 faster, the program's own models round what convolutions and attention multiply to it, too.
// Answers change a little: see Drift.
func WithPrecision(p Precision) Option { return func(o *options) { o.precision = p } }

// check refuses precisions that there are not.
func (p Precision) check() error {
	if p != "" && !slices.Contains([]Precision{F32, BF16, Int8, Int4}, p) {
		return badInput("request.precision", fmt.Errorf("fovea: there is no precision %q; there are %s, %s, %s and %s", string(p), F32, BF16, Int8, Int4))
	}
	return nil
}

// lower holds a network's weights as the precision says.
func (p Precision) lower(net any) error {
	if p == "" || p == F32 {
		return nil
	}
	_, _, err := nn.Lower(net, string(p))
	return err
}

// Drifts says how far an output of a network is from that of float32 weights. The range of an output is from its least to its
// largest number, or from 0 to it when there is only one.
type Drifts struct {
	Output string  // as the reference implementation calls it: "logits"
	Worst  float64 // largest difference, as a share of the output's range
	Mean   float64 // square root of the mean squared difference, as a share of the output's range
}

// Drift opens a folder of a published family twice, with float32 weights and with those of a precision, runs both networks on
// a picture and compares their outputs. It also says how many bytes the lowered weights take, and took.
func Drift(ctx context.Context, name string, p Precision, img *imageproc.RGB) (out []Drifts, now, was int, err error) {
	if err := p.check(); err != nil {
		return nil, 0, 0, err
	}
	at, err := locate(name)
	if err != nil {
		return nil, 0, 0, err
	}
	net, err := openNetwork(at.dir, F32)
	if err == nil && net == nil {
		err = fmt.Errorf("it is of no published family, whose outputs could be looked at")
	}
	if err != nil {
		return nil, 0, 0, badInput("model.unreadable", fmt.Errorf("fovea: open model %q: %w", at.name, err))
	}
	in, err := anySample(net, img)
	if err != nil {
		return nil, 0, 0, badInput("image.shape", fmt.Errorf("fovea: %w", err))
	}
	want := outputs(net, in)
	if chosen := want["enc_topk_ind"]; chosen != nil { // scores of places are close: the same ones, or queries could not be compared
		in.Put("enc_topk_ind", chosen, 1, len(chosen))
	}
	if err := ctx.Err(); err != nil {
		return nil, 0, 0, err
	}
	if p != F32 && p != "" {
		if now, was, err = nn.Lower(net, string(p)); err != nil {
			return nil, 0, 0, err
		}
	}
	got := outputs(net, in)
	for name := range want {
		if len(got[name]) == len(want[name]) {
			out = append(out, drift(name, got[name], want[name]))
		}
	}
	slices.SortFunc(out, func(a, b Drifts) int { return strings.Compare(a.Output, b.Output) })
	return out, now, was, nil
}

// anySample is what a network takes of a picture, with texts and a box where it wants them. What matches pictures with texts
// gets several, for the logits of a single one have no range.
func anySample(net model.Network, img *imageproc.RGB) (in model.Inputs, err error) {
	pictures, texts := []*imageproc.RGB{img}, []string{"What is in the picture?"}
	if net.Card().Tasks.Has(task.Match) {
		texts = []string{"a photo of a cat", "a photo of a dog", "a red car"}
	}
	box := [][]annotation.Box{{{X1: float64(img.W), Y1: float64(img.H)}}}
	for _, s := range []model.Sample{{Pictures: pictures, Texts: texts, Boxes: box}, {Pictures: pictures, Texts: texts}, {Pictures: pictures}} {
		if in, err = net.Process(s); err == nil {
			break
		}
	}
	return in, err
}

// outputs are what a network says of its inputs, without the states on the way.
func outputs(net model.Network, in model.Inputs) map[string][]float32 {
	tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
	out, copies := net.Run(tape, in), map[string][]float32{}
	for name := range out {
		if !strings.Contains(name, ".") || strings.HasPrefix(name, "logits.") { // those of a text's last places
			copies[name] = out.Copy(name)
		}
	}
	return copies
}

func drift(name string, got, want []float32) Drifts {
	worst, squares, lo, hi := 0., 0., math.Inf(1), math.Inf(-1)
	for i, w := range want {
		d := math.Abs(float64(got[i]) - float64(w))
		worst, squares = max(worst, d), squares+d*d
		lo, hi = min(lo, float64(w)), max(hi, float64(w))
	}
	span := hi - lo
	if !(span > 0) { // a single number, or the same everywhere
		span = max(math.Abs(hi), 1e-12)
	}
	return Drifts{name, worst / span, math.Sqrt(squares/float64(max(len(want), 1))) / span}
}
