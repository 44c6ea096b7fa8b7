// Package unified is Fovea's own model: one transformer over image tokens and words that does all the tasks.
//
// A small convolutional stem turns the picture into P = (Size/Stride)² image tokens, words and coordinates come from
// tables, and one stack of pre-norm blocks runs over all of them. Image tokens see image tokens; the tokens of a prompt
// see the picture, their prompt and what precedes them (ops.Layout draws the mask). Objects are answered in parallel by
// the image tokens ("what is centred in my patch?"), joints in parallel by the joints' names, words one after the other.
// Coordinates are expectations over bins whose embeddings are computed from Fourier features; masks and joints are read
// out as dot products with image features (see readout.go).
package unified

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"

	"fovea/augment"
	"fovea/imageproc"
	"fovea/nn"
	"fovea/task"
)

// Config sizes a model. It is stored with the weights as config.json.
type Config struct {
	Architecture string `json:"architecture"`       // "fovea-unified"
	Size         int    `json:"image_size"`         // side of the square input, pixels
	Stride       int    `json:"patch_stride"`       // pixels a side of a patch: 16, or 4 for small pictures
	Width        int    `json:"hidden_size"`        // D
	Layers       int    `json:"num_layers"`         // blocks
	Heads        int    `json:"num_heads"`          // H; D/H features each
	MLPRatio     int    `json:"mlp_ratio"`          // feed-forward width / D
	Inner        int    `json:"mlp_size,omitempty"` // feed-forward width of a pruned model; 0: MLPRatio·D
	Stem         [3]int `json:"stem_channels"`      // channels at strides 2, 4 and 8, or with patches of 4 pixels 1, 2 and 4
	Bins         int    `json:"coordinate_bins"`    // bins over the side
	Features     int    `json:"feature_channels"`   // C of the stride-4 features that masks and joints are retrieved from
	MaxText      int    `json:"max_text"`           // longest group
	Embed        int    `json:"embed_size"`         // width of the joint image–text space
	// Pools says that the stem of patches of 4 pixels pools where its first version had strides; that version is not opened any more.
	Pools bool `json:"stem_pools,omitempty"`
	// Prefix lets the words of a question see each other both ways, so that "the person in red" is found from "person" too.
	// Models without it read questions from left to right only.
	Prefix bool `json:"question_prefix,omitempty"`
	// Refine adds a residual block to the features that masks and joints are retrieved from.
	Refine bool `json:"refine_features,omitempty"`
	// Backbone names the pretrained convolutions that are the stem: Lite0, or none.
	Backbone string `json:"backbone,omitempty"`
	// Detailed gives image tokens the backbone's maps of strides 8 and 4 too, so that they know where in their patch things are.
	Detailed bool `json:"detailed_patches,omitempty"`
	Vocab    int  `json:"vocab_size"`
	// Labels are what detection looks for and Classes what recognition chooses from, when the user names nothing else.
	Labels  []string `json:"labels"`
	Classes []string `json:"classes"`
	Joints  []string `json:"joints"` // of a person
	// Pixels are the classes that every pixel belongs to one of, when the user names nothing else. A model without any has no
	// read-out for them.
	Pixels []string `json:"pixel_labels,omitempty"`
	// Trunk says how the stack differs from the model's own when it came from a published encoder; nil: it does not.
	Trunk *Trunk `json:"trunk,omitempty"`
}

var variants = map[string]Config{
	"nano": {Size: 192, Stride: 16, Width: 192, Layers: 6, Heads: 3, MLPRatio: 4, Stem: [3]int{32, 64, 128}, Bins: 256, Features: 48, MaxText: 48, Embed: 128, Prefix: true, Refine: true},
	"tiny": {Size: 64, Stride: 16, Width: 64, Layers: 2, Heads: 2, MLPRatio: 2, Stem: [3]int{8, 16, 32}, Bins: 64, Features: 16, MaxText: 48, Embed: 32, Prefix: true, Refine: true},
	"mini": {Size: 128, Stride: 16, Width: 128, Layers: 6, Heads: 2, MLPRatio: 4, Stem: [3]int{24, 48, 96}, Bins: 256, Features: 32, MaxText: 48, Embed: 64, Prefix: true, Refine: true},
	"cct":  {Size: 32, Stride: 4, Width: 192, Layers: 2, Heads: 3, MLPRatio: 2, Stem: [3]int{64, 128, 256}, Bins: 64, Features: 16, MaxText: 48, Embed: 32, Prefix: true, Pools: true},
	"vit": {Size: 64, Stride: 8, Width: 96, Layers: 4, Heads: 3, MLPRatio: 2, Stem: [3]int{8, 16, 32}, Bins: 64, Features: 16, MaxText: 48, Embed: 32, Prefix: true,
		Trunk: &Trunk{From: "vit", Before: 1, Inner: 192, Act: "gelu", Eps: 1e-6, QKVBias: true}},
}

