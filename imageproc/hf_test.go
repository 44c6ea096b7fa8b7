package imageproc

import (
	"math"
	"strings"
	"testing"
)

// The sizes are those of the reference classes' functions.
func TestProcessorSizes(t *testing.T) {
	for _, c := range []struct {
		name, config, class string
		w, h, wantW, wantH  int
	}{
		{"a number, square class", `{"size":224}`, "ViT", 640, 480, 224, 224},
		{"a number, shortest edge", `{"size":224,"crop_size":224,"feature_extractor_type":"CLIPFeatureExtractor"}`, "", 641, 480, 299, 224},
		{"height and width", `{"size":{"height":32,"width":48},"image_processor_type":"ViTImageProcessorFast"}`, "", 5, 7, 48, 32},
		{"shortest edge of a tall picture", `{"size":{"shortest_edge":256}}`, "Bit", 300, 500, 256, 426},
		{"detr, longest edge rules", `{"size":{"shortest_edge":800,"longest_edge":1333}}`, "Yolos", 2000, 500, 1328, 320},
		{"detr, shortest edge rules", `{}`, "Yolos", 640, 480, 1056, 800},
		{"detr, already right", `{"size":{"shortest_edge":480,"longest_edge":640}}`, "Yolos", 640, 480, 640, 480},
		{"detr of old", `{"size":512,"max_size":864}`, "Yolos", 1000, 500, 864, 432},
		{"vilt", `{}`, "Vilt", 640, 480, 512, 384},
		{"vilt, long", `{}`, "Vilt", 3000, 480, 608, 96},
		{"vilt, tall", `{"size_divisor":64}`, "Vilt", 480, 640, 384, 512},
		{"naflex", `{"max_num_patches":20,"patch_size":16}`, "Siglip2", 97, 61, 80, 64},
		{"naflex, a strip", `{}`, "Siglip2", 10000, 10, 4096, 16},
		{"not resized", `{"do_resize":false}`, "CLIP", 33, 44, 33, 44},
	} {
		p, err := ParseProcessor([]byte(c.config), c.class)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if w, h := p.Scaled(c.w, c.h); w != c.wantW || h != c.wantH {
			t.Errorf("%s: %d × %d, want %d × %d", c.name, w, h, c.wantW, c.wantH)
		}
	}
}

func TestProcessorRejects(t *testing.T) {
	for config, want := range map[string]string{
		`{"image_processor_type":"SamImageProcessor"}`: `"Sam" is not supported`,
		`{"size":0}`:                                 "not within",
		`{"size":{"height":9000,"width":2}}`:         "not within",
		`{"size":{"height":2}}`:                      "needs height and width",
		`{"size":{"height":8000,"width":8000}}`:      "more than",
		`{"size":{"shortest_edge":3,"height":8}}`:    "needs height and width",
		`{"size":"large"}`:                           "neither",
		`{"size":{"longest_edge":8}}`:                "needs height and width",
		`{"image_mean":[1,2]}`:                       "three channels",
		`{"image_std":0}`:                            "not above 0",
		`{"image_mean":1e39}`:                        "three channels",
		`{"resample":9}`:                             "Pillow filter",
		`{"size_divisor":-1}`:                        "not within",
		`{"patch_size":8192,"max_num_patches":8192}`: "more than",
		`[]`: "preprocessor_config.json",
	} {
		if p, err := ParseProcessor([]byte(config), "ViT"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", config, p, err, want)
		}
	}
}

func TestProcessorApply(t *testing.T) {
	p, err := ParseProcessor([]byte(`{"size":4,"crop_size":7,"image_mean":0.25,"image_std":[0.5,1,2]}`), "CLIP")
	if err != nil {
		t.Fatal(err)
	}
	img := NewRGB(8, 4)
	img.fill(0, 0, 8, 4, [3]uint8{255, 255, 255})
	x, w, h, g, err := p.Apply(img)
	if err != nil || w != 7 || h != 7 {
		t.Fatalf("%d × %d, %v", w, h, err)
	}
	// 8 × 4 is cut by 0 at the left and gets 2 rows of black above, 1 below
	for i, v := range x {
		white := i/21 >= 2 && i/21 < 6
		want := -.25
		if white {
			want = .75
		}
		want /= []float64{.5, 1, 2}[i%3]
		if math.Abs(float64(v)-want) > 1e-6 {
			t.Fatalf("value %d is %g, want %g", i, v, want)
		}
	}
	if x, y := g.ToModel(3, 1); x != 3 || y != 3 {
		t.Errorf("the point (3, 1) lies at (%g, %g)", x, y)
	}
	if _, _, _, _, err := p.Apply(NewRGB(1, 20_000_000/3)); err == nil {
		t.Error("a line of pixels became a picture of its width's square")
	}
}

func FuzzParseProcessor(f *testing.F) {
	f.Add([]byte(`{"size":{"shortest_edge":256},"crop_size":{"height":224,"width":224},"resample":3,"image_mean":[0.5,0.5,0.5]}`), 3, 5)
	f.Fuzz(func(t *testing.T, config []byte, w, h int) {
		p, err := ParseProcessor(config, "Bit")
		if err != nil || w < 1 || h < 1 || w > 64 || h > 64 {
			return
		}
		if sw, sh := p.Scaled(w, h); sw > 1024 || sh > 1024 || p.CropWidth*p.CropHeight > 1<<20 {
			return // slow, not wrong
		}
		x, ow, oh, _, err := p.Apply(NewRGB(w, h))
		if err == nil && len(x) != 3*ow*oh {
			t.Fatalf("%d values for %d × %d", len(x), ow, oh)
		}
	})
}
