package fovea_test

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"fovea"
	"fovea/imageproc"
)

// TestPrecision: with weights of few bits models answer about the same, published ones and the program's own.
func TestPrecision(t *testing.T) {
	ctx := context.Background()
	vit := filepath.Join("testdata", "fixtures", "parity", "vit")
	img, err := fovea.Load(filepath.Join(vit, "image.png"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", vit} {
		answer := func(opts ...fovea.Option) (fovea.Class, int) {
			t.Helper()
			p, err := fovea.Open(ctx, name, opts...)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = p.Close() }()
			r, err := p.Do(ctx, fovea.Request{Image: img, Tasks: p.Card().Tasks, Questions: []string{"what is there?"}})
			if err != nil {
				t.Fatal(err)
			}
			return r.Classes[0], p.Card().Parameters
		}
		want, n := answer()
		for p, bound := range map[fovea.Precision]float64{fovea.F32: 1e-7, fovea.BF16: .05, fovea.Int8: .1} {
			got, m := answer(fovea.WithPrecision(p))
			if m != n || math.Abs(got.Score-want.Score) > bound || p == fovea.BF16 && got.Score == want.Score { // nano's own weights are int8
				t.Errorf("%q in %s: %v of %d parameters, want %v of %d", name, p, got, m, want, n)
			}
		}
	}
	if _, err := fovea.Open(ctx, vit, fovea.WithPrecision("int3")); fovea.Code(err) != "request.precision" || !strings.Contains(err.Error(), `"int3"`) {
		t.Errorf("int3: %v", err)
	}
}

// TestDrift: in every family fewer bits drift further, but not far, and only models whose outputs can be looked at are compared.
func TestDrift(t *testing.T) {
	ctx, img := context.Background(), imageproc.NewRGB(40, 30)
	for i := range img.Pix {
		img.Pix[i] = uint8(i * 7)
	}
	dirs, err := filepath.Glob(filepath.Join("testdata", "fixtures", "parity", "*", "config.json"))
	if err != nil || len(dirs) == 0 {
		t.Fatal("no fixtures")
	}
	for _, dir := range dirs {
		dir, last := filepath.Dir(dir), 0.
		name := filepath.Base(dir)
		for _, c := range []struct {
			precision fovea.Precision
			most      float64
		}{{fovea.F32, 0}, {fovea.BF16, .04}, {fovea.Int8, .1}} {
			out, now, was, err := fovea.Drift(ctx, dir, c.precision, img)
			if err != nil || len(out) == 0 {
				t.Errorf("%s in %s: %v, %v", name, c.precision, out, err)
			}
			sum, worst := 0., fovea.Drifts{}
			for _, d := range out {
				most := c.most
				if strings.HasPrefix(d.Output, "logits_per_") { // of three texts, which hardly differ where weights are random
					most *= 6
				} else if d.Worst > worst.Worst {
					worst = d
				}
				if sum += d.Mean; !(d.Worst >= d.Mean && d.Worst <= most) {
					t.Errorf("%s in %s: %+v, want at most %g", name, c.precision, d, most)
				}
			}
			t.Logf("%s in %s: %s at most %.2g of its range away", name, c.precision, worst.Output, worst.Worst)
			if c.precision != fovea.F32 && !(sum > last && now < was) {
				t.Errorf("%s in %s: %g after %g, %d bytes of %d", name, c.precision, sum, last, now, was)
			}
			last = sum
		}
	}
	if _, _, _, err := fovea.Drift(ctx, "", fovea.BF16, img); err == nil || fovea.Code(err) != "model.unreadable" {
		t.Errorf("the program's own model: %v", err)
	}
}
