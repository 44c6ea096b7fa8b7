package eomt

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fovea/model"
	"fovea/nn"
)

// dir is the fixture; that the network agrees with it is tested with those of all families, in model/all.
var dir = filepath.Join("..", "..", "testdata", "fixtures", "parity", "eomt")

// folder is a copy of the fixture's configuration in which texts are replaced.
func folder(t *testing.T, file, was, is string) *model.Folder {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{"config.json", "preprocessor_config.json"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		if name == file {
			if text = strings.Replace(text, was, is, 1); text == string(b) {
				t.Fatalf("%s does not say %s", file, was)
			}
		}
		if err := os.WriteFile(filepath.Join(to, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := model.OpenFolder(to)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestConfigRejects(t *testing.T) {
	const config, processor = "config.json", "preprocessor_config.json"
	for want, c := range map[string][3]string{
		"num_queries 0":                {config, `"num_queries": 10`, `"num_queries": 0`},
		"num_blocks 5":                 {config, `"num_blocks": 2`, `"num_blocks": 5`},
		"num_upscale_blocks 9":         {config, `"num_upscale_blocks": 2`, `"num_upscale_blocks": 9`},
		"not a square":                 {config, `"image_size": 64`, `"image_size": [64, 32]`},
		"masks of":                     {config, `"num_upscale_blocks": 2`, `"num_upscale_blocks": 5, "image_size": 1000`},
		"mlp_ratio 0":                  {config, `"mlp_ratio": 2`, `"mlp_ratio": 0`},
		"hidden_act":                   {config, `"hidden_act": "gelu"`, `"hidden_act": "mish"`},
		"register tokens":              {config, `"num_register_tokens": 4`, `"num_register_tokens": -1`},
		"a shortest_edge of 32 pixels": {processor, `"shortest_edge": 64`, `"shortest_edge": 32`},
	} {
		if _, err := New(folder(t, c[0], c[1], c[2])); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestPublishedSize: a configuration that leaves everything to the defaults is EoMT-L for pictures of 640 pixels. Its DINOv2 has
// the 304 368 640 weights of facebook/dinov2-large, but patches of 16 pixels in place of 14, positions for 1600 of them in place
// of 1370 tokens, no mask token and four registers.
func TestPublishedSize(t *testing.T) {
	to := t.TempDir()
	for name, text := range map[string]string{"config.json": `{"architectures":["EomtForUniversalSegmentation"],"model_type":"eomt"}`, "preprocessor_config.json": `{"image_processor_type":"EomtImageProcessor"}`} {
		if err := os.WriteFile(filepath.Join(to, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := model.OpenFolder(to)
	if err != nil {
		t.Fatal(err)
	}
	net, err := New(f)
	if err != nil {
		t.Fatal(err)
	}
	const d, queries, blocks, labels = 1024, 200, 4, 2
	want := 304_368_640 - d + 3*(16*16-14*14)*d + (1600-1370)*d + 4*d // DINOv2
	want += queries*d + blocks
	want += 2 * (d*d*4 + d + 9*d + 2*d)           // upscale blocks
	want += 3*(d*d+d) + (labels+1)*d + labels + 1 // mask head and names
	got := 0
	for _, p := range nn.Params(net) {
		got += p.Shape.Size()
	}
	if got != want {
		t.Errorf("%d weights, want %d", got, want)
	}
}

// TestOffsets: windows begin at the start, end at the end and leave no gap.
func TestOffsets(t *testing.T) {
	for n, want := range map[int][]int{64: {0}, 65: {0, 1}, 101: {0, 37}, 128: {0, 64}, 129: {0, 32, 65}, 1000: nil} {
		got := offsets(n, 64)
		if want != nil && !slices.Equal(got, want) {
			t.Errorf("%d pixels: windows at %v, want %v", n, got, want)
		}
		end := 0
		for _, at := range got {
			if at > end || at+64 > n {
				t.Errorf("%d pixels: windows at %v", n, got)
			}
			end = at + 64
		}
		if got[0] != 0 || n-end > 1 {
			t.Errorf("%d pixels: windows at %v", n, got)
		}
	}
}
