package archtest

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "fovea"

// layers lists the packages from the bottom up. A package may import those of the rows below its own and nothing of its
// own row. A new package goes into the lowest row that its imports allow.
var layers = [][]string{
	{"annotation", "internal/archtest", "internal/cpu", "internal/fetch", "internal/nano"},
	{"internal/kernel", "eval", "imageproc", "tokenizer"},
	{"tensor", "dataset"},
	{"autograd", "augment", "dataset/scenes"},
	{"ops", "task"},
	{"nn"},
	{"checkpoint", "hub"},
	{"model", "checkpoint/checkpointtest"},
	{"model/unified", "generate", "train", "explain"},
	{"model/all", "compress", "internal/bench", "internal/recipe", "internal/testmodel"},
	{""}, // fovea, the facade
	{"internal/serve", "internal/batch"},
	{"internal/cli"},
	{"cmd/fovea"},
}

// layerOf is the row of a package: the number of rows below it.
func layerOf(pkg string) (int, bool) {
	for i, row := range layers {
		if slices.Contains(row, pkg) {
			return i, true
		}
	}
	// Every published family is a sibling of the native model, and every generator of assembly stands alone.
	if strings.HasPrefix(pkg, "model/") {
		return layerOf("model/unified")
	}
	return 0, false
}

// ours is the path of a package inside the module, or false for one of another module.
func ours(path string) (string, bool) {
	if path == module {
		return "", true
	}
	return strings.CutPrefix(path, module+"/")
}

func TestImportsPointDown(t *testing.T) {
	cmd := exec.Command("go", "list", "-e", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"/...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		pkg, _ := ours(f[0])
		from, ok := layerOf(pkg)
		if !ok {
			t.Errorf("package %s has no layer: add it to the table in this file and to ARCHITECTURE.md", f[0])
			continue
		}
		for _, imp := range f[1:] {
			to, mine := ours(imp)
			if !mine {
				continue
			}
			if n, ok := layerOf(to); ok && n >= from {
				t.Errorf("%s (layer %d) imports %s (layer %d): imports point down", f[0], from, imp, n)
			}
		}
	}
}

// The packages that know annotations, words and pixels must stay testable without a model.
func TestNothingNumericBelowTheCodecs(t *testing.T) {
	numeric := []string{"internal/kernel", "tensor", "autograd", "ops", "nn", "checkpoint"}
	for _, pkg := range []string{"annotation", "eval", "imageproc", "tokenizer", "dataset", "dataset/scenes", "task", "augment"} {
		cmd := exec.Command("go", "list", "-e", "-deps", "./"+pkg)
		cmd.Dir = "../.."
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list -deps %s: %v", pkg, err)
		}
		for dep := range strings.Lines(string(out)) {
			if d, mine := ours(strings.TrimSpace(dep)); mine && slices.Contains(numeric, d) {
				t.Errorf("%s depends on %s", pkg, d)
			}
		}
	}
}
