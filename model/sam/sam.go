// Package sam runs published Segment Anything models (Kirillov et al. 2023): a picture is encoded once, and any point or box
// in it is answered with masks of what is there, whatever that is.
package sam

import (
	"fmt"
	"math"
	"strings"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/task"
)

// Family is facebook/sam-vit-* and its kin.
var Family = model.Family{
	Name: "sam", Architectures: []string{"SamModel"}, New: New,
	Renames: []checkpoint.Rename{
		{From: `^prompt_encoder\.(shared_embedding|mask_embed)\.`, To: checkpoint.Drop}, // the first is a copy; masks are not taken as prompts
		{From: `\.patch_embed\.projection\.`, To: ".patch_embed."},
		{From: `\.layer_norm(\d)\.`, To: ".norm$1."},
		{From: `\.attn\.proj\.`, To: ".attn.o."},
		{From: `\.([qkv])_proj\.`, To: ".$1."},
		{From: `\.out_proj\.`, To: ".o."},
		{From: `\.mlp\.lin1\.`, To: ".mlp.up."},
		{From: `\.mlp\.lin2\.`, To: ".mlp.down."},
		{From: `^(.*)\.attn\.qkv\.(\w+)$`, To: "$1.attn.q.$2|$1.attn.k.$2|$1.attn.v.$2"},
	},
}

// Config is a config.json.
type Config struct {
	Vision  VisionConfig  `json:"vision_config"`
	Prompt  PromptConfig  `json:"prompt_encoder_config"`
	Decoder DecoderConfig `json:"mask_decoder_config"`
}

// VisionConfig is its part about pictures.
type VisionConfig struct {
	nn.GridVisionConfig
	Waves int `json:"num_pos_feats"` // of random places, see Model.waves
}

// PromptConfig says how points and boxes are embedded.
type PromptConfig struct {
	Width int `json:"hidden_size"`
}

// Model is a SAM.
type Model struct {
	Config  Config
	Vision  *nn.GridVision  `weight:"vision_encoder"`
	Places  *autograd.Param `weight:"shared_image_embedding.positional_embedding"` // [2, F]: random waves
	Kinds   []*nn.Scale     `weight:"prompt_encoder.point_embed"`                  // of outer and inner points, first and last corners
	NoPoint *autograd.Param `weight:"prompt_encoder.not_a_point_embed.weight"`     // [1, D]
	NoMask  *autograd.Param `weight:"prompt_encoder.no_mask_embed.weight"`         // [1, D]
	Decoder *decoder        `weight:"mask_decoder"`
	pixels  *imageproc.Processor
	longest int // of a picture's sides, after resizing
	name    string
}

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	m := &Model{name: f.Name, Config: Config{
		Vision: VisionConfig{Waves: 128, GridVisionConfig: nn.GridVisionConfig{
			EncoderConfig: nn.EncoderConfig{Width: 768, Layers: 12, Heads: 12, Act: "gelu", Eps: 1e-6, QKVBias: true},
			Image:         1024, Patch: 16, Channels: 3, Ratio: 4, Window: 14, Global: []int{2, 5, 8, 11}, Out: 256, Absolute: true, Relative: true,
		}},
		Prompt:  PromptConfig{256},
		Decoder: DecoderConfig{Width: 256, Act: "relu", Inner: 2048, Layers: 2, Heads: 8, Shrink: 2, Masks: 3, Depth: 3, Hidden: 256, Eps: 1e-6},
	}}
	c := &m.Config
	err := f.Config(c)
	if err != nil {
		return nil, err
	}
	if m.Vision, err = nn.NewGridVision(&c.Vision.GridVisionConfig); err != nil {
		return nil, fmt.Errorf("vision_config: %w", err)
	}
	d := c.Decoder.Width
	if c.Vision.Out != d || c.Prompt.Width != d || 2*c.Vision.Waves != d {
		return nil, fmt.Errorf("sam: output_channels %d, hidden_size %d of prompts and 2 × num_pos_feats %d are not all hidden_size %d of the mask decoder", c.Vision.Out, c.Prompt.Width, c.Vision.Waves, d)
	}
	if m.Decoder, err = newDecoder(&c.Decoder); err != nil {
		return nil, err
	}
	m.Places = nn.Blank(autograd.Buffer, 2, c.Vision.Waves)
	for range 4 {
		m.Kinds = append(m.Kinds, &nn.Scale{Weight: nn.Blank(autograd.Table, 1, d)})
	}
	m.NoPoint, m.NoMask = nn.Blank(autograd.Table, 1, d), nn.Blank(autograd.Table, 1, d)
	return m, m.processor(f)
}

