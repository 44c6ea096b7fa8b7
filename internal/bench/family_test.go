package bench

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"fovea/imageproc"
)

// TestFamilies: models that answer in one pass, that are given boxes, that write on and that write otherwise take part, each with the
// items that it has.
func TestFamilies(t *testing.T) {
	img := imageproc.NewRGB(64, 48)
	for name, items := range map[string][2]string{
		"vit": {"image", "tg4"}, "vitpose_simple": {"image", "pp8"}, "idefics3": {"image pp8 tg4", "answer3"}, "florence2": {"image answer3", "tg4"},
	} {
		for _, precision := range []string{"f32", "bf16", "int8"} {
			dir := filepath.Join("..", "..", "testdata", "fixtures", "parity", name)
			var lines string
			for _, item := range strings.Fields(items[0]) {
				lines += item + " 0 2\n"
			}
			var out bytes.Buffer
			if err := FamilyWorker(strings.NewReader(lines), &out, dir, precision, 2, img); err != nil {
				t.Errorf("%s in %s: %v", name, precision, err)
			}
			if n := strings.Count(out.String(), "times_s"); n != len(strings.Fields(items[0])) {
				t.Errorf("%s in %s: %s", name, precision, out.String())
			}
			err := FamilyWorker(strings.NewReader(items[1]+" 0 1\n"), &out, dir, precision, 1, img)
			if err == nil || !strings.Contains(err.Error(), items[1]) && !strings.Contains(err.Error(), "does not write") {
				t.Errorf("%s: %s: %v", name, items[1], err)
			}
		}
	}
	if err := FamilyWorker(strings.NewReader(""), &bytes.Buffer{}, t.TempDir(), "f32", 1, img); err == nil {
		t.Error("an empty folder takes part")
	}
}
