package place

import (
	"testing"

	"fovea/annotation"
)

func TestWrite(t *testing.T) {
	for _, c := range []struct {
		box  annotation.Box
		w, h int
		want string
	}{
		{annotation.Box{X0: 33, Y0: 160, X1: 596, Y1: 371}, 640, 480, "<loc_51><loc_333><loc_931><loc_772>"},
		{annotation.Box{X0: -5, Y0: 0, X1: 640, Y1: 1e9}, 640, 480, "<loc_0><loc_0><loc_999><loc_999>"},
	} {
		if got := Write(c.box, c.w, c.h); got != c.want {
			t.Errorf("%v: %s, want %s", c.box, got, c.want)
		}
	}
	for _, size := range []int{1, 97, 640, 1000, 4321} { // the middle of a bin is in the bin, if Bins are pixels or more
		for b := range Bins {
			if got := quantise((float64(b)+.5)*float64(size)/Bins, size); got != b {
				t.Fatalf("bin %d of %d pixels becomes %d", b, size, got)
			}
			if x := dequantise(b, size); x < 0 || x >= size {
				t.Fatalf("bin %d of %d pixels is pixel %d", b, size, x)
			}
		}
	}
}

// TestOddAnswers: answers of other forms than the reference's models are trained to give.
func TestOddAnswers(t *testing.T) {
	p := Florence{Banned: []string{"it"}}
	for _, c := range []struct {
		kind Kind
		text string
		want string
	}{
		{Boxes, "a\nb<loc_1><loc_2><loc_3><loc_4>", `{"bboxes":[],"labels":[]}`},
		{Boxes, "\n é<loc_1><loc_2><loc_3><loc_4>", `{"bboxes":[[1,2,3,4]],"labels":[""]}`},
		{Boxes, "a<loc_99999999999999999999><loc_2><loc_3><loc_1000>", `{"bboxes":[[999,2,3,999]],"labels":["a"]}`},
		{Phrases, "it<loc_1><loc_2><loc_3><loc_4>a<loc_5><loc_6><loc_7><loc_8>", `{"bboxes":[[5,6,7,8]],"labels":["a"]}`},
		{Outlines, "<loc_1><sep><sep><sep>", `{"polygons":[],"labels":[]}`},
		{Outlines, "<sep><loc_1><loc_2><loc_3>", `{"polygons":[[[1,2]]],"labels":["<sep>"]}`},
		{Outlines, "<loc_7><sep><loc_1><loc_2>", `{"polygons":[[[],[1,2]]],"labels":["<sep>"]}`},
		{Outlines, "<poly><loc_1><loc_2><loc_3><loc_4>", `{"polygons":[[[1,2,3,4]]],"labels":[""]}`},
		{Quads, "a<loc_1><loc_2>", `{"quad_boxes":[],"labels":[]}`},
		{Text, " <s>a<pad></s> ", `"a<pad>"`},
	} {
		b, err := encode(p.Parse(c.kind, c.text, 1000, 1000))
		if err != nil || string(b) != c.want {
			t.Errorf("%q: %s, %v; want %s", c.text, b, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(uint8(Outlines), "a<poly><loc_1><loc_2><sep><loc_3></poly>", 640, 480)
	f.Add(uint8(Quads), "a<loc_1><loc_1><loc_1><loc_1><loc_1><loc_1><loc_1><loc_1>", 1, 1)
	f.Fuzz(func(t *testing.T, kind uint8, text string, w, h int) {
		k, w, h := Kind(kind)%(Quads+1), 1+int(uint16(w)), 1+int(uint16(h))
		p := Florence{Least: .01}
		for _, r := range p.Parse(k, text, w, h).Regions {
			for _, list := range append([][]float64{{r.Box.X0, r.Box.Y0, r.Box.X1, r.Box.Y1}, r.Quad}, r.Polygons...) {
				for i, c := range list {
					if size := []int{w, h}[i%2]; c < 0 || c >= float64(size) {
						t.Fatalf("%v leaves a picture of %d × %d pixels", r, w, h)
					}
				}
			}
			if r.where[0] < 0 || r.where[1] > len(text) || r.label[1] < r.label[0] {
				t.Fatalf("%+v is not within the text", r)
			}
		}
	})
}
