package sam

import (
	"fmt"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
	"fovea/tensor"
)

// DecoderConfig sizes the decoder of masks.
type DecoderConfig struct {
	Width  int     `json:"hidden_size"`
	Act    string  `json:"hidden_act"`
	Inner  int     `json:"mlp_dim"`
	Layers int     `json:"num_hidden_layers"`
	Heads  int     `json:"num_attention_heads"`
	Shrink int     `json:"attention_downsample_rate"` // of the width inside attention between prompt and picture
	Masks  int     `json:"num_multimask_outputs"`
	Depth  int     `json:"iou_head_depth"`
	Hidden int     `json:"iou_head_hidden_dim"`
	Eps    float32 `json:"layer_norm_eps"`
}

// decoder lets a prompt's tokens and the picture look at each other, then makes masks of what the tokens have become.
type decoder struct {
	Quality *autograd.Param     `weight:"iou_token.weight"`   // [1, D]: asks how good the masks are
	Tokens  *autograd.Param     `weight:"mask_tokens.weight"` // [1+M, D]: ask for the single mask and the others
	Mix     *nn.TwoWay          `weight:"transformer"`
	Up1     *nn.ConvTranspose2D `weight:"upscale_conv1"`
	UpNorm  *nn.LayerNorm       `weight:"upscale_layer_norm"`
	Up2     *nn.ConvTranspose2D `weight:"upscale_conv2"`
	Read    []*feed             `weight:"output_hypernetworks_mlps"`
	Score   *feed               `weight:"iou_prediction_head"`
}

// feed is dense layers with ReLU between them.
type feed struct {
	In     *nn.Dense   `weight:"proj_in"`
	Layers []*nn.Dense `weight:"layers"`
	Out    *nn.Dense   `weight:"proj_out"`
}

func newFeed(in, hidden, out, depth int) *feed {
	f := &feed{In: nn.BlankDense(in, hidden, true), Out: nn.BlankDense(hidden, out, true)}
	for range depth - 2 {
		f.Layers = append(f.Layers, nn.BlankDense(hidden, hidden, true))
	}
	return f
}

func (f *feed) forward(x *autograd.Value) *autograd.Value {
	x = ops.ReLU(f.In.Forward(x))
	for _, l := range f.Layers {
		x = ops.ReLU(l.Forward(x))
	}
	return f.Out.Forward(x)
}

// newDecoder makes a blank decoder.
func newDecoder(c *DecoderConfig) (*decoder, error) {
	e := nn.EncoderConfig{Width: c.Width, Heads: c.Heads, Inner: c.Inner, Layers: c.Layers, Act: c.Act, Eps: c.Eps}
	if err := e.Check(); err != nil {
		return nil, fmt.Errorf("mask_decoder_config: %w", err)
	}
	d := c.Width
	if c.Shrink < 1 || d%8 != 0 || d%(c.Shrink*c.Heads) != 0 || c.Masks < 1 || c.Masks > 64 || c.Depth < 2 || c.Depth > 64 || c.Hidden < 1 || c.Hidden > 1<<14 {
		return nil, fmt.Errorf("sam: attention_downsample_rate %d times the heads does not divide hidden_size %d, or that is no multiple of 8, or num_multimask_outputs %d, iou_head_depth %d or iou_head_hidden_dim %d out of range", c.Shrink, d, c.Masks, c.Depth, c.Hidden)
	}
	r := &decoder{
		Quality: nn.Blank(autograd.Table, 1, d), Tokens: nn.Blank(autograd.Table, 1+c.Masks, d), Mix: nn.BlankTwoWay(e, c.Shrink),
		Up1: nn.BlankConvTranspose2D(d, d/4, 2, 2, 0, true), UpNorm: nn.BlankNorm(d/4, 1e-6), Up2: nn.BlankConvTranspose2D(d/4, d/8, 2, 2, 0, true),
		Score: newFeed(d, c.Hidden, 1+c.Masks, c.Depth),
	}
	for range 1 + c.Masks {
		r.Read = append(r.Read, newFeed(d, d, d/8, 3))
	}
	return r, nil
}

