package augment

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"fovea/annotation"
	"fovea/dataset"
	"fovea/imageproc"
)

// blocks is a black picture of n rectangles that do not touch, object k in the colour (0, 10·(k+1), tint), with masks and
// a label map that says where they are.
func blocks(rng *rand.Rand, n int, tint uint8) *dataset.Example {
	w, h := 60+rng.IntN(100), 60+rng.IntN(100)
	ex := &dataset.Example{Image: imageproc.NewRGB(w, h), Labels: dataset.HasBoxes | dataset.HasMasks | dataset.HasSemantic}
	ex.W, ex.H = w, h
	ex.Semantic = &annotation.LabelMap{W: w, H: h, Pix: make([]uint8, w*h)}
	for k := range n {
		x0, x1 := k*w/n+3, (k+1)*w/n-3
		y0 := rng.IntN(h / 2)
		y1 := y0 + 10 + rng.IntN(h/2-10)
		m := annotation.NewBitmap(w, h)
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				m.Pix[y*w+x] = 1
				ex.Semantic.Pix[y*w+x] = uint8(k + 1)
				copy(ex.Image.Pix[3*(y*w+x):], []uint8{0, uint8(10 * (k + 1)), tint})
			}
		}
		ex.Objects = append(ex.Objects, annotation.Object{Label: string(rune('a' + k)), ID: int64(tint), Mask: m, Box: m.Bounds(), Area: float64(m.Area())})
	}
	return ex
}

// agree checks that boxes, masks and areas tell the same, and that masks lie on their object's colour.
func agree(t *testing.T, name string, img *imageproc.RGB, p *annotation.Picture) {
	t.Helper()
	for i, o := range p.Objects {
		if o.Mask == nil || o.Mask.W != img.W || o.Mask.Bounds() != o.Box || o.Area != float64(o.Mask.Area()) || o.Area == 0 {
			t.Fatalf("%s: object %d: box %v, area %g, mask %+v", name, i, o.Box, o.Area, o.Mask)
		}
		off := 0
		for k, v := range o.Mask.Pix {
			if q := img.Pix[3*k : 3*k+3]; v == 1 && (math.Abs(float64(q[1])-float64(10*(o.Label[0]-'a'+1))) > 5 || math.Abs(float64(q[2])-float64(o.ID)) > 100) {
				off++
			}
		}
		if limit := 2*(o.Box.W()+o.Box.H()) + 4; float64(off) > limit { // the outline is a mixture
			t.Errorf("%s: %d of %g pixels of object %d are not of its colour", name, off, o.Area, i)
		}
	}
}

func TestMosaic(t *testing.T) {
	rng := seeded(6)
	objects := 0
	for i := range 40 {
		var four [4]*dataset.Example
		var before [4]*annotation.Picture
		for k := range four {
			four[k] = blocks(rng, 1+rng.IntN(4), uint8(250-10*k))
			before[k] = four[k].Clone()
		}
		img, p := Geometric{Flip: .5, Scale: [2]float64{.8, 1.5}, Translate: 1, Rotate: 10}.Mosaic(rng, four, 120)
		agree(t, "mosaic", img, &p)
		objects += len(p.Objects)
		for k, o := range p.Objects {
			for _, q := range p.Objects[:k] {
				for n, v := range q.Mask.Pix {
					if v&o.Mask.Pix[n] != 0 {
						t.Fatalf("mosaic %d: two objects of one mosaic overlap", i)
					}
				}
			}
			for n, v := range o.Mask.Pix {
				if v == 1 && p.Semantic.Pix[n] != o.Label[0]-'a'+1 {
					t.Fatalf("mosaic %d: the label map says %d under object %q", i, p.Semantic.Pix[n], o.Label)
				}
			}
		}
		for k := range four {
			if !reflect.DeepEqual(before[k], four[k].Clone()) {
				t.Fatal("an example was changed")
			}
		}
	}
	if objects < 100 {
		t.Errorf("%d objects in 40 mosaics", objects)
	}
	for side := range 6 { // quadrants of nothing
		four := [4]*dataset.Example{blocks(rng, 2, 9), blocks(rng, 2, 9), blocks(rng, 2, 9), blocks(rng, 2, 9)}
		Geometric{}.Mosaic(rng, four, side)
	}
}

