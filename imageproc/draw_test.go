package imageproc

import (
	"bytes"
	"math"
	"testing"

	"fovea/annotation"
)

func gray(w, h int) *RGB {
	m := NewRGB(w, h)
	m.fill(0, 0, w, h, [3]uint8{128, 128, 128})
	return m
}

func at(m *RGB, x, y int) [3]uint8 { return [3]uint8(m.Pix[3*(y*m.W+x):]) }

func TestDrawBox(t *testing.T) {
	img := gray(660, 480) // lines are 2 pixels wide
	before := img.Clone()
	p := annotation.Picture{W: 640, H: 480, Objects: []annotation.Object{
		{Label: "car", Score: .9, Box: annotation.Box{X0: 100, Y0: 100, X1: 300, Y1: 200}},
		{Label: "bad", Box: annotation.Box{X0: math.NaN(), X1: 5, Y1: 5}},
		{Label: "outside", Box: annotation.Box{X0: 900, Y0: 900, X1: 950, Y1: 950}},
	}}
	out := Draw(img, p, DrawOptions{Labels: []string{"car"}})
	if !bytes.Equal(img.Pix, before.Pix) {
		t.Error("the picture itself is changed")
	}
	if out.W != 660 || out.H != 480 {
		t.Errorf("%d × %d: nothing to say in a panel", out.W, out.H)
	}
	for _, q := range [][2]int{{200, 101}, {200, 198}, {101, 150}, {298, 150}} {
		if got := at(out, q[0], q[1]); got != Color(0) {
			t.Errorf("edge at %v is %v, want %v", q, got, Color(0))
		}
	}
	for _, q := range [][2]int{{200, 150}, {200, 95}, {95, 150}, {305, 150}, {500, 400}} {
		if got := at(out, q[0], q[1]); got != at(img, q[0], q[1]) {
			t.Errorf("pixel %v off the box is %v", q, got)
		}
	}
	n := 0 // letters of the label above the box
	for x := 100; x < 200; x++ {
		if at(out, x, 90) != at(img, x, 90) {
			n++
		}
	}
	if n < 30 {
		t.Errorf("label: %d pixels changed", n)
	}
}

func TestDrawMaskAndPose(t *testing.T) {
	img := gray(600, 400)
	mask := annotation.NewBitmap(600, 400)
	for y := 100; y < 300; y++ {
		for x := 50; x < 250; x++ {
			mask.Pix[y*600+x] = 1
		}
	}
	joints := make([]annotation.Joint, 17)
	for i := range joints {
		joints[i] = annotation.Joint{X: 400 + 10*float64(i%2), Y: 50 + 18*float64(i), V: annotation.Visible}
	}
	joints[3] = annotation.Joint{X: 20, Y: 20, V: annotation.Absent}
	joints[4].X = math.Inf(1)
	p := annotation.Picture{Objects: []annotation.Object{
		{Label: "rug", Box: mask.Bounds(), Mask: mask},
		{Label: "person", Box: annotation.Box{X0: 390, Y0: 40, X1: 430, Y1: 360}, Joints: joints, Skeleton: annotation.COCO17},
		{Label: "odd", Box: annotation.Box{X0: 1, Y0: 380, X1: 9, Y1: 390}, Joints: joints[:2]}, // no skeleton
	}}
	out := Draw(img, p, DrawOptions{NoLabels: true, Labels: []string{"rug"}})
	in, c := at(out, 150, 200), Color(0)
	for i := range in {
		want := .58*128 + .42*float64(c[i])
		if math.Abs(float64(in[i])-want) > 2 {
			t.Errorf("inside the mask: %v, want about %.0f in channel %d", in, want, i)
		}
	}
	if got := at(out, 50, 200); got != c {
		t.Errorf("outline: %v, want %v", got, c)
	}
	if got := at(out, 320, 200); got != at(img, 320, 200) {
		t.Errorf("outside: %v", got)
	}
	if got := at(out, 400, 50); got != middleInk {
		t.Errorf("nose: %v, want %v", got, middleInk)
	}
	if got := at(out, 410, 68); got != leftInk {
		t.Errorf("left eye: %v, want %v", got, leftInk)
	}
	if got := at(out, 20, 20); got != at(img, 20, 20) {
		t.Errorf("an absent joint is drawn: %v", got)
	}
}

