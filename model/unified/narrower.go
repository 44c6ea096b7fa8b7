package unified

import (
	"fmt"
	"strings"
)

// FeedForward is the number of units of the feed-forward layer of each block.
func (c Config) FeedForward() int {
	switch {
	case c.Trunk != nil:
		return c.Trunk.Inner
	case c.Inner > 0:
		return c.Inner
	}
	return c.MLPRatio * c.Width
}

// WithFeedForward is a copy of the model whose blocks have feed-forward layers of n units, whose weights are zero: the caller
// fills them, as package compress does.
func (m *Model) WithFeedForward(n int) (*Model, error) {
	c := m.Config
	if c.Trunk != nil {
		t := *c.Trunk
		t.Inner, c.Trunk = n, &t
	} else {
		c.Inner = n
	}
	if n < 1 {
		return nil, fmt.Errorf("unified: %d units in a feed-forward layer", n)
	}
	out, err := build(c, m.Vocab, nil)
	if err != nil {
		return nil, err
	}
	for i, p := range out.params {
		p.Frozen, p.Rate = m.params[i].Frozen, m.params[i].Rate
		if p.Data == nil { // a trunk's are blank
			p.Data = make([]float32, p.Shape.Size())
		}
		if p.Name != m.params[i].Name {
			return nil, fmt.Errorf("unified: the copy has %s in the place of %s", p.Name, m.params[i].Name)
		}
		if !strings.Contains(p.Name, ".mlp.") {
			copy(p.Data, m.params[i].Data)
		}
	}
	for _, name := range m.Names.List[len(out.Names.List):] {
		out.Names.Add(name)
	}
	return out, nil
}
