package unified

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/nn"
	"fovea/tensor"
)

// PlainEncoder reports that the model's stack is that of a plain vision transformer (Dosovitskiy et al. 2021), which SaveEncoder
// can take out of it.
func (m *Model) PlainEncoder() bool {
	t := m.Config.Trunk
	return t != nil && t.Before == 1 && !t.PreNorm && !t.Scaled && !t.Gated
}

// SaveEncoder writes the stem and stack of a model with a plain encoder as a ViTModel's folder in the layout of the Hugging Face
// hub: a vision transformer that gives the model's image tokens, for FromEncoder and other programs. Its pooler, which the class
// needs, passes the class token on.
func (m *Model) SaveEncoder(dir string) error {
	if !m.PlainEncoder() {
		return fmt.Errorf("unified: the model's stack is no plain vision transformer that could be saved by itself")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("unified: save encoder: %w", err)
	}
	c, t := m.Config, m.Config.Trunk
	for name, v := range map[string]any{
		"config.json": map[string]any{
			"architectures": []string{"ViTModel"}, "model_type": "vit", "hidden_size": c.Width, "num_hidden_layers": c.Layers, "num_attention_heads": c.Heads,
			"intermediate_size": t.Inner, "hidden_act": t.Act, "layer_norm_eps": t.Eps, "qkv_bias": t.QKVBias, "image_size": c.Size, "patch_size": c.Stride, "num_channels": 3,
		},
		"preprocessor_config.json": map[string]any{
			"image_processor_type": "ViTImageProcessor", "do_resize": true, "size": map[string]int{"height": c.Size, "width": c.Size}, "resample": 2,
			"do_rescale": true, "rescale_factor": 1. / 255, "do_normalize": true, "image_mean": [3]float64{pixelMean, pixelMean, pixelMean},
			"image_std": [3]float64{pixelStd, pixelStd, pixelStd},
		},
	} {
		b, err := json.MarshalIndent(v, "", "  ")
		if err == nil {
			err = checkpoint.AtomicWrite(checkpoint.OS, filepath.Join(dir, name), func(w io.Writer) error {
				_, err := w.Write(append(b, '\n'))
				return err
			})
		}
		if err != nil {
			return fmt.Errorf("unified: save encoder: %w", err)
		}
	}
	if err := checkpoint.WriteItems(filepath.Join(dir, weightsFile), m.encoderItems(), map[string]string{"format": "pt"}, nil); err != nil {
		return fmt.Errorf("unified: save encoder: %w", err)
	}
	return nil
}

// encoderItems are the weights under the names that a ViTModel has for them. The place of the class token is in the token.
func (m *Model) encoderItems() (items []checkpoint.Item) {
	s, d := m.Stem.Trunk, m.Config.Width
	add := func(name string, data []float32, shape ...int) {
		items = append(items, checkpoint.Item{Name: name, Shape: tensor.Shape(shape), Data: data, DType: checkpoint.F32})
	}
	pair := func(name string, w, b *autograd.Param) {
		add(name+".weight", w.Data, w.Shape...)
		if b != nil {
			add(name+".bias", b.Data, b.Shape...)
		}
	}
	add("embeddings.cls_token", s.Before.Data, 1, 1, d)
	add("embeddings.position_embeddings", slices.Concat(make([]float32, d), s.Table.Data), 1, 1+m.Config.Patches(), d)
	pair("embeddings.patch_embeddings.projection", s.Patch.Weight, s.Patch.Bias)
	for i, b := range m.Stack.Blocks {
		at := fmt.Sprintf("encoder.layer.%d.", i)
		pair(at+"layernorm_before", b.Norm1.Gain, b.Norm1.Bias)
		pair(at+"layernorm_after", b.Norm2.Gain, b.Norm2.Bias)
		mlp := b.MLP.(*nn.MLP)
		for name, l := range map[string]nn.Linear{
			"attention.attention.query": b.Attn.Q, "attention.attention.key": b.Attn.K, "attention.attention.value": b.Attn.V,
			"attention.output.dense": b.Attn.O, "intermediate.dense": mlp.Up, "output.dense": mlp.Down,
		} {
			pair(at+name, l.(*nn.Dense).Weight, l.(*nn.Dense).Bias)
		}
	}
	pair("layernorm", m.Stack.Norm.Gain, m.Stack.Norm.Bias)
	identity := make([]float32, d*d)
	for i := range d {
		identity[i*d+i] = 1
	}
	add("pooler.dense.weight", identity, d, d)
	add("pooler.dense.bias", make([]float32, d), d)
	return items
}
