package all

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/model"
)

// view encodes the fixture's first picture.
func (x *fixture) view(t *testing.T, net model.Network) model.View {
	t.Helper()
	run := net.NewRunner(1)
	t.Cleanup(run.Close)
	v, err := run.Encode(x.pictures[0])
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// near reports that two probabilities or coordinates agree.
func near(a, b, tol float64) bool { return math.Abs(a-b) <= tol }

// TestParityClasses names the fixtures' picture as the reference does.
func TestParityClasses(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		var want struct {
			Top []struct {
				Label string
				Score float64
			}
		}
		if !x.want(t, "result", &want) || want.Top == nil {
			t.Skip("the fixture names nothing")
		}
		v := x.view(t, x.load(t))
		got := v.Classify(nil)
		sum := 0.
		for _, c := range got {
			sum += c.Score
		}
		for i, w := range want.Top {
			if got[i].Label != w.Label || !near(got[i].Score, w.Score, 1e-5) {
				t.Errorf("place %d: %v, want %v", i, got[i], w)
			}
		}
		if !near(sum, 1, 1e-5) {
			t.Errorf("probabilities sum to %g", sum)
		}
		two := v.Classify([]string{want.Top[1].Label, "no such class", want.Top[0].Label})
		if len(two) != 2 || two[0].Label != want.Top[0].Label || !near(two[0].Score/two[1].Score, want.Top[0].Score/want.Top[1].Score, 1e-3) {
			t.Errorf("among two classes: %v", two)
		}
	})
}

// TestParityTexts turns the fixtures' texts into the reference's ids.
func TestParityTexts(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		texts, want := x.texts(t)
		if texts == nil {
			t.Skip("the fixture has no texts")
		}
		pictures := x.pictures[:1]
		if x.io["image_grid_thw"] != nil { // a text about all of them
			pictures = x.pictures
		}
		in, err := x.load(t).Process(model.Sample{Texts: texts, Pictures: pictures})
		if err != nil {
			t.Fatal(err)
		}
		ids := in["input_ids"]
		for i, w := range want {
			if l := ids.Shape[1]; l < len(w) {
				t.Fatalf("%q: %d ids, want %d", texts[i], l, len(w))
			}
			for j, id := range ids.Data[i*ids.Shape[1]:][:len(w)] {
				if int32(id) != w[j] {
					t.Errorf("%q: id %d is %g, want %d", texts[i], j, id, w[j])
				}
			}
		}
	})
}

// texts are the fixture's texts with the ids that the reference gives them.
func (x *fixture) texts(t *testing.T) (texts []string, ids [][]int32) {
	t.Helper()
	var one string
	var list any
	var single struct {
		Questions string
		IDs       [][]int32 `json:"input_ids"`
	}
	switch {
	case x.want(t, "single", &single):
		return []string{single.Questions}, single.IDs
	case x.want(t, "texts", &texts):
	case x.want(t, "question", &one):
		ids = make([][]int32, 1)
		x.want(t, "input_ids", &ids[0])
		return []string{one}, ids
	case x.want(t, "queries", &list): // a list, or a list for each picture
		for _, q := range list.([]any) {
			switch q := q.(type) {
			case string:
				texts = append(texts, q)
			case []any:
				for _, s := range q {
					texts = append(texts, s.(string))
				}
			}
		}
	default:
		return nil, nil
	}
	x.want(t, "input_ids", &ids)
	return texts, ids
}

// TestParityMatching: the probabilities of texts for pictures.
func TestParityMatching(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		var probs [][]float64
		if !x.want(t, "probs", &probs) {
			t.Skip("the fixture does not weigh texts")
		}
		texts, _ := x.texts(t)
		net := x.load(t)
		run, ok := net.NewRunner(1).(*model.Matcher)
		if !ok {
			t.Fatal("no Matcher")
		}
		defer run.Close()
		run.Template = "{}"
		for i, want := range probs {
			v, err := run.Encode(x.pictures[i])
			if err != nil {
				t.Fatal(err)
			}
			got, sum := v.Classify(texts), 0.
			total := 0.
			for _, w := range want { // SigLIP's do not sum to 1; weighed against each other, they are as p/(1−p)
				sum, total = sum+w, total+w/(1-w)
			}
			for _, c := range got {
				w := want[slices.Index(texts, c.Label)]
				if !near(sum, 1, 1e-4) {
					w = w / (1 - w) / total
				}
				if !near(c.Score, w, 1e-5) {
					t.Errorf("%q: %g, want %g", c.Label, c.Score, w)
				}
			}
			if text := run.TextVector(texts[0]); !near(length(text), 1, 1e-5) || !near(length(v.Vector()), 1, 1e-5) {
				t.Errorf("vectors of length %g and %g", length(text), length(v.Vector()))
			}
		}
	})
}

