package nn

import "fmt"

// RotaryVisionConfig sizes a vision transformer that takes pictures of any shape, in which queries and keys are turned by the rows
// and columns of their patches (Qwen2.5-VL and Qwen3-VL, Bai et al. 2025), under the names of their config.json.
type RotaryVisionConfig struct {
	Depth    int    `json:"depth"`
	Width    int    `json:"hidden_size"`
	Heads    int    `json:"num_heads"`
	Inner    int    `json:"intermediate_size"`
	Act      string `json:"hidden_act"`
	Out      int    `json:"out_hidden_size"`
	Patch    int    `json:"patch_size"`
	Merge    int    `json:"spatial_merge_size"` // so many patches each way become one token
	Frames   int    `json:"temporal_patch_size"`
	Channels *int   `json:"in_channels"`

	Window int   `json:"window_size"`           // pixels; Qwen2.5-VL
	Full   []int `json:"fullatt_block_indexes"` // blocks that do not look at windows only

	Positions int   `json:"num_position_embeddings"`  // Qwen3-VL
	Deep      []int `json:"deepstack_visual_indexes"` // blocks whose outputs the first blocks of the decoder see too
}

// Check names the first field that cannot work.
func (v *RotaryVisionConfig) Check(third bool) error {
	for _, f := range []struct {
		name       string
		v, lo, max int
	}{
		{"depth", v.Depth, 1, 512}, {"hidden_size", v.Width, 4, 1 << 15}, {"num_heads", v.Heads, 1, 1 << 10}, {"intermediate_size", v.Inner, 1, 1 << 18},
		{"patch_size", v.Patch, 1, 1 << 8}, {"spatial_merge_size", v.Merge, 1, 16}, {"temporal_patch_size", v.Frames, 1, 16},
	} {
		if f.v < f.lo || f.v > f.max {
			return fmt.Errorf("nn: %s %d of pictures is not within %d … %d", f.name, f.v, f.lo, f.max)
		}
	}
	if v.Width%v.Heads != 0 || v.Width/v.Heads%4 != 0 {
		return fmt.Errorf("nn: hidden_size %d does not divide into num_heads %d of a multiple of four features", v.Width, v.Heads)
	}
	if v.Channels != nil && *v.Channels != 3 {
		return fmt.Errorf("nn: in_channels %d, want 3", *v.Channels)
	}
	if _, err := Activation(v.Act); err != nil {
		return err
	}
	if !third {
		if v.Window/v.Merge/v.Patch < 1 || v.Window > 1<<16 {
			return fmt.Errorf("nn: window_size %d is less than a token, or more than %d", v.Window, 1<<16)
		}
		return nil
	}
	if side := rootOf(v.Positions); v.Positions < 1 || v.Positions > 1<<20 || side*side != v.Positions {
		return fmt.Errorf("nn: num_position_embeddings %d is not a square within 1 … %d", v.Positions, 1<<20)
	}
	for _, i := range v.Deep {
		if i < 0 || i >= v.Depth {
			return fmt.Errorf("nn: deepstack_visual_indexes %v are not within depth %d", v.Deep, v.Depth)
		}
	}
	return nil
}
