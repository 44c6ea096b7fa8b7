package all

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fovea/checkpoint"
	"fovea/model"
	"fovea/nn"
	"fovea/tensor"
)

// TestPublishedSizes builds networks by the configurations of well-known repositories, which leave out what their classes
// have as defaults, and counts their weights.
func TestPublishedSizes(t *testing.T) {
	for _, c := range []struct {
		name, config, processor, fixture string
		want                             int
	}{
		{"google/vit-base-patch16-224", `{"architectures":["ViTForImageClassification"],"model_type":"vit","id2label":` + labels(1000) + `}`,
			`{"do_normalize":true,"do_resize":true,"image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5],"size":224}`, "vit", 86_567_656},
		{"openai/clip-vit-base-patch32", `{"architectures":["CLIPModel"],"model_type":"clip","projection_dim":512,"text_config":{"eos_token_id":2},"text_config_dict":null,"vision_config":{},"vision_config_dict":null}`,
			`{"crop_size":224,"do_center_crop":true,"feature_extractor_type":"CLIPFeatureExtractor","resample":3,"size":224}`, "clip", 151_277_313},
		{"laion/CLIP-ViT-B-32-laion2B-s34B-b79K", `{"architectures":["CLIPModel"],"model_type":"clip","projection_dim":512,"text_config":{"dropout":0.0,"hidden_act":"gelu","model_type":"clip_text_model"},"vision_config":{"dropout":0.0,"hidden_act":"gelu","model_type":"clip_vision_model"}}`,
			`{"crop_size":{"height":224,"width":224},"feature_extractor_type":"CLIPFeatureExtractor","resample":3,"size":{"shortest_edge":224}}`, "clip", 151_277_313},
		{"google/siglip-base-patch16-224", `{"architectures":["SiglipModel"],"model_type":"siglip","text_config":{"model_type":"siglip_text_model"},"vision_config":{"model_type":"siglip_vision_model"}}`,
			`{"image_processor_type":"SiglipImageProcessor","processor_class":"SiglipProcessor","resample":3,"size":{"height":224,"width":224}}`, "siglip", 203_155_970},
		{"facebook/dinov2-base", `{"architectures":["Dinov2Model"],"model_type":"dinov2","image_size":518,"patch_size":14}`,
			`{"crop_size":{"height":224,"width":224},"image_processor_type":"BitImageProcessor","resample":3,"size":{"shortest_edge":256}}`, "dinov2", 86_580_480 - 768}, // without the mask token
		{"google/paligemma-3b-pt-224", `{"architectures":["PaliGemmaForConditionalGeneration"],"model_type":"paligemma","bos_token_id":2,"eos_token_id":1,"image_token_index":1882,"projection_dim":2048,"text_config":{"hidden_size":2048,"intermediate_size":16384,"model_type":"gemma","num_attention_heads":8,"num_hidden_layers":18,"num_image_tokens":256,"num_key_value_heads":1,"torch_dtype":"float32","vocab_size":257216},"vision_config":{"hidden_size":1152,"intermediate_size":4304,"model_type":"siglip_vision_model","num_attention_heads":16,"num_hidden_layers":27,"num_image_tokens":256,"patch_size":14,"projection_dim":2048,"vision_use_head":false}}`, // but for the tokenizer, which is the fixture's
			`{"image_processor_type":"SiglipImageProcessor","image_seq_length":256,"resample":3,"size":{"height":224,"width":224}}`, "paligemma", 2_923_466_480},
	} {
		dir := t.TempDir()
		copyFile(t, filepath.Join(root(), c.fixture, "tokenizer.json"), filepath.Join(dir, "tokenizer.json"))
		for name, text := range map[string]string{"config.json": c.config, "preprocessor_config.json": c.processor} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		folder, err := model.OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		net, _, err := folder.Build(Families())
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		n := 0
		for _, p := range nn.Params(net) {
			n += p.Shape.Size()
		}
		if n != c.want {
			t.Errorf("%s: %d weights, want %d", c.name, n, c.want)
		}
	}
}

func labels(n int) string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprint(i)] = fmt.Sprint("label ", i)
	}
	b, _ := json.Marshal(m)
	return string(b)
}

