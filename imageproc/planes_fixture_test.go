package imageproc

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type fixtureTensor struct {
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
	Range [2]int `json:"data_offsets"`
	data  []byte
}

func (t fixtureTensor) float(i int) float64 {
	if t.DType == "U8" {
		return float64(t.data[i])
	}
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(t.data[4*i:])))
}

func readTensors(t *testing.T, path string) map[string]fixtureTensor {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(b)
	raw, out := map[string]json.RawMessage{}, map[string]fixtureTensor{}
	if err := json.Unmarshal(b[8:8+n], &raw); err != nil {
		t.Fatal(err)
	}
	for k, r := range raw {
		var e fixtureTensor
		if k == "__metadata__" {
			continue
		}
		if err := json.Unmarshal(r, &e); err != nil {
			t.Fatal(err)
		}
		e.data = b[8+n:][e.Range[0]:e.Range[1]]
		out[k] = e
	}
	return out
}

// Metric: max |Δ| ≤ 1 grey level for 8-bit results (torch's weights have 16 bits there), ≤ 1e-5 of the range for floats.
func TestFixtureTorchvision(t *testing.T) {
	dir, l := readFixtures(t)
	pix, w, h, c, _ := samples(t, filepath.Join(dir, l.Torchvision.Src))
	planes := make([]float32, len(pix))
	for i, v := range pix {
		planes[i%c*w*h+i/c] = float32(v)
	}
	all := readTensors(t, filepath.Join(dir, l.Torchvision.File))
	if len(all) < 12 {
		t.Fatalf("only %d tensors", len(all))
	}
	for name, want := range all {
		part := strings.Split(name, ".") // filter, size, kind
		f, err := ParseFilter(part[0])
		if err != nil {
			t.Fatal(err)
		}
		var ow, oh int
		if _, err := fmt.Sscanf(part[1], "%dx%d", &oh, &ow); err != nil {
			t.Fatal(err)
		}
		if part[2] == "uint8" {
			got := ResizePixels(pix, w, h, c, whole(w, h), ow, oh, f)
			bad := 0
			for i, v := range got {
				d := math.Abs(float64(v) - want.float(i%c*ow*oh+i/c))
				if d > 1 {
					t.Fatalf("%s: sample %d differs by %g", name, i, d)
				}
				if d > 0 {
					bad++
				}
			}
			t.Logf("%s: %d of %d samples differ by 1", name, bad, len(got))
			continue
		}
		got := ResizePlanes(planes, c, h, w, oh, ow, f, part[2] == "float")
		top, worst := 0.0, 0.0
		for i := range got {
			top = max(top, math.Abs(want.float(i)))
		}
		unit := 1.0
		if top < 2 { // the picture was scaled to [0, 1]
			unit = 255
		}
		for i, v := range got {
			worst = max(worst, math.Abs(float64(v)/unit-want.float(i))*unit/255)
		}
		if worst > 1e-5 {
			t.Errorf("%s: differs by %.3g of the range", name, worst)
		}
		t.Logf("%s: at most %.2g", name, worst)
	}
}
