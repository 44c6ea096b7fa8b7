package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fovea/annotation"
)

// parityRoot is the folder of the tiny published models.
func parityRoot() string {
	if dir := os.Getenv("FOVEA_FIXTURES"); dir != "" {
		return filepath.Join(dir, "parity")
	}
	return filepath.Join("..", "..", "testdata", "fixtures", "parity")
}

// command runs one command in this process and decodes the last line of JSON that it prints.
func command(t *testing.T, args ...string) (line map[string]json.RawMessage) {
	t.Helper()
	var out, errs bytes.Buffer
	root := (&app{in: strings.NewReader(""), out: &out, err: &errs, outStyle: styleOf(&out), errStyle: styleOf(&errs)}).root()
	root.SetArgs(append(args, "--json", "--quiet"))
	if err := root.Execute(); err != nil {
		t.Fatalf("fovea %s: %v %s", strings.Join(args, " "), err, errs.String())
	}
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n")) // an evaluation prints one for each task
	if err := json.Unmarshal(lines[len(lines)-1], &line); err != nil {
		t.Fatalf("fovea %s printed %q: %v", strings.Join(args, " "), out.String(), err)
	}
	return line
}

// cliObject is an object as --json prints it.
type cliObject struct {
	Label string
	Score float64
	Box   [4]float64
	Area  float64
}

// wanted is an object as expected.json has it.
type wanted struct {
	Name, Text string
	Score      float64
	Box        [4]float64 `json:"box_xyxy"`
}

// TestParityCommands: what the commands print of every fixture's picture is what expected.json says, as far as the family has a
// result: classes, objects, segments, masks that are pointed at and answers. The fixtures are walked, so that a new one is tested
// as it comes; of those whose random weights find nothing at the printed precision the test says so.
func TestParityCommands(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(parityRoot(), "*", "expected.json"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no fixtures in %s: %v", parityRoot(), err)
	}
	compared := map[string]int{}
	for _, path := range dirs {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var e map[string]json.RawMessage
			if err := json.Unmarshal(regexp.MustCompile(`\bInfinity\b`).ReplaceAll(b, []byte("null")), &e); err != nil {
				t.Fatal(err)
			}
			f := parityCase{t, dir, filepath.Join(dir, "image.png"), e}
			done := 0
			for kind, check := range parityChecks(f) {
				if check() {
					compared[kind]++
					done++
					t.Log("compared: " + kind)
				}
			}
			if done == 0 {
				t.Skip("expected.json has no result that a command prints")
			}
		})
	}
	for kind := range parityChecks(parityCase{}) {
		if compared[kind] == 0 && os.Getenv("FOVEA_FIXTURES") == "" { // others may have fewer kinds
			t.Errorf("no fixture has %s", kind)
		}
	}
}

// parityChecks are the kinds of results that commands print. Each reports whether the fixture has such a result.
func parityChecks(f parityCase) map[string]func() bool {
	return map[string]func() bool{
		"classes": f.classes, "objects": f.objects, "segments": f.segments, "points": f.points, "answers": f.answers, "joints": f.joints,
		"matches": f.matches, "vectors": f.vectors, "masks": f.masks, "division": f.division, "words": f.words, "boxes": f.boxes,
	}
}

type parityCase struct {
	t          *testing.T
	dir, image string
	e          map[string]json.RawMessage
}

func (f parityCase) want(key string, v any) bool {
	raw, ok := f.e[key]
	if ok && json.Unmarshal(raw, v) != nil {
		return false
	}
	return ok
}

func (f parityCase) run(command_ string, args ...string) map[string]json.RawMessage {
	f.t.Helper()
	return command(f.t, append([]string{command_, f.image, "--model", f.dir}, args...)...)
}

func (f parityCase) decode(raw json.RawMessage, v any) {
	f.t.Helper()
	if err := json.Unmarshal(raw, v); err != nil {
		f.t.Fatal(err)
	}
}

// Scores are printed to five digits, cut off; coordinates to hundredths of a pixel.
func sameScore(got, want float64) bool { return math.Abs(got-want) <= 2e-5 }
func sameBox(got, want [4]float64) bool {
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= .0101) {
			return false
		}
	}
	return true
}

