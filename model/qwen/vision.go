package qwen

import (
	"math"
	"slices"

	"fovea/autograd"
	"fovea/nn"
	"fovea/ops"
)

// norm is a LayerNorm or an RMSNorm.
type norm interface {
	Forward(x *autograd.Value) *autograd.Value
}

// Vision is the network that looks at pictures of any shape. Its tokens are patches, those of a square of Merge × Merge one
// after the other.
type Vision struct {
	Config VisionConfig
	Patch  *Patch          `weight:"patch"`
	Pos    *autograd.Param `weight:"pos"` // Qwen3-VL: [side², D], fitted to each picture
	Blocks []*Block        `weight:"blocks"`
	Merger *Merger         `weight:"merger"`
	Deep   []*Merger       `weight:"deep"`
}

// Patch embeds a patch, which is there for each of several frames.
type Patch struct {
	Weight *autograd.Param `weight:"weight"` // [D, 3, T, P, P]
	Bias   *autograd.Param `weight:"bias"`
}

// Block is a pre-norm block.
type Block struct {
	Norm1 norm           `weight:"norm1"`
	Attn  *nn.Attention  `weight:"attn"`
	Norm2 norm           `weight:"norm2"`
	MLP   nn.FeedForward `weight:"mlp"`
}

// Merger makes a token of words out of Merge × Merge patches.
type Merger struct {
	Norm  norm      `weight:"norm"`
	Up    *nn.Dense `weight:"up"`
	Down  *nn.Dense `weight:"down"`
	after bool      // the norm is over all of the patches together
}

func root(n int) int { return int(math.Sqrt(float64(max(n, 0)))) }

// newVision makes a blank one of a configuration that was checked.
func newVision(c VisionConfig, third bool) *Vision {
	d, wide := c.Width, c.Width*c.Merge*c.Merge
	act, _ := nn.Activation(c.Act)
	v := &Vision{Config: c, Patch: &Patch{Weight: nn.Blank(autograd.Table, d, 3, c.Frames, c.Patch, c.Patch)}}
	makeNorm := func(d int) norm { return nn.BlankRMSNorm(d, 0, 1e-6) }
	if third {
		makeNorm = func(d int) norm { return nn.BlankNorm(d, 1e-6) }
		v.Patch.Bias, v.Pos = nn.Blank(autograd.Vector, d), nn.Blank(autograd.Table, c.Positions, d)
		for range c.Deep {
			v.Deep = append(v.Deep, &Merger{makeNorm(wide), nn.BlankDense(wide, wide, true), nn.BlankDense(wide, c.Out, true), true})
		}
	}
	for range c.Depth {
		b := &Block{Norm1: makeNorm(d), Attn: nn.BlankAttention(d, c.Heads, true), Norm2: makeNorm(d)}
		if third {
			b.MLP = nn.BlankMLP(d, c.Inner, act)
		} else {
			b.MLP = &nn.GatedMLP{Gate: nn.BlankDense(d, c.Inner, true), Up: nn.BlankDense(d, c.Inner, true), Down: nn.BlankDense(c.Inner, d, true), Act: act}
		}
		v.Blocks = append(v.Blocks, b)
	}
	v.Merger = &Merger{makeNorm(d), nn.BlankDense(wide, wide, true), nn.BlankDense(wide, c.Out, true), false}
	return v
}

// forward maps [N·M², D] to [N, Out].
func (m *Merger) forward(x *autograd.Value, n int) *autograd.Value {
	t, d := x.Tape(), x.Shape.Last()
	if !m.after {
		x = m.Norm.Forward(x)
	}
	x = t.View(x, x.Shape.Rows()/n, d*n)
	if m.after {
		x = m.Norm.Forward(x)
	}
	return m.Down.Forward(ops.GELUExact(m.Up.Forward(x)))
}

// seen are the tokens of pictures, [N, Out] each, in the order of the patches that came in.
type seen struct {
	embed, merger, tokens *autograd.Value
	deep                  []*autograd.Value
}

// forward looks at patches [N, 3·T·P·P] of pictures of grids patches down and across.
func (v *Vision) forward(t *autograd.Tape, x *autograd.Value, grids [][2]int, tap func(int, *autograd.Value) *autograd.Value) seen {
	c := &v.Config
	var bias *autograd.Value
	if v.Patch.Bias != nil {
		bias = t.Use(v.Patch.Bias)
	}
	out := seen{embed: ops.Linear(x, t.View(t.Use(v.Patch.Weight), c.Width, x.Shape.Last()), bias)}
	n, x := c.Merge*c.Merge, out.embed
	if v.Pos != nil {
		x = ops.Add(x, v.positions(t, grids))
	}
	order, windows, whole := v.windows(grids)
	places := v.places(grids)
	x = gather(x, order, n)
	rot := v.rotation(places, order, n)
	for i, b := range v.Blocks {
		if tap != nil {
			x = tap(i, x)
		}
		spans := windows
		if windows == nil || slices.Contains(c.Full, i) {
			spans = whole
		}
		x = v.block(b, x, rot, spans, tap == nil)
		if j := slices.Index(c.Deep, i); j >= 0 && j < len(v.Deep) {
			out.deep = append(out.deep, v.Deep[j].forward(x, n))
		}
	}
	if tap != nil {
		x = tap(len(v.Blocks), x)
	}
	out.merger = v.Merger.forward(x, n)
	back := make([]int, len(order))
	for i, o := range order {
		back[o] = i
	}
	out.tokens = gather(out.merger, back, 1)
	return out
}

