package rtdetr

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fovea/checkpoint"
	"fovea/model"
	"fovea/nn"
)

// build makes the blank model of a config.json.
func build(t *testing.T, config string) (*Model, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"config.json": config, "preprocessor_config.json": `{"image_processor_type":"RTDetrImageProcessor","do_normalize":false}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := model.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	net, _, err := f.Build([]model.Family{Family, Fine})
	if err != nil {
		return nil, err
	}
	return net.(*Model), nil
}

const classes = `"id2label":{"79":"toothbrush"}`

// published are configurations of well-known repositories, without what their classes have as defaults.
var published = map[string]struct {
	config   string
	millions float64 // of weights, as the papers say
}{
	"rtdetr_r50vd": {`{"architectures":["RTDetrForObjectDetection"],"model_type":"rt_detr",` + classes + `}`, 42.9},
	"rtdetr_v2_r18vd": {`{"architectures":["RTDetrV2ForObjectDetection"],"model_type":"rt_detr_v2",` + classes + `,"decoder_layers":3,"hidden_expansion":0.5,"encoder_in_channels":[128,256,512],
		"backbone_config":{"model_type":"rt_detr_resnet","layer_type":"basic","hidden_sizes":[64,128,256,512],"depths":[2,2,2,2],"out_features":["stage2","stage3","stage4"],"out_indices":[2,3,4]}}`, 20.2},
	"dfine-small": {`{"architectures":["DFineForObjectDetection"],"model_type":"d_fine",` + classes + `,"decoder_layers":3,"depth_mult":0.34,"hidden_expansion":0.5,"decoder_n_points":[3,6,3],"encoder_in_channels":[256,512,1024],
		"backbone_config":{"model_type":"hgnet_v2","stem_channels":[3,16,16],"stage_in_channels":[16,64,256,512],"stage_mid_channels":[16,32,64,128],"stage_out_channels":[64,256,512,1024],"stage_num_blocks":[1,1,2,1],"stage_numb_of_layers":[3,3,3,3],"use_learnable_affine_block":true,"out_indices":[2,3,4]}}`, 10.3},
	"dfine-nano": {`{"architectures":["DFineForObjectDetection"],"model_type":"d_fine",` + classes + `,"decoder_layers":3,"depth_mult":0.5,"hidden_expansion":0.34,"decoder_n_points":[6,6],"num_feature_levels":2,"d_model":128,"encoder_hidden_dim":128,
		"encoder_ffn_dim":512,"decoder_ffn_dim":512,"encoder_in_channels":[512,1024],"decoder_in_channels":[128,128],"encode_proj_layers":[1],
		"backbone_config":{"model_type":"hgnet_v2","stem_channels":[3,16,16],"stage_in_channels":[16,64,256,512],"stage_mid_channels":[16,32,64,128],"stage_out_channels":[64,256,512,1024],"stage_num_blocks":[1,1,2,1],"stage_numb_of_layers":[3,3,3,3],"use_learnable_affine_block":true,"out_indices":[3,4]}}`, 3.8},
	"dfine-large": {`{"architectures":["DFineForObjectDetection"],"model_type":"d_fine",` + classes + `,"decoder_n_points":[3,6,3],"backbone_config":{"model_type":"hgnet_v2","out_indices":[2,3,4]}}`, 31.3},
	"dfine-xlarge": {`{"architectures":["DFineForObjectDetection"],"model_type":"d_fine",` + classes + `,"decoder_n_points":[3,6,3],"encoder_hidden_dim":384,"encoder_ffn_dim":2048,"decoder_in_channels":[384,384,384],
		"backbone_config":{"model_type":"hgnet_v2","stem_channels":[3,32,64],"stage_in_channels":[64,128,512,1024],"stage_mid_channels":[64,128,256,512],"stage_out_channels":[128,512,1024,2048],"stage_num_blocks":[1,2,5,2],"out_indices":[2,3,4]}}`, 62.7},
}

// TestPublishedSizes: a network has about as many weights as the papers say.
func TestPublishedSizes(t *testing.T) {
	for name, p := range published {
		m, err := build(t, p.config)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		n := 0
		for _, w := range nn.Params(m) {
			n += w.Shape.Size()
		}
		t.Logf("%s: %d", name, n)
		if got := float64(n) / 1e6; math.Abs(got-p.millions) > .03*p.millions {
			t.Errorf("%s: %.1f million weights, want %g", name, got, p.millions)
		}
		if err := m.checkPicture(640, 640); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		card := m.Card()
		if card.Size != 640 || len(card.Labels) != 80 || card.Labels[79] != "toothbrush" {
			t.Errorf("%s: card %+v", name, card)
		}
	}
}

func TestConfigRejects(t *testing.T) {
	for want, set := range map[string]string{
		"only backbones that backbone_config": `"backbone":"resnet50"`,
		"encoder_in_channels: 0":              `"encoder_in_channels":[]`,
		"num_feature_levels: 4":               `"num_feature_levels":4`,
		"decoder_in_channels":                 `"decoder_in_channels":[256,256,128]`,
		"decoder_n_points":                    `"decoder_n_points":[4,4,0]`,
		"neither a number nor a list":         `"decoder_n_points":"4"`,
		"num_queries: 0":                      `"num_queries":0`,
		"max_num_bins 31 is odd":              `"max_num_bins":31`,
		"eval_idx 2":                          `"eval_idx":2`,
		"decoder_n_levels is 4":               `"decoder_n_levels":4`,
		`decoder_method "discrete"`:           `"decoder_method":"discrete"`,
		"decoder_offset_scale":                `"decoder_offset_scale":1e30`,
		"learn_initial_query":                 `"learn_initial_query":true`,
		"eval_size":                           `"eval_size":[640,640]`,
		"lqe_layers: 0":                       `"lqe_layers":0`,
		"top_prob_values: 99":                 `"top_prob_values":99`,
		"the backbone gives 1 maps":           `"backbone_config":{"model_type":"hgnet_v2"}`,
		"not half as large":                   `"backbone_config":{"model_type":"hgnet_v2","out_indices":[1,2,4]}`,
		"hidden_act":                          `"decoder_activation_function":"mish"`,
		"does not divide":                     `"decoder_attention_heads":7`,
	} {
		_, err := build(t, `{"architectures":["DFineForObjectDetection"],`+set+`}`)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestPicturesRejected: pictures whose maps do not fit, or are too small or large for the queries.
func TestPicturesRejected(t *testing.T) {
	m, err := build(t, `{"architectures":["RTDetrV2ForObjectDetection"],"anchor_image_size":[320,640]}`)
	if err != nil {
		t.Fatal(err)
	}
	for want, size := range map[string][2]int{"multiples of 32": {650, 640}, "84 places": {64, 64}, "places, not 300": {4096, 4096}, "anchor_image_size is 640 × 320": {640, 640}} {
		if err := m.checkPicture(size[0], size[1]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", size, err, want)
		}
	}
	if err := m.checkPicture(320, 640); err != nil {
		t.Error(err)
	}
}

// TestOldNames: both spellings lead to the names of the fields, and what is not a weight of the network is dropped.
func TestOldNames(t *testing.T) {
	for _, c := range [][]string{
		{"encoder.aifi.0.layers.0.mlp.up.weight", "model.encoder.encoder.0.layers.0.fc1.weight", "model.encoder.aifi.0.layers.0.mlp.fc1.weight", "model.encoder.aifi.0.layers.0.mlp.layers.0.weight"},
		{"decoder.bbox_embed.1.0.bias", "bbox_embed.1.layers.0.bias", "model.decoder.bbox_embed.1.layers.0.bias"},
		{"decoder.layers.2.attn.o.weight", "model.decoder.layers.2.self_attn.out_proj.weight", "model.decoder.layers.2.self_attn.o_proj.weight"},
		{"decoder.lqe_layers.0.reg_conf.1.weight", "model.decoder.lqe_layers.0.reg_conf.layers.1.weight"},
		{"decoder_input_proj.2.norm.running_var", "model.decoder_input_proj.2.1.running_var"},
		{"backbone.encoder.stages.1.layers.0.shortcut.conv.weight", "model.backbone.model.encoder.stages.1.layers.0.shortcut.1.convolution.weight"},
		{"backbone.embedder.stem2a.lab.scale", "model.backbone.model.embedder.stem2a.lab.scale"},
		{"", "model.denoising_class_embed.weight", "model.decoder.layers.0.encoder_attn.n_points_scale", "model.decoder.layers.0.encoder_attn.num_points_scale", "model.encoder.lateral_convs.0.norm.num_batches_tracked"},
	} {
		for _, from := range c[1:] {
			if got := renamed(from); got != c[0] {
				t.Errorf("%s becomes %q, want %q", from, got, c[0])
			}
		}
	}
	m, err := build(t, published["dfine-small"].config)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, p := range nn.Params(m) {
		names = append(names, p.Name)
	}
	for _, want := range []string{"decoder.up", "decoder.reg_scale", "decoder.lqe_layers.2.reg_conf.1.bias", "encoder.downsample_convs.0.conv2.conv.weight", "enc_output.1.weight"} {
		if !slices.Contains(names, want) {
			t.Errorf("no weight is called %s", want)
		}
	}
}

// renamed is a name after all rules, "" when it is dropped.
func renamed(name string) string {
	for _, r := range renames {
		re := regexp.MustCompile(r.From)
		if r.To == checkpoint.Drop {
			if re.MatchString(name) {
				return ""
			}
			continue
		}
		name = re.ReplaceAllString(name, r.To)
	}
	return name
}
