// Package owlv2 runs published OWLv2 models (Minderer et al. 2023): detection of whatever words name. Every patch of a
// picture answers with a box and a vector, and a text fits an object by how close their vectors are.
package owlv2

import (
	"fmt"
	"math"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
	"fovea/task"
	"fovea/tokenizer"
)

// Family is google/owlv2-*.
var Family = model.Family{
	Name: "owlv2", Architectures: []string{"Owlv2ForObjectDetection"}, New: New,
	Renames: append([]checkpoint.Rename{{From: `^(box_head|objectness_head)\.dense(\d)\.`, To: "$1.$2."}}, model.DualRenames...),
}

// Model is an OWLv2 with its tokenizer.
type Model struct {
	CLIP   *nn.Dual      `weight:"owlv2"`
	Norm   *nn.LayerNorm `weight:"layer_norm"`
	Class  *nn.Dense     `weight:"class_head.dense0"`
	Shift  *nn.Dense     `weight:"class_head.logit_shift"`
	Scale  *nn.Dense     `weight:"class_head.logit_scale"`
	Box    *nn.Chain     `weight:"box_head"`
	Object *nn.Chain     `weight:"objectness_head"`

	name   string
	pixels *imageproc.Processor
	words  tokenizer.Tokenizer
}

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	fresh := nn.NewDualConfig()
	fresh.Text.MaxLen, fresh.Text.EOS = 16, 2
	fresh.Vision.Image, fresh.Vision.Patch = nn.Size{768, 768}, nn.Size{16, 16}
	c := fresh
	err := f.Config(&c)
	if err == nil {
		err = c.Settle(fresh)
	}
	if err != nil {
		return nil, err
	}
	c.Text.EOS = 2 // texts are read at their largest id
	if c.Projection != c.Text.Width {
		return nil, fmt.Errorf("owlv2: projection_dim %d is not the texts' hidden_size %d", c.Projection, c.Text.Width)
	}
	m := &Model{name: f.Name}
	if m.CLIP, err = nn.NewDual(c); err != nil {
		return nil, err
	}
	d := c.Vision.Width
	m.Norm = nn.BlankNorm(d, c.Vision.Eps)
	m.Class, m.Shift, m.Scale = nn.BlankDense(d, c.Text.Width, true), nn.BlankDense(d, 1, true), nn.BlankDense(d, 1, true)
	m.Box, m.Object = nn.BlankChain(ops.GELUExact, d, d, d, 4), nn.BlankChain(ops.GELUExact, d, d, d, 1)
	if m.words, err = f.Tokenizer(c.Text.Vocab); err != nil {
		return nil, err
	}
	m.pixels, err = f.Processor("Owlv2")
	return m, err
}

// Card implements model.Model.
func (m *Model) Card() model.Card {
	return model.Card{
		Name: m.name, Family: "Owlv2ForObjectDetection", Tasks: task.SetOf(task.Detect), OpenVocabulary: true,
		Parameters: model.Parameters(m), Size: m.CLIP.Config.Vision.Image[0],
	}
}

// Process implements model.Network.
func (m *Model) Process(s model.Sample) (model.Inputs, error) {
	in := model.Inputs{}
	if s.Pictures != nil {
		if _, err := in.PutPictures(m.pixels, s.Pictures, m.checkPicture); err != nil {
			return nil, fmt.Errorf("owlv2: %w", err)
		}
	}
	in.PutWords(s.Texts, m.words, m.CLIP.Config.Text.MaxLen, 0, m.CLIP.Config.Text.MaxLen)
	return in, nil
}

// checkPicture refuses pictures of another size than the positions were learnt for, as the reference does.
func (m *Model) checkPicture(h, w int) error {
	if want := m.CLIP.Config.Vision.Image; h != want[0] || w != want[1] {
		return fmt.Errorf("preprocessor_config.json makes pictures of %d × %d pixels, config.json wants %d × %d", w, h, want[1], want[0])
	}
	return nil
}

