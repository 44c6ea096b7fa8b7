package augment

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"fovea/annotation"
	"fovea/dataset"
	"fovea/dataset/scenes"
	"fovea/imageproc"
)

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// smooth is a picture whose colours say where each pixel is: red grows with x and green with y.
func smooth(w, h int) *imageproc.RGB {
	m := imageproc.NewRGB(w, h)
	for y := range h {
		for x := range w {
			p := m.Pix[3*(y*w+x):]
			p[0], p[1], p[2] = uint8(255*(2*x+1)/(2*w)), uint8(255*(2*y+1)/(2*h)), 200
		}
	}
	return m
}

var wild = Geometric{Flip: .5, Scale: [2]float64{.4, 3}, Aspect: .5, Rotate: 40, Translate: 1}

// Every pixel of the square shows the colour of the point that the map takes there: pixels follow the map.
func TestPixelsFollowTheMap(t *testing.T) {
	rng := seeded(1)
	for _, size := range [][2]int{{64, 64}, {200, 100}, {37, 91}, {640, 480}, {1000, 30}, {5, 7}} {
		w, h := size[0], size[1]
		ex := &dataset.Example{Image: smooth(w, h)}
		for range 20 {
			tr := wild.Sample(rng, ex, 48)
			img := tr.Image(ex.Image)
			back := tr.Inverse()
			inside := 0
			for y := range 48 {
				for x := range 48 {
					u, v := back.Apply(float64(x)+.5, float64(y)+.5)
					p := img.Pix[3*(y*48+x):]
					if p[2] == 0 { // filled
						if u > .01 && v > .01 && u < float64(w)-.01 && v < float64(h)-.01 {
							t.Fatalf("%d×%d %+v: pixel (%d, %d) at (%g, %g) is empty", w, h, tr, x, y, u, v)
						}
						continue
					}
					inside++
					r, g := 255*u/float64(w), 255*v/float64(h)
					// Next to the border the edge pixel is repeated, and a shrunk picture's cells are cut there.
					cell := 1 + 255*1.01*math.Hypot(math.Hypot(back.XX, back.XY)/float64(w), 0) + 255/float64(w)
					cellY := 1 + 255*1.01*math.Hypot(back.YX, back.YY)/float64(h) + 255/float64(h)
					if math.Abs(r-float64(p[0])) > cell || math.Abs(g-float64(p[1])) > cellY {
						t.Fatalf("%d×%d %+v: pixel (%d, %d) is %v, want (%.1f, %.1f)", w, h, tr, x, y, p[:3], r, g)
					}
				}
			}
			if u, v := tr.Apply(float64(w)/2, float64(h)/2); u > 2 && v > 2 && u < 46 && v < 46 && inside == 0 {
				t.Fatalf("%d×%d %+v: nothing shows", w, h, tr)
			}
		}
	}
}

// The centre of a bright disc is found where the map takes it, to a fraction of a pixel, whatever the size.
func TestMarkerLandsWhereTheMapSays(t *testing.T) {
	rng := seeded(2)
	for i := range 60 {
		w, h := 100+rng.IntN(300), 100+rng.IntN(300)
		ex := &dataset.Example{Image: imageproc.NewRGB(w, h)}
		g := wild
		g.Scale = [2]float64{.6, 1.4}
		tr := g.Sample(rng, ex, 128)
		back := tr.Inverse()
		cx, cy := back.Apply(20+88*rng.Float64(), 20+88*rng.Float64())
		r := 4 / math.Sqrt(math.Abs(tr.Det()))
		if cx < r+1 || cy < r+1 || cx > float64(w)-r-1 || cy > float64(h)-r-1 {
			continue
		}
		for y := range h {
			for x := range w {
				d := math.Hypot(float64(x)+.5-cx, float64(y)+.5-cy)
				ex.Image.Pix[3*(y*w+x)] = uint8(255 * min(max(r-d+.5, 0), 1))
			}
		}
		img := tr.Image(ex.Image)
		var sx, sy, n float64
		for y := range 128 {
			for x := range 128 {
				v := float64(img.Pix[3*(y*128+x)])
				sx, sy, n = sx+v*(float64(x)+.5), sy+v*(float64(y)+.5), n+v
			}
		}
		wx, wy := tr.Apply(cx, cy)
		if d := math.Hypot(sx/n-wx, sy/n-wy); !(d < .25) {
			t.Errorf("case %d: marker at (%.2f, %.2f), want (%.2f, %.2f): %.2f pixels off", i, sx/n, sy/n, wx, wy, d)
		}
	}
}

