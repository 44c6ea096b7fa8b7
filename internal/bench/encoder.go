package bench

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/internal/kernel"
	"fovea/nn"
	"fovea/ops"
)

// Encoder is a plain pre-norm vision transformer whose answers are timed: pictures [B, 3, 16·gh, 16·gw] to final states
// [B·N, D].
type Encoder struct {
	Patch *nn.Dense       `weight:"patch"` // of 16 × 16 pixels, channel by channel
	Class *autograd.Param `weight:"cls"`   // [D]; nil: no class token
	Pos   *autograd.Param `weight:"pos"`   // [N, D]
	Stack *nn.Stack       `weight:""`

	shape  encoderShape
	pool   *kernel.Pool
	tape   *autograd.Tape
	pixels map[int][]float32 // by batch
}

type encoderShape struct {
	width, layers, heads, gridH, gridW int
	class                              bool
}

var encoders = map[string]encoderShape{
	"vit_b16":      {768, 12, 12, 14, 14, true},
	"vit_tiny":     {192, 12, 3, 14, 14, true},
	"vit_small320": {256, 8, 4, 16, 20, false},
}

// EncoderCases lists the cases that NewEncoder knows.
func EncoderCases() []string { return slices.Sorted(maps.Keys(encoders)) }

func (s encoderShape) patches() int { return s.gridH * s.gridW }

func (s encoderShape) tokens() int {
	if s.class {
		return s.patches() + 1
	}
	return s.patches()
}

// maxEncoderBatch bounds the pictures of one pass.
const maxEncoderBatch = 256

// NewEncoder builds a case with weights from a safetensors file whose names are patch, cls, pos, norm and, of each block,
// n1, qkv, o, n2, f1 and f2; from "" they are drawn. The precision is f32, bf16 or int8: of weights and, in products, of
// activations.
func NewEncoder(name, file, precision string, threads int) (*Encoder, error) {
	s, ok := encoders[name]
	if !ok {
		return nil, fmt.Errorf("bench: unknown case %q; there are %v", name, EncoderCases())
	}
	rng := rand.New(rand.NewPCG(0, 0))
	e := &Encoder{Patch: nn.NewDense(rng, 768, s.width, true), Pos: autograd.NewParam(autograd.Table, s.tokens(), s.width), Stack: &nn.Stack{Norm: nn.NewLayerNorm(s.width, true)}, shape: s, pixels: map[int][]float32{}}
	nn.Normal(rng, e.Pos, .02)
	if s.class {
		e.Class = autograd.NewParam(autograd.Table, s.width)
	}
	e.Stack.Norm.Eps = 1e-6
	for range s.layers {
		b := nn.NewBlock(rng, nn.BlockConfig{Width: s.width, Heads: s.heads, MLPRatio: 4, Bias: true})
		b.Norm1.Eps, b.Norm2.Eps = 1e-6, 1e-6
		b.MLP.(*nn.MLP).Act = ops.GELUExact
		e.Stack.Blocks = append(e.Stack.Blocks, b)
	}
	if file != "" {
		if err := e.load(file); err != nil {
			return nil, err
		}
	}
	if precision != "f32" {
		if _, _, err := nn.Lower(e, precision); err != nil {
			return nil, err
		}
	}
	nn.Fix(nn.Params(e))
	if threads > 1 {
		e.pool = kernel.NewPool(threads)
	}
	work := kernel.NewWork(e.pool)
	if precision != "f32" && MultipliesBF16() {
		work.RoundBF16() // in attention too, which has no weights
	}
	e.tape = autograd.NewTape(work, 0, false)
	return e, nil
}