// Variant is a named size: "nano" (the shipped one), "mini", "tiny" (for tests), "cct", for pictures of some 32 pixels (compact
// convolutional transformer: Hassani et al. 2021), or "vit", a small model whose stack is a plain
// vision transformer's, which can be taken out of it (SaveEncoder).
func Variant(name string) (Config, error) {
	c, ok := variants[name]
	if !ok {
		var have []string
		for n := range variants {
			have = append(have, n)
		}
		sort.Strings(have)
		return c, fmt.Errorf("unified: unknown variant %q; there are %s", name, strings.Join(have, ", "))
	}
	c.Architecture = "fovea-unified"
	if c.Trunk != nil {
		t := *c.Trunk
		c.Trunk = &t
	}
	return c, nil
}

// Grid is the number of patches along a side.
func (c Config) Grid() int { return c.Size / c.Stride }

// Patches is the number of image tokens that answer, P.
func (c Config) Patches() int { return c.Grid() * c.Grid() }

// Tokens is the number of a picture's rows in the stack: its patches and, before them, the tokens of a trunk.
func (c Config) Tokens() int { return c.before() + c.Patches() }

// FeatureSide is the side of the feature map that masks and joints are retrieved from: stride 4.
func (c Config) FeatureSide() int { return c.Size / 4 }

// Detail is the number of channels of the stem's stride-4 features.
func (c Config) Detail() int {
	if c.Backbone == Lite0 {
		return nn.Lite4
	}
	if c.small() {
		return c.Stem[2]
	}
	return c.Stem[1]
}

// small says whether patches have 4 pixels a side and a stem that keeps pixels apart.
func (c Config) small() bool { return c.Stride == 4 && c.Trunk == nil && c.Backbone == "" }

// Check names what is wrong with a configuration.
func (c Config) Check() error {
	switch {
	case c.Architecture != "fovea-unified":
		return fmt.Errorf("unified: architecture %q, want \"fovea-unified\"", c.Architecture)
	case c.Trunk == nil && c.Stride != 16 && !c.small():
		return fmt.Errorf("unified: patch_stride %d; want 16, or 4 for small pictures", c.Stride)
	case c.Pools != c.small():
		if c.Pools {
			return fmt.Errorf("unified: stem_pools with patches of %d pixels: only the stem of 4 pixels pools", c.Stride)
		}
		return errors.New("unified: the model's stem has strides where that of this version pools: train it again, or use the version that it was trained with")
	case c.Trunk == nil && (c.Size < 32 || c.Size > 1024 || c.Size%c.Stride != 0):
		return fmt.Errorf("unified: image_size %d; want a multiple of %d in [32, 1024]", c.Size, c.Stride)
	case c.Backbone != "" && c.Backbone != Lite0:
		return fmt.Errorf("unified: backbone %q, want %q or none", c.Backbone, Lite0)
	case c.Backbone != "" && c.Trunk != nil:
		return fmt.Errorf("unified: backbone %s and a trunk from %s: a model has one of them", c.Backbone, c.Trunk.From)
	case c.Detailed && c.Backbone == "":
		return fmt.Errorf("unified: detailed_patches without a backbone: the model's own stem has no such maps")
	case c.Backbone == Lite0 && c.Size%32 != 0:
		return fmt.Errorf("unified: image_size %d, want a multiple of 32 for the backbone %s", c.Size, Lite0)
	case c.Width < 8 || c.Width > 4096 || c.Heads < 1 || c.Width%c.Heads != 0:
		return fmt.Errorf("unified: hidden_size %d does not divide into %d heads", c.Width, c.Heads)
	case c.Layers < 1 || c.Layers > 128 || c.MLPRatio < 1 || c.MLPRatio > 16:
		return fmt.Errorf("unified: num_layers %d or mlp_ratio %d out of range", c.Layers, c.MLPRatio)
	case c.Inner < 0 || c.Inner > 16*c.Width || c.Inner > 0 && c.Trunk != nil:
		return fmt.Errorf("unified: mlp_size %d, want 1 … %d, or a trunk's intermediate_size", c.Inner, 16*c.Width)
	case c.Bins < 2 || c.Bins > 4096 || c.Features < 1 || c.Features > 1024 || c.MaxText < task.MaxGroup || c.MaxText > 4096 || c.Embed < 1 || c.Embed > 4096:
		return fmt.Errorf("unified: coordinate_bins, feature_channels, max_text or embed_size out of range")
	case c.Vocab < 1 || c.Vocab > 1<<20:
		return fmt.Errorf("unified: vocab_size %d out of range", c.Vocab)
	case min(c.Stem[0], c.Stem[1], c.Stem[2]) < 1 || max(c.Stem[0], c.Stem[1], c.Stem[2]) > 4096:
		return fmt.Errorf("unified: stem_channels %v out of range", c.Stem)
	}
	return c.checkTrunk()
}

// frequencies of the Fourier features, geometric from half a cycle to 64 cycles over the picture.
const frequencies = 32

// fourier writes the sines and cosines of t ∈ [0, 1] at all frequencies into dst[0:64].
func fourier(dst []float32, t float64) {
	for i := range frequencies {
		f := 0.5 * math.Pow(128, float64(i)/(frequencies-1))
		s, c := math.Sincos(2 * math.Pi * f * t)
		dst[i], dst[frequencies+i] = float32(s), float32(c)
	}
}

// Fit is how pictures are brought to the model's square: letterboxed, with the same grey margin that training has.
func (c Config) Fit() imageproc.Config {
	return imageproc.Config{Size: c.Size, Fill: [3]uint8{augment.Padding, augment.Padding, augment.Padding}}
}
