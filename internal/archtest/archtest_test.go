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
	{"annotation", "bench", "chat", "generate", "generate/grammar", "internal/archtest", "internal/cpu", "internal/fetch", "internal/filelock", "internal/hub/hubtest", "internal/memory", "internal/nano", "internal/serve/oippb", "internal/web"},
	{"internal/hub", "internal/kernel", "internal/pixel", "eval", "tokenizer"},
	{"imageproc/jpeg", "task/place"},
	{"imageproc"},
	{"tensor", "dataset"},
	{"autograd", "augment", "dataset/scenes"},
	{"ops", "task"},
	{"nn"},
	{"checkpoint"},
	{"model", "checkpoint/checkpointtest"},
	{"model/unified", "train", "explain"},
	{"model/all", "compress"},
	{"internal/bench", "internal/recipe", "internal/testmodel"},
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
	// Every published family is a sibling of the native model.
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

// pkg is a package of the module with what it needs.
type pkg struct {
	path          string
	imports, deps []string
}

// packages lists the module's packages; what does not compile at the moment is listed as far as it can be.
func packages(t *testing.T) (out []pkg) {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-f", `{{.ImportPath}}|{{join .Imports " "}}|{{join .Deps " "}}`, module+"/...")
	cmd.Dir = "../.."
	list, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(list)) {
		f := strings.Split(strings.TrimSpace(line), "|")
		path, _ := ours(f[0])
		out = append(out, pkg{path, inside(f[1]), inside(f[2])})
	}
	return out
}

// inside are the packages of a list that belong to the module.
func inside(list string) (out []string) {
	for _, p := range strings.Fields(list) {
		if p, mine := ours(p); mine {
			out = append(out, p)
		}
	}
	return out
}

func TestArchitecture(t *testing.T) {
	all := packages(t)
	t.Run("imports point down", func(t *testing.T) {
		for _, p := range all {
			from, ok := layerOf(p.path)
			if !ok {
				t.Errorf("package %s has no layer: add it to the table in this file and to ARCHITECTURE.md", p.path)
				continue
			}
			for _, imp := range p.imports {
				if n, ok := layerOf(imp); ok && n >= from {
					t.Errorf("%s (layer %d) imports %s (layer %d): imports point down", p.path, from, imp, n)
				}
			}
		}
	})
	// What knows annotations, words and pixels stays testable without a model.
	t.Run("codecs and metrics know no numbers", func(t *testing.T) {
		numeric := []string{"internal/kernel", "tensor", "autograd", "ops", "nn", "checkpoint"}
		for _, p := range all {
			if !slices.Contains([]string{"annotation", "eval", "imageproc", "tokenizer", "dataset", "dataset/scenes", "task", "task/place", "augment"}, p.path) {
				continue
			}
			for _, d := range p.deps {
				if slices.Contains(numeric, d) {
					t.Errorf("%s depends on %s", p.path, d)
				}
			}
		}
	})
}
