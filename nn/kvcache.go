package nn

import (
	"fmt"
	"slices"

	"fovea/internal/kernel"
	"fovea/ops"
)

// KVCache is what a Decoder remembers of a text: the keys and values of its tokens, layer by layer. A text may go on from
// another one that several share (Fork), which must then not grow any more.
type KVCache struct {
	before *KVCache
	layers []ops.Past // of its own tokens
	n      int        // tokens, with those before
	half   bool
	room   int // tokens that it makes room for at a time, at least
}

// NewKVCache is an empty text of a network of so many layers.
func NewKVCache(layers int) *KVCache {
	return &KVCache{layers: make([]ops.Past, layers), room: 64}
}

// NewHalfKVCache is one that holds keys and values as bfloat16, in half of the memory.
func NewHalfKVCache(layers int) *KVCache {
	c := NewKVCache(layers)
	c.half = true
	return c
}

// Len is the number of tokens.
func (c *KVCache) Len() int { return c.n }

// Text is picture i of a cache whose pictures have so many tokens of so many features each, as what texts go on from (Fork): short
// ones. It shares the cache's memory.
func (c *ImageCache) Text(i, tokens, width int) *KVCache {
	t := NewKVCache(len(c.Layers))
	t.n, t.room = tokens, 16
	from, to := i*tokens*width, (i+1)*tokens*width
	for j, l := range c.Layers {
		t.layers[j] = ops.Past{K: l.K[from:to:to], V: l.V[from:to:to]}
	}
	return t
}

// Fork is a text that goes on from c.
func (c *KVCache) Fork() *KVCache {
	f := NewKVCache(len(c.layers))
	f.before, f.n, f.half, f.room = c, c.n, c.half, c.room
	return f
}

// Copy is a text that says the same and grows by itself. What c goes on from stays shared.
func (c *KVCache) Copy() *KVCache {
	d := *c
	d.layers = make([]ops.Past, len(c.layers))
	for i, l := range c.layers {
		d.layers[i] = ops.Past{K: slices.Clone(l.K), V: slices.Clone(l.V), HalfK: slices.Clone(l.HalfK), HalfV: slices.Clone(l.HalfV)}
	}
	return &d
}

// Bytes is the memory that the text holds, without what it goes on from.
func (c *KVCache) Bytes() int {
	n := 0
	for _, l := range c.layers {
		n += 4*(cap(l.K)+cap(l.V)) + 2*(cap(l.HalfK)+cap(l.HalfV))
	}
	return n
}

// add appends the keys and values of n new tokens to a layer.
func (c *KVCache) add(layer, n int, k, v []float32) {
	l, room := &c.layers[layer], max(c.room, n)*len(k)/n
	if c.half {
		l.HalfK, l.HalfV = addHalf(l.HalfK, k, room), addHalf(l.HalfV, v, room)
		return
	}
	if len(l.K)+len(k) > cap(l.K) {
		l.K, l.V = slices.Grow(l.K, room), slices.Grow(l.V, room)
	}
	l.K, l.V = append(l.K, k...), append(l.V, v...)
}

// addHalf appends x to dst as bfloat16.
func addHalf(dst []uint16, x []float32, room int) []uint16 {
	n := len(dst)
	if n+len(x) > cap(dst) {
		dst = slices.Grow(dst, room)
	}
	dst = dst[:n+len(x)]
	kernel.ToBF16(dst[n:], x)
	return dst
}

// text appends a layer's stretches to out, the oldest first.
func (c *KVCache) text(out []ops.Past, layer int) []ops.Past {
	if c == nil {
		return out
	}
	if out = c.before.text(out, layer); len(c.layers[layer].K)+len(c.layers[layer].HalfK) > 0 {
		out = append(out, c.layers[layer])
	}
	return out
}

// Reorder keeps the texts in from, in that order. One that is kept several times goes on by itself each time.
func Reorder(texts []*KVCache, from []int) ([]*KVCache, error) {
	kept, taken := make([]*KVCache, len(from)), make([]bool, len(texts))
	for i, f := range from {
		if f < 0 || f >= len(texts) {
			return nil, fmt.Errorf("nn: text %d of %d", f, len(texts))
		}
		if kept[i] = texts[f]; taken[f] {
			kept[i] = texts[f].Copy()
		}
		taken[f] = true
	}
	return kept, nil
}