// Averages survive: what is a fine pattern in the source is its mean in the square, not an alias.
func TestShrinkingDoesNotAlias(t *testing.T) {
	for _, size := range []int{256, 300, 512, 1000, 2500} {
		ex := &dataset.Example{Image: imageproc.NewRGB(size, size)}
		for i := range size * size {
			v := uint8(255 * ((i%size + i/size) % 2))
			copy(ex.Image.Pix[3*i:], []uint8{v, v, v})
		}
		img := Geometric{}.Sample(seeded(1), ex, 64).Image(ex.Image)
		for i, v := range img.Pix {
			if v < 112 || v > 143 {
				t.Fatalf("%d → 64: component %d of a fine checkerboard is %d, want about 127", size, i, v)
			}
		}
	}
}

// Without settings the picture is letterboxed in the middle, and a square of the right size comes through untouched.
func TestLetterbox(t *testing.T) {
	ex := &dataset.Example{Image: smooth(32, 32)}
	if got := (Geometric{}).Sample(seeded(1), ex, 32).Image(ex.Image); !bytes.Equal(got.Pix, ex.Image.Pix) {
		t.Error("a picture of the square's size is changed")
	}
	ex = &dataset.Example{Image: smooth(64, 32)}
	ex.Objects = []annotation.Object{{Box: annotation.Box{X0: 0, Y0: 0, X1: 64, Y1: 32}}}
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	img, pic := p.Apply(seeded(1), ex, 32)
	if want := (annotation.Box{X0: 0, Y0: 8, X1: 32, Y1: 24}); pic.Objects[0].Box != want || pic.W != 32 || pic.H != 32 {
		t.Errorf("box %v in %d×%d, want %v", pic.Objects[0].Box, pic.W, pic.H, want)
	}
	for y := range 32 {
		if fill := bytes.Equal(img.Pix[3*(y*32+5):][:3], []uint8{Padding, Padding, Padding}); fill != (y < 8 || y >= 24) {
			t.Errorf("row %d: filled %v", y, fill)
		}
	}
}

// Without settings the model sees in training what it sees at work: the same pixels but for the filter, which is sharper.
func TestAgreesWithImageproc(t *testing.T) {
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	src := scenes.New(scenes.Config{Seed: 1, N: 6, Size: 320})
	for i := range 6 {
		ex, err := src.At(i, nil)
		if err != nil {
			t.Fatal(err)
		}
		ex.Image = &imageproc.RGB{W: 320, H: 320 - 50*i, Pix: ex.Image.Pix[:3*320*(320-50*i)]}
		for _, side := range []int{128, 224, 320} {
			got, _ := p.Apply(seeded(1), ex, side)
			want, _ := imageproc.Config{Size: side, Fill: [3]uint8{Padding, Padding, Padding}}.Apply(ex.Image)
			diff := 0.0
			for k, v := range want.Pix {
				diff += math.Abs(float64(v) - float64(got.Pix[k]))
			}
			if diff /= float64(len(want.Pix)); diff > 4 {
				t.Errorf("picture of 320×%d in a square of %d: mean difference %.2f of 255", ex.Image.H, side, diff)
			}
		}
	}
}

// person is a picture of a filled rectangle with a mask and joints on its corners.
func person(w, h int, b annotation.Box) *dataset.Example {
	ex := &dataset.Example{Image: imageproc.NewRGB(w, h), Labels: dataset.HasBoxes | dataset.HasMasks | dataset.HasJoints}
	ex.W, ex.H = w, h
	m := annotation.NewBitmap(w, h)
	for y := int(b.Y0); y < int(b.Y1); y++ {
		for x := int(b.X0); x < int(b.X1); x++ {
			m.Pix[y*w+x] = 1
			ex.Image.Pix[3*(y*w+x)] = 255
		}
	}
	js := make([]annotation.Joint, 17)
	js[5] = annotation.Joint{X: b.X0 + 1, Y: b.Y0 + 1, V: annotation.Visible}
	js[6] = annotation.Joint{X: b.X1 - 1, Y: b.Y0 + 1, V: annotation.Occluded}
	ex.Objects = []annotation.Object{{Label: "person", Box: b, Mask: m, Area: b.Area(), Joints: js, Skeleton: annotation.COCO17}}
	return ex
}

