package cli

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestLookWithPublishedModels: a look runs what the model can do unasked, and says what it left out.
func TestLookWithPublishedModels(t *testing.T) {
	root, err := filepath.Abs("../../testdata/fixtures/parity")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // drawings go there
	for _, c := range []struct {
		model string
		code  int
		out   string
		errs  []string
	}{
		{"vit", 0, "class", []string{"left out", "detect, segment, pose, caption"}},
		{"yolos", 0, "objects", []string{"left out", "classify, segment, pose, caption"}},
		{"owlv2", exitUsage, "", []string{"nothing to say about a picture unasked", `hint: fovea detect PHOTO --query "person, dog" --model `}},
		{"clip", exitUsage, "", []string{"nothing to say about a picture unasked", `hint: fovea classify PHOTO --labels "cat, dog" --model `}},
		{"clipseg", exitUsage, "", []string{"nothing to say", `hint: fovea segment PHOTO --query`}},
		{"blip_vqa", exitUsage, "", []string{"nothing to say", "hint: fovea ask PHOTO"}},
	} {
		dir := filepath.Join(root, c.model)
		code, out, errs := cli(t, "look", filepath.Join(dir, "image.png"), "--model", dir, "--threshold", "0.001")
		if code != c.code || !strings.Contains(out, c.out) {
			t.Errorf("%s: exit code %d: %s%s", c.model, code, out, errs)
		}
		for _, want := range c.errs {
			if !strings.Contains(errs, want) {
				t.Errorf("%s: no %q in %s", c.model, want, errs)
			}
		}
	}
	dir := filepath.Join(root, "blip_vqa")
	if code, out, errs := cli(t, "look", filepath.Join(dir, "image.png"), "--model", dir, "--question", "what is it?"); code != 0 || !strings.Contains(out, "what is it? →") {
		t.Errorf("asked: %d: %s%s", code, out, errs)
	}
}
