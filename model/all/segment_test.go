package all

import (
	"cmp"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"fovea/annotation"
	"fovea/model"
	"fovea/tensor"
)

// masked adds a call to the fixture's inputs: the one in which queries see only what they mark (EoMT).
func (x *fixture) masked(t *testing.T) {
	t.Helper()
	var want struct {
		Probs []float32 `json:"attn_mask_probs"`
	}
	if x.want(t, "masked", &want) {
		x.io["masked_pixel_values"] = x.io["pixel_values"]
		x.io["masked_attn_mask_probs"] = &tensor.Tensor{Shape: tensor.Shape{len(want.Probs)}, Data: want.Probs}
	}
}

// part is the fixture's network with the image processor of one of its folders, nil when there is no such folder.
func (x *fixture) part(t *testing.T, name string) model.Network {
	t.Helper()
	const file = "preprocessor_config.json"
	if _, err := os.Stat(filepath.Join(x.dir, name, file)); name == "" || err != nil {
		return nil
	}
	dir := t.TempDir()
	for _, f := range []string{"config.json", "model.safetensors", name + "/" + file} {
		copyFile(t, filepath.Join(x.dir, f), filepath.Join(dir, filepath.Base(f)))
	}
	net, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// segments is a part of expected.json that lists segments.
type segments struct {
	Threshold float64
	Overlap   float64 `json:"overlap_mask_area_threshold"`
	Info      []info  `json:"segments_info"`
	Stuff     []info  `json:"with_stuff_classes_3_4_5"`
}

type info struct {
	ID    int
	Label int `json:"label_id"`
	Score float64
}

// compareSegments compares objects with the segments and their map, −1 where there is none. So many pixels may differ.
func (x *fixture) compareSegments(t *testing.T, got []model.Object, want []info, name string, labels []string) {
	t.Helper()
	want = slices.Clone(want)
	slices.SortStableFunc(want, func(a, b info) int { return cmp.Compare(b.Score, a.Score) })
	if len(got) != len(want) {
		t.Fatalf("%s: %d objects, want %d", name, len(got), len(want))
	}
	pixels := x.io[name]
	wrong := 0
	for i, w := range want {
		if got[i].Label != labels[w.Label] || !near(got[i].Score, w.Score, 1e-5) {
			t.Errorf("%s: object %d is %s with %g, want %s with %g", name, i, got[i].Label, got[i].Score, labels[w.Label], w.Score)
		}
		if box := got[i].Mask.Bounds(); got[i].Box != box {
			t.Errorf("%s: object %d has the box %v around pixels in %v", name, i, got[i].Box, box)
		}
		wrong += differ(t, *got[i].Mask, pixels, float32(w.ID))
	}
	x.compareMaps(t, wrong, name)
}

func (x *fixture) compareMaps(t *testing.T, wrong int, name string) {
	t.Helper()
	var want struct {
		Share float64 `json:"map_pixels_that_may_differ"`
	}
	x.want(t, "tolerance", &want)
	t.Logf("%s: %d pixels differ", name, wrong)
	if n := len(x.io[name].Data); float64(wrong) > want.Share*float64(n) {
		t.Errorf("%s: %d of %d pixels differ", name, wrong, n)
	}
}

// differ is the number of pixels that are in a mask, but not the id in a map, or the other way round.
func differ(t *testing.T, mask annotation.RLE, pixels *tensor.Tensor, id float32) (n int) {
	t.Helper()
	b, err := mask.Bitmap()
	if err != nil {
		t.Fatal(err)
	}
	if b.H != pixels.Shape[0] || b.W != pixels.Shape[1] {
		t.Fatalf("a mask of %d × %d pixels, want %v", b.W, b.H, pixels.Shape)
	}
	for i, v := range b.Pix {
		if (v != 0) != (pixels.Data[i] == id) {
			n++
		}
	}
	return n
}

// TestParitySegments divides the fixtures' picture as the reference does: into instances, into panoptic segments and by label.
func TestParitySegments(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		var instance, panoptic segments
		var semantic struct {
			Offsets [][]float32    `json:"patch_offsets"`
			Pixels  map[string]int `json:"class_pixels"`
		}
		if !x.want(t, "instance", &instance) || !x.want(t, "panoptic", &panoptic) || !x.want(t, "semantic", &semantic) {
			t.Skip("the fixture has no segments")
		}
		net := x.load(t)
		labels := net.Card().Labels
		v := x.view(t, net).(model.Segmenter)
		x.compareSegments(t, v.Detect(model.DetectOptions{Threshold: instance.Threshold, Masks: true}), instance.Info, "instance_map", labels)
		o := model.DetectOptions{Threshold: panoptic.Threshold, Overlap: panoptic.Overlap, Masks: true}
		x.compareSegments(t, v.Panoptic(o, nil), panoptic.Info, "panoptic_map", labels)
		x.compareSegments(t, v.Panoptic(o, []string{labels[3], labels[4], labels[5]}), panoptic.Stuff, "panoptic_stuff_map", labels)

		for _, v := range []model.Segmenter{v, x.view(t, x.part(t, "semantic")).(model.Segmenter)} { // prepared either way
			names, pixels, err := v.Semantic(nil)
			if err != nil || len(names) != len(semantic.Pixels) {
				t.Fatalf("%v, %v", names, err)
			}
			wrong := 0
			for i, name := range names {
				wrong += differ(t, pixels[i], x.io["semantic_map"], float32(slices.Index(labels, name)))
			}
			x.compareMaps(t, wrong, "semantic_map")
			if pixels[0].Area() < pixels[len(pixels)-1].Area() {
				t.Errorf("labels %v are not in the order of their pixels", names)
			}
		}
		in, err := x.part(t, "semantic").Process(model.Sample{Pictures: x.pictures[:1]})
		if err != nil {
			t.Fatal(err)
		}
		if got := in["patch_offsets"].Data; !slices.Equal(got, slices.Concat(semantic.Offsets...)) {
			t.Errorf("windows at %v, want %v", got, semantic.Offsets)
		}
	})
}