func TestFlipMovesEverything(t *testing.T) {
	ex := person(64, 64, annotation.Box{X0: 10, Y0: 20, X1: 30, Y1: 50})
	ex.Questions = []annotation.Question{{Text: "Is the man left of the dog?", Answers: []string{"yes"}, Mentions: []annotation.Mention{{Word: 2, X: 20, Y: 35}}}}
	ex.Captions = []string{"a man on the Left"}
	ex.Semantic = &annotation.LabelMap{W: 64, H: 64, Pix: make([]uint8, 64*64)}
	ex.Semantic.Pix[3*64+5] = 7
	before := ex.Clone()
	tr := Geometric{Flip: 1}.Sample(seeded(1), ex, 64)
	img, once := tr.Image(ex.Image), tr.Picture(&ex.Picture, 64, 64)
	o := once.Objects[0]
	if want := (annotation.Box{X0: 34, Y0: 20, X1: 54, Y1: 50}); o.Box != want || o.Mask.Bounds() != want || o.Area != 600 {
		t.Errorf("box %v, mask %v, area %g, want %v", o.Box, o.Mask.Bounds(), o.Area, want)
	}
	if o.Joints[6] != (annotation.Joint{X: 53, Y: 21, V: annotation.Visible}) || o.Joints[5] != (annotation.Joint{X: 35, Y: 21, V: annotation.Occluded}) {
		t.Errorf("shoulders %v", o.Joints[5:7])
	}
	if q := once.Questions[0]; q.Text != "Is the man right of the dog?" || q.Mentions[0] != (annotation.Mention{Word: 2, X: 44, Y: 35}) || once.Captions[0] != "a man on the Right" {
		t.Errorf("%+v, %q", q, once.Captions)
	}
	if once.Semantic.Pix[3*64+58] != 7 {
		t.Error("the label map did not turn")
	}
	ex2 := &dataset.Example{Image: img, Picture: once, Labels: ex.Labels}
	tr = Geometric{Flip: 1}.Sample(seeded(1), ex2, 64)
	twice := tr.Picture(&once, 64, 64)
	if !reflect.DeepEqual(&twice, &ex.Picture) || !bytes.Equal(tr.Image(img).Pix, ex.Image.Pix) {
		t.Errorf("mirrored twice: %+v, want %+v", twice, ex.Picture)
	}
	if !reflect.DeepEqual(before, &ex.Picture) {
		t.Error("the example was changed")
	}
}

// What the picture shows of an object, its mask, its box and its joints agree after any transform.
func TestAnnotationsFollowThePixels(t *testing.T) {
	rng := seeded(3)
	kept, dropped := 0, 0
	for i := range 300 {
		b := annotation.Box{X0: float64(rng.IntN(80)), Y0: float64(rng.IntN(60))}
		b.X1, b.Y1 = b.X0+8+float64(rng.IntN(30)), b.Y0+8+float64(rng.IntN(30))
		ex := person(120, 100, b)
		tr := wild.Sample(rng, ex, 96)
		img, pic := tr.Image(ex.Image), tr.Picture(&ex.Picture, 120, 100)
		if len(pic.Objects) == 0 {
			dropped++
			continue
		}
		kept++
		o := pic.Objects[0]
		if o.Mask.Bounds() != o.Box || o.Area != float64(o.Mask.Area()) {
			t.Fatalf("case %d: mask %v, box %v, area %g of %d", i, o.Mask.Bounds(), o.Box, o.Area, o.Mask.Area())
		}
		wrong := 0
		for k, v := range o.Mask.Pix {
			if (img.Pix[3*k] > 127) != (v == 1) {
				wrong++
			}
		}
		// Pixels and mask are sampled differently along the outline.
		if limit := int(2*(o.Box.W()+o.Box.H())) + 4; wrong > limit {
			t.Errorf("case %d: %d pixels of %g are on the wrong side of the mask %+v", i, wrong, o.Area, tr)
		}
		for k, j := range ex.Objects[0].Joints {
			at := k
			if tr.Mirrored {
				at = annotation.COCO17.Flip[k]
			}
			x, y := tr.Apply(j.X, j.Y)
			in := j.V != annotation.Absent && x >= 0 && y >= 0 && x < 96 && y < 96
			if got := o.Joints[at]; in && got != (annotation.Joint{X: x, Y: y, V: j.V}) || !in && got != (annotation.Joint{}) {
				t.Errorf("case %d: joint %d is %v, want (%g, %g) %v", i, k, got, x, y, j.V)
			}
		}
	}
	if kept < 100 || dropped < 10 {
		t.Errorf("%d kept, %d dropped: the test sees too few of one kind", kept, dropped)
	}
}

