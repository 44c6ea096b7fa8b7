package unified

import (
	"fmt"
	"math/rand/v2"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/nn"
	"fovea/ops"
)

// Trunk says what a stack that came from a published vision transformer has and the model's own has not. Words, names and
// coordinates go through the same blocks as the patches.
type Trunk struct {
	From    string  `json:"from"`              // the encoder's name
	Before  int     `json:"tokens_before"`     // its class token and registers, which stand before the patches
	PreNorm bool    `json:"pre_norm"`          // a norm of image tokens before the first block
	Inner   int     `json:"intermediate_size"` // of the feed-forward layer
	Act     string  `json:"hidden_act"`
	Eps     float32 `json:"layer_norm_eps"`
	QKVBias bool    `json:"qkv_bias"`
	Scaled  bool    `json:"layer_scale"`
	Gated   bool    `json:"gated_mlp"`
}

// tableName is the weight of a trunk whose shape follows from Config.Size.
const tableName = "stem.trunk.table"

// before is the number of tokens that stand before a picture's patches.
func (c Config) before() int {
	if c.Trunk == nil {
		return 0
	}
	return c.Trunk.Before
}

// encoder sizes the trunk's blocks.
func (c Config) encoder() nn.EncoderConfig {
	t := c.Trunk
	return nn.EncoderConfig{
		Width: c.Width, Layers: c.Layers, Heads: c.Heads, Inner: t.Inner, Act: t.Act, Eps: t.Eps, QKVBias: t.QKVBias,
		Scaled: t.Scaled, Gated: t.Gated, Final: true,
	}
}

// checkTrunk names what is wrong with a trunk, if there is one.
func (c Config) checkTrunk() error {
	switch {
	case c.Trunk == nil:
		return nil
	case c.Stride < 4 || c.Stride > 64 || c.Size < 32 || c.Size > 1024 || c.Size%c.Stride != 0 || c.Size%4 != 0:
		return fmt.Errorf("unified: image_size %d for patches of %d pixels; want a multiple of %d in [32, 1024]", c.Size, c.Stride, lcm(c.Stride, 4))
	case c.Trunk.Before < 0 || c.Trunk.Before > 64:
		return fmt.Errorf("unified: tokens_before %d out of range", c.Trunk.Before)
	}
	e := c.encoder()
	if err := e.Check(); err != nil {
		return fmt.Errorf("unified: trunk: %w", err)
	}
	return nil
}

func lcm(a, b int) int {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}

// enlarge is how many cells of the feature map an image token is read out to, each way: as many as its patch has, or more.
func (c Config) enlarge() int { return (c.Stride + 3) / 4 }

// fit leads from the enlarged patches to the feature map when they do not agree, as with patches of 14 pixels.
func (c Config) fit() *ops.Taps {
	if n := c.Grid() * c.enlarge(); n != c.FeatureSide() {
		return nn.Taps(n, c.FeatureSide(), imageproc.Bilinear, false)
	}
	return nil
}

// newStack makes the blocks: the model's own, or those of a trunk.
func newStack(rng *rand.Rand, c Config) *nn.Stack {
	if c.Trunk != nil {
		s, err := nn.NewEncoder(c.encoder())
		if err != nil {
			panic(err) // Check has been called
		}
		s.Init(rng)
		return s
	}
	s := &nn.Stack{Norm: nn.NewLayerNorm(c.Width, false)}
	for range c.Layers {
		s.Blocks = append(s.Blocks, nn.NewBlock(rng, nn.BlockConfig{Width: c.Width, Heads: c.Heads, MLPRatio: c.MLPRatio, Inner: c.Inner, QKNorm: true}))
	}
	return s
}

// trunkStem turns pixels into the tokens that a trunk's blocks were trained on.
type trunkStem struct {
	Patch  *nn.PatchEmbed  `weight:"patch"`
	Table  *autograd.Param `weight:"table"`  // [P, D]: positions
	Before *autograd.Param `weight:"before"` // [Before, D], with their positions; nil without such
	Pre    *nn.LayerNorm   `weight:"pre"`
}

func newTrunkStem(rng *rand.Rand, c Config) *trunkStem {
	s := &trunkStem{Patch: nn.BlankPatchEmbed(c.Width, c.Stride, true, 0), Table: autograd.NewParam(autograd.Table, c.Patches(), c.Width)}
	nn.Allot(s.Patch)
	nn.Normal(rng, s.Patch.Weight, 1/float64(2*c.Stride))
	nn.Normal(rng, s.Table, .02)
	if n := c.before(); n > 0 {
		s.Before = autograd.NewParam(autograd.Table, n, c.Width)
		nn.Normal(rng, s.Before, .02)
	}
	if c.Trunk.PreNorm {
		s.Pre = nn.NewLayerNorm(c.Width, true)
		s.Pre.Eps = c.Trunk.Eps
	}
	return s
}

// forward maps pixels [B, S, S, 3], normalised as for every model, to tokens [B·Tokens, D].
func (s *trunkStem) forward(x *Value) *Value {
	t, b := x.Tape(), x.Shape[0]
	y := s.Patch.Forward(x)
	h := ops.Add(t.View(y, y.Shape.Rows(), y.Shape.Last()), t.Use(s.Table))
	if s.Before != nil {
		h = nn.Frame(b, t.Use(s.Before), h, nil)
	}
	if s.Pre != nil {
		h = s.Pre.Forward(h)
	}
	return h
}

// patches are the image tokens that answer, of all that the stack has of b pictures.
func (m *Model) patches(h *Value, b int) *Value {
	if n := m.Config.before(); n > 0 {
		return nn.RowsOfEach(h, b, n, m.Config.Tokens())
	}
	return h
}

// resizeTable fits a table of positions to pictures of another size.
func resizeTable(to, from *autograd.Param, c, was Config) {
	n, m := was.Grid(), c.Grid()
	taps := nn.Taps(n, m, imageproc.Bicubic, false)
	d := c.Width
	clear(to.Data)
	for y := range m {
		for i, row := range taps.At[y] {
			for x := range m {
				for j, col := range taps.At[x] {
					w := taps.Weight[y][i] * taps.Weight[x][j]
					src, dst := from.Data[(int(row)*n+int(col))*d:], to.Data[(y*m+x)*d:(y*m+x+1)*d]
					for k := range dst {
						dst[k] += w * src[k]
					}
				}
			}
		}
	}
}