// Run implements model.Network: pixel_values give pred_boxes, of centre and size in [0, 1] of the square, class_embeds and
// objectness_logits; input_ids give text_embeds; both together logits, of as many texts for each picture.
// query_pixel_values give the guided outputs: see guide.
func (m *Model) Run(t *autograd.Tape, in model.Inputs) model.Outputs {
	out := model.Outputs{}
	x := in.Value(t, "pixel_values")
	if x != nil {
		b := x.Shape[0]
		h := m.CLIP.Vision.Forward(&nn.Pass{Tap: out.Tap("vision")}, x)
		out["vision.pre_norm"] = out["vision.hidden.0"]
		out["vision.post_norm"] = m.CLIP.ClassToken(h, b)
		out["image_embeds"] = m.features(h, b)
		m.answers(out, out["image_embeds"], x)
	}
	ids := in.Texts()
	if ids != nil {
		out.Mask(t, "text", in["attention_mask"])
		out["text.final_norm"] = m.CLIP.Text.Forward(t, &nn.Pass{Tap: out.Tap("text")}, ids)
		out["text_embeds"] = ops.Normalize(m.CLIP.Texts(out["text.final_norm"], ids))
	}
	if x != nil && ids != nil {
		out["logits"] = m.logits(out, out["text_embeds"], x.Shape[0])
		for i, text := range ids { // a text that begins with the filling piece is none
			if len(text) == 0 || text[0] == 0 {
				mask(out["logits"], i, x.Shape[0])
			}
		}
	}
	if q := in.Value(t, "query_pixel_values"); q != nil && x != nil {
		m.guide(out, q)
	}
	return out
}

// features are the patches' tokens of b pictures, each multiplied by its picture's class token: [B·P, D].
func (m *Model) features(h *autograd.Value, b int) *autograd.Value {
	h = m.CLIP.Post.Forward(h)
	n := h.Shape.Rows() / b
	refs := make([]ops.Ref, 0, b*(n-1))
	for i := range b * (n - 1) {
		refs = append(refs, ops.Ref{Row: int32(i / (n - 1) * n)})
	}
	return m.Norm.Forward(ops.Mul(nn.RowsOfEach(h, b, 1, n), ops.Gather(h.Tape(), refs, h)))
}

// answers reads features out.
func (m *Model) answers(out model.Outputs, f, x *autograd.Value) {
	gh, gw := m.CLIP.Config.Vision.Grid(x.Shape[1], x.Shape[2])
	out["objectness_logits"] = m.Object.Forward(f)
	out["pred_boxes"] = ops.Sigmoid(ops.Add(m.Box.Forward(f), bias(f.Tape(), gh, gw)))
	out["class_embeds"] = ops.Normalize(m.Class.Forward(f))
	out["class_shift"] = m.Shift.Forward(f)
	out["class_scale"] = m.Scale.Forward(f)
}

// bias places boxes where their patches are: [GH·GW, 4], before the sigmoid.
func bias(t *autograd.Tape, gh, gw int) *autograd.Value {
	y := t.New(false, gh*gw, 4)
	logit := func(v float32) float32 {
		return float32(math.Log(float64(v+1e-4))) - float32(math.Log1p(float64(-v+1e-4)))
	}
	for i := range gh * gw {
		v := [4]float32{float32(i%gw+1) / float32(gw), float32(i/gw+1) / float32(gh), 1 / float32(gw), 1 / float32(gh)}
		for j := range v {
			y.Data[4*i+j] = logit(min(v[j], 1))
		}
	}
	return y
}

// logits says how well each of b pictures' patches fit each of its queries [B·Q, E]: [B·P, Q].
func (m *Model) logits(out model.Outputs, queries *autograd.Value, b int) *autograd.Value {
	e, t := out["class_embeds"], queries.Tape()
	n, q, d := e.Shape.Rows()/b, queries.Shape.Rows()/b, e.Shape.Last()
	y := t.New(false, b*n, q)
	for i := range b {
		kernel.Gemm(t.Work, kernel.M(y.Data[i*n*q:], n, q), kernel.M(e.Data[i*n*d:], n, d), kernel.M(queries.Data[i*q*d:], q, d).T(), kernel.Epilogue{})
	}
	for i := range y.Data {
		y.Data[i] = fit(y.Data[i], out["class_shift"].Data[i/q], out["class_scale"].Data[i/q])
	}
	return y
}

// fit is the logit of a patch for a query whose vectors have the dot product dot.
func fit(dot, shift, scale float32) float32 {
	if scale > 0 { // ELU(scale) + 1
		return (dot + shift) * (scale + 1)
	}
	return (dot + shift) * float32(math.Exp(float64(scale)))
}

// mask makes query number i of all pictures' queries impossible.
func mask(logits *autograd.Value, i, b int) {
	q := logits.Shape.Last()
	n := logits.Shape.Rows() / b
	for j := range n {
		logits.Data[(i/q*n+j)*q+i%q] = -math.MaxFloat32
	}
}
