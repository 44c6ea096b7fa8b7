package model

import (
	"fmt"

	"fovea/annotation"
	"fovea/autograd"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/tensor"
	"fovea/tokenizer"
)

// Sample is what a network can be given.
type Sample struct {
	Pictures []*imageproc.RGB
	Texts    []string
	Boxes    [][]annotation.Box // for each picture, pixels; of those networks that look at boxes
}

// Inputs are the tensors that the reference's class is called with, by its names. Pictures are channels last, [B, H, W, 3];
// numbers of pieces are held as floats.
type Inputs map[string]*tensor.Tensor

// Put stores values under a name; there must be as many as the shape holds.
func (in Inputs) Put(name string, data []float32, shape ...int) {
	t, err := tensor.From(data, shape...)
	if err != nil {
		panic(&tensor.ShapeError{Op: name, Args: []tensor.Shape{{len(data)}, shape}, Want: "as many values as the shape holds"})
	}
	in[name] = t
}

// Value brings an input onto the tape, nil when it is not there.
func (in Inputs) Value(t *autograd.Tape, name string) *autograd.Value {
	x := in[name]
	if x == nil {
		return nil
	}
	return t.Input(x.Data, x.Shape...)
}

// Cut shortens a text to n ids; its last one, which ends it, stays.
func Cut(ids []int32, n int) []int32 {
	if len(ids) <= n {
		return ids
	}
	return append(ids[:n-1:n-1], ids[len(ids)-1])
}

// PutTexts stores texts of any lengths as input_ids [N, L], filled up with pad to the longest and at least to l, and their
// attention_mask.
func (in Inputs) PutTexts(ids [][]int32, pad int32, l int) {
	for _, text := range ids {
		l = max(l, len(text))
	}
	rows, mask := make([]float32, 0, len(ids)*l), make([]float32, 0, len(ids)*l)
	for _, text := range ids {
		for i := range l {
			if i < len(text) {
				rows, mask = append(rows, float32(text[i])), append(mask, 1)
			} else {
				rows, mask = append(rows, float32(pad)), append(mask, 0)
			}
		}
	}
	in.Put("input_ids", rows, len(ids), l)
	in.Put("attention_mask", mask, len(ids), l)
}

// PutWords stores texts, if there are any, as PutTexts does, with the pieces that the tokenizer puts around each, cut to most ids.
func (in Inputs) PutWords(texts []string, words tokenizer.Tokenizer, most int, pad int32, l int) {
	if texts == nil {
		return
	}
	ids := make([][]int32, len(texts))
	for i, text := range texts {
		ids[i] = Cut(words.EncodeSpecial(text), most)
	}
	in.PutTexts(ids, pad, l)
}

// Texts are the rows of input_ids as far as attention_mask goes; without one, all of them.
func (in Inputs) Texts() [][]int32 {
	x, mask := in["input_ids"], in["attention_mask"]
	if x == nil {
		return nil
	}
	out := make([][]int32, x.Shape[0])
	for i := range out {
		for j := i * x.Shape[1]; j < (i+1)*x.Shape[1]; j++ {
			if mask == nil || mask.Data[j] != 0 {
				out[i] = append(out[i], int32(x.Data[j]))
			}
		}
	}
	return out
}

// Shares are how many pictures belong to each of the texts of a sample: as many to one as to another.
func (s *Sample) Shares() (int, error) {
	if len(s.Texts) == 0 {
		return len(s.Pictures), nil
	}
	if len(s.Pictures)%len(s.Texts) != 0 {
		return 0, fmt.Errorf("model: %d pictures cannot be shared among %d texts", len(s.Pictures), len(s.Texts))
	}
	return len(s.Pictures) / len(s.Texts), nil
}