// prompts embeds the points and boxes of B pictures' N prompts: [B, N, T, D]. A prompt of points alone ends with one that is
// none. Either of points and boxes may be nil.
func (m *Model) prompts(t *autograd.Tape, points, labels, boxes *tensor.Tensor) *autograd.Value {
	first, d := points, m.Config.Decoder.Width
	if first == nil {
		first = boxes
	}
	b, n, each := first.Shape[0], first.Shape[1], 0
	if points != nil {
		each = points.Shape[2]
	}
	tokens := each + 2
	if boxes == nil {
		tokens = each + 1
	}
	y := t.New(false, b, n, tokens, d)
	put := func(at int, xy []float32, kind []float32) {
		row, side := y.Data[at*d:(at+1)*d], float64(m.Config.Vision.Image)
		m.waves(row, (float64(xy[0])+.5)/side, (float64(xy[1])+.5)/side)
		kernel.AddTo(row, kind)
	}
	for i := range b * n {
		at := i * tokens
		for j := range each {
			switch l := labels.Data[i*each+j]; l {
			case 0, 1:
				put(at, points.Data[2*(i*each+j):], m.Kinds[int(l)].Weight.Data)
			default:
				copy(y.Data[at*d:(at+1)*d], m.NoPoint.Data)
			}
			at++
		}
		if boxes == nil {
			copy(y.Data[at*d:(at+1)*d], m.NoPoint.Data)
			continue
		}
		put(at, boxes.Data[4*i:], m.Kinds[2].Weight.Data)
		put(at+1, boxes.Data[4*i+2:], m.Kinds[3].Weight.Data)
	}
	return y
}

// answer decodes prompts [B, N, T, D] about pictures [B, G, G, D], whose outputs get before in front of their names.
func (m *Model) answer(out model.Outputs, before string, pictures, prompts *autograd.Value) {
	t, d := pictures.Tape(), m.Config.Decoder.Width
	g, b, n, asked := pictures.Shape[1], prompts.Shape[0], prompts.Shape[1], prompts.Shape[2]
	masks := len(m.Decoder.Read)
	tokens, cells := 1+masks+asked, g*g
	x := nn.Frame(b*n, ops.Concat(t.Use(m.Decoder.Quality), t.Use(m.Decoder.Tokens)), t.View(prompts, b*n*asked, d), nil)
	cellRefs := make([]ops.Ref, b*n*cells)
	for i := range cellRefs {
		cellRefs[i].Row = int32(i/(n*cells)*cells + i%cells)
	}
	image := ops.Gather(t, cellRefs, ops.Add(pictures, t.Use(m.NoMask)))
	places := t.New(false, cells, d)
	for i := range cells {
		m.waves(places.Data[i*d:(i+1)*d], (float64(i%g)+.5)/float64(g), (float64(i/g)+.5)/float64(g))
	}
	x, image = m.Decoder.Mix.Forward(x, image, places, tokens, cells)
	up := ops.GELUExact(m.Decoder.UpNorm.Forward(m.Decoder.Up1.Forward(t.View(image, b*n, g, g, d))))
	up = ops.GELUExact(m.Decoder.Up2.Forward(up))
	side := 4 * g
	one, many := t.New(false, b*n, side*side), t.New(false, b*n*(masks-1), side*side)
	for k, read := range m.Decoder.Read {
		w := read.forward(nn.RowsOfEach(x, b*n, 1+k, 2+k))
		for i := range b * n {
			to := one.Data[i*side*side:]
			if k > 0 {
				to = many.Data[(i*(masks-1)+k-1)*side*side:]
			}
			kernel.Gemm(t.Work, kernel.M(to, 1, side*side), kernel.M(w.Data[i*d/8:], 1, d/8), kernel.M(up.Data[i*side*side*d/8:], side*side, d/8).T(), kernel.Epilogue{})
		}
	}
	scores := m.Decoder.Score.forward(nn.RowsOfEach(x, b*n, 0, 1))
	out[before+"pred_masks"], out[before+"single.pred_masks"] = t.View(many, b*n, masks-1, side, side), t.View(one, b*n, 1, side, side)
	out[before+"iou_scores"], out[before+"single.iou_scores"] = ops.Columns(scores, 1, masks), ops.Columns(scores, 0, 1)
}
