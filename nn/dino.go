package nn

import "fmt"

// DinoConfig is what the configurations of DINOv2 (Oquab et al. 2023) and the networks that are built on it say in their own
// way, under the names of their config.json.
type DinoConfig struct {
	MLPRatio       int  `json:"mlp_ratio"` // of the feed-forward layer's width to hidden_size
	SwiGLU         bool `json:"use_swiglu_ffn"`
	RegisterTokens int  `json:"num_register_tokens"`
}

// Settle sizes the feed-forward layers and the register tokens of c.
func (d *DinoConfig) Settle(c *VisionConfig) error {
	if d.MLPRatio < 1 || d.MLPRatio > 64 {
		return fmt.Errorf("nn: mlp_ratio %d is not within 1 … 64", d.MLPRatio)
	}
	c.Inner = c.Width * d.MLPRatio
	if c.Gated = d.SwiGLU; c.Gated {
		c.Inner = (c.Inner*2/3 + 7) / 8 * 8
	}
	c.Registers = d.RegisterTokens
	return nil
}