func (f parityCase) classes() bool {
	var want struct {
		Top []struct {
			Label string
			Score float64
		}
	}
	if !f.want("result", &want) || want.Top == nil {
		return false
	}
	var got []struct {
		Label string
		Score float64
	}
	f.decode(f.run("classify", "--top", fmt.Sprint(len(want.Top)))["classes"], &got)
	if len(got) != len(want.Top) {
		f.t.Fatalf("%d classes, want %d", len(got), len(want.Top))
	}
	for i, w := range want.Top {
		if got[i].Label != w.Label || !sameScore(got[i].Score, w.Score) {
			f.t.Errorf("class %d: %v, want %v", i, got[i], w)
		}
	}
	return true
}

func (f parityCase) objects() bool {
	var want struct {
		Threshold  float64
		Detections [][]wanted
	}
	args := []string{}
	if f.want("post_process_grounded_object_detection", &want) {
		var queries [][]string
		if !f.want("queries", &queries) {
			return false
		}
		for _, q := range queries[0] {
			args = append(args, "--query", q)
		}
	} else if !f.want("post_process_object_detection", &want) {
		return false
	}
	size := f.size()
	list := slices.DeleteFunc(want.Detections[0], func(w wanted) bool { return clip(w.Box, size).Empty() })
	slices.SortStableFunc(list, func(a, b wanted) int { return cmp.Compare(b.Score, a.Score) })
	var got []cliObject
	f.decode(f.run("detect", append(args, "--threshold", fmt.Sprint(want.Threshold))...)["objects"], &got)
	if len(got) != len(list) || len(got) == 0 {
		f.t.Fatalf("%d objects, want %d", len(got), len(list))
	}
	for i, w := range list {
		b := clip(w.Box, size)
		if got[i].Label != w.Name+w.Text || !sameScore(got[i].Score, w.Score) || !sameBox(got[i].Box, [4]float64{b.X0, b.Y0, b.X1, b.Y1}) {
			f.t.Errorf("object %d: %v, want %v", i, got[i], w)
		}
	}
	return true
}

// size is the picture's width and height.
func (f parityCase) size() [2]float64 {
	img, err := os.Open(f.image)
	if err != nil {
		f.t.Fatal(err)
	}
	defer img.Close()
	head := make([]byte, 24)
	if _, err := img.Read(head); err != nil {
		f.t.Fatal(err)
	}
	n := func(at int) float64 { return float64(int(head[at+2])<<8 | int(head[at+3])) }
	return [2]float64{n(16), n(20)}
}

func clip(b [4]float64, size [2]float64) annotation.Box {
	return annotation.Box{X0: b[0], Y0: b[1], X1: b[2], Y1: b[3]}.Clip(size[0], size[1])
}

func (f parityCase) segments() bool {
	var want struct {
		Threshold float64
		Info      []struct {
			Label int `json:"label_id"`
			Score float64
		} `json:"segments_info"`
	}
	if !f.want("instance", &want) {
		return false
	}
	scores := []float64{}
	for _, w := range want.Info {
		scores = append(scores, w.Score)
	}
	slices.SortFunc(scores, func(a, b float64) int { return cmp.Compare(b, a) })
	var got []cliObject
	f.decode(f.run("segment", "--threshold", fmt.Sprint(want.Threshold))["objects"], &got)
	if len(got) != len(scores) || len(got) == 0 {
		f.t.Fatalf("%d segments, want %d", len(got), len(scores))
	}
	for i, w := range scores {
		if !sameScore(got[i].Score, w) || got[i].Area == 0 {
			f.t.Errorf("segment %d: %v, want score %g", i, got[i], w)
		}
	}
	return true
}

// points shows things by points, boxes and both: of each the mask is printed that the model is surest of.
func (f parityCase) points() bool {
	found := false
	for _, prompt := range []string{"points", "boxes", "both"} {
		var want struct {
			Points [][][][2]float64 `json:"input_points"`
			Labels [][][]int        `json:"input_labels"`
			Boxes  [][][4]float64   `json:"input_boxes"`
			Area   [][]float64      `json:"mask_area"`
			Scores [][][]float64    `json:"iou_scores"`
		}
		if !f.want(prompt, &want) || want.Area == nil {
			continue
		}
		found = true
		var calls [][]string
		if want.Points != nil {
			for i, points := range want.Points[0] { // a thing each
				var args []string
				for j, p := range points {
					text := fmt.Sprintf("%.12g,%.12g", p[0], p[1])
					if want.Labels[0][i][j] == 0 {
						text += ",out"
					}
					args = append(args, "--point", text)
				}
				calls = append(calls, args)
			}
		} else {
			calls = append(calls, nil)
		}
		if want.Boxes != nil {
			for _, b := range want.Boxes[0] {
				calls[len(calls)-1] = append(calls[len(calls)-1], "--box", fmt.Sprintf("%.12g,%.12g,%.12g,%.12g", b[0], b[1], b[2], b[3]))
			}
		}
		var got []cliObject
		for _, args := range calls {
			var one []cliObject
			f.decode(f.run("segment", args...)["objects"], &one)
			got = append(got, one...)
		}
		if len(got) != len(want.Scores[0]) {
			f.t.Fatalf("%s: %d masks, want %d", prompt, len(got), len(want.Scores[0]))
		}
		for i, scores := range want.Scores[0] {
			best := slices.Index(scores, slices.Max(scores))
			if !sameScore(got[i].Score, min(max(scores[best], 0), 1)) || math.Abs(got[i].Area-want.Area[i][best]) > 2 {
				f.t.Errorf("%s %d: score %g and %g pixels, want %g and %g", prompt, i, got[i].Score, got[i].Area, scores[best], want.Area[i][best])
			}
		}
	}
	return found
}

