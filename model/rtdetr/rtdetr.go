// Package rtdetr runs published RT-DETR models (Zhao et al. 2024), their second version (Lv et al. 2024) and D-FINE (Peng et
// al. 2025): detectors of a list of classes that need no suppression of doubles. A convolutional backbone gives maps of
// features at three sizes, a hybrid encoder exchanges what they know, the places of the maps that are surest to show an object
// become queries, and a decoder refines them with deformable attention. The two differ in the encoder's blocks, and in that
// D-FINE says where a box's edges are by distributions, which every layer refines.
package rtdetr

import (
	"fmt"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
	"fovea/task"
)

// Family is PekingU/rtdetr_* and PekingU/rtdetr_v2_*. When it comes to using the networks, the versions do not differ.
var Family = model.Family{
	Name: "rt_detr_v2", Architectures: []string{"RTDetrV2ForObjectDetection", "RTDetrForObjectDetection"}, Renames: renames,
	New: func(f *model.Folder) (model.Network, error) { return open(f, false) },
}

// Fine is ustc-community/dfine-*.
var Fine = model.Family{
	Name: "d_fine", Architectures: []string{"DFineForObjectDetection"}, Renames: renames,
	New: func(f *model.Folder) (model.Network, error) { return open(f, true) },
}

// renames lead from published names, as versions 4 and 5 of the reference write them, to the fields'.
//
//	model.encoder.encoder.0.layers.0.fc1.weight          version 4
//	model.encoder.aifi.0.layers.0.mlp.layers.0.weight    version 5
//	          both become  encoder.aifi.0.layers.0.mlp.up.weight
var renames = []checkpoint.Rename{
	{From: `num_batches_tracked$`, To: checkpoint.Drop},
	{From: `\.n(um)?_points_scale$`, To: checkpoint.Drop},        // 1/n
	{From: `(^|\.)denoising_class_embed\.`, To: checkpoint.Drop}, // of the training
	{From: `^model\.`, To: ""},
	{From: `^(class|bbox)_embed\.`, To: "decoder.${1}_embed."}, // another name of the same weights
	{From: `^backbone\.model\.`, To: "backbone."},
	{From: `^encoder\.encoder\.`, To: "encoder.aifi."},
	{From: `\.convolution\.`, To: ".conv."},
	{From: `\.normalization\.`, To: ".norm."},
	{From: `\.shortcut\.1\.`, To: ".shortcut."},
	{From: `^(en|de)coder_input_proj\.(\d+)\.0\.`, To: "${1}coder_input_proj.$2.conv."},
	{From: `^(en|de)coder_input_proj\.(\d+)\.1\.`, To: "${1}coder_input_proj.$2.norm."},
	{From: `\.self_attn\.([qkv])_proj\.`, To: ".attn.$1."},
	{From: `\.self_attn\.(out|o)_proj\.`, To: ".attn.o."},
	{From: `\.self_attn_layer_norm\.`, To: ".norm1."},
	{From: `\.encoder_attn_layer_norm\.`, To: ".cross_norm."},
	{From: `\.encoder_attn\.`, To: ".cross."},
	{From: `\.final_layer_norm\.`, To: ".norm2."},
	{From: `\.(mlp\.)?fc1\.|\.mlp\.layers\.0\.`, To: ".mlp.up."},
	{From: `\.(mlp\.)?fc2\.|\.mlp\.layers\.1\.`, To: ".mlp.down."},
	{From: `(_head|\.reg_conf|bbox_embed\.\d+)\.layers\.`, To: "$1."},
}

// Model is an RT-DETR or a D-FINE.
type Model struct {
	Config    Config
	Backbone  nn.Backbone    `weight:"backbone"`
	Into      []*nn.ConvNorm `weight:"encoder_input_proj"`
	Encoder   *nn.Hybrid     `weight:"encoder"`
	Out       []*nn.ConvNorm `weight:"decoder_input_proj"` // none in a D-FINE whose encoder is as wide as its decoder
	Place     *nn.Dense      `weight:"enc_output.0"`       // of all places, before queries are chosen
	PlaceNorm *nn.LayerNorm  `weight:"enc_output.1"`
	Score     *nn.Dense      `weight:"enc_score_head"`
	Box       *nn.Chain      `weight:"enc_bbox_head"`
	Decoder   *decoder       `weight:"decoder"`

	name, class string
	pixels      *imageproc.Processor
}