func TestDrawPanelAndSize(t *testing.T) {
	small := gray(32, 24)
	p := annotation.Picture{
		Class:     "frog",
		Questions: []annotation.Question{{Text: "What is it?", Answer: "a frog", Score: .7}, {Text: "Where?", Answers: []string{"here"}}},
		Captions:  []string{"A frog, " + string(bytes.Repeat([]byte("very "), 60)) + "green, and " + string(bytes.Repeat([]byte("x"), 300))},
		Semantic:  &annotation.LabelMap{W: 16, H: 12, Pix: make([]uint8, 16*12)},
		Objects:   []annotation.Object{{Label: "m", Box: annotation.Box{X1: 9, Y1: 9}, Mask: annotation.NewBitmap(7, 5)}},
	}
	p.Objects[0].Mask.Pix[0] = 1
	out := Draw(small, p, DrawOptions{})
	if out.W != 480 || out.H < 360+100 {
		t.Errorf("%d × %d", out.W, out.H)
	}
	ink := 0
	for y := 370; y < out.H; y++ {
		for x := range out.W {
			if at(out, x, y)[0] < 100 {
				ink++
				if x < 5 || x > out.W-3 {
					t.Fatalf("text at the edge (%d, %d)", x, y)
				}
			}
		}
	}
	if ink < 2000 {
		t.Errorf("%d dark pixels in the panel", ink)
	}
	if out := Draw(small, p, DrawOptions{MinSide: -1, NoPanel: true}); out.W != 32 || out.H != 24 {
		t.Errorf("%d × %d", out.W, out.H)
	}
	if out := Draw(gray(1, 700), p, DrawOptions{}); out.W < 100 {
		t.Errorf("a narrow picture's panel is %d wide", out.W)
	}
	if out := Draw(&RGB{}, p, DrawOptions{}); out.W != 0 {
		t.Errorf("an empty picture became %d wide", out.W)
	}
}

// Lines and letters keep their share of the picture at every size.
func TestDrawScales(t *testing.T) {
	share := func(side int) float64 {
		img := gray(side, side)
		p := annotation.Picture{Objects: []annotation.Object{{Label: "thing", Score: .5, Box: annotation.Box{X0: .2 * float64(side), Y0: .3 * float64(side), X1: .7 * float64(side), Y1: .8 * float64(side)}}}}
		n := 0
		for i, v := range Draw(img, p, DrawOptions{}).Pix {
			if i%3 == 0 && v != 128 {
				n++
			}
		}
		return float64(n) / float64(side*side)
	}
	a, b := share(1000), share(2000)
	if math.Abs(a/b-1) > .15 {
		t.Errorf("share of drawn pixels %.4f at 1000, %.4f at 2000", a, b)
	}
}

func TestColors(t *testing.T) {
	far := func(a, b [3]uint8) int {
		d := 0
		for i := range a {
			d += (int(a[i]) - int(b[i])) * (int(a[i]) - int(b[i]))
		}
		return d
	}
	for i := range 40 {
		for j := range i {
			if d := far(Color(i), Color(j)); d < 500 {
				t.Errorf("colours %d %v and %d %v are alike", i, Color(i), j, Color(j))
			}
		}
	}
	a := labelColors([]string{"person", "dog"}, nil)
	b := labelColors([]string{"zebra", "dog", "cat", "person", "person"}, nil)
	if a["person"] != b["person"] || a["dog"] != b["dog"] {
		t.Error("colours change from picture to picture")
	}
	many := make([]string, 20)
	seen := map[[3]uint8]bool{}
	for i := range many {
		many[i] = string(rune('a' + i))
	}
	for _, c := range labelColors(many, nil) {
		seen[c] = true
	}
	if len(seen) != 20 {
		t.Errorf("20 labels have %d colours", len(seen))
	}
	if c := labelColors([]string{"b"}, []string{"a", "b"}); c["b"] != Color(1) {
		t.Error("the order of labels is not followed")
	}
}

func TestGrid(t *testing.T) {
	red, blue := NewRGB(40, 20), NewRGB(20, 40)
	red.fill(0, 0, 40, 20, [3]uint8{255, 0, 0})
	blue.fill(0, 0, 20, 40, [3]uint8{0, 0, 255})
	g := Grid([]*RGB{red, blue, red}, []string{"first", "", "a caption that is much too long for its cell"}, 2)
	if g.W != 3*4+2*40 || g.H <= 40+20+2*12 {
		t.Errorf("%d × %d", g.W, g.H)
	}
	if at(g, 4+20, 4+20) != [3]uint8{255, 0, 0} || at(g, 48+20, 4+20) != [3]uint8{0, 0, 255} {
		t.Error("cells are not centred")
	}
	if e := Grid(nil, nil, 0); e.W < 1 || e.H < 1 {
		t.Error("an empty sheet has no size")
	}
	if g := Grid([]*RGB{red, red, red, red}, nil, 0); g.W > 2*g.H || g.H > 2*g.W {
		t.Errorf("automatic columns: %d × %d", g.W, g.H)
	}
}

// Labels of a crowded picture stay inside it and cover one another as little as there is room.
func TestLabelsStayInside(t *testing.T) {
	d := newDrawing(gray(640, 480), &annotation.Picture{}, DrawOptions{})
	var taken []annotation.Box
	for i := range 30 {
		x, y := float64(i*97%620), float64(i*61%470)
		r := d.place(annotation.Box{X0: x, Y0: y, X1: x + 30, Y1: y + 30}.Clip(640, 480), 90, 16, taken)
		if r.Clip(640, 480) != r {
			t.Errorf("label %d at %v", i, r)
		}
		covered := 0.0
		for _, o := range taken {
			covered += r.Intersect(o).Area()
		}
		if covered > 90*16/2 {
			t.Errorf("label %d covers others by %.0f pixels", i, covered)
		}
		taken = append(taken, r)
	}
}
