package train

import (
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCompare draws two runs' curves, and names what is missing.
func TestCompare(t *testing.T) {
	var runs []Compared
	for name, lines := range map[string]string{
		"a": `{"step":1,"loss":2}` + "\n" + `{"step":10,"eval":{"x class top1":0.2}}` + "\n" + `{"step":20,"eval":{"x class top1":0.5}}`,
		"b": `{"step":20,"loss":1}` + "\n" + `{"step":20,"eval":{"x class top1":0.75}}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, metricsName), []byte(lines), 0o644); err != nil {
			t.Fatal(err)
		}
		runs = append(runs, Compared{name, dir})
	}
	out := filepath.Join(t.TempDir(), "curves.png")
	if err := Compare(out, "two", "x class top1", runs...); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil || img.Bounds().Dx() < 400 {
		t.Fatalf("%v, %v", img, err)
	}
	colours := map[[3]uint32]bool{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			r, g, b, _ := img.At(x, y).RGBA()
			colours[[3]uint32{r >> 8, g >> 8, b >> 8}] = true
		}
	}
	for i := range runs {
		if c := curveColors[i]; !colours[[3]uint32{uint32(c.R), uint32(c.G), uint32(c.B)}] {
			t.Errorf("no curve has the colour %v", c)
		}
	}
	if err := Compare(out, "", "y", runs...); err == nil || !strings.Contains(err.Error(), `"y"`) {
		t.Errorf("a measurement that is not there: %v", err)
	}
	if err := Compare(out, "", "y"); err == nil {
		t.Error("nothing was drawn")
	}
}

// TestBars draws the mean of each way of training as wide as it is large, and refuses what it cannot draw.
func TestBars(t *testing.T) {
	out := filepath.Join(t.TempDir(), "bars.png")
	if err := Bars(out, "three", Bar{"none", []float64{.2}}, Bar{"flip", []float64{.3, .5}}, Bar{"all", []float64{.8}}); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	wide := map[[3]uint32]int{} // the widest run of a row, by colour
	for y := range img.Bounds().Dy() {
		row := map[[3]uint32]int{}
		for x := range img.Bounds().Dx() {
			r, g, b, _ := img.At(x, y).RGBA()
			row[[3]uint32{r >> 8, g >> 8, b >> 8}]++
		}
		for c, n := range row {
			wide[c] = max(wide[c], n)
		}
	}
	first, rest := wide[[3]uint32{0, 114, 178}], wide[[3]uint32{86, 180, 233}]
	if first < 50 || rest < 3*first || rest > 5*first {
		t.Errorf("bars of .2 and .8 are %d and %d pixels wide", first, rest)
	}
	if Bars(out, "") == nil || Bars(out, "", Bar{Name: "x"}) == nil {
		t.Error("nothing was drawn without an error")
	}
}
