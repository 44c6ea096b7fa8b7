package nn

import (
	"math"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/ops"
)

// RMSNorm normalises the last axis (Zhang and Sennrich 2019).
type RMSNorm struct {
	Gain *autograd.Param `weight:"weight"` // [D]
	Plus float32         // is added to the gain
	Eps  float32
}

// BlankRMSNorm is a norm of blank parameters.
func BlankRMSNorm(d int, plus, eps float32) *RMSNorm {
	return &RMSNorm{Gain: Blank(autograd.Vector, d), Plus: plus, Eps: eps}
}

// Forward normalises x [..., n·D]; each run of D features is one row. A nil norm changes nothing.
func (n *RMSNorm) Forward(x *Value) *Value {
	if n == nil {
		return x
	}
	return ops.RMSNorm(x, x.Tape().Use(n.Gain), n.Plus, n.Eps)
}

// DecoderAttention is causal attention in which groups of heads share keys and values (Ainslie et al. 2023), with rotary
// positions.
type DecoderAttention struct {
	Q     Linear   `weight:"q"`
	K     Linear   `weight:"k"`
	V     Linear   `weight:"v"`
	O     Linear   `weight:"o"`
	QNorm *RMSNorm `weight:"q_norm"` // nil: none
	KNorm *RMSNorm `weight:"k_norm"`
}

// DecoderBlock is a pre-norm block: attention, then a gated feed-forward layer, each added to its input. With four norms,
// what each of them adds is normed too. Norms are numbered in order of use, and published by where they stand:
//
//	two:   x += attn(norm1(x))           x += mlp(norm2(x))
//	four:  x += norm2(attn(norm1(x)))    x += norm4(mlp(norm3(x)))
type DecoderBlock struct {
	Norm1 *RMSNorm          `weight:"norm1"`
	Attn  *DecoderAttention `weight:"attn"`
	Norm2 *RMSNorm          `weight:"norm2"`
	Norm3 *RMSNorm          `weight:"norm3"`
	MLP   FeedForward       `weight:"mlp"`
	Norm4 *RMSNorm          `weight:"norm4"`
}

// Decoder is a causal language model of the LLaMA kind (Touvron et al. 2023; Gemma, Gemma 2 and Qwen differ by switches of
// its configuration). It reads and writes; texts without a cache can be trained on (see Reading).
type Decoder struct {
	Config DecoderConfig
	Words  *autograd.Param `weight:"words"` // [V, D]
	Blocks []*DecoderBlock `weight:"encoder.blocks"`
	Norm   *RMSNorm        `weight:"norm"`
	Head   *Dense          `weight:"head"` // nil: the table of words

	rope   *RoPE
	narrow *ops.Narrow // in place of the data of Words, see Lower
}

// NewDecoder makes a blank decoder.
func NewDecoder(c DecoderConfig) (*Decoder, error) {
	if err := c.settle(); err != nil {
		return nil, err
	}
	rope, err := NewRoPE(c.rope(), c.HeadDim)
	if err != nil {
		return nil, err
	}
	act, _ := Activation(c.Act)
	plus := float32(0)
	if c.PlusOne {
		plus = 1
	}
	norm := func(d int, there bool) *RMSNorm {
		if !there {
			return nil
		}
		return BlankRMSNorm(d, plus, c.Eps)
	}
	d, kd := c.Width, c.HeadDim
	m := &Decoder{Config: c, Words: Blank(autograd.Table, c.Vocab, d), Norm: norm(d, true), rope: rope}
	for range c.Layers {
		m.Blocks = append(m.Blocks, &DecoderBlock{
			Norm1: norm(d, true), Norm2: norm(d, true), Norm3: norm(d, c.PostNorms), Norm4: norm(d, c.PostNorms),
			Attn: &DecoderAttention{
				Q: BlankDense(d, c.Heads*kd, c.Bias || c.QKVBias), K: BlankDense(d, c.KVHeads*kd, c.Bias || c.QKVBias), V: BlankDense(d, c.KVHeads*kd, c.Bias || c.QKVBias),
				O: BlankDense(c.Heads*kd, d, c.Bias), QNorm: norm(kd, c.QKNorm), KNorm: norm(kd, c.QKNorm),
			},
			MLP: &GatedMLP{Gate: BlankDense(d, c.Inner, c.MLPBias), Up: BlankDense(d, c.Inner, c.MLPBias), Down: BlankDense(c.Inner, d, c.MLPBias), Act: act},
		})
	}
	if !c.Tied {
		m.Head = BlankDense(d, c.Vocab, false)
	}
	return m, nil
}