// processor reads how pictures are prepared: unlike other classes, this one resizes the longer side to a length, and fills up
// to a square after normalising.
func (m *Model) processor(f *model.Folder) (err error) {
	var c struct {
		Type string `json:"image_processor_type"`
		Size *struct {
			Longest int `json:"longest_edge"`
		} `json:"size"`
	}
	if m.pixels, err = f.Colours("VitPose", &c); err != nil { // its other defaults are the same
		return err
	}
	m.longest = 1024
	if c.Size != nil {
		m.longest = c.Size.Longest
	}
	if c.Type != "" && !strings.HasPrefix(c.Type, "SamImageProcessor") || m.longest < 1 || m.longest > m.Config.Vision.Image {
		return fmt.Errorf("preprocessor_config.json: want a SamImageProcessor, not %q, and a longest_edge of 1 … image_size %d, not %d", c.Type, m.Config.Vision.Image, m.longest)
	}
	return nil
}

// Card implements model.Model. Without a prompt, everything that is there is segmented, under one name.
func (m *Model) Card() model.Card {
	return model.Card{
		Name: m.name, Family: "SamModel", Tasks: task.SetOf(task.Segment), Labels: []string{anything}, Threshold: minScore,
		Parameters: model.Parameters(m), Size: m.Config.Vision.Image,
	}
}

// scaled is the size that a picture of w × h pixels is resized to.
func (m *Model) scaled(w, h int) (int, int) {
	scale := float64(m.longest) / float64(max(w, h))
	return max(int(float64(w)*scale+.5), 1), max(int(float64(h)*scale+.5), 1)
}

// Process implements model.Network. Boxes, equally many of each picture, become input_boxes [B, N, 4], in pixels of the input.
func (m *Model) Process(s model.Sample) (model.Inputs, error) {
	side, in := m.Config.Vision.Image, model.Inputs{}
	if len(s.Pictures) == 0 {
		return nil, fmt.Errorf("sam: no picture")
	}
	pixels, boxes := make([]float32, len(s.Pictures)*side*side*3), []float32{}
	for i, img := range s.Pictures {
		w, h := m.scaled(img.W, img.H)
		p := *m.pixels
		p.Width, p.Height = w, h
		x, _, _, _, err := p.Apply(img)
		if err != nil {
			return nil, fmt.Errorf("sam: %w", err)
		}
		for y := range h {
			copy(pixels[(i*side+y)*side*3:], x[3*y*w:3*(y+1)*w])
		}
		if s.Boxes == nil {
			continue
		}
		if len(s.Boxes) != len(s.Pictures) || len(s.Boxes[i]) != len(s.Boxes[0]) {
			return nil, fmt.Errorf("sam: want equally many boxes of each picture")
		}
		sx, sy := float64(w)/float64(img.W), float64(h)/float64(img.H)
		for _, b := range s.Boxes[i] {
			boxes = append(boxes, float32(b.X0*sx), float32(b.Y0*sy), float32(b.X1*sx), float32(b.Y1*sy))
		}
	}
	in.Put("pixel_values", pixels, len(s.Pictures), side, side, 3)
	if len(boxes) > 0 {
		in.Put("input_boxes", boxes, len(s.Pictures), len(s.Boxes[0]), 4)
	}
	return in, nil
}

// Run implements model.Network: pixel_values give vision.neck; input_points [B, N, P, 2] with input_labels [B, N, P] and
// input_boxes [B, N, 4], in pixels of the input, give of each of the N prompts of each picture pred_masks [B, N, M, 4·G, 4·G]
// and iou_scores [B, N, M] of M masks from part to whole, and with "single." before these names of one mask. Prompts whose
// names have something before them, "boxes.input_boxes", give outputs that have the same.
func (m *Model) Run(t *autograd.Tape, in model.Inputs) model.Outputs {
	out := model.Outputs{}
	picture := m.Vision.Forward(in.Value(t, "pixel_values"), out.Tap("vision"))
	out["vision.neck"] = picture
	for name := range in {
		before, ok := strings.CutSuffix(name, "input_points")
		if !ok {
			if before, ok = strings.CutSuffix(name, "input_boxes"); !ok || in[before+"input_points"] != nil {
				continue
			}
		}
		m.answer(out, before, picture, m.prompts(t, in[before+"input_points"], in[before+"input_labels"], in[before+"input_boxes"]))
	}
	return out
}

// waves embeds a place of the input, in [0, 1] of its sides: sines and cosines of random waves (Tancik et al. 2020).
func (m *Model) waves(dst []float32, x, y float64) {
	n := m.Config.Vision.Waves
	for j := range n {
		v := 2 * math.Pi * ((2*x-1)*float64(m.Places.Data[j]) + (2*y-1)*float64(m.Places.Data[n+j]))
		sin, cos := math.Sincos(v)
		dst[j], dst[n+j] = float32(sin), float32(cos)
	}
}
