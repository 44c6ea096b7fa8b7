package eval

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"fovea/annotation"
)

func near(t *testing.T, got, want map[string]float64) {
	t.Helper()
	checkMap(t, "", want, got)
	if len(got) != len(want) {
		t.Errorf("figures %v, want %v", got, want)
	}
}

func TestClassification(t *testing.T) {
	c, err := NewClassification("cat", "dog", "fish")
	if err != nil {
		t.Fatal(err)
	}
	near(t, c.Result(), map[string]float64{"top1": 0, "top5": 0, "mean_class_accuracy": 0})
	for _, p := range []struct {
		truth  string
		ranked []string
	}{
		{"cat", []string{"cat"}},
		{"cat", []string{"dog", "cat"}},
		{"dog", []string{"a", "b", "c", "d", "dog"}},
		{"dog", []string{"a", "b", "c", "d", "cat", "dog"}},
		{"dog", nil},
	} {
		if err := c.Add(p.truth, p.ranked...); err != nil {
			t.Fatal(err)
		}
	}
	near(t, c.Result(), map[string]float64{"top1": .2, "top5": .6, "mean_class_accuracy": .25})
	if want := [][]int{{1, 1, 0, 0}, {0, 0, 0, 3}, {0, 0, 0, 0}}; !reflect.DeepEqual(c.Confusion(), want) {
		t.Errorf("confusion %v, want %v", c.Confusion(), want)
	}
	if want := (ClassScore{"cat", 2, .5, 1, 2. / 3}); c.PerClass()[0] != want {
		t.Errorf("%+v, want %+v", c.PerClass()[0], want)
	}
	if err := c.Add("cow", "cat"); err == nil || !strings.Contains(err.Error(), `"cow"`) || c.Images() != 5 {
		t.Errorf("a label that is no class: %v, %d images", err, c.Images())
	}
	if _, err := NewClassification("a", "b", "a"); err == nil {
		t.Error("two classes of one name")
	}
}