// Embed makes rows of tokens. Those of id image are the rows of features [M, D], in their order; there must be M of them.
// Without features all tokens are words.
func (d *Decoder) Embed(t *autograd.Tape, ids []int32, image int32, features *Value) *Value {
	var words, mixed []ops.Ref
	for _, id := range ids {
		if features != nil && id == image {
			mixed = append(mixed, ops.Ref{Table: 1, Row: int32(len(mixed) - len(words))})
		} else {
			mixed = append(mixed, ops.Ref{Row: int32(len(words))})
			words = append(words, ops.Ref{Row: id})
		}
	}
	x := d.words(t, words)
	if features == nil {
		return x
	}
	return ops.Gather(t, mixed, x, features)
}

// words makes rows of words.
func (d *Decoder) words(t *autograd.Tape, rows []ops.Ref) (x *Value) {
	if d.narrow != nil {
		x = ops.NarrowGather(t, rows, d.narrow)
	} else {
		x = ops.Gather(t, rows, t.Use(d.Words))
	}
	if d.Config.Scaled {
		x = ops.Scale(x, float32(math.Sqrt(float64(d.Config.Width))))
	}
	return x
}

// Reading is new tokens of one or more texts.
type Reading struct {
	Texts  []*KVCache // what precedes; each grows by Lens[i] tokens. nil: nothing does, and the pass may be trained through
	Lens   []int
	Places []Place // of all new tokens, text after text
	Prefix int     // the first so many tokens of each text see each other both ways; they are read in one go
	// Prefixes says the same of each text by itself; nil: they have one Prefix.
	Prefixes []int
	// Deep[i] [len(DeepRows), D] is added to these of the new tokens after block i: features of a picture from several depths
	// of the network that saw it (DeepStack, Meng et al. 2024).
	Deep     [][]float32
	DeepRows []int

	memory *readingMemory // of one reading after the other, on a tape that does not train; nil: it is made anew
}

func (r *Reading) scratch() *readingMemory {
	if r.memory == nil {
		r.memory = &readingMemory{}
	}
	return r.memory
}

// grow appends the new tokens' keys and values [N, G·K] in a layer to their texts, and says what their queries look at. The runs are
// valid until the next call.
func (r *Reading) grow(layer int, k, v *Value, window int) []ops.Run {
	m, row, w := r.scratch(), 0, k.Shape.Last()
	m.runs, m.past = m.runs[:0], m.past[:0]
	for i, text := range r.Texts {
		to, first := row+r.Lens[i], len(m.past)
		text.add(layer, r.Lens[i], k.Data[row*w:to*w], v.Data[row*w:to*w])
		m.past = text.text(m.past, layer)
		m.runs = append(m.runs, ops.Run{Row: row, Rows: r.Lens[i], Text: m.past[first:], Prefix: r.prefix(i), Window: window})
		row = to
	}
	return m.runs
}

// read counts the new tokens, which all layers have seen, as the texts'.
func (r *Reading) read() {
	for i, text := range r.Texts {
		text.n += r.Lens[i]
	}
}

// prefix is how many tokens of a text see each other both ways.
func (r *Reading) prefix(i int) int {
	if r.Prefixes != nil {
		return r.Prefixes[i]
	}
	return r.Prefix
}

// readingMemory is what a reading needs besides its tape.
type readingMemory struct {
	lens   []int
	places []Place
	words  []ops.Ref
	runs   []ops.Run
	past   []ops.Past
	rot    ops.Rotation
}

// whole are the runs of texts that nothing precedes.
func (r *Reading) whole(window int) []ops.Run {
	runs, row := make([]ops.Run, len(r.Lens)), 0
	for i, n := range r.Lens {
		runs[i] = ops.Run{Row: row, Rows: n, Prefix: r.prefix(i), Window: window}
		row += n
	}
	return runs
}