// TestSegmentsAgree: stuff becomes one object of all its segments' pixels, a query leaves out other labels and nothing else, and
// pictures of any shape are divided without rest.
func TestSegmentsAgree(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		net := x.load(t)
		run := net.NewRunner(1)
		defer run.Close()
		for _, img := range []*rgb{x.pictures[0], turned(x.pictures[0]), {W: 1, H: 1, Pix: make([]uint8, 3)}, {W: 64, H: 64, Pix: make([]uint8, 3*64*64)}, {W: 65, H: 20, Pix: make([]uint8, 3*65*20)}} {
			view, err := run.Encode(img)
			if err != nil {
				t.Fatal(err)
			}
			v, ok := view.(model.Segmenter)
			if !ok {
				t.Skip("the network does not divide pictures")
			}
			names, pixels, err := v.Semantic(nil)
			if err != nil {
				t.Fatal(err)
			}
			area := 0.
			for _, p := range pixels {
				area += p.Area()
			}
			if area != float64(img.W*img.H) {
				t.Errorf("labels cover %g pixels of %d × %d", area, img.W, img.H)
			}
			some, part, err := v.Semantic([]string{" " + names[0], "nothing"})
			if err != nil || len(some) != 1 || part[0].Area() != pixels[0].Area() || some[0] != " "+names[0] {
				t.Errorf("asked for %s: %v, %v", names[0], some, err)
			}
			o := model.DetectOptions{Threshold: .3, Masks: true}
			all := v.Panoptic(o, nil)
			if len(all) == 0 {
				continue
			}
			stuff := all[0].Label
			whole := v.Panoptic(o, []string{stuff})
			o.Query = []string{stuff}
			one := v.Panoptic(o, []string{stuff})
			if len(one) != 1 || one[0].Mask.Area() != areaOf(all, stuff) || areaOf(whole, stuff) != areaOf(all, stuff) {
				t.Errorf("%s as stuff: %v of %v", stuff, one, all)
			}
		}
		if _, err := run.Encode(&rgb{W: 1, H: 2000, Pix: make([]uint8, 6000)}); err == nil {
			t.Error("a line is looked at")
		}
		long, err := run.Encode(&rgb{W: 2000, H: 40, Pix: make([]uint8, 3*2000*40)})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := long.(model.Segmenter).Semantic(nil); err == nil {
			t.Error("50 windows are looked through")
		}
	})
}

func areaOf(objects []model.Object, label string) (n float64) {
	for _, o := range objects {
		if o.Label == label {
			n += o.Mask.Area()
		}
	}
	return n
}

// turned is a picture with its axes exchanged.
func turned(img *rgb) *rgb {
	out := &rgb{W: img.H, H: img.W, Pix: make([]uint8, len(img.Pix))}
	for i := range img.W * img.H {
		x, y := i%img.W, i/img.W
		copy(out.Pix[3*(x*out.W+y):], img.Pix[3*i:3*i+3])
	}
	return out
}

// TestDisjointMasks: the first mask keeps its pixels, the others what is left.
func TestDisjointMasks(t *testing.T) {
	masks := []annotation.RLE{{H: 2, W: 3, Counts: []uint32{1, 3, 2}}, {H: 2, W: 3, Counts: []uint32{0, 6}}, {H: 2, W: 3, Counts: []uint32{6}}, {H: 2, W: 3, Counts: []uint32{3, 1, 2}}}
	model.Share(masks)
	for i, want := range []float64{3, 3, 0, 0} {
		if got := masks[i].Area(); math.Abs(got-want) > 0 {
			t.Errorf("mask %d has %g pixels, want %g", i, got, want)
		}
	}
}