// copyFile copies a file, if it is there.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err == nil {
		err = os.WriteFile(to, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFormats: weights in halves, in bfloat16 and in several files give nearly what single precision in one file gives.
func TestFormats(t *testing.T) {
	dir := filepath.Join(root(), "clip")
	folder, err := model.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	x := open(t, folder)
	want := x.load(t).Run(newTape(), x.io)
	for _, c := range []struct {
		format string
		bound  float64
	}{{"F32", 1e-6}, {"F16", 1e-2}, {"BF16", 5e-2}} {
		for shards := 1; shards <= 3; shards += 2 {
			to := t.TempDir()
			for _, name := range []string{"config.json", "preprocessor_config.json", "tokenizer.json"} {
				copyFile(t, filepath.Join(dir, name), filepath.Join(to, name))
			}
			writeShards(t, to, x.weights(t), c.format, shards)
			net, err := Open(to)
			if err != nil {
				t.Fatal(err)
			}
			got := net.Run(newTape(), x.io)
			for _, name := range []string{"image_embeds", "text_embeds", "logits_per_image"} {
				if d := far(got[name].Data, want[name].Data); !(d <= c.bound) {
					t.Errorf("%s in %d files: %s: %.3g of its range away", c.format, shards, name, d)
				}
			}
		}
	}
}

// writeShards writes weights to a folder as the hub has them.
func writeShards(t *testing.T, dir string, w source, format string, shards int) {
	t.Helper()
	index := map[string]string{}
	for s := range shards {
		file := "model.safetensors"
		if shards > 1 {
			file = fmt.Sprintf("model-%05d-of-%05d.safetensors", s+1, shards)
		}
		header, data := map[string]any{}, []byte{}
		for i, name := range w.Names() {
			if i%shards != s {
				continue
			}
			values := make([]float32, w[name].Shape.Size())
			if err := w[name].Float32(values); err != nil {
				t.Fatal(err)
			}
			from := len(data)
			for _, v := range values {
				switch format {
				case "F32":
					data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
				case "BF16":
					data = binary.LittleEndian.AppendUint16(data, uint16(math.Float32bits(v)>>16))
				case "F16":
					data = binary.LittleEndian.AppendUint16(data, half16(v))
				}
			}
			shape := w[name].Shape
			if shape == nil {
				shape = []int{}
			}
			header[name] = map[string]any{"dtype": format, "shape": shape, "data_offsets": []int{from, len(data)}}
			index[name] = file
		}
		h, err := json.Marshal(header)
		if err != nil {
			t.Fatal(err)
		}
		b := append(binary.LittleEndian.AppendUint64(nil, uint64(len(h))), h...)
		if err := os.WriteFile(filepath.Join(dir, file), append(b, data...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if shards > 1 {
		b, err := json.Marshal(map[string]any{"metadata": map[string]any{}, "weight_map": index})
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// half16 cuts a number to half precision; numbers that are too small become 0.
func half16(v float32) uint16 {
	b := math.Float32bits(v)
	exp := int(b>>23&255) - 112
	if exp <= 0 {
		return uint16(b >> 16 & 0x8000)
	}
	return uint16(b>>16&0x8000) | uint16(exp)<<10 | uint16(b>>13&1023)
}

// TestBareModels: the classes without a head give the class token, and take the names that they are published with.
func TestBareModels(t *testing.T) {
	for fixture, c := range map[string]struct{ class, prefix string }{
		"dinov2": {"Dinov2Model", "dinov2."}, "dinov2_registers": {"Dinov2WithRegistersModel", "dinov2_with_registers."}, "vit": {"ViTModel", "vit."},
	} {
		dir := filepath.Join(root(), fixture)
		folder, err := model.OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		x := open(t, folder)
		folder.Class = c.class
		net, fam, err := folder.Build(Families())
		if err != nil {
			t.Fatal(err)
		}
		bare := source{}
		for name, w := range x.weights(t) {
			if name, ok := strings.CutPrefix(name, c.prefix); ok {
				bare[name] = w
			}
		}
		norm := x.io["vision.norm"]
		d := norm.Shape.Last()
		cls := norm.Data[:d]
		if fixture == "vit" { // this one has a layer more, tanh(W·x): here W is the identity
			w, eye := &checkpoint.Tensor{Shape: tensor.Shape{d, d}, Raw: make([]byte, 4*d*d)}, math.Float32bits(1)
			for i := range d {
				binary.LittleEndian.PutUint32(w.Raw[4*i*(d+1):], eye)
			}
			bare["pooler.dense.weight"], bare["pooler.dense.bias"] = w, &checkpoint.Tensor{Shape: tensor.Shape{d}, Raw: make([]byte, 4*d)}
			cls = slices.Clone(cls)
			for i, v := range cls {
				cls[i] = float32(math.Tanh(float64(v)))
			}
		}
		if err := checkpoint.Bind(nn.Params(net), bare, fam.Renames); err != nil {
			t.Fatal(err)
		}
		if got := net.Run(newTape(), x.io)["pooler_output"].Data; !(far(got, cls) <= stateBound) {
			t.Errorf("%s: the vector is not the class token", fixture)
		}
		v := x.view(t, net).Vector()
		if card := net.Card(); len(v) != card.Embed || !card.PicturesOnly || !near(length(v), 1, 1e-5) {
			t.Errorf("%s: a vector of %d numbers and length %g; card %+v", fixture, len(v), length(v), card)
		}
	}
}

// TestOlderConfigurations: what a repository of CLIP said in its first years.
func TestOlderConfigurations(t *testing.T) {
	dir, to := filepath.Join(root(), "clip"), t.TempDir()
	for _, name := range []string{"tokenizer.json", "model.safetensors"} {
		copyFile(t, filepath.Join(dir, name), filepath.Join(to, name))
	}
	folder, err := model.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	x := open(t, folder)
	var config map[string]any
	if err := folder.Config(&config); err != nil {
		t.Fatal(err)
	}
	config["text_config_dict"], config["vision_config_dict"] = config["text_config"], config["vision_config"]
	config["text_config_dict"].(map[string]any)["eos_token_id"] = 2
	config["text_config"], config["vision_config"] = map[string]any{"hidden_size": 7}, nil
	config["torch_dtype"] = "float32"
	b, err := json.Marshal(config)
	if err == nil {
		err = os.WriteFile(filepath.Join(to, "config.json"), b, 0o644)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(to, "preprocessor_config.json"), []byte(`{"crop_size":32,"feature_extractor_type":"CLIPFeatureExtractor","size":32}`), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	net, err := Open(to)
	if err != nil {
		t.Fatal(err)
	}
	if got := net.Run(newTape(), x.io)["logits_per_text"].Data; !(far(got, x.io["logits_per_text"].Data) <= stateBound) {
		t.Error("another answer")
	}
	in, err := net.Process(model.Sample{Pictures: x.pictures})
	if err != nil {
		t.Fatal(err)
	}
	comparePixels(t, "pixel_values", in["pixel_values"], x.io["pixel_values"])
}