// enter is what block i receives of x, the output of the one before.
func (r *Reading) enter(i int, x *Value) *Value {
	if i == 0 || i > len(r.Deep) || len(r.DeepRows) == 0 {
		return x
	}
	t, w := x.Tape(), x.Shape.Last()
	y := t.New(false, x.Shape...)
	copy(y.Data, x.Data)
	for j, row := range r.DeepRows {
		kernel.AddTo(y.Data[row*w:(row+1)*w], r.Deep[i-1][j*w:(j+1)*w])
	}
	return y
}

// Forward reads tokens, whose embeddings are the rows of x [N, D], text after text, and gives their hidden states after the
// last norm. The memory that it takes beyond its result and the caches is that of one block; with a Tap, of all of them.
func (d *Decoder) Forward(p *Pass, x *Value, r Reading) *Value {
	t, rot := x.Tape(), &r.scratch().rot
	d.rope.at(rot, r.Places)
	keep := t.New(false, x.Shape.Rows(), d.Config.Width)
	for i, b := range d.Blocks {
		mark := t.Mark()
		y := d.block(i, b, r.enter(i, p.tap(i, x)), rot, &r)
		if p.Tap != nil || t.Train {
			x = y
			continue
		}
		copy(keep.Data, y.Data)
		t.Release(mark)
		x = keep
	}
	r.read()
	return d.Norm.Forward(r.enter(len(d.Blocks), p.tap(len(d.Blocks), x)))
}

func (d *Decoder) block(i int, b *DecoderBlock, x *Value, rot *ops.Rotation, r *Reading) *Value {
	a, before := d.attend(i, b.Attn, b.Norm1.Forward(x), rot, r), b.Norm2
	if b.Norm3 != nil {
		a, before = b.Norm2.Forward(a), b.Norm3
	}
	return byRows(ops.Add(x, a), func(x *Value) *Value {
		return ops.Add(x, b.Norm4.Forward(b.MLP.Forward(nil, before.Forward(x))))
	})
}

func (d *Decoder) attend(i int, a *DecoderAttention, x *Value, rot *ops.Rotation, r *Reading) *Value {
	c := &d.Config
	maps := together(x, a.Q, a.K, a.V)
	q, k, v := ops.Rotate(a.QNorm.Forward(maps[0]), c.Heads, rot), ops.Rotate(a.KNorm.Forward(maps[1]), c.KVHeads, rot), maps[2]
	scale := c.QueryScalar
	if scale == 0 {
		scale = float64(c.HeadDim)
	}
	if r.Texts == nil {
		return a.O.Forward(ops.TextAttention(q, k, v, c.Heads, c.KVHeads, ops.RootScale(scale), c.ScoreLimit, r.whole(c.window(i))))
	}
	return a.O.Forward(ops.CachedAttention(q, c.Heads, c.KVHeads, ops.RootScale(scale), c.ScoreLimit, r.grow(i, k, v, c.window(i))))
}

// Logits reads the next token off hidden states [N, D]: [N, V].
func (d *Decoder) Logits(h *Value) *Value {
	var y *Value
	switch {
	case d.Head != nil:
		y = d.Head.Forward(h)
	case d.narrow != nil:
		y = ops.NarrowLinear(h, d.narrow, nil)
	default:
		y = ops.Linear(h, h.Tape().Use(d.Words), nil)
	}
	if l := d.Config.LogitLimit; l > 0 && y.Wanted() {
		return ops.Scale(ops.Tanh(ops.Scale(y, 1/l)), l)
	} else if l > 0 {
		kernel.Scale(y.Data, 1/l)
		kernel.Tanh(y.Data, y.Data)
		kernel.Scale(y.Data, l)
	}
	return y
}

// rowsAtOnce bounds the memory of layers that work row by row.
const rowsAtOnce = 256

// byRows applies f, which keeps the width, to some rows of x after the others.
func byRows(x *Value, f func(x *Value) *Value) *Value {
	t, n, d := x.Tape(), x.Shape.Rows(), x.Shape.Last()
	if n <= rowsAtOnce || t.Train {
		return f(x)
	}
	y := t.New(false, n, d)
	for from := 0; from < n; from += rowsAtOnce {
		to := min(from+rowsAtOnce, n)
		mark := t.Mark()
		copy(y.Data[from*d:to*d], f(ops.Slice(x, from, to)).Data)
		t.Release(mark)
	}
	return y
}
