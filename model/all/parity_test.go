package all

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fovea/model"
	"fovea/tensor"
)

// The bounds of agreement: pictures to 1e-5, everything else to 1e-4 of its range.
const (
	pixelBound = 1e-5
	stateBound = 1e-4
)

// inputNames are what a reference class can be called with. A fixture has further calls whose tensors have something before
// or after these names: pixel_values_interp, batch.input_ids.
var inputNames = regexp.MustCompile(`^(.*?)(?:pixel_values|input_ids)(.*)$`)

// variants are the affixes of the fixture's calls, the plain one first.
func (x *fixture) variants() (out [][2]string) {
	for name := range x.io {
		if m := inputNames.FindStringSubmatch(name); m != nil && !slices.Contains(out, [2]string{m[1], m[2]}) {
			out = append(out, [2]string{m[1], m[2]})
		}
	}
	slices.SortFunc(out, func(a, b [2]string) int { return strings.Compare(a[0]+a[1], b[0]+b[1]) })
	return out
}

// inputs are the tensors of one call, under the names that the class has for them.
func (x *fixture) inputs(affix [2]string) model.Inputs {
	in := model.Inputs{}
	for name, v := range x.io {
		if s, ok := strings.CutPrefix(name, affix[0]); ok {
			if s, ok := strings.CutSuffix(s, affix[1]); ok {
				in[s] = v
			}
		}
	}
	if affix[0] == "suffix." { // the same picture
		in["pixel_values"] = x.io["pixel_values"]
	}
	return in
}

// TestParity runs every fixture's network on the reference's inputs and compares all that it computes on the way.
func TestParity(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		net, seen := x.load(t), map[string]bool{}
		for _, affix := range x.variants() {
			out := net.Run(newTape(), x.inputs(affix))
			worst := 0.
			for name, got := range out {
				want := x.io[affix[0]+name+affix[1]]
				if want == nil || strings.HasSuffix(name, ".mask") {
					continue
				}
				seen[affix[0]+name+affix[1]] = true
				encoder, _, _ := strings.Cut(name, ".")
				d := far(got.Data, kept(want, out[encoder+".mask"]))
				if worst = max(worst, d); !(d <= stateBound) {
					t.Errorf("%s: %.3g of its range away; shape %v, want %v", affix[0]+name+affix[1], d, got.Shape, want.Shape)
				}
			}
			t.Logf("call %q: worst %.2g", affix, worst)
		}
		for name := range x.io {
			if !seen[name] && (strings.Contains(name, "hidden") || strings.Contains(name, "logits") || strings.Contains(name, "embeds")) {
				t.Errorf("%s was not compared", name)
			}
		}
	})
}

// TestParityPictures prepares the fixtures' pictures as the reference does.
func TestParityPictures(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		net := x.load(t)
		boxes := x.boxes(t)
		for _, affix := range x.variants() {
			want := x.inputs(affix)
			if x.io[affix[0]+"pixel_values"] == nil || affix[1] != "" { // of another size, made otherwise
				continue
			}
			s := model.Sample{}
			n := want["pixel_values"].Shape[0]
			if g := want["image_grid_thw"]; g != nil { // rows are patches
				n = g.Shape[0]
			}
			for i := range n {
				if boxes == nil || i < len(boxes) {
					s.Pictures = append(s.Pictures, x.pictures[i%len(x.pictures)])
				}
			}
			s.Boxes = boxes
			if strings.HasPrefix(affix[0], "query") || strings.HasPrefix(affix[0], "conditional") {
				s.Pictures = []*rgb{x.picture(t, map[string]string{"query_": "query_image.png", "conditional_": "prompt.png"}[affix[0]])}
			}
			from := net
			if sub := x.part(t, strings.TrimSuffix(affix[0], "_")); sub != nil { // prepared otherwise
				from, s.Pictures = sub, x.pictures[:1]
			}
			if affix[0] == "nosplit." {
				from = x.whole(t)
			}
			got, err := from.Process(s)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"pixel_values", "pixel_mask", "pixel_attention_mask", "spatial_shapes", "image_grid_thw"} {
				if want[name] != nil {
					comparePixels(t, affix[0]+name, got[name], want[name])
				}
			}
		}
	})
}

func comparePixels(t *testing.T, name string, got, want *tensor.Tensor) {
	t.Helper()
	if got == nil || !got.Shape.Equal(want.Shape) {
		t.Errorf("%s: shape %v, want %v", name, got, want.Shape)
		return
	}
	worst := 0.
	for i, w := range want.Data {
		d := math.Abs(float64(got.Data[i] - w))
		if d-d != 0 {
			t.Fatalf("%s: value %d is %g, want %g", name, i, got.Data[i], w)
		}
		worst = max(worst, d)
	}
	t.Logf("%s: worst %.2g", name, worst)
	if !(worst <= pixelBound) {
		t.Errorf("%s: %.3g away", name, worst)
	}
}