func (f parityCase) answers() bool {
	var single struct {
		Questions string
		Answers   [][]struct {
			Answer string
			Score  float64
		}
	}
	if !f.want("single", &single) {
		return false
	}
	line := f.run("ask", single.Questions)
	var answer string
	var score float64
	f.decode(line["answer"], &answer)
	f.decode(line["score"], &score)
	if w := single.Answers[0][0]; answer != w.Answer || !sameScore(score, w.Score) {
		f.t.Errorf("%q with %g, want %v", answer, score, w)
	}
	return true
}

// joints are compared where they lie inside their box and the picture; outside they are clipped.
func (f parityCase) joints() bool {
	var boxes [][][4]float64
	var want [][]struct {
		Joints [][2]float64 `json:"keypoints_xy"`
		Scores []float64
	}
	if !f.want("boxes_xywh", &boxes) || !f.want("post_process_pose_estimation", &want) {
		return false
	}
	sets, _ := f.tensor("dataset_index") // the people of vitpose_plus are of several data sets, those of a command of the first
	var args []string
	for _, b := range boxes[0] {
		args = append(args, "--box", fmt.Sprintf("%g,%g,%g,%g", b[0], b[1], b[0]+b[2], b[1]+b[3]))
	}
	var got []struct {
		Joints []struct{ X, Y, Score float64 }
	}
	f.decode(f.run("pose", args...)["people"], &got)
	if len(got) != len(boxes[0]) {
		f.t.Fatalf("%d people, want %d", len(got), len(boxes[0]))
	}
	size, inside := f.size(), 0
	for i, p := range got {
		if len(sets) > 0 && sets[i] != 0 {
			continue
		}
		b := boxes[0][i]
		for j, x := range p.Joints {
			w := want[0][i].Joints[j]
			if w[0] < max(b[0]+1, 0) || w[1] < max(b[1]+1, 0) || w[0] > min(b[0]+b[2]-1, size[0]) || w[1] > min(b[1]+b[3]-1, size[1]) {
				continue
			}
			if inside++; math.Abs(x.X-w[0]) > .06 || math.Abs(x.Y-w[1]) > .06 || math.Abs(x.Score-min(want[0][i].Scores[j], 1)) > 1.2e-4 {
				f.t.Errorf("person %d joint %d: %v, want %v with %g", i, j, x, w, want[0][i].Scores[j])
			}
		}
	}
	if inside == 0 {
		f.t.Error("no joint lies inside its box")
	}
	return true
}

// TestPointsRefused: places are for models that can be pointed at, and for one thing at a time.
func TestPointsRefused(t *testing.T) {
	for _, args := range [][]string{
		{"--point", "3"}, {"--point", "1,2,in"}, {"--box", "1,2,3"}, {"--model", filepath.Join(parityRoot(), "eomt"), "--point", "3,4"},
		{"--model", filepath.Join(parityRoot(), "sam"), "--point", "3,4", "--box", "1,1,9,9", "--box", "2,2,8,8"},
		{"--model", filepath.Join(parityRoot(), "sam"), "--point", "3,4", "--semantic"}, {"--model", filepath.Join(parityRoot(), "sam"), "--point", "NaN,4"},
	} {
		var out, errs bytes.Buffer
		root := (&app{in: strings.NewReader(""), out: &out, err: &errs, outStyle: styleOf(&out), errStyle: styleOf(&errs)}).root()
		root.SetArgs(append([]string{"segment", filepath.Join(parityRoot(), "sam", "image.png")}, args...))
		if err := root.Execute(); err == nil {
			t.Errorf("%v is taken: %s", args, out.String())
		}
	}
}
