package annotation

import (
	"math"
	"reflect"
	"testing"
)

func TestBox(t *testing.T) {
	a, b := Box{0, 0, 4, 2}, Box{2, 1, 6, 5}
	if a.W() != 4 || a.H() != 2 || a.Area() != 8 || a.Empty() || !a.Finite() {
		t.Errorf("%v: %v × %v, area %v", a, a.W(), a.H(), a.Area())
	}
	if x, y := b.Center(); x != 4 || y != 3 {
		t.Errorf("centre of %v is (%v, %v)", b, x, y)
	}
	if got, want := a.IoU(b), 2.0/(8+16-2); got != want {
		t.Errorf("IoU %v, want %v", got, want)
	}
	if got := a.IoU(Box{4, 0, 5, 2}); got != 0 {
		t.Errorf("IoU of boxes that touch is %v", got)
	}
	if got := b.Clip(3, 3); got != (Box{2, 1, 3, 3}) {
		t.Errorf("clipped to 3×3: %v", got)
	}
	inside := Box{5, 5, 4, 4}
	if inside.Area() != 0 || !inside.Empty() {
		t.Errorf("a box turned inside out has area %v", inside.Area())
	}
	if (Box{0, 0, math.NaN(), 1}).Finite() || (Box{0, 0, math.Inf(1), 1}).Finite() || !(Box{0, 0, math.NaN(), 1}).Empty() {
		t.Error("NaN and infinity are not told apart from numbers")
	}
}

func TestCloneIsDeep(t *testing.T) {
	p := &Picture{W: 2, H: 1, Objects: []Object{{Mask: &Bitmap{2, 1, []uint8{1, 0}}, Joints: []Joint{{X: 1}}}},
		Questions: []Question{{Mentions: []Mention{{Word: 3}}}}, Semantic: &LabelMap{2, 1, []uint8{7, Void}}}
	q := p.Clone()
	if !reflect.DeepEqual(p, q) {
		t.Fatalf("clone %v of %v", q, p)
	}
	q.Objects[0].Mask.Pix[0] = 0
	q.Objects[0].Joints[0].X = 5
	q.Questions[0].Mentions[0].Word = 9
	q.Semantic.Pix[0] = 1
	if p.Objects[0].Mask.Pix[0] != 1 || p.Objects[0].Joints[0].X != 1 || p.Questions[0].Mentions[0].Word != 3 || p.Semantic.Pix[0] != 7 {
		t.Errorf("changing the clone changed %v", p)
	}
}

func TestSkeletons(t *testing.T) {
	made := NewSkeleton("hands", []string{"left_thumb", "wrist", "right_thumb"}, [][2]int{{0, 1}, {1, 2}})
	if !reflect.DeepEqual(made.Flip, []int{2, 1, 0}) || made.Index("wrist") != 1 || made.Index("nose") != -1 {
		t.Errorf("%+v", made)
	}
	for _, s := range []*Skeleton{COCO17, LSP14, made} {
		if len(s.Flip) != len(s.Joints) || len(s.Sigmas) != len(s.Joints) {
			t.Errorf("%s: %d joints, %d flips, %d sigmas", s.Name, len(s.Joints), len(s.Flip), len(s.Sigmas))
		}
		for i, f := range s.Flip {
			if s.Flip[f] != i || mirrored(s.Joints[i]) != s.Joints[f] {
				t.Errorf("%s: %s flips to %s", s.Name, s.Joints[i], s.Joints[f])
			}
		}
		for _, b := range s.Bones {
			if b[0] >= len(s.Joints) || b[1] >= len(s.Joints) || b[0] == b[1] {
				t.Errorf("%s: bone %v", s.Name, b)
			}
		}
	}
	if SkeletonOf(COCO17.Joints) != COCO17 || SkeletonOf(LSP14.Joints) != LSP14 || SkeletonOf(made.Joints) != nil {
		t.Error("SkeletonOf does not find the known skeletons by their joints")
	}
}

func TestJointScore(t *testing.T) {
	if got := JointScore([]Joint{{Score: .5}, {Score: 1}, {}}); got != .5 {
		t.Errorf("%g, want .5", got)
	}
	if got := JointScore(nil); got != 0 {
		t.Errorf("no joints: %g", got)
	}
}
