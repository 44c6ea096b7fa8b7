package unified

import (
	"fmt"
	"math/rand/v2"

	"fovea/autograd"
	"fovea/nn"
	"fovea/ops"
	"fovea/task"
)

// Value is shorthand for a node of the computation.
type Value = autograd.Value

// Model is the network with its vocabulary and names.
type Model struct {
	Config Config
	Vocab  *task.Vocabulary
	Names  *task.Names // "nothing", Config.Labels, Classes, Joints and Pixels, and what users add

	Stem    *Stem           `weight:"stem"`
	Words   *autograd.Param `weight:"words"` // [V, D]: input embedding and read-out of words
	Pos     *autograd.Param `weight:"pos"`   // [MaxText, D]: position inside a group
	Coord   *nn.Dense       `weight:"coord"` // Fourier features of a coordinate → D: input embedding and read-out
	Stack   *nn.Stack       `weight:"stack"`
	Readout *Readout        `weight:"readout"`

	params  []*autograd.Param
	coordIn []float32 // Fourier features of the bins' centres, [Bins, 64]
	centers []float32 // the bins' centres, [Bins], model frame
	fit     *ops.Taps // from enlarged patches to the feature map, where a trunk's do not fill it; nil: they do
}

// New makes a model with fresh weights, a function of the seed.
func New(c Config, v *task.Vocabulary, seed uint64) (*Model, error) {
	c.Vocab = v.Tok.Size()
	return build(c, v, rand.New(rand.NewPCG(seed, 0x0f0ea)))
}

// build makes a model; with a nil rng its weights are zero, for a checkpoint to fill.
func build(c Config, v *task.Vocabulary, rng *rand.Rand) (*Model, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	m := &Model{Config: c, Vocab: v, Names: task.NewNames(v)}
	for _, list := range [][]string{c.Labels, c.Classes, c.Joints, c.Pixels} {
		m.Names.AddAll(list)
	}
	m.Stem = newStem(rng, c)
	m.Words = autograd.NewParam(autograd.Table, c.Vocab, c.Width)
	nn.Normal(rng, m.Words, .15)
	m.Pos = autograd.NewParam(autograd.Table, c.MaxText, c.Width)
	nn.Normal(rng, m.Pos, .02)
	m.Coord = nn.NewDense(rng, 2*frequencies, c.Width, true).As(autograd.Table)
	nn.Normal(rng, m.Coord.Weight, .03)
	m.Stack = newStack(rng, c)
	m.Readout, m.fit = newReadout(rng, c), c.fit()
	m.params = nn.Params(m)
	m.coordIn = make([]float32, c.Bins*2*frequencies)
	m.centers = make([]float32, c.Bins)
	for i := range c.Bins {
		t := (float64(i) + .5) / float64(c.Bins)
		m.centers[i] = float32(t)
		fourier(m.coordIn[i*2*frequencies:], t)
	}
	return m, nil
}

// Adapt prepares the model for training at little cost: the blocks get low-rank adapters of the given rank (nn.Adapted) and
// only these and the read-outs are trained. Merge must be called before the model is saved.
func (m *Model) Adapt(rank int, seed uint64) {
	nn.Freeze(m, true)
	nn.Freeze(m.Readout, false)
	m.Stack.Adapt(rand.New(rand.NewPCG(seed, 0x10a)), rank)
	m.params = nn.Params(m)
}

// Merge takes the adapters, if any, into the weights: an ordinary model again.
func (m *Model) Merge() {
	m.Stack.Merge()
	nn.Freeze(m, false)
	if m.Stem.Lite != nil {
		m.Stem.Lite.Net.Freeze(m.Stem.Lite.share)
	}
	m.params = nn.Params(m)
}

// Params are the weights, named, in a fixed order.
func (m *Model) Params() []*autograd.Param { return m.params }

// Stem turns pixels into image tokens and keeps the stride-4 features for masks.
type Stem struct {
	S2   *nn.Conv     `weight:"s2"`
	S4   *nn.Conv     `weight:"s4"`
	Res4 *nn.Residual `weight:"res4"`
	S8   *nn.Conv     `weight:"s8"`
	Res8 *nn.Residual `weight:"res8"`
	S16  *nn.Conv     `weight:"s16"`
	Pos  *nn.Dense    `weight:"pos"` // Fourier features of the patch's centre (y, x) → D

	Trunk *trunkStem `weight:"trunk"` // in place of S8, Res8, S16 and Pos
	Lite  *liteStem  `weight:"lite"`  // in place of all but Pos
	Small *smallStem `weight:"small"` // the same

	where []float32 // those features, [P, 4·frequencies]
}