func length(v []float32) float64 {
	s := 0.
	for _, x := range v {
		s += float64(x) * float64(x)
	}
	return math.Sqrt(s)
}

// TestParityObjects finds the objects that the reference finds. Its boxes may leave the picture, ours are clipped to it.
func TestParityObjects(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		type object struct {
			Name, Text string
			Score      float64
			Box        [4]float64 `json:"box_xyxy"`
		}
		var want struct {
			Threshold  float64
			Detections [][]object
		}
		if !x.want(t, "post_process_object_detection", &want) && !x.want(t, "post_process_grounded_object_detection", &want) {
			t.Skip("the fixture has no objects")
		}
		queries, _ := x.texts(t)
		img := x.pictures[0]
		got := x.view(t, x.load(t)).Detect(model.DetectOptions{Query: queries, Threshold: want.Threshold})
		list := want.Detections[0]
		slices.SortStableFunc(list, func(a, b object) int { return cmp.Compare(b.Score, a.Score) })
		list = slices.DeleteFunc(list, func(w object) bool { return clipped(w.Box, img).Empty() })
		if len(got) != len(list) {
			t.Fatalf("%d objects, want %d", len(got), len(list))
		}
		for i, w := range list {
			a, b := got[i].Box, clipped(w.Box, img)
			if got[i].Label != w.Name+w.Text || !near(got[i].Score, w.Score, 1e-5) || !near(a.X0, b.X0, 1e-3) || !near(a.Y0, b.Y0, 1e-3) || !near(a.X1, b.X1, 1e-3) || !near(a.Y1, b.Y1, 1e-3) {
				t.Errorf("object %d: %v, want %v", i, got[i], w)
			}
		}
	})
}

func clipped(b [4]float64, img *rgb) annotation.Box {
	return annotation.Box{X0: b[0], Y0: b[1], X1: b[2], Y1: b[3]}.Clip(float64(img.W), float64(img.H))
}

// poser is a network that reads joints off heat maps [K, h, w] of a box.
type poser interface {
	Decode(heat []float32, h, w int, box annotation.Box) []annotation.Joint
}

// TestParityJoints reads the joints off heat maps as the reference does: exactly off well-formed ones, and off the network's
// own, which are noise, where they lie inside the box, as the last bits decide about the others.
func TestParityJoints(t *testing.T) {
	type person struct {
		Joints [][2]float64 `json:"keypoints_xy"`
		Scores []float64
	}
	forEach(t, func(t *testing.T, x *fixture) {
		var clean, noisy [][]person
		if !x.want(t, "synthetic_post_process", &clean) || !x.want(t, "post_process_pose_estimation", &noisy) {
			t.Skip("the fixture has no joints")
		}
		net, boxes, maps := x.load(t), x.boxes(t)[0], x.io["synthetic_heatmaps"]
		n := len(maps.Data) / len(boxes)
		for i, want := range clean[0] {
			for j, got := range net.(poser).Decode(maps.Data[i*n:(i+1)*n], maps.Shape[2], maps.Shape[3], boxes[i]) {
				if w := want.Joints[j]; !near(got.X, w[0], .01) || !near(got.Y, w[1], .01) || !near(got.Score, want.Scores[j], 1e-5) {
					t.Errorf("person %d joint %d: %v, want %v with %g", i, j, got, w, want.Scores[j])
				}
			}
		}
		inside := 0
		img := x.pictures[0]
		if x.io["dataset_index"] != nil { // the fixture's people are of several data sets, a view's are of the first
			return
		}
		for i, joints := range x.view(t, net).Pose(boxes) {
			for j, got := range joints {
				w, b := noisy[0][i].Joints[j], boxes[i]
				if w[0] < b.X0+1 || w[1] < b.Y0+1 || w[0] > b.X1-1 || w[1] > b.Y1-1 || w[0] < 0 || w[1] < 0 || w[0] > float64(img.W) || w[1] > float64(img.H) {
					continue
				}
				if inside++; !near(got.X, w[0], .05) || !near(got.Y, w[1], .05) || !near(got.Score, min(noisy[0][i].Scores[j], 1), 1e-4) {
					t.Errorf("person %d joint %d: %v, want %v", i, j, got, w)
				}
			}
		}
		if inside == 0 {
			t.Error("no joint lies inside its box")
		}
		// The flip test reads joints off the mean of the reference's maps and of those of the mirror image.
		mean := slices.Clone(x.io["heatmaps"].Data)
		for i, v := range x.io["heatmaps_flipped"].Data {
			mean[i] = (mean[i] + v) / 2
		}
		v := x.view(t, net)
		v.(model.Flipper).Flip()
		for i, joints := range v.Pose(boxes) {
			for j, w := range net.(poser).Decode(mean[i*n:(i+1)*n], maps.Shape[2], maps.Shape[3], boxes[i]) {
				w.X, w.Y = min(max(w.X, 0), float64(img.W)), min(max(w.Y, 0), float64(img.H))
				if got := joints[j]; !near(got.X, w.X, .05) || !near(got.Y, w.Y, .05) || !near(got.Score, min(max(w.Score, 0), 1), 1e-4) {
					t.Errorf("person %d joint %d of the flip test: %v, want %v", i, j, got, w)
				}
			}
		}
	})
}