func TestCopyPaste(t *testing.T) {
	rng := seeded(7)
	pasted, covered := 0, 0
	for i := range 60 {
		a, b := blocks(rng, 3, 250), blocks(rng, 3, 50)
		ta, tb := Geometric{}.Sample(rng, a, 100), Geometric{Scale: [2]float64{.5, .8}, Translate: 1}.Sample(rng, b, 100)
		img, from := ta.Image(a.Image), tb.Image(b.Image)
		p, q := ta.Picture(&a.Picture, a.W, a.H), tb.Picture(&b.Picture, b.W, b.H)
		was := p.Clone()
		CopyPaste(rng, img, &p, from, &q, .3)
		agree(t, "copy-paste", img, &p)
		hidden := annotation.NewBitmap(100, 100)
		for _, o := range p.Objects {
			if o.ID == 50 {
				pasted++
				for n, v := range o.Mask.Pix {
					hidden.Pix[n] |= v
				}
			}
		}
		for _, o := range was.Objects {
			left := 0
			for n, v := range o.Mask.Pix {
				left += int(v &^ hidden.Pix[n])
			}
			found := false
			for _, r := range p.Objects {
				if r.ID == 250 && r.Label == o.Label {
					found = true
					if r.Area != float64(left) {
						t.Errorf("case %d: %q has %g pixels in sight, want %d", i, o.Label, r.Area, left)
					}
				}
			}
			if want := float64(left) >= .3*o.Area; found != want {
				t.Errorf("case %d: %q with %d of %g pixels in sight is kept: %v", i, o.Label, left, o.Area, found)
			}
			if float64(left) < o.Area {
				covered++
			}
		}
		for n, v := range hidden.Pix {
			if v == 1 && p.Semantic.Pix[n] != annotation.Void {
				t.Fatal("the label map speaks of what is hidden")
			}
		}
	}
	if pasted < 30 || covered < 30 {
		t.Errorf("%d pasted, %d covered: the test sees too little", pasted, covered)
	}
}

func TestOccludeWithoutMasks(t *testing.T) {
	for _, c := range []struct {
		name      string
		box, hide annotation.Box
		crowd     bool
		want      annotation.Box // empty when dropped
		area      float64
	}{
		{"untouched", boxOf(10, 10, 30, 30), boxOf(50, 50, 60, 60), false, boxOf(10, 10, 30, 30), 100},
		{"a corner", boxOf(10, 10, 30, 30), boxOf(20, 20, 60, 60), false, boxOf(10, 10, 30, 30), 100},
		{"a side", boxOf(10, 10, 30, 30), boxOf(5, 5, 20, 60), false, boxOf(20, 10, 30, 30), 50},
		{"top", boxOf(10.5, 10.5, 30, 30.5), boxOf(5, 5, 40, 15), false, boxOf(10.5, 15, 30, 30.5), 77.5},
		{"most", boxOf(10, 10, 30, 30), boxOf(5, 5, 25, 60), false, annotation.Box{}, 0},
		{"a crowd", boxOf(10, 10, 30, 30), boxOf(5, 5, 25, 60), true, boxOf(10, 10, 30, 30), 100},
	} {
		hidden := annotation.NewBitmap(64, 64)
		for y := int(c.hide.Y0); y < int(c.hide.Y1); y++ {
			for x := int(c.hide.X0); x < int(c.hide.X1); x++ {
				hidden.Pix[y*64+x] = 1
			}
		}
		p := annotation.Picture{Objects: []annotation.Object{{Box: c.box, Area: 100, Crowd: c.crowd, Skeleton: annotation.COCO17, Joints: []annotation.Joint{
			{X: 22, Y: 22, V: annotation.Visible}, {X: 11, Y: 11, V: annotation.Visible}, {}}}}}
		occlude(&p, hidden, c.hide, .3)
		if len(p.Objects) == 0 {
			if !c.want.Empty() {
				t.Errorf("%s: dropped", c.name)
			}
			continue
		}
		o := p.Objects[0]
		if o.Box != c.want || math.Abs(o.Area-c.area) > .1 {
			t.Errorf("%s: %v, area %g, want %v, %g", c.name, o.Box, o.Area, c.want, c.area)
		}
		for k, j := range o.Joints {
			want := annotation.Visible
			if k == 2 {
				want = annotation.Absent
			} else if within(c.hide, j.X, j.Y) {
				want = annotation.Occluded
			}
			if j.V != want {
				t.Errorf("%s: joint %d is %d, want %d", c.name, k, j.V, want)
			}
		}
	}
}

