package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"fovea/internal/kernel"
)

func TestMeasureProduct(t *testing.T) {
	var rates []Rate
	for _, p := range []Product{{"small", 40, 64, 32, false}, {"small", 40, 64, 32, true}, {"one row", 1, 64, 64, false}} {
		r := MeasureProduct(p, 1, 0)
		if r.Best <= 0 || r.Median <= 0 || r.Median > r.Best || r.Threads != 1 {
			t.Errorf("%v: %+v", p, r)
		}
		if known := kernel.MultiplyAdds(1, 1) > 0; known != (r.Limit() > 0) && !p.BF16 {
			t.Errorf("%v: limit %g", p, r.Limit())
		}
		rates = append(rates, r)
	}
	shared := []Rate{{Peak: 2, Threads: 1}, {Peak: 3, Memory: 5, Threads: 1}, {Peak: 9, Threads: 2}, {Product: Product{BF16: true}, Peak: 8, Threads: 1}}
	ShareLimits(shared)
	if shared[0].Peak != 3 || shared[0].Memory != 5 || shared[1].Peak != 3 || shared[2].Peak != 9 || shared[3].Peak != 8 {
		t.Errorf("%+v", shared)
	}
	if i := (Product{"", 2, 3, 4, false}).Intensity(); i != 48./(4*(8+12+6)) {
		t.Errorf("intensity %g", i)
	}
	for name, magic := range map[string]string{"r.svg": "<?xml", "r.png": "\x89PNG"} {
		path := filepath.Join(t.TempDir(), name)
		if err := PlotRoofline(path, rates); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(b, []byte(magic)) {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
	if err := PlotRoofline(filepath.Join(t.TempDir(), "r.gif"), rates); err == nil {
		t.Error("a GIF was drawn")
	}
}

// TestGemmShare fails when products fall far below what the processor can do, by the ratio to a loop of multiply-adds that takes turns
// with them: absolute times say more about the machine. The floor is wide, for shared machines; the share measured on a quiet
// one is in docs/performance.md.
func TestGemmShare(t *testing.T) {
	if testing.Short() || kernel.MultiplyAdds(1, 1) == 0 {
		t.Skip("no loop to compare with, or a short run")
	}
	const floor, tries = .55, 8
	best := 0.
	for range tries { // a neighbour spoils some
		if best = max(best, MeasureProduct(Product{"", 512, 512, 512, false}, 1, .05).Share()); best >= floor {
			return
		}
	}
	t.Errorf("a product of 512³ reaches %.0f %% of the processor's multiply-adds at best, want %.0f %%", 100*best, 100*floor)
}