// load reads the weights; queries, keys and values are rows of one tensor there.
func (e *Encoder) load(path string) error {
	f, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	var errs []error
	get := func(name string, parts ...*autograd.Param) {
		t, err := f.Tensor(name)
		if err != nil {
			errs = append(errs, err)
			return
		}
		want := 0
		for _, p := range parts {
			want += len(p.Data)
		}
		if t.Shape.Size() != want {
			errs = append(errs, fmt.Errorf("bench: %s has shape %v, want %d elements", name, t.Shape, want))
			return
		}
		all := make([]float32, want)
		errs = append(errs, t.Float32(all))
		for _, p := range parts {
			all = all[copy(p.Data, all):]
		}
	}
	linear := func(name string, ls ...nn.Linear) {
		var w, b []*autograd.Param
		for _, l := range ls {
			w, b = append(w, l.(*nn.Dense).Weight), append(b, l.(*nn.Dense).Bias)
		}
		get(name+".weight", w...)
		get(name+".bias", b...)
	}
	norm := func(name string, n *nn.LayerNorm) {
		get(name+".weight", n.Gain)
		get(name+".bias", n.Bias)
	}
	linear("patch", e.Patch)
	get("pos", e.Pos)
	if e.Class != nil {
		get("cls", e.Class)
	}
	for i, b := range e.Stack.Blocks {
		p, m := fmt.Sprintf("blocks.%d.", i), b.MLP.(*nn.MLP)
		norm(p+"n1", b.Norm1)
		linear(p+"qkv", b.Attn.Q, b.Attn.K, b.Attn.V)
		linear(p+"o", b.Attn.O)
		norm(p+"n2", b.Norm2)
		linear(p+"f1", m.Up)
		linear(p+"f2", m.Down)
	}
	norm("norm", e.Stack.Norm)
	return errors.Join(append(errs, f.Close())...)
}

// GFLOP is what the matrix products of a pass over so many pictures take.
func (e *Encoder) GFLOP(batch int) float64 {
	s, n := e.shape, e.shape.tokens()
	return 1e-9 * float64(batch) * (2*float64(s.patches()*768*s.width) + blockFLOP(n, s.width, s.layers, 4, n*n))
}

// Close ends the threads.
func (e *Encoder) Close() { e.pool.Close() }

// Pixels are the same random pictures at every call, [batch, 3, 16·gh, 16·gw].
func (e *Encoder) Pixels(batch int) []float32 {
	if e.pixels[batch] == nil {
		e.pixels[batch] = noise(rand.New(rand.NewPCG(1, 1)), batch*e.shape.patches()*768, 1)
	}
	return e.pixels[batch]
}

// Run encodes pictures. The result is valid until the next Run.
func (e *Encoder) Run(pixels []float32, batch int) []float32 {
	s, t := e.shape, e.tape
	t.Reset()
	n, d := s.tokens(), s.width
	y := t.New(false, batch*n, d)
	if batch == 1 {
		e.embed(t, y, pixels)
	} else {
		t.Side(batch, func(side *autograd.Tape, i int) {
			e.embed(side, side.Rows(y, i*n, (i+1)*n), pixels[i*s.patches()*768:])
		})
	}
	return e.Stack.Forward(&nn.Pass{Layout: &ops.Layout{Images: batch, Patches: n}}, y).Data
}

// encoderError is the mean error of e's states of one picture over the standard deviation of what the same encoder gives in float32.
func encoderError(e *Encoder, name, file, precision string) (float64, error) {
	if precision == "f32" {
		return 0, nil
	}
	exact, err := NewEncoder(name, file, "f32", 1)
	if err != nil {
		return 0, err
	}
	defer exact.Close()
	want := exact.Run(exact.Pixels(1), 1)
	var off, sum, squares float64
	for i, v := range e.Run(e.Pixels(1), 1) {
		w := float64(want[i])
		off, sum, squares = off+math.Abs(float64(v)-w), sum+w, squares+w*w
	}
	n := float64(len(want))
	return off / n / math.Sqrt(squares/n-sum/n*sum/n), nil
}

// embed sets x to what enters the first block for one picture.
func (e *Encoder) embed(t *autograd.Tape, x *autograd.Value, pixels []float32) {
	s := e.shape
	rows := t.New(false, s.patches(), 768)
	t.Work.Split(s.gridH, func(from, to int) { unfold(rows.Data, pixels, s.gridH, s.gridW, from, to) })
	patches := e.Patch.Forward(rows)
	out := x.Data
	if e.Class != nil {
		copy(out, e.Class.Data)
		out = out[s.width:]
	}
	copy(out, patches.Data)
	ops.AddInto(x, x, t.Use(e.Pos))
}

// unfold writes the pixels of every patch of rows [from, to) of the grid into a row, channel by channel, line by line.
func unfold(rows, pixels []float32, gridH, gridW, from, to int) {
	w := 16 * gridW
	for y := from; y < to; y++ {
		for x := range gridW {
			row := rows[(y*gridW+x)*768:]
			for line := range 3 * 16 { // lines of the patch, 16 a channel
				c, j := line/16, line%16
				copy(row[line*16:line*16+16], pixels[(c*16*gridH+16*y+j)*w+16*x:])
			}
		}
	}
}