// TestParityAnswers answers the fixtures' questions as the reference does.
func TestParityAnswers(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		if _, ok := x.load(t).(model.Speaker); ok {
			t.Skip("TestParityWriting does it")
		}
		texts, _ := x.texts(t)
		var single struct {
			Answers [][]struct {
				Answer string
				Score  float64
			}
		}
		var text string
		want, score := "", 0.
		switch {
		case x.want(t, "single", &single):
			want, score = single.Answers[0][0].Answer, single.Answers[0][0].Score
		case x.want(t, "generated_text", &text):
			want = strings.TrimSpace(regexp.MustCompile(`\[[A-Z]+\]`).ReplaceAllString(text, ""))
		default:
			t.Skip("the fixture asks nothing")
		}
		said := ""
		got := x.view(t, x.load(t)).Ask(append(texts, "What is it?"), func(s string) { said = s })
		// The fixture's text was cut off; ours goes on.
		if len(got) != 2 || got[0].Question != texts[0] || !strings.HasPrefix(got[0].Answer, want) || said != got[0].Answer || score > 0 && !near(got[0].Score, score, 1e-5) {
			t.Errorf("%v, heard %q; want %q with %g", got, said, want, score)
		}
		for _, a := range got {
			if !(a.Score > 0 && a.Score <= 1) {
				t.Errorf("%v: the score is no probability", a)
			}
		}
	})
}

// TestParityMasks: the pixels of the model's input that are more likely than not about a text are as many as in the reference,
// and the mask of the picture is that map, resized.
func TestParityMasks(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		var areas []int
		if !x.want(t, "area_over_half", &areas) {
			t.Skip("the fixture has no masks")
		}
		texts, _ := x.texts(t)
		img, maps := x.pictures[0], x.io["logits"]
		n := maps.Shape[1] * maps.Shape[2]
		got := x.view(t, x.load(t)).Detect(model.DetectOptions{Query: texts, Masks: true})
		if len(got) != len(texts) {
			t.Fatalf("%d masks, want %d", len(got), len(texts))
		}
		for _, o := range got {
			i := slices.Index(texts, o.Label)
			over := 0
			for _, l := range maps.Data[i*n : (i+1)*n] {
				if l > 0 {
					over++
				}
			}
			want := 0
			for _, l := range imageproc.ResizePlanes(maps.Data[i*n:(i+1)*n], 1, maps.Shape[1], maps.Shape[2], img.H, img.W, imageproc.Bilinear, false) {
				if l > 0 {
					want++
				}
			}
			if over != areas[i] || !near(o.Mask.Area(), float64(want), 3) || o.Mask.W != img.W || o.Mask.H != img.H {
				t.Errorf("%q: %d pixels, want %d; the mask has %g pixels, want %d", o.Label, over, areas[i], o.Mask.Area(), want)
			}
		}
	})
}
