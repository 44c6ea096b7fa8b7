package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fovea/imageproc"
)

// labelled writes two pictures with every kind of label that models know, one line of JSON each.
func labelled(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	img, _, err := imageproc.Open(filepath.Join(parityRoot(), "yolos", "image.png"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []byte
	for i, label := range []string{"cat", "dog"} {
		name := fmt.Sprintf("%d.png", i)
		if err := imageproc.Save(filepath.Join(dir, name), img); err != nil {
			t.Fatal(err)
		}
		joints := []map[string]any{}
		for j, n := range []string{"nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
			"left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"} {
			joints = append(joints, map[string]any{"name": n, "x": 5 + j, "y": 9 + j})
		}
		b, err := json.Marshal(map[string]any{
			"image": name, "label": label, "question": "What color is the Dog?", "answer": "dog", "captions": []string{"a photo of a " + label},
			"objects": []any{
				map[string]any{"label": "cat", "box": []int{3, 4, 50, 40}, "polygons": [][]int{{3, 4, 50, 4, 50, 40, 3, 40}}},
				map[string]any{"label": "person", "box": []int{2, 2, 40, 50}, "polygons": [][]int{{2, 2, 40, 2, 40, 50, 2, 50}}, "joints": joints},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		lines = append(append(lines, b...), '\n')
	}
	if err := os.WriteFile(filepath.Join(dir, "val.jsonl"), lines, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestEvalPublished measures a tiny model of each kind on the same pictures: each task has its metrics, in their ranges.
func TestEvalPublished(t *testing.T) {
	data := labelled(t)
	for _, c := range []struct{ model, task, metric string }{
		{"vit", "classify", "top1"}, {"clip", "classify", "top5"}, {"siglip2_naflex", "match", "t2i_R@1"}, {"clip", "match", "i2t_R@1"}, {"yolos", "detect", "AP50"},
		{"owlv2", "detect", "AP"}, {"clipseg", "segment", "AP"}, {"eomt", "segment", "AP"}, {"vitpose_simple", "pose", "PCK"}, {"vilt", "ask", "vqa_accuracy"},
		{"blip_vqa", "ask", "exact"}, {"smolvlm", "ask", "exact"}, {"florence2", "caption", "CIDEr"}, {"paligemma", "caption", "BLEU4"},
	} {
		t.Run(c.model+" "+c.task, func(t *testing.T) {
			line := command(t, "eval", "--model", filepath.Join(parityRoot(), c.model), "--data", data, "--split", "val", "--task", c.task)
			var got struct {
				Task    string
				Images  int
				Metrics map[string]float64
			}
			b, err := json.Marshal(line)
			if err == nil {
				err = json.Unmarshal(b, &got)
			}
			v, ok := got.Metrics[c.metric]
			if err != nil || got.Task != c.task || got.Images != 2 || !ok || !(v >= -1 && v <= 1) {
				t.Errorf("%s, %v; want %s in [0, 1]", b, err, c.metric)
			}
		})
	}
}

// TestEvalSkip: pictures that were trained on are left out; leaving out all is an error.
func TestEvalSkip(t *testing.T) {
	data := labelled(t)
	args := []string{"eval", "--model", filepath.Join(parityRoot(), "vit"), "--data", data, "--split", "val", "--task", "classify", "--skip"}
	if got := string(command(t, append(args, "1")...)["images"]); got != "1" {
		t.Errorf("%s pictures after the first of two", got)
	}
	for _, n := range []string{"2", "-1"} {
		if code := Run(t.Context(), append(args, n), strings.NewReader(""), io.Discard, io.Discard); code != exitUsage {
			t.Errorf("--skip %s: code %d", n, code)
		}
	}
}

// TestEvalTiles: parts of pictures are looked at as `fovea detect` does, of any model, for boxes alone.
func TestEvalTiles(t *testing.T) {
	data := labelled(t)
	for _, model := range []string{"nano", filepath.Join(parityRoot(), "yolos")} {
		args := []string{"eval", "--model", model, "--data", data, "--split", "val", "--task", "detect"}
		for _, tiles := range []string{"1", "2"} {
			got := command(t, append(args, "--tiles", tiles)...)
			if m := string(got["metrics"]); string(got["images"]) != "2" || !strings.Contains(m, `"AP50"`) {
				t.Errorf("%s, --tiles %s: %s images, %s", model, tiles, got["images"], m)
			}
		}
	}
	for _, args := range [][]string{{"--tiles", "2"}, {"--tiles", "2", "--task", "detect,pose"}, {"--tiles", "17", "--task", "detect"}, {"--tiles", "0", "--task", "detect"}} {
		args = append([]string{"eval", "--data", data, "--split", "val"}, args...)
		if code := Run(t.Context(), args, strings.NewReader(""), io.Discard, io.Discard); code != exitUsage {
			t.Errorf("%q: code %d", args, code)
		}
	}
}
