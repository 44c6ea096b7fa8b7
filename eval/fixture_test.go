package eval

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// tolerance is the largest |Δ| from a reference figure.
const tolerance = 1e-6

// expectation is the reference's figures for one file of predictions.
type expectation struct {
	Task    string
	GT      json.RawMessage // a file name, or the file itself
	Pred    json.RawMessage
	Sigmas  []float64
	Metrics map[string]float64
	Groups  map[string]map[string]map[string]float64
	Stats   []float64 // pycocotools' stats, instead of Metrics
}

// document is an expected.json: cases, or one case.
type document struct {
	expectation
	Cases     []expectation
	NotScored map[string]string `json:"not_scored"` // files without figures, and why
}

func readDocumentFile(t *testing.T, path string) document {
	t.Helper()
	data, err := os.ReadFile(path)
	var d document
	if err == nil {
		err = json.Unmarshal(data, &d)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if d.Task != "" {
		d.Cases = append(d.Cases, d.expectation)
	}
	return d
}

// fixtureDir is a folder of reference files: $FOVEA_FIXTURES, or those of the repository.
func fixtureDir(name string) string {
	root := os.Getenv("FOVEA_FIXTURES")
	if root == "" {
		root = "../testdata/fixtures"
	}
	return filepath.Join(root, name)
}

// TestFixtures walks through every file of the fixture folders. A results file needs no code: put it beside its ground
// truth, and its figures into expected.json or NAME.expected.json (see testdata/README.md).
func TestFixtures(t *testing.T) {
	for _, name := range []string{"cocoapi", "mmpose_coco", "vqa_small"} {
		t.Run(name, func(t *testing.T) { walkFixtures(t, fixtureDir(name), filepath.Join("../testdata/fixtures", name)) })
	}
}

func walkFixtures(t *testing.T, dir, own string) {
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	var documents []string
	for _, f := range files {
		names[f.Name()] = true
		if strings.HasSuffix(f.Name(), "expected.json") {
			documents = append(documents, filepath.Join(dir, f.Name()))
		}
	}
	if !names["expected.json"] { // the bare files: the figures of the repository's copy
		documents = append(documents, filepath.Join(own, "expected.json"))
	}
	used := map[string]bool{}
	for _, path := range documents {
		d := readDocumentFile(t, path)
		for n := range d.NotScored {
			used[n] = true
		}
		for i, c := range d.Cases {
			var gt, pred string
			if json.Unmarshal(c.GT, &gt) != nil || json.Unmarshal(c.Pred, &pred) != nil {
				t.Fatalf("%s: case %d: gt and pred are file names", path, i)
			}
			used[gt], used[pred] = true, true
			t.Run(c.Task+"/"+pred, func(t *testing.T) {
				at := func(n string) string {
					if !names[n] {
						return filepath.Join(own, n) // made for these tests, see the folder's README.md
					}
					return filepath.Join(dir, n)
				}
				checkFiles(t, c, at(gt), at(pred))
			})
		}
	}
	for n := range names {
		path := filepath.Join(dir, n)
		switch {
		case strings.HasSuffix(n, "_eval_res.txt"):
			checkPublished(t, path)
		case strings.HasSuffix(n, "expected.json") || used[n]:
		case strings.HasSuffix(n, ".json") || strings.HasSuffix(n, ".json.gz"):
			t.Errorf("%s: no expected figures; add a case to expected.json", path)
		}
	}
}

func checkFiles(t *testing.T, c expectation, gt, pred string) {
	t.Helper()
	var r *Report
	var err error
	if c.Sigmas == nil {
		r, err = Score(c.Task, gt, pred)
	} else {
		r, err = scoreBytes(t, c, mustRead(t, gt), mustRead(t, pred))
	}
	if err != nil {
		t.Fatal(err)
	}
	checkReport(t, c, r)
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func scoreBytes(t *testing.T, c expectation, gt, pred []byte) (*Report, error) {
	t.Helper()
	switch c.Task {
	case "vqa":
		return ScoreVQA(bytes.NewReader(gt), bytes.NewReader(pred))
	case "caption":
		return ScoreCaptions(bytes.NewReader(gt), bytes.NewReader(pred))
	}
	return ScoreCOCO(bytes.NewReader(gt), bytes.NewReader(pred), Task(c.Task), c.Sigmas)
}

// names of pycocotools' stats.
var (
	boxStats   = strings.Fields("AP AP50 AP75 APs APm APl AR1 AR10 AR100 ARs ARm ARl")
	jointStats = strings.Fields("AP AP50 AP75 APm APl AR AR50 AR75 ARm ARl")
)

func checkReport(t *testing.T, c expectation, r *Report) {
	t.Helper()
	want := c.Metrics
	if want == nil {
		want = map[string]float64{}
		for i, n := range map[bool][]string{true: jointStats, false: boxStats}[c.Task == string(Keypoints)] {
			want[n] = c.Stats[i]
		}
	}
	if len(want) == 0 {
		t.Fatal("no expected figures")
	}
	checkMap(t, "", want, r.Metrics)
	for group, per := range c.Groups {
		for name, m := range per {
			checkMap(t, group+" "+name+": ", m, r.Groups[group][name])
		}
		if len(per) != len(r.Groups[group]) {
			t.Errorf("%d groups of %s, want %d", len(r.Groups[group]), group, len(per))
		}
	}
}

func checkMap(t *testing.T, prefix string, want, got map[string]float64) {
	t.Helper()
	for name, w := range want {
		if g, ok := got[name]; !ok || !(math.Abs(g-w) <= tolerance) {
			t.Errorf("%s%s is %v (%v), want %v", prefix, name, g, ok, w)
		}
	}
}

var publishedLine = regexp.MustCompile(`\((AP|AR)\) @\[ IoU=\S+ *\| area= *(\w+) \| maxDets= *\d+ \] = (\S+)`)

// checkPublished compares with the figures that the COCO API publishes beside its example files, to their three decimals.
func checkPublished(t *testing.T, path string) {
	results := map[string]string{"bbox": "instances_val2014_fakebbox100_results.json", "segm": "instances_val2014_fakesegm100_results.json"}
	checked := 0
	for _, block := range strings.Split(string(mustRead(t, path)), "type=")[1:] {
		task, _, _ := strings.Cut(block, "\n")
		pred, ok := results[task]
		if !ok {
			t.Logf("%s: the ground truth of %s is not among the files", path, task)
			continue
		}
		t.Run("published/"+task, func(t *testing.T) {
			r, err := Score(task, filepath.Join(filepath.Dir(path), "instances_val2014_100.json"), filepath.Join(filepath.Dir(path), pred))
			if err != nil {
				t.Fatal(err)
			}
			lines := publishedLine.FindAllStringSubmatch(block, -1)
			if len(lines) != len(boxStats) {
				t.Fatalf("%d figures, want %d", len(lines), len(boxStats))
			}
			for i, l := range lines {
				want, err := strconv.ParseFloat(l[3], 64)
				if got := r.Metrics[boxStats[i]]; err != nil || math.Abs(got-want) > .0005+1e-9 {
					t.Errorf("%s is %.4f, published %s", boxStats[i], got, l[3])
				}
			}
			checked++
		})
	}
	if checked == 0 {
		t.Errorf("%s: no figures were compared", path)
	}
}

// TestFixtureRandomCOCO compares with pycocotools on random truth and results; testdata/reference.py made them.
func TestFixtureRandomCOCO(t *testing.T) {
	var cases []struct {
		Seed int
		expectation
	}
	readGzip(t, "testdata/coco_random.json.gz", &cases)
	if len(cases) < 100 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s/%d", c.Task, c.Seed), func(t *testing.T) {
			r, err := scoreBytes(t, c.expectation, c.GT, c.Pred)
			if err != nil {
				t.Fatal(err)
			}
			checkReport(t, c.expectation, r)
		})
	}
}