func newStem(rng *rand.Rand, c Config) *Stem {
	a, b, e := c.Stem[0], c.Stem[1], c.Stem[2]
	s := &Stem{}
	switch {
	case c.Backbone == Lite0:
		s.Lite = newLiteStem(rng, c)
	case c.small():
		s.Small = newSmallStem(rng, c)
	default:
		s.S2, s.S4, s.Res4 = nn.NewConv(rng, 3, a, 3, 2), nn.NewConv(rng, a, b, 3, 2), nn.NewResidual(rng, b)
		s.S2.Weight.Kind = autograd.Table // the first convolution sees pixels, not features
		if c.Trunk != nil {
			s.Trunk = newTrunkStem(rng, c)
			return s
		}
		s.S8, s.Res8, s.S16 = nn.NewConv(rng, b, e, 3, 2), nn.NewResidual(rng, e), nn.NewConv(rng, e, c.Width, 3, 2)
	}
	s.Pos = nn.NewDense(rng, 4*frequencies, c.Width, true)
	g := c.Grid()
	s.where = make([]float32, g*g*4*frequencies)
	for y := range g {
		for x := range g {
			f := s.where[(y*g+x)*4*frequencies:]
			fourier(f, (float64(y)+.5)/float64(g))
			fourier(f[2*frequencies:], (float64(x)+.5)/float64(g))
		}
	}
	return s
}

// Forward maps pixels [B, S, S, 3], normalised, to tokens [B·Tokens, D] and features [B, S/4, S/4, Config.Detail()].
func (s *Stem) Forward(x *Value) (tokens, s4 *Value) {
	t := x.Tape()
	switch {
	case s.Lite != nil:
		x, s4 = s.Lite.forward(x)
	case s.Small != nil:
		x, s4 = s.Small.forward(x)
	default:
		s4 = s.Res4.Forward(s.S4.Forward(s.S2.Forward(x, nil, true), nil, true))
		if s.Trunk != nil {
			return s.Trunk.forward(x), s4
		}
		x = s.S16.Forward(s.Res8.Forward(s.S8.Forward(s4, nil, true)), nil, false)
	}
	d := x.Shape.Last()
	patches := len(s.where) / (4 * frequencies)
	pos := s.Pos.Forward(t.Input(s.where, patches, 4*frequencies))
	return ops.Add(t.View(x, x.Shape.Rows(), d), pos), s4
}

// Prompt is a group put to one picture of the batch.
type Prompt struct {
	Image int // index in the batch; ignored for a blind group
	*task.Group
}

// Hidden is what a forward pass gives: the final state of every token, and the features.
type Hidden struct {
	Tokens *Value // [B·P, D] image tokens; nil when they came from a cache
	Text   *Value // [T, D] the prompts' tokens, prompt after prompt; nil without prompts
	Early  *Value // [T, D] the same after two thirds of the blocks, read as if they were final; nil unless training
	Start  []int  // first row in Text of each prompt
	S4     *Value // stride-4 features of the stem; nil when the picture came from a cache
	Coords *Value // [Bins, D] the coordinates' table
}

// Encoded is a batch of pictures that has been through the model once; prompts can be put to it at little cost.
type Encoded struct {
	Images int
	Cache  nn.ImageCache
	Tokens []float32 // final image tokens, [B·P, D]
	S4     []float32 // stem features, [B, S/4, S/4, Config.Detail()]
}