// IDs are those of the sample's texts: ids is called with each text and the grids of the share of pictures that belongs to it,
// none when there are no pictures.
func (s *Sample) IDs(grids [][2]int, share int, ids func(of [][2]int, text string) ([]int32, error)) ([][]int32, error) {
	out := make([][]int32, len(s.Texts))
	for i, text := range s.Texts {
		var of [][2]int
		if grids != nil {
			of = grids[i*share : (i+1)*share]
		}
		var err error
		if out[i], err = ids(of, text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// PutPictures prepares pictures as p says and stores them as pixel_values. Pictures of several sizes are filled up with
// zeros at the right and bottom, and pixel_mask says what is picture, for those classes that do so. check refuses sizes
// that the network cannot take.
func (in Inputs) PutPictures(p *imageproc.Processor, pictures []*imageproc.RGB, check func(h, w int) error) ([]imageproc.Geometry, error) {
	type picture struct {
		pixels []float32
		w, h   int
	}
	all, gs := make([]picture, len(pictures)), make([]imageproc.Geometry, len(pictures))
	w, h, even := 0, 0, true
	for i, img := range pictures {
		x, pw, ph, g, err := p.Apply(img)
		if err != nil {
			return nil, err
		}
		all[i], gs[i] = picture{x, pw, ph}, g
		even = even && (i == 0 || pw == w && ph == h)
		w, h = max(w, pw), max(h, ph)
	}
	if err := check(h, w); err != nil {
		return nil, err
	}
	pixels, mask := make([]float32, len(all)*h*w*3), make([]float32, len(all)*h*w)
	for i, a := range all {
		for y := range a.h {
			row := (i*h + y) * w
			copy(pixels[3*row:], a.pixels[3*y*a.w:3*(y+1)*a.w])
			for x := range a.w {
				mask[row+x] = 1
			}
		}
	}
	in.Put("pixel_values", pixels, len(all), h, w, 3)
	switch {
	case p.Longest > 0 || p.Class == "Vilt":
		in.Put("pixel_mask", mask, len(all), h, w)
	case !even:
		return nil, fmt.Errorf("model: a batch of pictures of several sizes")
	}
	return gs, nil
}

// Outputs are the values that a pass gives, by the reference's names. NAME.hidden.0 is the input of the first block of the
// encoder NAME and NAME.hidden.N the output of block N−1. Rows that the reference fills up are not there; when there can
// be such, NAME.mask says which of its rows are, 1 or 0 in the order of its first axes.
type Outputs map[string]*autograd.Value

// Tap records the hidden states of an encoder.
func (o Outputs) Tap(name string) func(i int, x *autograd.Value) *autograd.Value {
	return func(i int, x *autograd.Value) *autograd.Value {
		o[fmt.Sprintf("%s.hidden.%d", name, i)] = x
		return x
	}
}

// Mask records which rows of an encoder's states are there.
func (o Outputs) Mask(t *autograd.Tape, name string, mask *tensor.Tensor) {
	if mask != nil {
		o[name+".mask"] = t.Input(mask.Data, mask.Shape...)
	}
}

// Copy is an output's values, which outlive the tape.
func (o Outputs) Copy(name string) []float32 { return append([]float32(nil), o[name].Data...) }

// Worker is the working memory of a runner: a tape, and threads.
type Worker struct {
	Tape *autograd.Tape
	pool *kernel.Pool
}

// NewWorker makes the memory of one goroutine, whose matrix products are spread over so many threads.
func NewWorker(threads int) Worker {
	w := Worker{}
	if threads > 1 {
		w.pool = kernel.NewPool(threads)
	}
	w.Tape = autograd.NewTape(kernel.NewWork(w.pool), 0, false)
	return w
}

// Close ends the threads.
func (w *Worker) Close() { w.pool.Close() }

// Run resets the tape and runs a network on a sample.
func (w *Worker) Run(net Network, s Sample) (Outputs, error) {
	in, err := net.Process(s)
	if err != nil {
		return nil, err
	}
	w.Tape.Reset()
	return net.Run(w.Tape, in), nil
}