// open reads the configuration and makes a blank model.
func open(f *model.Folder, fine bool) (model.Network, error) {
	m := &Model{name: f.Name, class: f.Class, Config: newConfig(fine)}
	c := &m.Config
	err := f.Config(c)
	if err == nil {
		err = c.settle()
	}
	if err != nil {
		return nil, err
	}
	if m.Backbone, err = nn.NewBackbone(c.Backbone); err != nil {
		return nil, err
	}
	if m.Encoder, err = nn.NewHybrid(c.HybridConfig); err != nil {
		return nil, err
	}
	channels, halvings, e, d := m.Backbone.Channels(), m.Backbone.Halvings(), c.HybridConfig.Width, c.Width
	if len(channels) != c.Maps {
		return nil, fmt.Errorf("rtdetr: the backbone gives %d maps, encoder_in_channels has %d", len(channels), c.Maps)
	}
	for i, in := range channels {
		if i > 0 && halvings[i] != halvings[i-1]+1 {
			return nil, fmt.Errorf("rtdetr: map %d of the backbone is not half as large as the one before", i)
		}
		m.Into = append(m.Into, nn.BlankConvNorm(in, e, nn.ConvConfig{Kernel: 1, Stride: 1, Eps: 1e-5}))
		if !fine || e != d {
			m.Out = append(m.Out, nn.BlankConvNorm(e, d, nn.ConvConfig{Kernel: 1, Stride: 1, Eps: c.BatchEps}))
		}
	}
	m.Place, m.PlaceNorm = nn.BlankDense(d, d, true), nn.BlankNorm(d, c.Eps)
	m.Score, m.Box = nn.BlankDense(d, len(c.Labels), true), nn.BlankChain(ops.ReLU, d, d, d, 4)
	m.Decoder = newDecoder(c)
	m.pixels, err = f.Processor("RTDetr")
	return m, err
}

// Card implements model.Model.
func (m *Model) Card() model.Card {
	return model.Card{
		Name: m.name, Family: m.class, Tasks: task.SetOf(task.Detect), Labels: m.Config.Labels,
		Parameters: model.Parameters(m), Size: max(m.pixels.Height, m.pixels.Width),
	}
}

// Process implements model.Network.
func (m *Model) Process(s model.Sample) (model.Inputs, error) {
	in := model.Inputs{}
	if _, err := in.PutPictures(m.pixels, s.Pictures, m.checkPicture); err != nil {
		return nil, fmt.Errorf("rtdetr: %w", err)
	}
	return in, nil
}

// maxAnchors bounds the places of all maps; pictures of 640 × 640 pixels have 8400.
const maxAnchors = 1 << 16

// checkPicture refuses pictures whose maps do not fit onto each other, have too many places or too few.
func (m *Model) checkPicture(h, w int) error {
	halvings := m.Backbone.Halvings()
	step := 1 << halvings[len(halvings)-1]
	if h < 1 || w < 1 || h%step != 0 || w%step != 0 {
		return fmt.Errorf("pictures of %d × %d pixels; the sides must be multiples of %d", w, h, step)
	}
	places := 0
	for _, n := range halvings {
		places += (h >> n) * (w >> n)
	}
	if places > maxAnchors || places < m.Config.Queries {
		return fmt.Errorf("pictures of %d × %d pixels have %d places, not %d (num_queries) … %d", w, h, places, m.Config.Queries, maxAnchors)
	}
	if a := m.Config.AnchorSize; a != nil && *a != (nn.Size{h, w}) {
		return fmt.Errorf("pictures of %d × %d pixels, anchor_image_size is %d × %d", w, h, a[1], a[0])
	}
	return nil
}

// Run implements model.Network: pixel_values give logits [B·Q, labels], and pred_boxes: centre and size, [0, 1] of the input.
// It is for inference: boxes and the logits that depend on them are computed outside the tape.
func (m *Model) Run(t *autograd.Tape, in model.Inputs) model.Outputs {
	out, x := model.Outputs{}, in.Value(t, "pixel_values")
	maps := m.Backbone.Forward(x)
	for i, y := range maps {
		out[fmt.Sprintf("backbone.%d", i)] = y
		maps[i] = m.Into[i].Forward(y)
	}
	maps = m.Encoder.Forward(maps, out.Tap("encoder"))
	sizes := make([][2]int, len(maps))
	for i, y := range maps {
		out[fmt.Sprintf("encoder_out.%d", i)] = y
		sizes[i] = [2]int{y.Shape[1], y.Shape[2]}
		if m.Out != nil {
			maps[i] = m.Out[i].Forward(y)
		}
	}
	b := x.Shape[0]
	memory := nn.Interleave(b, maps...)
	queries, boxes := m.choose(in, out, memory, sizes, b)
	m.Decoder.run(out, b, queries, boxes, memory, &ops.Deformable{Heads: m.Config.Heads, Maps: sizes, Points: m.Config.Points, Scale: m.Config.OffsetScale})
	return out
}