// Forward runs pictures x [B, S, S, 3] and prompts through the stack in one pass. Prompts are ordered by picture (blind
// ones anywhere); scratch is reused between passes. With keep, the pictures' keys and values are collected in it.
func (m *Model) Forward(t *autograd.Tape, x *Value, prompts []Prompt, sc *Scratch, keep *nn.ImageCache) Hidden {
	tokens, s4 := m.Stem.Forward(x)
	images := x.Shape[0]
	n := images * m.Config.Tokens()
	h := Hidden{S4: s4, Coords: m.coords(t)}
	seq := tokens
	sc.layout = ops.Layout{Images: images, Patches: m.Config.Tokens(), Groups: sc.layout.Groups[:0]}
	if len(prompts) > 0 {
		seq = ops.Concat(tokens, m.embed(t, prompts, h.Coords, sc, n))
	}
	sc.pass = nn.Pass{Layout: &sc.layout, Keep: keep}
	sc.early = nil
	if len(prompts) > 0 && seq.Wanted() {
		if sc.tap == nil {
			sc.tap = sc.keepEarly
		}
		sc.earlyAt, sc.pass.Tap = m.Config.Layers*2/3, sc.tap
	}
	out := m.Stack.Forward(&sc.pass, seq)
	h.Tokens = m.patches(ops.Slice(out, 0, n), images)
	if len(prompts) > 0 {
		h.Text, h.Start = ops.Slice(out, n, out.Shape.Rows()), sc.start
	}
	if sc.early != nil {
		h.Early = m.Stack.Norm.Forward(ops.Slice(sc.early, n, out.Shape.Rows()))
	}
	return h
}

// Ask runs prompts over pictures that were encoded before.
func (m *Model) Ask(t *autograd.Tape, e *Encoded, prompts []Prompt, sc *Scratch) Hidden {
	h := Hidden{Coords: m.coords(t)}
	sc.layout = ops.Layout{Images: e.Images, Patches: m.Config.Tokens(), Groups: sc.layout.Groups[:0]}
	x := m.embed(t, prompts, h.Coords, sc, 0)
	sc.pass = nn.Pass{Layout: &sc.layout, Cache: &e.Cache}
	h.Text, h.Start = m.Stack.Forward(&sc.pass, x), sc.start
	return h
}

// Scratch holds what a pass's operations refer to until the tape is reset.
type Scratch struct {
	layout      ops.Layout
	pass        nn.Pass
	refs, prefs []ops.Ref
	start       []int
	loss        lossScratch

	tap     func(int, *Value) *Value // keepEarly, made once
	earlyAt int
	early   *Value
}

// keepEarly remembers the input of block earlyAt.
func (sc *Scratch) keepEarly(layer int, x *Value) *Value {
	if layer == sc.earlyAt {
		sc.early = x
	}
	return x
}

// coords is the table of the coordinates' embeddings, [Bins, D].
func (m *Model) coords(t *autograd.Tape) *Value {
	return m.Coord.Forward(t.Input(m.coordIn, m.Config.Bins, 2*frequencies))
}

// names is the table of some names' embeddings, [len(words), D].
func (m *Model) names(t *autograd.Tape, words [][]int32) *Value {
	return ops.Bag(t.Use(m.Words), words)
}

// embed turns the prompts' pieces into rows [T, D] and lays them out; row is the first row's number in the sequence.
func (m *Model) embed(t *autograd.Tape, prompts []Prompt, coords *Value, sc *Scratch, row int) *Value {
	sc.refs, sc.prefs, sc.start = sc.refs[:0], sc.prefs[:0], sc.start[:0]
	for _, p := range prompts {
		if len(p.Pieces) > m.Config.MaxText {
			panic(fmt.Sprintf("unified: a group of %d pieces, at most %d", len(p.Pieces), m.Config.MaxText))
		}
		image := p.Image
		if p.Blind {
			image = -1
		}
		sc.start = append(sc.start, len(sc.refs))
		g := ops.Group{Image: image, Start: row + len(sc.refs), Len: len(p.Pieces), Causal: p.Causal}
		if m.Config.Prefix {
			g.Prefix = p.Prefix
		}
		sc.layout.Groups = append(sc.layout.Groups, g)
		for i, q := range p.Pieces {
			r := ops.Ref{Table: 0, Row: q.ID}
			switch q.Kind {
			case task.Name:
				r.Table = 1
			case task.Coord:
				r = ops.Ref{Table: 2, Row: int32(min(int(q.Coord*float32(m.Config.Bins)), m.Config.Bins-1))}
			}
			sc.refs = append(sc.refs, r)
			sc.prefs = append(sc.prefs, ops.Ref{Row: int32(i)})
		}
	}
	x := ops.Gather(t, sc.refs, t.Use(m.Words), m.names(t, m.Names.Words), coords)
	return ops.Add(x, ops.Gather(t, sc.prefs, t.Use(m.Pos)))
}