func TestErase(t *testing.T) {
	rng := seeded(8)
	erased := 0
	for i := range 100 {
		ex := blocks(rng, 4, 250)
		tr := Geometric{}.Sample(rng, ex, 80)
		img, p := tr.Image(ex.Image), tr.Picture(&ex.Picture, ex.W, ex.H)
		was := img.Clone()
		Erase(rng, img, &p, .3)
		changed := 0
		for k := range 80 * 80 {
			if p.Semantic.Pix[k] == annotation.Void && (k/80 > 0) {
				continue
			}
			if !bytes.Equal(img.Pix[3*k:3*k+3], was.Pix[3*k:3*k+3]) {
				changed++
			}
		}
		if changed > 80 {
			t.Errorf("case %d: %d pixels changed where the label map speaks", i, changed)
		}
		if !bytes.Equal(img.Pix, was.Pix) {
			erased++
		}
		agree(t, "erase", img, &p)
	}
	if erased < 90 {
		t.Errorf("%d of 100 pictures were erased", erased)
	}
}

func TestMixUpAndCutMix(t *testing.T) {
	rng := seeded(9)
	plain := func(v uint8) *imageproc.RGB {
		m := imageproc.NewRGB(50, 40)
		for i := range m.Pix {
			m.Pix[i] = v
		}
		return m
	}
	a, b := plain(200), plain(0)
	var mean, square float64
	for range 800 {
		for name, f := range map[string]func(*rand.Rand, *imageproc.RGB, *imageproc.RGB, string, string) Mixed{"mixup": MixUp, "cutmix": CutMix} {
			m := f(rng, a, b, "cat", "dog")
			sum, cat, top := 0.0, 0.0, 0.0
			for _, l := range m.Labels {
				sum += l.Weight
				top = max(top, l.Weight)
				if l.Class == "cat" {
					cat = l.Weight
				}
			}
			shown := 0.0
			for i := 0; i < len(m.Image.Pix); i += 3 {
				shown += float64(m.Image.Pix[i]) / 200 / 2000
			}
			if math.Abs(sum-1) > 1e-9 || math.Abs(shown-cat) > .003 || m.Labels[0].Weight != top {
				t.Fatalf("%s: labels %v of a picture that shows %.3f of the cat", name, m.Labels, shown)
			}
			if name == "mixup" {
				mean, square = mean+cat/800, square+cat*cat/800
			}
		}
		if m := CutMix(rng, a, b, "cat", "cat"); len(m.Labels) != 1 || m.Labels[0] != (Soft{"cat", 1}) {
			t.Fatalf("cat with cat is %v", m.Labels)
		}
	}
	// Beta(α, α) has variance 1/(4(2α+1)).
	if v := square - mean*mean; math.Abs(mean-.5) > .03 || math.Abs(v-1/(4*2.6)) > .01 {
		t.Errorf("mixup weights have mean %.3f and variance %.3f, want 0.5 and %.3f", mean, v, 1/(4*2.6))
	}
	if a.Pix[0] != 200 || b.Pix[0] != 0 {
		t.Error("the sources were changed")
	}
}