// block runs a block and, if brief, frees what it takes but its result.
func (v *Vision) block(b *Block, x *autograd.Value, rot *ops.Rotation, spans [][2]int, brief bool) *autograd.Value {
	t, c := x.Tape(), &v.Config
	out := t.New(false, x.Shape...)
	mark := t.Mark()
	h := b.Norm1.Forward(x)
	q, k, w := ops.Rotate(b.Attn.Q.Forward(h), c.Heads, rot), ops.Rotate(b.Attn.K.Forward(h), c.Heads, rot), b.Attn.V.Forward(h)
	runs := make([]ops.Run, len(spans))
	for i, s := range spans {
		from, to := s[0]*c.Width, s[1]*c.Width
		runs[i] = ops.Run{Row: s[0], Rows: s[1] - s[0], Text: []ops.Past{{K: k.Data[from:to], V: w.Data[from:to]}}, Prefix: s[1] - s[0]}
	}
	y := ops.Add(x, b.Attn.O.Forward(ops.CachedAttention(q, c.Heads, c.Heads, ops.RootScale(float64(c.Width/c.Heads)), 0, runs)))
	y = ops.Add(y, b.MLP.Forward(nil, b.Norm2.Forward(y)))
	copy(out.Data, y.Data)
	if brief {
		t.Release(mark)
	}
	return out
}

// gather reorders groups of n rows.
func gather(x *autograd.Value, order []int, n int) *autograd.Value {
	refs := make([]ops.Ref, 0, len(order)*n)
	for _, o := range order {
		for i := range n {
			refs = append(refs, ops.Ref{Row: int32(o*n + i)})
		}
	}
	return ops.Gather(x.Tape(), refs, x)
}

// places are the row and column of every patch, in the order in which patches come in.
func (v *Vision) places(grids [][2]int) (out [][2]int) {
	m := v.Config.Merge
	for _, g := range grids {
		for i := range g[0] * g[1] {
			cell, in := i/(m*m), i%(m*m)
			out = append(out, [2]int{cell/(g[1]/m)*m + in/m, cell%(g[1]/m)*m + in%m})
		}
	}
	return out
}

// positions is the table, fitted to each picture.
func (v *Vision) positions(t *autograd.Tape, grids [][2]int) *autograd.Value {
	side, d := root(v.Config.Positions), v.Config.Width
	table := t.View(t.Use(v.Pos), 1, side, side, d)
	var refs []ops.Ref
	var tables []*autograd.Value
	places, at := v.places(grids), 0
	for i, g := range grids {
		tables = append(tables, ops.Resize(table, nn.AlignedTaps(side, g[0]), nn.AlignedTaps(side, g[1])))
		for range g[0] * g[1] {
			refs = append(refs, ops.Ref{Table: int32(i), Row: int32(places[at][0]*g[1] + places[at][1])})
			at++
		}
	}
	return ops.Gather(t, refs, tables...)
}

// rotation turns the first half of each head's pairs by a patch's row, the second by its column.
func (v *Vision) rotation(places [][2]int, order []int, n int) *ops.Rotation {
	pairs := v.Config.Width / v.Config.Heads / 2
	r := &ops.Rotation{Pairs: pairs, Cos: make([]float32, pairs*len(places)), Sin: make([]float32, pairs*len(places))}
	for i := range places {
		p := places[order[i/n]*n+i%n]
		for j := range pairs {
			at := p[j/(pairs/2)]
			f := float32(1 / float64(float32(math.Pow(10000, float64(float32(2*(j%(pairs/2)))/float32(pairs))))))
			sin, cos := math.Sincos(float64(f * float32(at)))
			r.Cos[i*pairs+j], r.Sin[i*pairs+j] = float32(cos), float32(sin)
		}
	}
	return r
}

// windows orders the tokens of each picture window by window, and says which rows of patches each window and each picture
// has in that order. Without windows the order stays, and there are none.
func (v *Vision) windows(grids [][2]int) (order []int, windows, whole [][2]int) {
	m := v.Config.Merge
	side, first := v.Config.Window/m/v.Config.Patch, 0
	for _, g := range grids {
		h, w := g[0]/m, g[1]/m
		whole = append(whole, [2]int{first * m * m, (first + h*w) * m * m})
		if v.Pos != nil {
			for i := range h * w {
				order = append(order, first+i)
			}
		} else {
			for top := 0; top < h; top += side {
				for left := 0; left < w; left += side {
					from := len(order)
					for y := top; y < min(top+side, h); y++ {
						for x := left; x < min(left+side, w); x++ {
							order = append(order, first+y*w+x)
						}
					}
					windows = append(windows, [2]int{from * m * m, len(order) * m * m})
				}
			}
		}
		first += h * w
	}
	return order, windows, whole
}
