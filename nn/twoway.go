package nn

import "fovea/ops"

// TwoWay is a transformer between the tokens of a prompt and the cells of a picture, which look at each other in turn (Kirillov et
// al. 2023).
type TwoWay struct {
	Layers []*TwoWayLayer `weight:"layers"`
	Last   *Attention     `weight:"final_attn_token_to_image"`
	Norm   *LayerNorm     `weight:"layer_norm_final_attn"`
}

// TwoWayLayer is a layer: tokens attend to each other and to the picture, and the picture to them.
type TwoWayLayer struct {
	Self  *Attention `weight:"self_attn"`
	Norm1 *LayerNorm `weight:"norm1"`
	Look  *Attention `weight:"cross_attn_token_to_image"`
	Norm2 *LayerNorm `weight:"norm2"`
	MLP   *MLP       `weight:"mlp"`
	Norm3 *LayerNorm `weight:"norm3"`
	Back  *Attention `weight:"cross_attn_image_to_token"`
	Norm4 *LayerNorm `weight:"norm4"`
}

// BlankTwoWay makes a blank one, of a configuration that has been checked. Attention between tokens and picture has the shrink-th
// part of the width inside.
func BlankTwoWay(c EncoderConfig, shrink int) *TwoWay {
	d := c.Width
	attend := func(inner int) *Attention {
		return &Attention{Q: BlankDense(d, inner, true), K: BlankDense(d, inner, true), V: BlankDense(d, inner, true), O: BlankDense(inner, d, true), Heads: c.Heads}
	}
	act, _ := Activation(c.Act)
	w := &TwoWay{Last: attend(d / shrink), Norm: BlankNorm(d, 1e-5)}
	for range c.Layers {
		w.Layers = append(w.Layers, &TwoWayLayer{
			Self: attend(d), Norm1: BlankNorm(d, c.Eps), Look: attend(d / shrink), Norm2: BlankNorm(d, c.Eps),
			MLP: BlankMLP(d, c.Inner, act), Norm3: BlankNorm(d, c.Eps), Back: attend(d / shrink), Norm4: BlankNorm(d, c.Eps),
		})
	}
	return w
}

// Forward runs the layers on the tokens x [N·T, D] of N prompts and the cells [N·S, D] of as many copies of their pictures, which lie
// where places [S, D] say.
func (w *TwoWay) Forward(x, image, places *Value, tokens, cells int) (*Value, *Value) {
	n := x.Shape.Rows() / tokens
	among, look, back := make([]ops.Span, n), make([]ops.Span, n), make([]ops.Span, n)
	for i := range n {
		among[i] = ops.Span{Row: i * tokens, Rows: tokens, Key: i * tokens, Keys: tokens}
		look[i] = ops.Span{Row: i * tokens, Rows: tokens, Key: i * cells, Keys: cells}
		back[i] = ops.Span{Row: i * cells, Rows: cells, Key: i * tokens, Keys: tokens}
	}
	asked := x
	for i, l := range w.Layers {
		x, image = frugalPair(x, image, func() (*Value, *Value) {
			if i == 0 {
				x = l.Self.From(x, x, x, among)
			} else {
				at := ops.Add(x, asked)
				x = ops.Add(x, l.Self.From(at, at, x, among))
			}
			x = l.Norm1.Forward(x)
			x = l.Norm2.Forward(ops.Add(x, l.Look.From(ops.Add(x, asked), ops.Add(image, places), image, look)))
			x = l.Norm3.Forward(ops.Add(x, l.MLP.Forward(nil, x)))
			return x, l.Norm4.Forward(ops.Add(image, l.Back.From(ops.Add(image, places), ops.Add(x, asked), x, back)))
		})
	}
	x = ops.Add(x, w.Last.From(ops.Add(x, asked), ops.Add(image, places), image, look))
	return w.Norm.Forward(x), image
}

// frugalPair is Frugal for what makes two values, like x and y.
func frugalPair(x, y *Value, f func() (*Value, *Value)) (*Value, *Value) {
	t := x.Tape()
	if t.Train {
		return f()
	}
	keepX, keepY := t.New(false, x.Shape...), t.New(false, y.Shape...)
	mark := t.Mark()
	x, y = f()
	copy(keepX.Data, x.Data)
	copy(keepY.Data, y.Data)
	t.Release(mark)
	return keepX, keepY
}