func TestPipelineJoinsOnlyWhatGoesTogether(t *testing.T) {
	p, err := New(Config{Mosaic: 1, CopyPaste: 1, MixUp: .5, CutMix: .5, Erase: 1})
	if err != nil {
		t.Fatal(err)
	}
	other := blocks(seeded(1), 2, 50)
	p.More = func(*rand.Rand) *dataset.Example { return other }
	ids := func(ex *dataset.Example) map[int64]bool {
		m := map[int64]bool{}
		for seed := range uint64(20) {
			_, pic := p.Apply(seeded(seed), ex, 90)
			for _, o := range pic.Objects {
				m[o.ID] = true
			}
		}
		return m
	}
	ex := blocks(seeded(2), 3, 250)
	if m := ids(ex); !m[50] || !m[250] {
		t.Errorf("a plain picture was not joined with the other: %v", m)
	}
	other.Class, other.Captions = "blocks", []string{"two blocks"}
	if m := ids(ex); !m[50] {
		t.Errorf("the other picture's class and texts kept it out: %v", m)
	}
	if _, pic := p.Apply(seeded(1), ex, 90); pic.Class != "" || pic.Captions != nil {
		t.Errorf("class %q and captions %q of the other picture came along", pic.Class, pic.Captions)
	}
	texts := blocks(seeded(2), 3, 250)
	texts.Captions = []string{"three blocks"}
	if m := ids(texts); m[50] || !m[250] {
		t.Errorf("a picture with texts was joined: %v", m)
	}
	_, pic := p.Apply(seeded(3), texts, 90)
	if len(pic.Objects) != 3 || len(pic.Captions) != 1 {
		t.Errorf("a picture with texts lost objects: %d", len(pic.Objects))
	}
	joints := blocks(seeded(2), 3, 250)
	joints.Labels |= dataset.HasJoints
	if m := ids(joints); m[50] {
		t.Error("a picture was joined with one that lacks joints")
	}
	if _, ok := p.Mix(seeded(1), ex, 64); ok {
		t.Error("a picture with objects was mixed")
	}
	class := func(name string) *dataset.Example {
		e := &dataset.Example{Image: smooth(40, 30), Labels: dataset.HasClass}
		e.Class = name
		return e
	}
	if _, ok := p.Mix(seeded(1), class("cat"), 64); ok {
		t.Error("a class was mixed with objects")
	}
	other = class("dog")
	two := 0
	for seed := range uint64(50) {
		m, ok := p.Mix(seeded(seed), class("cat"), 64)
		if !ok || m.Image.W != 64 {
			t.Fatalf("not mixed: %v", m)
		}
		if len(m.Labels) == 2 {
			two++
		}
	}
	if two < 25 {
		t.Errorf("%d of 50 mixed pictures have two labels", two)
	}
	if _, pic := p.Apply(seeded(1), class("cat"), 64); pic.Class != "cat" {
		t.Errorf("class %q, want cat", pic.Class)
	}
	other = nil
	p.Apply(seeded(1), ex, 64)
	if _, ok := p.Mix(seeded(1), class("cat"), 64); ok {
		t.Error("mixed with nothing")
	}
}

func TestRandAugment(t *testing.T) {
	m := noisy(40, 30)
	for kind := range operations {
		for _, sign := range []float64{-1, 1} {
			op := RandAugment{Level: 10}.operation(kind, sign, 40)
			still := kind == 0
			if op.moves {
				if x, y := op.shape.Apply(40, 0); math.Hypot(x-40, y) < 3 || op.pixels != nil {
					t.Errorf("operation %d moves the corner to (%g, %g)", kind, x, y)
				}
				continue
			}
			got := m.Clone()
			if op.pixels != nil {
				op.pixels(got, &scratch{spans: whole(got)})
			}
			if same := bytes.Equal(got.Pix, m.Pix); same != still && kind < 12 { // noise has its full contrast already
				t.Errorf("operation %d: unchanged %v", kind, same)
			}
		}
	}
	dull := &imageproc.RGB{W: 2, H: 2, Pix: []uint8{100, 50, 7, 120, 50, 7, 110, 50, 7, 110, 50, 7}}
	for kind, want := range map[int][]uint8{13: {0, 50, 7, 255, 50, 7, 127, 50, 7, 127, 50, 7}, 12: {0, 50, 7, 255, 50, 7, 170, 50, 7, 170, 50, 7}} {
		got := dull.Clone()
		RandAugment{Level: 1}.operation(kind, 1, 2).pixels(got, &scratch{spans: whole(got)})
		if !bytes.Equal(got.Pix, want) {
			t.Errorf("operation %d: %v, want %v", kind, got.Pix, want)
		}
	}
	if ops := (RandAugment{}).draw(seeded(1), 40); ops[0].moves || ops[0].pixels != nil {
		t.Error("level 0 changes something")
	}
}