func TestWhatIsDropped(t *testing.T) {
	tr := Transform{Affine: Affine{XX: 1, YY: 1, X0: -50}, Side: 100, MinVisible: .3, MinSize: 2}
	box := func(x0, y0, x1, y1 float64) annotation.Object {
		return annotation.Object{Box: annotation.Box{X0: x0, Y0: y0, X1: x1, Y1: y1}}
	}
	crowd := box(0, 0, 60, 10)
	crowd.Crowd = true
	hidden := box(40, 0, 70, 10) // box in view, mask not
	hidden.Mask = annotation.NewBitmap(200, 100)
	hidden.Mask.Pix[41] = 1
	unmasked := box(60, 0, 70, 10)
	unmasked.Mask = annotation.NewBitmap(200, 100)
	alien := box(60, 0, 70, 10)
	alien.Mask = annotation.NewBitmap(2, 2)
	for _, c := range []struct {
		name string
		o    annotation.Object
		keep bool
	}{
		{"inside", box(60, 10, 90, 40), true},
		{"outside", box(0, 10, 40, 40), false},
		{"31 % in view", box(0, 0, 72.5, 10), true},
		{"29 % in view", box(0, 0, 70.4, 10), false},
		{"narrow", box(60, 10, 61.5, 40), false},
		{"crowd hardly in view", crowd, true},
		{"mask out of view", hidden, false},
		{"empty mask", unmasked, true},
		{"mask of another size", alien, true},
		{"not a number", box(math.NaN(), 0, 70, 10), false},
		{"inside out", box(90, 10, 60, 40), false},
		{"beyond the picture", box(-1e9, -1e9, 1e9, 1e9), true},
	} {
		p := annotation.Picture{Objects: []annotation.Object{c.o}}
		q := tr.Picture(&p, 200, 100)
		if got := len(q.Objects) == 1; got != c.keep {
			t.Errorf("%s: kept %v, want %v", c.name, got, c.keep)
		}
		for _, o := range q.Objects {
			if o.Mask != nil || o.Box.Clip(100, 100) != o.Box || o.Box.Empty() {
				t.Errorf("%s: %+v", c.name, o)
			}
		}
	}
}

// Questions about a scene stay true: every object stays in view, upright and large.
func TestTextsKeepEverythingInView(t *testing.T) {
	src := scenes.New(scenes.Config{Seed: 4, N: 40})
	rng := seeded(5)
	zoomed := 0
	for i := range 40 {
		ex, err := src.At(i, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			tr := wild.Sample(rng, ex, 128)
			pic := tr.Picture(&ex.Picture, 128, 128)
			if len(pic.Objects) != len(ex.Objects) || len(pic.Questions) != len(ex.Questions) || len(pic.Captions) != len(ex.Captions) {
				t.Fatalf("scene %d: %d of %d objects, %d of %d questions", i, len(pic.Objects), len(ex.Objects), len(pic.Questions), len(ex.Questions))
			}
			if tr.XY != 0 || tr.YX != 0 {
				t.Fatalf("scene %d is rotated", i)
			}
			if tr.YY > 1.1 {
				zoomed++
			}
			for k, o := range ex.Objects {
				b := tr.bounds(o.Box)
				if b.X0 < -1e-6 || b.Y0 < -1e-6 || b.X1 > 128+1e-6 || b.Y1 > 128+1e-6 {
					t.Errorf("scene %d: object %d at %v", i, k, b)
				}
				if len(o.Joints) > 0 && !tr.Mirrored {
					for n, j := range o.Joints {
						if got := pic.Objects[k].Joints[n]; got.V != j.V && o.Box.X0 > 0 && o.Box.Y0 > 0 && o.Box.X1 < 128 && o.Box.Y1 < 128 && j.X > o.Box.X0 && j.X < o.Box.X1 && j.Y > o.Box.Y0 && j.Y < o.Box.Y1 {
							t.Errorf("scene %d: joint %d of object %d is lost", i, n, k)
						}
					}
				}
			}
			for n, q := range pic.Questions {
				if len(q.Mentions) != len(ex.Questions[n].Mentions) {
					t.Errorf("scene %d: question %d lost a mention", i, n)
				}
			}
		}
	}
	if zoomed == 0 {
		t.Error("pictures with texts are never enlarged")
	}
	// Where boxes are not known to be complete, all of the picture stays.
	ex := &dataset.Example{Image: smooth(90, 60)}
	ex.Captions = []string{"a wide view"}
	for range 50 {
		tr := wild.Sample(rng, ex, 128)
		if b := tr.bounds(annotation.Box{X1: 90, Y1: 60}); b.X0 < -1e-6 || b.Y0 < -1e-6 || b.X1 > 128+1e-6 || b.Y1 > 128+1e-6 {
			t.Errorf("captioned picture lies at %v", b)
		}
	}
}

