package eomt

import (
	"fovea/autograd"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
)

// Upscale doubles a map of features: a transposed convolution, then a 3×3 one of every channel by itself.
type Upscale struct {
	Up   *nn.ConvTranspose2D `weight:"conv1"`
	Mix  *autograd.Param     `weight:"conv2.weight"` // [D, 1, 3, 3]
	Norm *nn.LayerNorm       `weight:"layernorm2d"`

	act func(*nn.Value) *nn.Value
}

func newUpscale(d int, act func(*nn.Value) *nn.Value) *Upscale {
	return &Upscale{nn.BlankConvTranspose2D(d, d, 2, 2, 0, true), nn.Blank(autograd.Table, d, 1, 3, 3), nn.BlankNorm(d, 1e-6), act}
}

// Forward maps [B, H, W, D] to [B, 2·H, 2·W, D].
func (u *Upscale) Forward(x *nn.Value) *nn.Value {
	return u.Norm.Forward(ops.DepthwiseConv2D(u.act(u.Up.Forward(x)), x.Tape().Use(u.Mix), nil, 3, 1, 1))
}

// Run implements model.Network: pixel_values give class_queries_logits [B, Q, L+1] and masks_queries_logits [B, Q, M, M].
//
// While EoMT is trained, queries see only the patches that they would mark so far, fewer and fewer of them as training goes
// on; attn_mask_probs, in the file or among the inputs, says in which of the last blocks they still do. It is zero in
// finished models. Between 0 and 1 the reference draws lots; here it is as 1.
func (m *Model) Run(t *autograd.Tape, in model.Inputs) model.Outputs {
	out, x := model.Outputs{}, in.Value(t, "pixel_values")
	probs := m.MaskProbs.Data
	if p := in["attn_mask_probs"]; p != nil {
		probs = p.Data
	}
	b, tap := x.Shape[0], out.Tap("vision")
	h := m.embed(x)
	pass := &nn.Pass{}
	var bias *nn.Value
	for i, block := range m.Stack.Blocks {
		tap(i, h)
		at := i - len(m.Stack.Blocks) + m.Config.Blocks
		if at == 0 {
			h = nn.Frame(b, t.Use(m.Query), h, nil)
		}
		if at >= 0 && probs[at] > 0 {
			_, masks := m.predict(m.Stack.Norm.Forward(h), b)
			bias = m.unseen(masks, b, h.Shape.Rows()/b)
		}
		pass.Layout = &ops.Layout{Images: b, Patches: h.Shape.Rows() / b}
		h = nn.Frugal(h, func(h *nn.Value) *nn.Value { return forward(block, pass, h, bias) })
	}
	tap(len(m.Stack.Blocks), h)
	h = m.Stack.Norm.Forward(h)
	out["last_hidden_state"] = h
	out["class_queries_logits"], out["masks_queries_logits"] = m.predict(h, b)
	return out
}

// embed gives the tokens of pictures [B, S, S, 3]: class token, registers, patches row by row.
func (m *Model) embed(x *nn.Value) *nn.Value {
	t, b, d := x.Tape(), x.Shape[0], m.Config.Width
	y := m.Patch.Forward(x)
	y = ops.Add(t.View(y, y.Shape.Rows(), d), t.Use(m.Pos))
	before := t.View(t.Use(m.Class), 1, d)
	if m.Registers != nil {
		before = ops.Concat(before, t.View(t.Use(m.Registers), m.Config.Registers, d))
	}
	return nn.Frame(b, before, y, nil)
}

// forward runs a block, its attention biased unless bias is nil.
func forward(b *nn.Block, p *nn.Pass, x, bias *nn.Value) *nn.Value {
	if bias == nil {
		return b.Forward(p, x)
	}
	spans := make([]ops.Span, p.Layout.Images)
	for i := range spans {
		n := p.Layout.Patches
		spans[i] = ops.Span{Row: i * n, Rows: n, Key: i * n, Keys: n}
	}
	a, y := b.Attn, b.Norm1.Forward(x)
	y = a.O.Forward(ops.BiasedAttention(a.Q.Forward(y), a.K.Forward(y), a.V.Forward(y), bias, a.Heads, spans))
	x = ops.Add(x, b.Scale1.Forward(y))
	return ops.Add(x, b.Scale2.Forward(b.MLP.Forward(p, b.Norm2.Forward(x))))
}

// predict reads the queries' names and masks off normed tokens.
func (m *Model) predict(h *nn.Value, b int) (names, masks *nn.Value) {
	t, c := h.Tape(), &m.Config
	n, side := h.Shape.Rows()/b, c.Image[0]/c.Patch[0]
	q := nn.RowsOfEach(h, b, 0, c.Queries)
	x := t.View(nn.RowsOfEach(h, b, n-side*side, n), b, side, side, c.Width)
	for _, u := range m.Up {
		x = u.Forward(x)
	}
	side = x.Shape[1]
	x = t.View(x, b*side*side, c.Width)
	v, parts := m.MaskHead.Forward(q), make([]*nn.Value, b)
	for i := range parts {
		parts[i] = ops.Linear(ops.Slice(v, i*c.Queries, (i+1)*c.Queries), ops.Slice(x, i*side*side, (i+1)*side*side), nil)
	}
	names, masks = m.Names.Forward(q), parts[0]
	if b > 1 {
		masks = nn.Pile(parts)
	}
	return t.View(names, b, c.Queries, len(c.Labels)+1), t.View(masks, b, c.Queries, side, side)
}

// unseen is the bias [B, 1, T, T] that hides from every query the patches that lie outside its mask.
func (m *Model) unseen(masks *nn.Value, b, tokens int) *nn.Value {
	c, t := &m.Config, masks.Tape()
	side := c.Image[0] / c.Patch[0]
	small := imageproc.ResizePlanes(masks.Data, b*c.Queries, masks.Shape[2], masks.Shape[3], side, side, imageproc.Bilinear, false)
	bias, first := make([]float32, b*tokens*tokens), tokens-side*side
	for i, v := range small {
		if q := i / (side * side); !(v > 0) {
			bias[(q/c.Queries*tokens+q%c.Queries)*tokens+first+i%(side*side)] = -1e9
		}
	}
	return t.Input(bias, b, 1, tokens, tokens)
}