// Scores rank as sorting them does.
func TestClassificationScores(t *testing.T) {
	classes := strings.Fields("a b c d e f g h")
	rng := rand.New(rand.NewPCG(3, 3))
	byScore, byRank := must(NewClassification(classes...)), must(NewClassification(classes...))
	for range 500 {
		scores := make([]float32, len(classes))
		for i := range scores {
			if scores[i] = float32(rng.IntN(4)); rng.IntN(9) == 0 {
				scores[i] = float32(math.NaN())
			}
		}
		var ranked []string
		for _, want := range []float32{3, 2, 1, 0} {
			for i, s := range scores {
				if s == want {
					ranked = append(ranked, classes[i])
				}
			}
		}
		for i, s := range scores {
			if s != s {
				ranked = append(ranked, classes[i])
			}
		}
		truth := rng.IntN(len(classes))
		if err := byScore.AddScores(truth, scores); err != nil {
			t.Fatal(err)
		}
		if err := byRank.Add(classes[truth], ranked...); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(byScore.Result(), byRank.Result()) || !reflect.DeepEqual(byScore.Confusion(), byRank.Confusion()) {
		t.Errorf("by score %v, by rank %v", byScore.Result(), byRank.Result())
	}
	for _, bad := range []error{byScore.AddScores(8, make([]float32, 8)), byScore.AddScores(-1, make([]float32, 8)), byScore.AddScores(0, nil)} {
		if bad == nil {
			t.Error("a class or a number of scores out of range is accepted")
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestSegmentation(t *testing.T) {
	s := must(NewSegmentation("sky", "road", "tree", "never"))
	m := func(pix ...uint8) *annotation.LabelMap { return &annotation.LabelMap{W: len(pix), H: 1, Pix: pix} }
	const v = annotation.Void
	if err := s.Add(m(0, 0, 0, 1, 1, v, v), m(0, 0, 1, 1, 9, 0, v)); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(m(2, 0), m(v, 0)); err != nil {
		t.Fatal(err)
	}
	// sky: 3 right of 4 in the union; road: 1 of 3; tree: 0 of 1
	near(t, s.PerClass(), map[string]float64{"sky": 3. / 4, "road": 1. / 3, "tree": 0})
	near(t, s.Result(), map[string]float64{"mIoU": (3./4 + 1./3) / 3, "pixel_accuracy": 4. / 7, "mean_class_accuracy": (3./4 + 1./2) / 3})
	for _, err := range []error{s.Add(m(0), m(0, 0)), s.Add(m(0, 4), m(0, 0)), s.Add(&annotation.LabelMap{W: 2, H: 1}, m(0, 0))} {
		if err == nil {
			t.Error("maps that do not fit are accepted")
		}
	}
	if s.Images() != 2 {
		t.Errorf("%d images, want 2", s.Images())
	}
	empty := must(NewSegmentation("a"))
	near(t, empty.Result(), map[string]float64{"mIoU": 0, "pixel_accuracy": 0, "mean_class_accuracy": 0})
	if _, err := NewSegmentation(make([]string, 256)...); err == nil {
		t.Error("256 classes are accepted")
	}
}

func TestPCK(t *testing.T) {
	s := annotation.NewSkeleton("s", []string{"left_shoulder", "right_hip", "head"}, nil)
	joints := func(v ...float64) (out []annotation.Joint) {
		for i := 0; i < len(v); i += 3 {
			out = append(out, annotation.Joint{X: v[i], Y: v[i+1], V: annotation.Visibility(v[i+2])})
		}
		return out
	}
	truth := annotation.Object{Skeleton: s, Box: annotation.Box{X1: 50, Y1: 100}, Joints: joints(0, 0, 2, 30, 40, 1, 0, 0, 0)}
	pred := annotation.Object{Joints: joints(10, 0, 0, 30, 50.5, 0, 99, 99, 0)}
	for _, c := range []struct {
		fraction float64
		ref      Reference
		want     float64
	}{{.1, BoxSide, .5}, {.105, BoxSide, 1}, {.2, Torso, .5}, {.22, Torso, 1}} {
		p := NewPCK(c.fraction, c.ref)
		if ok, err := p.Add(truth, &pred); !ok || err != nil {
			t.Fatal(ok, err)
		}
		near(t, p.Result(), map[string]float64{"PCK": c.want})
		if ok, err := p.Add(truth, nil); !ok || err != nil {
			t.Fatal(ok, err)
		}
		near(t, p.Result(), map[string]float64{"PCK": c.want / 2})
		if _, absent := p.PerJoint()["head"]; absent || p.PerJoint()["left_shoulder"] != .5 || p.People() != 2 {
			t.Errorf("per joint %v of %d people", p.PerJoint(), p.People())
		}
	}
	p := NewPCK(.2, Torso)
	hidden := truth
	hidden.Joints = joints(0, 0, 0, 30, 40, 1, 0, 0, 2)
	if ok, err := p.Add(hidden, &pred); ok || err != nil || p.People() != 0 {
		t.Errorf("a person without a torso: %v, %v", ok, err)
	}
	other := annotation.Object{Skeleton: annotation.NewSkeleton("o", []string{"head"}, nil), Joints: joints(0, 0, 2)}
	for _, c := range []struct {
		truth annotation.Object
		pred  *annotation.Object
		want  string
	}{{other, nil, "measure by BoxSide"}, {truth, &other, "1 joints predicted"}, {annotation.Object{}, nil, "without a skeleton"}} {
		if c.want == "without a skeleton" {
			c.truth.Joints = joints(1, 1, 1)
		}
		if _, err := p.Add(c.truth, c.pred); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestRetrieval(t *testing.T) {
	// Two images; texts 0 and 1 belong to the first, 2 to the second.
	got, err := Retrieval([]float32{
		.9, .1, .8,
		.2, .3, .5,
	}, 2, []int{0, 0, 1})
	if err != nil {
		t.Fatal(err)
	}
	near(t, got, map[string]float64{"i2t_R@1": 1, "i2t_R@5": 1, "i2t_R@10": 1, "t2i_R@1": 1. / 3, "t2i_R@5": 1, "t2i_R@10": 1})
	const n = 20
	constant, own := make([]float32, n*n), make([]int, n)
	for i := range own {
		own[i] = i
	}
	if got, err = Retrieval(constant, n, own); err != nil || got["i2t_R@10"] != 0 || got["t2i_R@10"] != 0 {
		t.Errorf("a constant scores %v, %v", got, err)
	}
	nan := float32(math.NaN())
	for i := range constant {
		constant[i] = nan
		if i/n == i%n {
			constant[i] = -1
		}
	}
	if got, err = Retrieval(constant, n, own); err != nil || got["i2t_R@1"] != 1 || got["t2i_R@1"] != 1 {
		t.Errorf("numbers among NaN score %v, %v", got, err)
	}
	// Against the definition: sort and look.
	rng := rand.New(rand.NewPCG(5, 5))
	const images, texts = 15, 40
	sim, image := make([]float32, images*texts), make([]int, texts)
	for i := range sim {
		sim[i] = rng.Float32()
	}
	for i := range image {
		image[i] = rng.IntN(images)
	}
	if got, err = Retrieval(sim, images, image); err != nil {
		t.Fatal(err)
	}
	hits, queries := 0, 0
	for i := range images {
		better, best := 0, float32(-1)
		for k, own := range image {
			if own == i {
				best = max(best, sim[i*texts+k])
			}
		}
		if best < 0 {
			continue
		}
		queries++
		for k := range image {
			if sim[i*texts+k] > best {
				better++
			}
		}
		if better < 5 {
			hits++
		}
	}
	if want := float64(hits) / float64(queries); got["i2t_R@5"] != want {
		t.Errorf("i2t_R@5 %v, want %v", got["i2t_R@5"], want)
	}
	for _, bad := range []func() (map[string]float64, error){
		func() (map[string]float64, error) { return Retrieval(sim, 3, image) },
		func() (map[string]float64, error) { return Retrieval(sim[:2], 2, []int{2}) },
		func() (map[string]float64, error) { return Retrieval(nil, -1, nil) },
	} {
		if _, err := bad(); err == nil {
			t.Error("a matrix that does not fit is accepted")
		}
	}
}

func TestVQA(t *testing.T) {
	ten := func(n int, a, b string) []string {
		out := make([]string, 10)
		for i := range out {
			if out[i] = b; i < n {
				out[i] = a
			}
		}
		return out
	}
	v := NewVQA()
	for _, c := range []struct {
		annotators []string
		answer     string
		want       float64
	}{
		{ten(10, "net", ""), "net", 1},
		{ten(10, "net", ""), "Net", 0},           // all agree: compared as they stand
		{ten(9, "two dogs", "x"), "2 dogs.", 1},  // normalised
		{ten(1, "net", "mesh"), "the net", .3},   // 9 × min(1/3, 1), 1 × 0
		{ten(2, "net", "mesh"), "net", .6},       // 8 × 2/3, 2 × 1/3
		{ten(3, "net", "mesh"), "net", .9},       // 7 × 1, 3 × 2/3
		{ten(4, "net", "mesh"), "net", 1},        // 6 × 1, 4 × 1
		{[]string{"Yes"}, "yes", 1},              // one annotator: equal or not
		{[]string{"yes"}, "no", 0},               //
		{[]string{"a", "b"}, "c", 0},             //
		{[]string{"red", "red", "blue"}, "", 0},  //
		{ten(5, "", "blank"), "\n", 1},           // an empty answer is an answer
		{ten(5, "isnt it", "x"), "isn't it?", 1}, //
	} {
		got, err := v.Add(c.annotators, c.answer, "what", "other")
		if err != nil || math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%q to %q: %v, %v, want %v", c.answer, c.annotators, got, err, c.want)
		}
	}
	if _, err := v.Add(nil, "x", "", ""); err == nil || v.Questions() != 13 {
		t.Errorf("no annotators: %v, %d questions", err, v.Questions())
	}
	if got := v.Result()["vqa_accuracy"]; math.Abs(got-v.PerAnswerType()["other"]) > 1e-12 || len(v.PerQuestionType()) != 1 {
		t.Errorf("%v, by type %v, %v", v.Result(), v.PerAnswerType(), v.PerQuestionType())
	}
	near(t, NewVQA().Result(), map[string]float64{"vqa_accuracy": 0, "exact": 0})
}

func TestScoreVQAErrors(t *testing.T) {
	const truth = `{"annotations":[{"question_id":1,"answers":[{"answer":"a"},{"answer":"b"}]},{"question_id":2,"answers":[{"answer":"a"}]}]}`
	const preds = `[{"question_id":1,"answer":"a"},{"question_id":2,"answer":"a"}]`
	if r, err := ScoreVQA(strings.NewReader(truth), strings.NewReader(preds)); err != nil || r.Images != 2 || len(r.Groups) != 0 {
		t.Fatalf("the valid files: %+v, %v", r, err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`[{"question_id":1,"answer":"a"},`, `[`, "predictions: 1 of 2 questions have no answer, the first is question_id 1"},
		{`{"question_id":2,"answer":"a"}`, `{"question_id":3,"answer":"a"}`, "result 1: question_id 3 is not among the truth's 2 questions"},
		{`{"question_id":2,"answer":"a"}`, `{"question_id":1,"answer":"a"}`, "result 1: question_id 1 was answered before"},
		{`{"question_id":2,"answer":"a"}`, `{"question_id":2,"answer":7}`, "result 1: answer is 7, want a string"},
		{`{"question_id":2,"answer":"a"}`, `{"question_id":2}`, "result 1: answer is missing"},
		{`{"annotations"`, `{"questions"`, "truth: \"annotations\" is missing; this is a file of questions"},
		{`{"annotations"`, `{"x"`, "want a VQA v2 annotation file"},
		{`{"question_id":2,"answers"`, `{"question_id":1,"answers"`, "annotation 1: question_id 1 was used before"},
		{`[{"answer":"a"}]}]`, `[]}]`, "annotation 1: answers is []"},
		{`[{"answer":"a"}]}]`, `[{"answer":null}]}]`, "annotation 1: answers[0].answer is missing"},
		{`[{"answer":"a"}]}]`, `[{"answer":"a"}],"answer_type":4}]`, "annotation 1: answer_type is 4, want a string"},
		{`]}]}`, `]}`, "the file ends in the middle"},
	} {
		tr, pr := strings.Replace(truth, c.old, c.new, 1), preds
		if strings.Contains(preds, c.old) {
			tr, pr = truth, strings.Replace(preds, c.old, c.new, 1)
		}
		if _, err := ScoreVQA(strings.NewReader(tr), strings.NewReader(pr)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s for %s: error %v, want %q", c.new, c.old, err, c.want)
		}
	}
}
