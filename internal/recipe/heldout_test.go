package recipe

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fovea/dataset"
)

// shipped are the recipes in configs/, by the names of their files, and the runs of the sweeps there.
func shipped(t *testing.T) map[string]*Config {
	t.Helper()
	const root = "../../configs"
	out := map[string]*Config{}
	for _, pattern := range []string{"*.yaml", "sweep/*/*.yaml", "sweep/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s, %v", pattern, err)
		}
		for _, f := range files {
			name, err := filepath.Rel(root, f)
			if err != nil {
				t.Fatal(err)
			}
			if pattern != "sweep/*.yaml" {
				if out[name], err = Load(f); err != nil {
					t.Fatal(err)
				}
				continue
			}
			s, err := LoadSweep(f, "runs")
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range s.Runs {
				out[name+" "+r.Base+" "+r.Name] = r.Config
			}
		}
	}
	return out
}

// TestRecipesMeasureHeldOut: no shipped recipe names a part of a set both to train on and to measure, nor scenes of one seed,
// and all train on parts called train and measure others.
func TestRecipesMeasureHeldOut(t *testing.T) {
	for name, c := range shipped(t) {
		if len(c.Eval) == 0 {
			t.Errorf("%s measures nothing", name)
		}
		for _, d := range c.Data {
			if d.Path != "" && d.Split != "train" || d.Photos != "" && d.Split != "train" {
				t.Errorf("%s trains on %s (%s)", name, d.Path+d.Photos, d.Split)
			}
			for _, e := range c.Eval {
				if d.Path != "" && d.Path == e.Path && d.Split == e.Split && !apart(d, e) || d.Scenes > 0 && e.Scenes > 0 && d.Seed == e.Seed {
					t.Errorf("%s measures what it trains on: %+v", name, e)
				}
			}
		}
		for _, e := range c.Eval {
			if e.Path != "" && (e.Split == "" || e.Split == "train" && e.Skip == 0) {
				t.Errorf("%s measures %s (%q), want a held-out part", name, e.Path, e.Split)
			}
		}
	}
}

// apart says that a part of a set ends where the other begins.
func apart(d, e Data) bool { return d.Limit > 0 && e.Skip >= d.Skip+d.Limit }

// TestNothingHeldOutIsTrainedOn compares files: whatever a shipped recipe trains on, photos behind scenes included, is in no
// part of any data set that is not for training. Of COCO's photos, which come in several sizes, the names are compared, too.
func TestNothingHeldOutIsTrainedOn(t *testing.T) {
	root := os.Getenv("FOVEA_DATA")
	if root == "" {
		t.Skip("reads the data sets: set FOVEA_DATA to the folder that holds them")
	}
	recipes := shipped(t)
	t.Chdir(root)
	bytes, names := map[[32]byte]string{}, map[string]string{}
	sets, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, s := range sets {
		splits, _, err := dataset.Splits(s.Name())
		if err != nil {
			continue // no data set
		}
		for _, split := range splits {
			if strings.HasPrefix(split, "train") {
				continue
			}
			for _, p := range prints(t, Data{Path: s.Name(), Split: split}) {
				held++
				bytes[p.Bytes] = s.Name() + "/" + p.ID
				if strings.HasPrefix(s.Name(), "coco") {
					names[filepath.Base(p.ID)] = s.Name() + "/" + p.ID
				}
			}
		}
	}
	if held == 0 {
		t.Fatalf("%s holds no held-out picture", root)
	}
	known := map[string][]dataset.Print{} // what several recipes train on
	for name, c := range recipes {
		t.Run(name, func(t *testing.T) {
			trained := 0
			for _, d := range c.Data {
				if d.Path == "" {
					d.Path = d.Photos
				}
				if d.Path == "" {
					continue
				}
				if _, err := os.Stat(d.Path); err != nil {
					t.Skipf("%s is not in %s", d.Path, root)
				}
				d.Scenes = 0
				key := fmt.Sprint(d.Path, d.Split, d.Skip, d.Limit, d.Except)
				if known[key] == nil {
					known[key] = prints(t, d)
				}
				for _, p := range known[key] {
					trained++
					if other := bytes[p.Bytes]; other != "" {
						t.Errorf("%s/%s is %s", d.Path, p.ID, other)
					}
					if other := names[filepath.Base(p.ID)]; other != "" && strings.HasPrefix(d.Path, "coco") {
						t.Errorf("%s/%s is a photo of %s", d.Path, p.ID, other)
					}
				}
			}
			t.Logf("%d pictures to train on, %d held out", trained, held)
		})
	}
}

func prints(t *testing.T, d Data) []dataset.Print {
	t.Helper()
	src, err := d.open(64)
	if err != nil {
		t.Fatal(err)
	}
	out, err := dataset.Prints(context.Background(), src, dataset.PrintOptions{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
