package nn

import (
	"math/rand/v2"

	"fovea/autograd"
	"fovea/ops"
)

// Attention is multi-head attention (Vaswani et al. 2017) over a sequence of image and text tokens.
type Attention struct {
	Q     Linear     `weight:"q"`
	K     Linear     `weight:"k"`
	V     Linear     `weight:"v"`
	O     Linear     `weight:"o"`
	QNorm *LayerNorm `weight:"q_norm,optional"` // over each head's K features; steadies training (Henry et al. 2020)
	KNorm *LayerNorm `weight:"k_norm,optional"`
	Heads int
}

// Pass is what one forward pass through a stack shares between its layers.
type Pass struct {
	Layout *ops.Layout
	Cache  *ImageCache // nil: the image tokens are among the rows
	// Keep, when set, collects the image tokens' keys and values of every layer for later prompts.
	Keep *ImageCache
	// Tap, when set, sees the input of every block i and, as number i = len(Blocks), the output of the last one. What it
	// returns goes on in its place.
	Tap func(i int, x *Value) *Value
	// Reading, when set, has the rows be new tokens of texts that go on, in place of Layout and Cache; it is not trained through.
	Reading *Reading
	// Experts, for networks with several feed-forward layers to choose from, is the choice for each picture.
	Experts []int

	layer int
}

// ImageCache holds the keys and values of one batch of pictures, layer by layer: a picture is encoded once and asked
// many times.
type ImageCache struct {
	Layers []ops.Memory
}

// Bytes is the memory that the cache holds.
func (c *ImageCache) Bytes() int {
	n := 0
	for _, l := range c.Layers {
		n += 4 * (len(l.K) + len(l.V))
	}
	return n
}

// Cross attends from x [N, D] to other rows y [M, D], as the spans say.
func (a *Attention) Cross(x, y *Value, spans []ops.Span) *Value { return a.From(x, y, y, spans) }

// From attends with queries, keys and values from three places: q is [N, D], k and v are [M, D].
func (a *Attention) From(q, k, v *Value, spans []ops.Span) *Value {
	return a.O.Forward(ops.CrossAttention(a.Q.Forward(q), a.K.Forward(k), a.V.Forward(v), a.Heads, spans))
}

// Forward attends within x [N, D] as the pass's layout allows.
func (a *Attention) Forward(p *Pass, x *Value) *Value { return a.O.Forward(a.attend(p, x)) }

// attend is Forward without the last map.
func (a *Attention) attend(p *Pass, x *Value) *Value {
	q, k, v := a.Q.Forward(x), a.K.Forward(x), a.V.Forward(x)
	if a.QNorm != nil {
		q, k = a.QNorm.Forward(q), a.KNorm.Forward(k)
	}
	if p.Reading != nil {
		return ops.CachedAttention(q, a.Heads, a.Heads, ops.RootScale(float64(k.Shape.Last()/a.Heads)), 0, p.Reading.grow(p.layer, k, v, 0))
	}
	var mem *ops.Memory
	if p.Cache != nil {
		mem = &p.Cache.Layers[p.layer]
	}
	p.keep(k, v)
	return ops.Attention(q, k, v, a.Heads, p.Layout, mem)
}

// keep collects the image tokens' keys and values where they are wanted.
func (p *Pass) keep(k, v *Value) {
	if p.Keep != nil {
		n := p.Layout.Images * p.Layout.Patches * k.Shape.Last()
		p.Keep.Layers = append(p.Keep.Layers, ops.Memory{K: append([]float32(nil), k.Data[:n]...), V: append([]float32(nil), v.Data[:n]...)})
	}
}

// Block is a pre-norm transformer block over x [N, D]: attention, then feed-forward, each added to its input.
type Block struct {
	Norm1  *LayerNorm  `weight:"norm1"`
	Attn   *Attention  `weight:"attn"`
	Scale1 *Scale      `weight:"scale1"` // nil: none
	Norm2  *LayerNorm  `weight:"norm2"`
	MLP    FeedForward `weight:"mlp"`
	Scale2 *Scale      `weight:"scale2"` // nil: none
}

// BlockConfig sizes a block.
type BlockConfig struct {
	Width, Heads, MLPRatio int
	Inner                  int  // units of the feed-forward layer; 0: MLPRatio·Width
	QKNorm                 bool // norm queries and keys head by head
	Bias                   bool // biases in norms and attention maps too, as a plain ViT has them
}