func TestPipelineIsDeterministic(t *testing.T) {
	p, err := New(Config{Flip: .5, Scale: [2]float64{.5, 2}, Rotate: 20, Translate: 1, Aspect: .3, Color: .5, Noise: 20, Blur: .5, JPEG: .5, Grey: .2})
	if err != nil {
		t.Fatal(err)
	}
	src := scenes.New(scenes.Config{Seed: 4, N: 5})
	differ := 0
	for i := range 5 {
		ex, err := src.At(i, nil)
		if err != nil {
			t.Fatal(err)
		}
		a, pa := p.Apply(seeded(9), ex, 96)
		p.Apply(seeded(77), person(300, 400, annotation.Box{X1: 50, Y1: 50}), 50) // leaves other things in the scratch
		b, pb := p.Apply(seeded(9), ex, 96)
		if !bytes.Equal(a.Pix, b.Pix) || !reflect.DeepEqual(pa, pb) {
			t.Errorf("scene %d differs between two runs of one seed", i)
		}
		if c, _ := p.Apply(seeded(10), ex, 96); !bytes.Equal(a.Pix, c.Pix) {
			differ++
		}
	}
	if differ == 0 {
		t.Error("another seed makes no other picture")
	}
}

func BenchmarkApply(b *testing.B) {
	for _, c := range []struct {
		name   string
		w, h   int
		config Config
	}{
		{"256to128/geometry", 256, 256, Config{Flip: .5, Scale: [2]float64{.5, 2}, Translate: 1}},
		{"256to128/default", 256, 256, Default()},
		{"256to128/rotate", 256, 256, Config{Flip: .5, Scale: [2]float64{.5, 2}, Translate: 1, Rotate: 30}},
		{"128to128/default", 128, 128, Default()},
		{"640x480to128/default", 640, 480, Default()},
	} {
		b.Run(c.name, func(b *testing.B) {
			p, err := New(c.config)
			if err != nil {
				b.Fatal(err)
			}
			ex := person(c.w, c.h, annotation.Box{X0: 40, Y0: 30, X1: 120, Y1: 110})
			rng := seeded(1)
			b.ReportAllocs()
			for b.Loop() {
				p.Apply(rng, ex, 128)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pictures/s")
		})
	}
}

// TestShift: a picture of the square's size is moved by whole pixels, none of which changes, over its whole range.
func TestShift(t *testing.T) {
	rng := seeded(4)
	ex := &dataset.Example{Image: smooth(32, 32)}
	g := Geometric{Shift: 2, Fill: [3]uint8{1, 2, 3}}
	seen := map[[2]int]bool{}
	for range 400 {
		tr := g.Sample(rng, ex, 32)
		dx, dy := int(tr.X0), int(tr.Y0)
		if float64(dx) != tr.X0 || float64(dy) != tr.Y0 || max(dx, -dx, dy, -dy) > 2 {
			t.Fatalf("moved by (%g, %g)", tr.X0, tr.Y0)
		}
		seen[[2]int{dx, dy}] = true
		img := tr.Image(ex.Image)
		for y := range 32 {
			for x := range 32 {
				want := []byte{1, 2, 3}
				if u, v := x-dx, y-dy; u >= 0 && v >= 0 && u < 32 && v < 32 {
					want = ex.Image.Pix[3*(v*32+u):][:3]
				}
				if got := img.Pix[3*(y*32+x):][:3]; !bytes.Equal(got, want) {
					t.Fatalf("moved by (%d, %d): pixel (%d, %d) is %v, want %v", dx, dy, x, y, got, want)
				}
			}
		}
	}
	if len(seen) != 25 {
		t.Errorf("%d of 25 places seen", len(seen))
	}
}