func TestFixtureRandomVQA(t *testing.T) {
	var d struct {
		Normal map[string]string
		Cases  []expectation
	}
	readGzip(t, "testdata/vqa_random.json.gz", &d)
	if len(d.Normal) < 200 || len(d.Cases) < 10 {
		t.Fatalf("only %d answers, %d cases", len(d.Normal), len(d.Cases))
	}
	for s, want := range d.Normal {
		if got := NormalizeAnswer(s); got != want {
			t.Errorf("NormalizeAnswer(%q) = %q, want %q", s, got, want)
		}
	}
	for _, c := range d.Cases {
		r, err := scoreBytes(t, c, c.GT, c.Pred)
		if err != nil {
			t.Fatal(err)
		}
		checkReport(t, c, r)
	}
}

func TestFixtureCaptions(t *testing.T) {
	d := readDocumentFile(t, "testdata/captions.json")
	r, err := scoreBytes(t, d.expectation, d.GT, d.Pred)
	if err != nil {
		t.Fatal(err)
	}
	checkReport(t, d.expectation, r)
	if r.Images < 50 {
		t.Errorf("%d images", r.Images)
	}
}

func readGzip(t *testing.T, path string, v any) {
	t.Helper()
	j, err := newReader(bytes.NewReader(mustRead(t, path)))
	if err == nil {
		err = j.dec.Decode(v)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