// NewBlock makes a block whose two branches start at zero, so that a new stack passes its input through.
func NewBlock(rng *rand.Rand, c BlockConfig) *Block {
	d, inner := c.Width, c.Inner
	if inner == 0 {
		inner = c.MLPRatio * d
	}
	at := &Attention{
		Q: NewDense(rng, d, d, c.Bias), K: NewDense(rng, d, d, c.Bias), V: NewDense(rng, d, d, c.Bias), O: zeroed(NewDense(rng, d, d, c.Bias)),
		Heads: c.Heads,
	}
	if c.QKNorm {
		at.QNorm, at.KNorm = NewLayerNorm(d/c.Heads, false), NewLayerNorm(d/c.Heads, false)
	}
	return &Block{
		Norm1: NewLayerNorm(d, c.Bias), Attn: at, Norm2: NewLayerNorm(d, c.Bias),
		MLP: &MLP{Up: NewDense(rng, d, inner, true), Down: zeroed(NewDense(rng, inner, d, true))},
	}
}

func zeroed(d *Dense) *Dense {
	clear(d.Weight.Data)
	return d
}

// Forward runs the block.
func (b *Block) Forward(p *Pass, x *Value) *Value {
	if t := x.Tape(); !t.Train {
		return b.answer(t, p, x)
	}
	x = shortcut(x, b.Attn.O, b.Scale1, b.Attn.attend(p, b.Norm1.Forward(x)))
	switch m := b.MLP.(type) {
	case *MLP:
		if y := m.short(x, b.Norm2, b.Scale2); y != nil {
			return y
		}
		return shortcut(x, m.Down, b.Scale2, m.Hidden(b.Norm2.Forward(x)))
	default:
		return ops.Add(x, b.Scale2.Forward(m.Forward(p, b.Norm2.Forward(x))))
	}
}

// shortcut returns x + s(l(h)).
func shortcut(x *Value, l Linear, s *Scale, h *Value) *Value {
	if d, ok := l.(*Dense); ok && d.narrow == nil && s == nil {
		t := x.Tape()
		return ops.LinearAdd(x, h, t.Use(d.Weight), use(t, d.Bias))
	}
	return ops.Add(x, s.Forward(l.Forward(h)))
}

// short returns x + m(norm(x)) as one operation, where the layer is a plain one; otherwise nil.
func (m *MLP) short(x *Value, norm *LayerNorm, s *Scale) *Value {
	up, ok := m.Up.(*Dense)
	down, too := m.Down.(*Dense)
	if !ok || !too || s != nil || m.Act != nil || up.narrow != nil || down.narrow != nil || up.Bias == nil || down.Bias == nil {
		return nil
	}
	t := x.Tape()
	return ops.FeedForward(x, norm.Forward(x), t.Use(up.Weight), t.Use(up.Bias), t.Use(down.Weight), t.Use(down.Bias))
}

// answer is Forward on a tape that does not train: of all that the block computes only its result keeps its memory. Fresh
// memory for every state of every block would be written to and read from beyond the caches.
func (b *Block) answer(t *autograd.Tape, p *Pass, x *Value) *Value {
	if parts := p.spreads(x); parts > 0 {
		return b.spread(p, x, parts)
	}
	y := t.New(false, x.Shape...)
	b.alone(p, y, x)
	return y
}

// alone sets y to what the block makes of x.
func (b *Block) alone(p *Pass, y, x *Value) {
	t := x.Tape()
	m := t.Mark()
	copy(y.Data, x.Data)
	b.finish(p, y, b.Attn.attend(p, b.Norm1.Forward(x)))
	t.Release(m)
}

// Stack runs blocks one after the other, then the final norm, if any.
type Stack struct {
	Blocks []*Block   `weight:"blocks"`
	Norm   *LayerNorm `weight:"norm"`
}

// Forward maps [N, D] to [N, D].
func (s *Stack) Forward(p *Pass, x *Value) *Value {
	if p.Tap == nil && p.whole(x) {
		return s.pictures(p, x)
	}
	for i, b := range s.Blocks {
		p.layer = i
		x = b.Forward(p, p.tap(i, x))
	}
	if p.Reading != nil {
		p.Reading.read()
	}
	x = p.tap(len(s.Blocks), x)
	if s.Norm == nil {
		return x
	}
	return s.Norm.Forward(x)
}

func (p *Pass) tap(i int, x *Value) *Value {
	if p.Tap == nil {
		return x
	}
	return p.Tap(i, x)
}

// Freeze stops (or resumes) the training of every parameter of m.
func Freeze(m any, frozen bool) {
	for p := range Walk(m) {
		if (*p.Slot) != nil && (*p.Slot).Kind != autograd.Buffer {
			(*p.Slot).Frozen = frozen
		}
	}
}

// EmptyCache is a cache without pictures, for texts that are read alone.
func EmptyCache(layers int) ImageCache { return ImageCache{Layers: make([]ops.Memory, layers)} }
