package nn

import (
	"slices"

	"fovea/ops"
)

// KVCache is what a Decoder remembers of a text: the keys and values of its tokens, layer by layer. A text may go on from
// another one that several share (Fork), which must then not grow any more.
type KVCache struct {
	before *KVCache
	layers []ops.Past // of its own tokens
	n      int        // tokens, with those before
}

// NewKVCache is an empty text of a network of so many layers.
func NewKVCache(layers int) *KVCache { return &KVCache{layers: make([]ops.Past, layers)} }

// Len is the number of tokens.
func (c *KVCache) Len() int { return c.n }

// Fork is a text that goes on from c.
func (c *KVCache) Fork() *KVCache {
	f := NewKVCache(len(c.layers))
	f.before, f.n = c, c.n
	return f
}

// Copy is a text that says the same and grows by itself. What c goes on from stays shared.
func (c *KVCache) Copy() *KVCache {
	d := *c
	d.layers = make([]ops.Past, len(c.layers))
	for i, l := range c.layers {
		d.layers[i] = ops.Past{K: slices.Clone(l.K), V: slices.Clone(l.V)}
	}
	return &d
}

// Bytes is the memory that the text holds, without what it goes on from.
func (c *KVCache) Bytes() int {
	n := 0
	for _, l := range c.layers {
		n += 4 * (cap(l.K) + cap(l.V))
	}
	return n
}

// roomTokens is how many more tokens a text makes room for at a time, at least.
const roomTokens = 64

// add appends the keys and values of n new tokens to a layer.
func (c *KVCache) add(layer, n int, k, v []float32) {
	l := &c.layers[layer]
	if len(l.K)+len(k) > cap(l.K) {
		room := max(roomTokens, n) * len(k) / n
		l.K, l.V = slices.Grow(l.K, room), slices.Grow(l.V, room)
	}
	l.K, l.V = append(l.K, k...), append(l.V, v...)
}

// text appends a layer's stretches to out, the oldest first.
func (c *KVCache) text(out []ops.Past, layer int) []ops.Past {
	if c == nil {
		return out
	}
	if out = c.before.text(out, layer); len(c.layers[layer].K) > 0 {
		out = append(out, c.layers[layer])
	}
	return out
}
