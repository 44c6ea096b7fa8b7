package nn

import (
	"math"
	"slices"

	"fovea/autograd"
	"fovea/ops"
)

// norm is a LayerNorm or an RMSNorm.
type norm interface {
	Forward(x *Value) *Value
}

// RotaryVision is the network that looks at pictures of any shape. Its tokens are patches, those of a square of Merge × Merge one
// after the other.
type RotaryVision struct {
	Config RotaryVisionConfig
	Patch  *FramePatch     `weight:"patch"`
	Pos    *autograd.Param `weight:"pos"` // Qwen3-VL: [side², D], fitted to each picture
	Blocks []*RotaryBlock  `weight:"blocks"`
	Merger *PatchMerger    `weight:"merger"`
	Deep   []*PatchMerger  `weight:"deep"`
}

// FramePatch embeds a patch, which is there for each of several frames.
type FramePatch struct {
	Weight *autograd.Param `weight:"weight"` // [D, 3, T, P, P]
	Bias   *autograd.Param `weight:"bias"`
}

// RotaryBlock is a pre-norm block.
type RotaryBlock struct {
	Norm1 norm        `weight:"norm1"`
	Attn  *Attention  `weight:"attn"`
	Norm2 norm        `weight:"norm2"`
	MLP   FeedForward `weight:"mlp"`
}

// PatchMerger makes a token of words out of Merge × Merge patches.
type PatchMerger struct {
	Norm  norm   `weight:"norm"`
	Up    *Dense `weight:"up"`
	Down  *Dense `weight:"down"`
	after bool   // the norm is over all of the patches together
}

func rootOf(n int) int { return int(math.Sqrt(float64(max(n, 0)))) }

// NewRotaryVision makes a blank one of a configuration that was checked.
func NewRotaryVision(c RotaryVisionConfig, third bool) *RotaryVision {
	d, wide := c.Width, c.Width*c.Merge*c.Merge
	act, _ := Activation(c.Act)
	v := &RotaryVision{Config: c, Patch: &FramePatch{Weight: Blank(autograd.Table, d, 3, c.Frames, c.Patch, c.Patch)}}
	makeNorm := func(d int) norm { return BlankRMSNorm(d, 0, 1e-6) }
	if third {
		makeNorm = func(d int) norm { return BlankNorm(d, 1e-6) }
		v.Patch.Bias, v.Pos = Blank(autograd.Vector, d), Blank(autograd.Table, c.Positions, d)
		for range c.Deep {
			v.Deep = append(v.Deep, &PatchMerger{makeNorm(wide), BlankDense(wide, wide, true), BlankDense(wide, c.Out, true), true})
		}
	}
	for range c.Depth {
		b := &RotaryBlock{Norm1: makeNorm(d), Attn: BlankAttention(d, c.Heads, true), Norm2: makeNorm(d)}
		if third {
			b.MLP = BlankMLP(d, c.Inner, act)
		} else {
			b.MLP = &GatedMLP{Gate: BlankDense(d, c.Inner, true), Up: BlankDense(d, c.Inner, true), Down: BlankDense(c.Inner, d, true), Act: act}
		}
		v.Blocks = append(v.Blocks, b)
	}
	v.Merger = &PatchMerger{makeNorm(d), BlankDense(wide, wide, true), BlankDense(wide, c.Out, true), false}
	return v
}

// forward maps [N·M², D] to [N, Out].
func (m *PatchMerger) forward(x *Value, n int) *Value {
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

// Sights are the tokens of pictures, [N, Out] each, in the order of the patches that came in; of Embed, Merger and Deep too, the
// reference's states on the way.
type Sights struct {
	Embed, Merger, Tokens *Value
	Deep                  []*Value
}

// Forward looks at patches [N, 3·T·P·P] of pictures of grids patches down and across.
func (v *RotaryVision) Forward(t *autograd.Tape, x *Value, grids [][2]int, tap func(int, *Value) *Value) Sights {
	c := &v.Config
	var bias *Value
	if v.Patch.Bias != nil {
		bias = t.Use(v.Patch.Bias)
	}
	out := Sights{Embed: ops.Linear(x, t.View(t.Use(v.Patch.Weight), c.Width, x.Shape.Last()), bias)}
	n, x := c.Merge*c.Merge, out.Embed
	if v.Pos != nil {
		x = ops.Add(x, v.positions(t, grids))
	}
	order, windows, whole := v.windows(grids)
	places := v.places(grids)
	x = regroup(x, order, n)
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
			out.Deep = append(out.Deep, v.Deep[j].forward(x, n))
		}
	}
	if tap != nil {
		x = tap(len(v.Blocks), x)
	}
	out.Merger = v.Merger.forward(x, n)
	back := make([]int, len(order))
	for i, o := range order {
		back[o] = i
	}
	out.Tokens = regroup(out.Merger, back, 1)
	return out
}

// block runs a block and, if brief, frees what it takes but its result.
func (v *RotaryVision) block(b *RotaryBlock, x *Value, rot *ops.Rotation, spans [][2]int, brief bool) *Value {
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

// regroup reorders groups of n rows.
func regroup(x *Value, order []int, n int) *Value {
	refs := make([]ops.Ref, 0, len(order)*n)
	for _, o := range order {
		for i := range n {
			refs = append(refs, ops.Ref{Row: int32(o*n + i)})
		}
	}
	return ops.Gather(x.Tape(), refs, x)
}

// places are the row and column of every patch, in the order in which patches come in.
func (v *RotaryVision) places(grids [][2]int) (out [][2]int) {
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
func (v *RotaryVision) positions(t *autograd.Tape, grids [][2]int) *Value {
	side, d := rootOf(v.Config.Positions), v.Config.Width
	table := t.View(t.Use(v.Pos), 1, side, side, d)
	var refs []ops.Ref
	var tables []*Value
	places, at := v.places(grids), 0
	for i, g := range grids {
		tables = append(tables, ops.Resize(table, AlignedTaps(side, g[0]), AlignedTaps(side, g[1])))
		for range g[0] * g[1] {
			refs = append(refs, ops.Ref{Table: int32(i), Row: int32(places[at][0]*g[1] + places[at][1])})
			at++
		}
	}
	return ops.Gather(t, refs, tables...)
}

// rotation turns the first half of each head's pairs by a patch's row, the second by its column.
func (v *RotaryVision) rotation(places [][2]int, order []int, n int) *ops.Rotation {
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
func (v *RotaryVision) windows(grids [][2]int) (order []int, windows, whole [][2]int) {
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
