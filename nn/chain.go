package nn

// Chain is dense layers with an activation between them: the read-out of detectors.
type Chain struct {
	Layers []*Dense `weight:""` // "0", "1", …
	Act    func(*Value) *Value
}

// BlankChain is a chain of blank parameters that maps widths[0] features to widths[1], and so on.
func BlankChain(act func(*Value) *Value, widths ...int) *Chain {
	c := &Chain{Act: act}
	for i := range len(widths) - 1 {
		c.Layers = append(c.Layers, BlankDense(widths[i], widths[i+1], true))
	}
	return c
}

// Forward maps [..., widths[0]] to [..., widths[last]].
func (c *Chain) Forward(x *Value) *Value {
	for i, l := range c.Layers {
		if i > 0 {
			x = c.Act(x)
		}
		x = l.Forward(x)
	}
	return x
}
