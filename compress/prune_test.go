package compress

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/internal/testmodel"
	"fovea/model/unified"
	"fovea/nn"
)

var background = context.Background()

// twinned is a model whose feed-forward units come in pairs that say the same, so that half of them are enough.
func twinned(t *testing.T) *unified.Model {
	t.Helper()
	m, err := testmodel.New(1)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 3))
	for _, b := range m.Stack.Blocks {
		mlp := b.MLP.(*nn.MLP)
		nn.Normal(rng, mlp.Down.(*nn.Dense).Weight, .1)
		nn.Normal(rng, b.Attn.O.(*nn.Dense).Weight, .1)
		up := mlp.Up.(*nn.Dense)
		n, d := up.Weight.Shape[0], up.Weight.Shape[1]
		copy(up.Weight.Data[n/2*d:], up.Weight.Data[:n/2*d])
	}
	return m
}

// look is what a model says of some pictures of noise.
func look(m *unified.Model) (out []float32) {
	r := unified.NewRunner(m, kernel.NewWork(nil))
	for k := range 6 {
		rng := rand.New(rand.NewPCG(9, uint64(k)))
		img := imageproc.NewRGB(m.Config.Size, m.Config.Size)
		for i := range img.Pix {
			img.Pix[i] = uint8(rng.IntN(256))
		}
		p := r.Encode(img)
		r.Ask(p, []string{"how many circles are there?", "is it red?"})
		out = append(out, p.Tokens...)
	}
	return out
}

func run(m *unified.Model) error { look(m); return nil }

// Units that others can stand in for cost nothing: half of the twins go, and the model says the same; it is smaller, can be
// saved and read again, and the one that it came from is as it was.
func TestPrune(t *testing.T) {
	m := twinned(t)
	want := look(m)
	small, err := Prune(background, m, .5, run)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(look(m), want) {
		t.Error("the model itself has changed")
	}
	if n := small.Config.FeedForward(); n != m.Config.FeedForward()/2 {
		t.Errorf("%d units are left of %d", n, m.Config.FeedForward())
	}
	dir := t.TempDir()
	if err := small.Save(dir, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if small, err = unified.Open(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	worst := 0.
	for i, v := range look(small) {
		worst = max(worst, math.Abs(float64(v-want[i])))
	}
	if worst > .01 { // final states have a mean square of 1
		t.Errorf("an image token differs by %g", worst)
	}
	for _, share := range []float64{0, 1, -1, math.NaN(), .01} {
		if _, err := Prune(background, m, share, run); err == nil {
			t.Errorf("a share of %g was pruned", share)
		}
	}
	if _, err := Prune(background, m, .5, func(*unified.Model) error { return nil }); err == nil {
		t.Error("units were chosen by no picture")
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	if _, err := Prune(ctx, m, .5, run); err == nil {
		t.Error("an interrupted run has a result")
	}
}

// What the surgeon leaves is better than the largest units alone, and the rest's weights are the best that there are: changing any
// makes the output worse.
func TestSurgeon(t *testing.T) {
	const n, width, rows, keep = 24, 5, 400, 12
	rng := rand.New(rand.NewPCG(5, 6))
	x := make([]float64, rows*(n+1))
	for r := range rows {
		var cause [8]float64
		for i := range cause {
			cause[i] = rng.NormFloat64()
		}
		for i := range n { // units share causes, as those of trained layers do
			x[r*(n+1)+i] = max(0, cause[i%8]+.4*rng.NormFloat64())
		}
		x[r*(n+1)+n] = 1
	}
	const loud, twin = 3, 11 // one unit says a million times as much as the others, with weights to match, and another one the same
	for r := range rows {
		x[r*(n+1)+loud] *= 1e6
		x[r*(n+1)+twin] = x[r*(n+1)+loud]
	}
	moments := make([]float64, (n+1)*(n+1))
	for r := range rows {
		for i := range n + 1 {
			for j := range n + 1 {
				moments[i*(n+1)+j] += x[r*(n+1)+i] * x[r*(n+1)+j] / rows
			}
		}
	}
	w, bias := make([]float64, n*width), make([]float64, width)
	for i := range w {
		w[i] = rng.NormFloat64()
	}
	for o := range width {
		w[loud*width+o] /= 1e6
		w[twin*width+o] /= 1e6
	}
	full := append(slices.Clone(w), bias...)
	loss := func(v []float64) (sum float64) { // of the output with other weights, 0 for units that are gone
		for r := range rows {
			for o := range width {
				d := 0.
				for i := range n + 1 {
					d += x[r*(n+1)+i] * (v[i*width+o] - full[i*width+o])
				}
				sum += d * d / rows
			}
		}
		return sum
	}
	s, err := newSurgeon(moments, n, w, bias)
	if err != nil {
		t.Fatal(err)
	}
	for range n - keep {
		s.remove()
	}
	s.finish()
	if len(s.left) != keep || !slices.IsSorted(s.left) {
		t.Fatalf("left: %v", s.left)
	}
	got := loss(s.w)
	norm := func(i int) (sum float64) { // a unit's mean square times its weights'
		for _, v := range w[i*width : (i+1)*width] {
			sum += v * v
		}
		return sum * moments[i*(n+1)+i]
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		if norm(i) < norm(j) {
			return -1
		}
		return 1
	})
	largest := slices.Clone(full)
	for _, i := range order[:n-keep] {
		clear(largest[i*width : (i+1)*width])
	}
	if by := loss(largest); !(got < by/3) {
		t.Errorf("the surgeon's loss is %g, that of keeping the largest units %g", got, by)
	}
	for _, i := range append(slices.Clone(s.left), n) {
		for o := range width {
			for _, d := range []float64{-.05, .05} {
				v := slices.Clone(s.w)
				v[i*width+o] += d / math.Sqrt(moments[i*(n+1)+i])
				if loss(v) < got-1e-3 {
					t.Fatalf("unit %d, output %d: %g is better than %g", i, o, loss(v), got)
				}
			}
		}
	}
}
