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

// add appends the keys and values of new tokens to a layer.
func (c *KVCache) add(layer int, k, v []float32) {
	l := &c.layers[layer]
	l.K, l.V = append(l.K, k...), append(l.V, v...)
}

// text is a layer's stretches, the oldest first.
func (c *KVCache) text(layer int) []ops.Past {
	var out []ops.Past
	for ; c != nil; c = c.before {
		if len(c.layers[layer].K) > 0 {
			out = append(out, c.layers[layer])
		}
	}
	slices.Reverse(out)
	return out
}
