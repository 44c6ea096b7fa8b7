package nn

import (
	"fmt"

	"fovea/autograd"
	"fovea/ops"
)

// PostCache lets a causal stack of PostBlocks read texts piece by piece: it holds the keys and values of the pieces so far
// and of the rows that all of the texts look at across, so that a step costs the new pieces only.
type PostCache struct {
	blocks []*PostBlock
	layers []postMemory
	texts  int // sequences
	n, cap int // pieces of each so far, and how many there is room for
}

// postMemory is what a block has seen. Params without gradients bring it onto a tape without a copy.
type postMemory struct {
	k, v         *autograd.Param // [texts·cap, D], text after text
	wasK, wasV   *autograd.Param // before the last move: memory for the next one
	seenK, seenV *autograd.Param // [M, D]; nil when the block does not look across
}

// NewPostCache starts one empty text that looks at the rows y [M, D], which are nil for blocks that do not look across.
func NewPostCache(blocks []*PostBlock, y *Value) *PostCache {
	c := &PostCache{blocks: blocks, layers: make([]postMemory, len(blocks)), texts: 1}
	for i, b := range blocks {
		if b.Cross != nil {
			t := y.Tape()
			mark := t.Mark()
			c.layers[i].seenK, c.layers[i].seenV = constant(b.Cross.K.Forward(y).Data, y.Shape.Rows()), constant(b.Cross.V.Forward(y).Data, y.Shape.Rows())
			if !t.Train {
				t.Release(mark)
			}
		}
	}
	return c
}

// constant copies a matrix into a parameter that is not trained.
func constant(x []float32, rows int) *autograd.Param {
	p := autograd.NewParam(autograd.Buffer, rows, len(x)/max(rows, 1))
	copy(p.Data, x)
	return p
}

// Len is the number of pieces of each text so far.
func (c *PostCache) Len() int { return c.n }

// Texts is the number of texts.
func (c *PostCache) Texts() int { return c.texts }

// Step appends a piece to each text, whose embeddings are the rows of x [texts, D], and gives their hidden states. What it
// computes lives on the tape of x, what it remembers does not.
func (c *PostCache) Step(x *Value) *Value {
	c.grow(x.Shape.Last())
	own, across := make([]ops.Span, c.texts), []ops.Span{{Rows: c.texts}}
	for i := range own {
		own[i] = ops.Span{Row: i, Rows: 1, Key: i * c.cap, Keys: c.n + 1}
	}
	for i, b := range c.blocks {
		if m := &c.layers[i]; m.seenK != nil {
			across[0].Keys = m.seenK.Shape[0]
		}
		x = c.step(b, &c.layers[i], x, own, across)
	}
	c.n++
	return x
}

func (c *PostCache) step(b *PostBlock, m *postMemory, x *Value, own, across []ops.Span) *Value {
	t, d := x.Tape(), x.Shape.Last()
	a := b.Attn
	q, k, v := a.Q.Forward(x), a.K.Forward(x), a.V.Forward(x)
	for i := range c.texts {
		copy(m.k.Data[(i*c.cap+c.n)*d:], k.Data[i*d:(i+1)*d])
		copy(m.v.Data[(i*c.cap+c.n)*d:], v.Data[i*d:(i+1)*d])
	}
	x = b.Norm1.Forward(ops.Add(x, a.O.Forward(ops.CrossAttention(q, t.Use(m.k), t.Use(m.v), a.Heads, own))))
	if a := b.Cross; a != nil {
		y := ops.CrossAttention(a.Q.Forward(x), t.Use(m.seenK), t.Use(m.seenV), a.Heads, across)
		x = b.CrossNorm.Forward(ops.Add(x, a.O.Forward(y)))
	}
	return b.Norm2.Forward(ops.Add(x, b.MLP.Forward(nil, x)))
}

// grow makes room for one more piece.
func (c *PostCache) grow(d int) {
	if c.n < c.cap {
		return
	}
	all := make([]int, c.texts)
	for i := range all {
		all[i] = i
	}
	c.move(all, max(2*c.cap, 32), d)
}

// Reorder goes on with texts from[0], from[1], … in their place; a text may be among them several times, or not at all.
func (c *PostCache) Reorder(from []int) error {
	same := len(from) == c.texts
	for i, f := range from {
		if f < 0 || f >= c.texts {
			return fmt.Errorf("nn: text %d is not one of %d", f, c.texts)
		}
		same = same && f == i
	}
	if len(from) == 0 {
		return fmt.Errorf("nn: no text is kept")
	}
	if same {
		return nil
	}
	if c.cap == 0 {
		c.texts = len(from)
		return nil
	}
	c.move(from, c.cap, c.layers[0].k.Shape[1])
	return nil
}

// move copies the texts from to where each has room for room pieces.
func (c *PostCache) move(from []int, room, d int) {
	for i := range c.layers {
		m := &c.layers[i]
		m.k, m.wasK = c.moved(m.k, m.wasK, from, room, d), m.k
		m.v, m.wasV = c.moved(m.v, m.wasV, from, room, d), m.v
	}
	c.texts, c.cap = len(from), room
}

// moved is x in the memory of to, if that has the size.
func (c *PostCache) moved(x, to *autograd.Param, from []int, room, d int) *autograd.Param {
	if to == nil || to.Shape[0] != len(from)*room {
		to = autograd.NewParam(autograd.Buffer, len(from)*room, d)
	}
	for i, f := range from {
		if c.n > 0 {
			copy(to.Data[i*room*d:], x.Data[f*c.cap*d:(f*c.cap+c.n)*d])
		}
	}
	return to
}
