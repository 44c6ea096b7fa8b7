package florence2

import (
	"fmt"

	"fovea/model"
	"fovea/nn"
)

// Config is a config.json, in the spelling of the transformers library or in the older one of the repositories that bring
// their own code; Legacy says which. The two lay out one matrix differently, see Projector.
type Config struct {
	Text   TextConfig   `json:"text_config"`
	Vision VisionConfig `json:"vision_config"`
	Image  int32        `json:"image_token_id"`
	Tied   bool         `json:"tie_word_embeddings"` // words that are read and words that are written share a table
	Legacy bool         `json:"-"`
	// Questions says that the model was trained on questions of any kind, not only on its tasks (see Amend).
	Questions bool `json:"free_questions"`
}

// TextConfig is its part about the encoder and decoder of texts.
type TextConfig struct {
	nn.BartConfig
	Begin       int32 `json:"bos_token_id"`
	End         int32 `json:"eos_token_id"`
	Start       int32 `json:"decoder_start_token_id"`
	writeConfig       // the older spelling has it here
}

// VisionConfig is its part about pictures.
type VisionConfig struct {
	nn.DaViTConfig
	Channels  int `json:"in_channels"`
	Project   int `json:"projection_dim"`
	MaxSide   int `json:"max_position_embeddings"` // rows and columns of the last stage's map
	MaxFrames int `json:"max_temporal_embeddings"`

	// The older spelling.
	Dims []int `json:"dim_embed"`
	Time struct {
		Type string `json:"type"`
		Max  int    `json:"max_temporal_embeddings"`
	} `json:"visual_temporal_embedding"`
	Pos struct {
		Type string `json:"type"`
		Max  int    `json:"max_pos_embeddings"`
	} `json:"image_pos_embed"`
	Sources []string `json:"image_feature_source"`
}

// writeConfig says how answers are written.
type writeConfig struct {
	model.Generation
	ForcedBegin *int32 `json:"forced_bos_token_id"`
	ForcedEnd   *int32 `json:"forced_eos_token_id"`
}

// defaults are what a configuration that is silent means.
func defaults() Config {
	end := int32(2)
	return Config{
		Image: 51289, Tied: true,
		Text: TextConfig{
			BartConfig: nn.BartConfig{Width: 1024, EncoderLayers: 12, EncoderHeads: 16, EncoderInner: 4096, DecoderLayers: 12, DecoderHeads: 16, DecoderInner: 4096, Act: "gelu", Vocab: 50265, MaxLen: 1024},
			End:        2, Start: 2, writeConfig: writeConfig{Generation: model.Generation{Beams: 3, NGram: 3, Early: true}, ForcedEnd: &end},
		},
		Vision: VisionConfig{
			DaViTConfig: nn.DaViTConfig{
				Widths: []int{128, 256, 512, 1024}, Depths: []int{1, 1, 9, 1}, Heads: []int{4, 8, 16, 32}, Groups: []int{4, 8, 16, 32},
				Patch: []int{7, 3, 3, 3}, Stride: []int{4, 2, 2, 2}, Pad: []int{3, 1, 1, 1}, PreNorm: []bool{false, true, true, true},
				Window: 12, Ratio: 4, QKVBias: true, Act: "gelu",
			},
			Channels: 3, Project: 1024, MaxSide: 50, MaxFrames: 100,
		},
	}
}

// readConfig reads config.json and, if it is there, generation_config.json.
func readConfig(f *model.Folder) (*Config, error) {
	c := defaults()
	if err := f.Config(&c); err != nil {
		return nil, err
	}
	if v := &c.Vision; v.Dims != nil {
		c.Legacy, c.Image = true, int32(min(max(c.Text.Vocab, 0), 1<<30)) // the vocabulary has no piece for pictures: one past it
		v.Widths, v.MaxSide, v.MaxFrames = v.Dims, v.Pos.Max, v.Time.Max
		if v.Pos.Type != "learned_abs_2d" || v.Time.Type != "COSINE" {
			return nil, fmt.Errorf("florence2: image_pos_embed %q and visual_temporal_embedding %q are not supported; want learned_abs_2d and COSINE", v.Pos.Type, v.Time.Type)
		}
		if s := v.Sources; len(s) != 2 || s[0] != "spatial_avg_pool" || s[1] != "temporal_avg_pool" {
			return nil, fmt.Errorf("florence2: image_feature_source %q is not supported; want spatial_avg_pool and temporal_avg_pool", s)
		}
	}
	x := &c.Text
	if err := f.Generation(&struct {
		*writeConfig
		Start *int32 `json:"decoder_start_token_id"`
	}{&x.writeConfig, &x.Start}); err != nil {
		return nil, err
	}
	if x.EOS == nil {
		x.EOS = model.Ends{x.End}
	}
	return &c, c.check()
}

// check names the first field that cannot work; those of the networks are checked by these.
func (c *Config) check() error {
	x, v := &c.Text, &c.Vision
	switch {
	case !c.Tied:
		return fmt.Errorf("florence2: tie_word_embeddings false is not supported")
	case v.Project != x.Width:
		return fmt.Errorf("florence2: projection_dim %d is not d_model %d", v.Project, x.Width)
	case v.Channels != 3:
		return fmt.Errorf("florence2: in_channels %d, want 3", v.Channels)
	case v.MaxSide < 1 || v.MaxSide > 1<<9 || v.MaxFrames < 1 || v.MaxFrames > 1<<12:
		return fmt.Errorf("florence2: max_position_embeddings %d of pictures is not within 1 … %d, or max_temporal_embeddings %d not within 1 … %d", v.MaxSide, 1<<9, v.MaxFrames, 1<<12)
	case len(v.Widths) == 0 || v.Widths[len(v.Widths)-1] < 2:
		return fmt.Errorf("florence2: embed_dim %v does not end with 2 or more", v.Widths)
	case x.Beams < 1:
		return fmt.Errorf("florence2: num_beams %d is below 1", x.Beams)
	}
	ids := []*int32{&x.Begin, &x.End, &x.Start, x.ForcedBegin, x.ForcedEnd}
	for i, name := range []string{"bos_token_id", "eos_token_id", "decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id"} {
		if id := ids[i]; id != nil && (*id < 0 || int(*id) >= x.Vocab) {
			return fmt.Errorf("florence2: %s %d is not within vocab_size %d", name, *id, x.Vocab)
		}
	}
	return x.Generation.Check(x.Vocab)
}
