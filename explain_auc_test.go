package fovea

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"fovea/annotation"
	"fovea/dataset/scenes"
	"fovea/imageproc"
	"fovea/model/unified"
	"fovea/task"
)

// explained gives the areas under an answer's score by the order of a method's map; "random" is an order by chance.
func explained(t *testing.T, r *nativeRunner, img *imageproc.RGB, o unified.ExplainOptions, method string, rng *rand.Rand) (deleted, inserted float64) {
	t.Helper()
	square, g := r.model.Config.Fit().Apply(img)
	v := &nativeView{nativeRunner: r, g: g}
	if o.Method = method; method == "random" {
		o.Method = unified.Rollout
	}
	e, ok := r.run.Explain(square, o)
	if !ok {
		t.Fatalf("%+v: nothing to explain", o)
	}
	m, _ := overPicture(e.Patches, r.model.Config.Grid(), v.frame(), img.W, img.H)
	if method == "random" {
		for i := range m.Values {
			m.Values[i] = rng.Float64()
		}
	}
	deleted, inserted, err := r.aucs(background, square, g, &e.Answer, m)
	if err != nil {
		t.Fatal(err)
	}
	return deleted, inserted
}

// What is said to be important is: taking it away first lowers the score of answers sooner than taking away anything, and bringing it
// back first raises it sooner (mean over scenes and tasks). FOVEA_LONG=1 measures and prints 20 scenes, four tasks and both methods;
// FOVEA_SCENES changes their number.
func TestFaithful(t *testing.T) {
	p, err := Open(background, "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r := p.model.(native).NewRunner(1).(*nativeRunner)
	n, methods, tasks := 2, []string{unified.Gradient, "random"}, []task.Task{task.Detect, task.Ask}
	if os.Getenv("FOVEA_LONG") != "" {
		n, methods, tasks = 20, []string{"random", unified.Rollout, unified.Gradient}, []task.Task{task.Classify, task.Detect, task.Ask, task.Caption}
		if s, err := strconv.Atoi(os.Getenv("FOVEA_SCENES")); err == nil {
			n = s
		}
	}
	src := scenes.New(scenes.Config{Seed: 1_000_001, N: n, Size: 256})
	sum := map[string]*[3]float64{}
	rng := rand.New(rand.NewPCG(1, 2))
	for k := range n {
		ex, err := src.At(k, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range tasks {
			o := unified.ExplainOptions{Task: what, Name: -1}
			switch what {
			case task.Detect:
				b := ex.Objects[0].Box
				o.Name = r.model.Names.Add(ex.Objects[0].Label)
				o.Box = annotation.Box{X0: b.X0 / 256, Y0: b.Y0 / 256, X1: b.X1 / 256, Y1: b.Y1 / 256}
			case task.Ask:
				o.Question = ex.Questions[k%len(ex.Questions)].Text
			}
			for _, method := range methods {
				d, in := explained(t, r, ex.Image, o, method, rng)
				for _, key := range []string{what.String() + " " + method, "all " + method} {
					if sum[key] == nil {
						sum[key] = new([3]float64)
					}
					s := sum[key]
					s[0], s[1], s[2] = s[0]+d, s[1]+in, s[2]+1
				}
			}
		}
	}
	for _, what := range []string{"classify", "detect", "ask", "caption", "all"} {
		for _, method := range methods {
			if s := sum[what+" "+method]; s != nil {
				t.Logf("%-9s %-10s deletion %.3f insertion %.3f (%.0f answers)", what, method, s[0]/s[2], s[1]/s[2], s[2])
			}
		}
	}
	own, chance := sum["all "+unified.Gradient], sum["all random"]
	if own != nil && chance != nil && (own[0] >= chance[0] || own[1] <= chance[1]) {
		t.Errorf("deletion %.3f and insertion %.3f, by chance %.3f and %.3f", own[0]/own[2], own[1]/own[2], chance[0]/own[2], chance[1]/own[2])
	}
}

// The cells of pictures of any shape cover them and nothing beside them, and what replaces them is of one colour, or blurred.
func TestCells(t *testing.T) {
	for _, size := range [][2]int{{96, 96}, {96, 40}, {200, 3}, {1, 300}} {
		img := imageproc.NewRGB(size[0], size[1])
		for i := range img.Pix {
			img.Pix[i] = uint8(i)
		}
		square, g := (imageproc.Config{Size: 64}).Apply(img)
		grid := [2]int{max(4*size[1]/max(size[0], size[1]), 1), max(4*size[0]/max(size[0], size[1]), 1)}
		c := cellsOf(square, g, grid)
		other := imageproc.NewRGB(64, 64)
		for i := range other.Pix {
			other.Pix[i] = 1
		}
		for k := range grid[0] * grid[1] {
			c.copy(other, square, k)
		}
		x0, y0, x1, y1 := c.bounds()
		if x1 <= x0 || y1 <= y0 {
			t.Fatalf("%v: the picture lies in %d,%d … %d,%d", size, x0, y0, x1, y1)
		}
		for y := range 64 {
			for x := range 64 {
				want := uint8(1)
				if x >= x0 && x < x1 && y >= y0 && y < y1 {
					want = square.Pix[3*(y*64+x)]
				}
				if other.Pix[3*(y*64+x)] != want {
					t.Fatalf("%v: pixel %d,%d is %d, want %d", size, x, y, other.Pix[3*(y*64+x)], want)
				}
			}
		}
		if b := c.blurred(); len(b.Pix) != len(square.Pix) || b.Pix[0] != square.Pix[0] && (x0 > 0 || y0 > 0) {
			t.Errorf("%v: the margin is blurred, too", size)
		}
		if m := c.mean(); m.Pix[0] != m.Pix[3*64*64-3] {
			t.Errorf("%v: the mean is not one colour", size)
		}
	}
}
