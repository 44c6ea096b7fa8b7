package eval

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"fovea/annotation"
)

// objectsOf turns a random fixture into objects, as a trainer has them.
func objectsOf(t *testing.T, c expectation, skeleton *annotation.Skeleton) (images []string, truth, preds map[string][]annotation.Object) {
	t.Helper()
	tr, err := readTruth(bytes.NewReader(c.GT), Task(c.Task), c.Sigmas)
	if err != nil {
		t.Fatal(err)
	}
	res, err := readResults(bytes.NewReader(c.Pred), tr)
	if err != nil {
		t.Fatal(err)
	}
	convert := func(from map[[2]int64][]instance) map[string][]annotation.Object {
		out := map[string][]annotation.Object{}
		for key, list := range from {
			for _, in := range list {
				o := annotation.Object{Label: fmt.Sprint(key[1]), Score: in.score, Crowd: in.crowd, Area: in.area,
					Box: annotation.Box{X0: in.box[0], Y0: in.box[1], X1: in.box[0] + in.box[2], Y1: in.box[1] + in.box[3]}}
				if c.Task == "segm" {
					if o.Mask, err = in.mask.Bitmap(); err != nil {
						t.Fatal(err)
					}
				}
				for _, j := range in.joints {
					o.Joints = append(o.Joints, annotation.Joint{X: j.x, Y: j.y, V: annotation.Visibility(j.v)})
					o.Skeleton = skeleton
				}
				if in.ignore && in.joints != nil {
					o.Joints, o.Skeleton = nil, nil // nobody labelled this one
				}
				id := fmt.Sprint(key[0])
				out[id] = append(out[id], o)
			}
		}
		return out
	}
	for id := range tr.images {
		images = append(images, fmt.Sprint(id)) // in random order
	}
	return images, convert(tr.objects), convert(res.objects)
}

// The accumulator that training uses agrees with the files' score, whatever the order of the pictures.
func TestDetectionEqualsFiles(t *testing.T) {
	var cases []struct {
		Seed int
		expectation
	}
	readGzip(t, "testdata/coco_random.json.gz", &cases)
	compared := map[string]int{}
	for _, c := range cases {
		// A file whose results also have boxes measures small and large by them; objects are measured by mask or joints.
		whole := !strings.Contains(string(c.Pred), ".") // corners round differently from widths
		if zero := strings.Contains(string(c.GT), `{"id":0,"image_id"`); zero || c.Task != "bbox" && strings.Contains(string(c.Pred), "bbox") || c.Task == "bbox" && !whole && compared["bbox"] > 5 {
			continue
		}
		s := annotation.COCO17
		if c.Sigmas != nil {
			five := *annotation.NewSkeleton("five", strings.Fields("a b c d e"), nil)
			five.Sigmas = c.Sigmas
			s = &five
		}
		images, truth, preds := objectsOf(t, c.expectation, s)
		d := NewDetection(Task(c.Task))
		for _, id := range images {
			if err := d.Add(id, truth[id], preds[id]); err != nil {
				t.Fatal(err)
			}
		}
		if d.Images() != len(images) {
			t.Errorf("%d images, want %d", d.Images(), len(images))
		}
		t.Run(fmt.Sprintf("%s/%d", c.Task, c.Seed), func(t *testing.T) { checkMap(t, "", c.Metrics, d.Result()) })
		compared[c.Task]++
	}
	for _, task := range []Task{Boxes, Masks, Keypoints} {
		if compared[string(task)] < 5 {
			t.Errorf("only %d cases of %s were compared", compared[string(task)], task)
		}
	}
}

func TestDetectionByHand(t *testing.T) {
	obj := func(label string, x, score float64) annotation.Object {
		return annotation.Object{Label: label, Box: annotation.Box{X0: x, Y0: 0, X1: x + 100, Y1: 100}, Score: score}
	}
	d := NewDetection(Boxes, "cat", "dog", "fish")
	if got := d.Result(); got["AP"] != -1 || got["AR100"] != -1 || len(got) != 12 {
		t.Errorf("without truth: %v", got)
	}
	// A cat found, a dog found second best after a wrong one, a fish missed, a bird that is not scored.
	if err := d.Add("a", []annotation.Object{obj("cat", 0, 0), obj("dog", 200, 0), obj("fish", 0, 0)},
		[]annotation.Object{obj("cat", 0, .9), obj("dog", 900, .8), obj("dog", 200, .7), obj("bird", 0, 1)}); err != nil {
		t.Fatal(err)
	}
	if got := d.Result(); math.Abs(got["AP"]-(1+.5+0)/3) > 1e-12 || math.Abs(got["AR1"]-1./3) > 1e-12 || math.Abs(got["AR10"]-2./3) > 1e-12 || got["APs"] != -1 {
		t.Errorf("%v", got)
	}
	if got := d.PerClass(); math.Abs(got["cat"]["AP"]-1) > 1e-12 || math.Abs(got["dog"]["AP50"]-.5) > 1e-12 || got["fish"]["AP"] != 0 || len(got) != 3 {
		t.Errorf("per class: %v", got)
	}
	before := fmt.Sprint(d.Result())
	nan := obj("cat", 0, math.NaN())
	far := obj("cat", math.Inf(1), 1)
	for _, c := range []struct {
		id           string
		truth, preds []annotation.Object
		want         string
	}{
		{"a", nil, nil, `image "a" was added before`},
		{"b", []annotation.Object{obj("cow", 0, 0)}, nil, `object 0: label "cow" is none of the 3 classes`},
		{"b", nil, []annotation.Object{obj("cat", 0, 1), nan}, "prediction 1 (cat): score is NaN"},
		{"b", []annotation.Object{far}, nil, "is not finite"},
	} {
		if err := d.Add(c.id, c.truth, c.preds); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	if after := fmt.Sprint(d.Result()); after != before {
		t.Errorf("failed Adds changed %s to %s", before, after)
	}
}

func TestDetectionErrors(t *testing.T) {
	mask := annotation.NewBitmap(4, 4)
	person := func(s *annotation.Skeleton, n int) annotation.Object {
		return annotation.Object{Label: "person", Skeleton: s, Joints: make([]annotation.Joint, n)}
	}
	lost := person(annotation.COCO17, 17)
	lost.Joints[3].X = math.NaN()
	for _, c := range []struct {
		task         Task
		truth, preds []annotation.Object
		want         string
	}{
		{Masks, []annotation.Object{{}}, nil, "no mask"},
		{Masks, []annotation.Object{{Mask: mask}}, []annotation.Object{{Mask: annotation.NewBitmap(4, 5)}}, "mask of 4×5 pixels beside one of 4×4"},
		{Masks, []annotation.Object{{Mask: &annotation.Bitmap{W: 4, H: 4}}}, nil, "holds 0"},
		{Keypoints, nil, []annotation.Object{person(nil, 0)}, "no joints"},
		{Keypoints, []annotation.Object{person(nil, 3)}, nil, "3 joints without a skeleton"},
		{Keypoints, []annotation.Object{person(annotation.COCO17, 3)}, nil, `skeleton "coco17" has 17`},
		{Keypoints, []annotation.Object{person(annotation.COCO17, 17)}, []annotation.Object{person(annotation.LSP14, 14)}, "14 joints beside 17"},
		{Keypoints, []annotation.Object{lost}, nil, "joint left_ear is at (NaN, 0)"},
	} {
		if err := NewDetection(c.task).Add("x", c.truth, c.preds); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.task, err, c.want)
		}
	}
}

func TestCompareIDs(t *testing.T) {
	sorted := []string{"-1", "2", "10", "010", "10a", "a", "b"}
	for i, a := range sorted {
		for j, b := range sorted {
			if a != "010" && b != "010" && compareIDs(a, b) != min(max(i-j, -1), 1) {
				t.Errorf("compareIDs(%q, %q) = %d", a, b, compareIDs(a, b))
			}
		}
	}
	if compareIDs("010", "10") == 0 {
		t.Error("two spellings of a number are one id")
	}
}

func TestLinspace(t *testing.T) {
	// numpy.linspace(.5, .95, 10), printed exactly
	want := []float64{0x1p-1, 0x1.199999999999ap-1, 0x1.3333333333333p-1, 0x1.4cccccccccccdp-1, 0x1.6666666666666p-1, 0x1.8p-1,
		0x1.999999999999ap-1, 0x1.b333333333333p-1, 0x1.cccccccccccccp-1, 0x1.e666666666666p-1}
	for i, got := range linspace(.5, .95, thresholds) {
		if got != want[i] {
			t.Errorf("threshold %d is %x, want %x", i, got, want[i])
		}
	}
}

// valid is a file that each case below spoils in one place.
const validTruth = `{"images":[{"id":1,"width":20,"height":10},{"id":2,"width":20,"height":10}],
"categories":[{"id":3,"name":"person","keypoints":["a","b"]}],
"annotations":[{"id":7,"image_id":1,"category_id":3,"bbox":[1,2,3,4],"area":12,"iscrowd":0,
"segmentation":[[1,2,4,2,4,6,1,6]],"keypoints":[1,2,2,3,4,2],"num_keypoints":2}]}`

const validResult = `[{"image_id":1,"category_id":3,"score":0.5,"bbox":[1,2,3,4],"segmentation":{"size":[10,20],"counts":[12,4,184]},"keypoints":[1,2,2,3,4,2]}]`

func TestScoreCOCOErrors(t *testing.T) {
	for _, task := range []Task{Boxes, Masks, Keypoints} {
		r, err := ScoreCOCO(strings.NewReader(validTruth), strings.NewReader(validResult), task, []float64{.1, .1})
		if err != nil || r.Images != 2 || task != Masks && r.Metrics["AP"] < .999 {
			t.Fatalf("%s: the valid files: %+v, %v", task, r, err)
		}
	}
	many := "[" + strings.Repeat(`{"image_id":1},`, 1999) + `{"image_id":1}]`
	for _, c := range []struct {
		task         Task
		old, new     string // in the truth, or in the result if that has it
		result, want string
	}{
		{task: Boxes, result: "", want: "predictions: byte 0: the file ends in the middle of a JSON value"},
		{task: Boxes, result: "{}", want: "predictions: byte 1: want an array, got an object"},
		{task: Boxes, result: `"x"`, want: `want an array, got "x"`},
		{task: Boxes, result: validResult + "]", want: "more text follows"},
		{task: Boxes, result: "[1, 2]", want: "result 0: want an object, got number; result 1: want an object"},
		{task: Boxes, result: "[{}]", want: "result 0: bbox, segmentation and keypoints are missing"},
		{task: Boxes, result: many, want: "and 995 more"},
		{task: Boxes, result: `[{"image_id":1,"category_id":3,"score":NaN,"bbox":[1,2,3,4]}]`, want: "result 0: byte "},
		{task: Boxes, old: `"score":0.5`, new: `"score":1e999`, want: "result 0: score is 1e999, want a number"},
		{task: Boxes, old: `"score":0.5`, new: `"score":"high"`, want: `result 0: score is "high", want a number`},
		{task: Boxes, old: `"score":0.5`, new: `"other":0.5`, want: "result 0: score is missing"},
		{task: Boxes, old: `[{"image_id":1`, new: `[{"image_id":9`, want: "result 0: image_id 9 is not in the truth's 2 images"},
		{task: Boxes, old: `[{"image_id":1`, new: `[{"image_id":1.5`, want: "image_id is 1.5, want a whole number"},
		{task: Boxes, old: `[{"image_id":1`, new: `[{"image_id":"1"`, want: `image_id is "1", want a whole number`},
		{task: Boxes, old: `"category_id":3,"score"`, new: `"category_id":99,"score"`, want: "no result is of a category that the truth lists; the last is of category 99"},
		{task: Boxes, old: `0.5,"bbox":[1,2,3,4]`, new: `0.5,"bbox":[1,2,-3,4]`, want: "result 0: bbox [1 2 -3 4] has a negative size"},
		{task: Boxes, old: `0.5,"bbox":[1,2,3,4]`, new: `0.5,"bbox":[1,2,3]`, want: "bbox has 3 numbers"},
		{task: Boxes, old: `0.5,"bbox":[1,2,3,4]`, new: `0.5,"bbox":[1,"2",3,4]`, want: `bbox[1] is "2", want a number`},
		{task: Boxes, old: `0.5,"bbox":[1,2,3,4]`, new: `0.5,"bbox":[1,[2],3,4]`, want: `bbox[1] is [2], want a number`},
		{task: Boxes, old: `0.5,"bbox":[1,2,3,4]`, new: `0.5,"bbox":{"x":1}`, want: `bbox is {"x":1}, want an array`},
		{task: Boxes, old: `0.5,"bbox":[1,2,3,4]`, new: `0.5,"bbox":[1e308,2,1e308,4]`, want: "too large"},
		{task: Masks, old: `"size":[10,20]`, new: `"size":[1000000000,1000000000]`, want: "segmentation.size is [1000000000,1000000000]"},
		{task: Masks, old: `"size":[10,20]`, new: `"size":[20000,20000]`, want: "20000×20000"},
		{task: Masks, old: `"size":[10,20]`, new: `"size":[20,10]`, want: "segmentation of 20×10 pixels (height×width), the image has 10×20"},
		{task: Masks, old: `[12,4,184]`, new: `[12,4,185]`, want: "sum to 201"},
		{task: Masks, old: `[12,4,184]`, new: `[12,-4,192]`, want: "segmentation.counts[1] is -4"},
		{task: Masks, old: `[12,4,184]`, new: `"~~"`, want: "result 0: segmentation: annotation: compressed run lengths"},
		{task: Masks, old: `"segmentation":{`, new: `"segmentation":5,"x":{`, want: "result 0: segmentation is 5, want polygons or run lengths"},
		{task: Keypoints, old: `0.5,"bbox":[1,2,3,4]`, new: `0.5`, result: `[{"image_id":1,"category_id":3,"score":0.5,"keypoints":[1,2,2,3]}]`, want: "keypoints has 4 numbers"},
		{task: Keypoints, result: `[{"image_id":1,"category_id":3,"score":0.5,"bbox":[1,2,3,4]}]`, want: "result 0: keypoints is missing"},
		{task: Keypoints, result: `[{"image_id":1,"category_id":3,"score":0.5,"keypoints":[1,2,2]}]`, want: `1 keypoints, category "person" has 2`},

		{task: Boxes, old: `{"images"`, new: `{"pictures"`, want: `truth: "images" is missing`},
		{task: Boxes, old: `{"id":2,`, new: `{"id":1,`, want: "image 1: id 1 was used before"},
		{task: Boxes, old: `{"id":7,`, new: `{"ix":7,`, want: "annotation 0: id is missing"},
		{task: Boxes, old: `"iscrowd":0`, new: `"iscrowd":"no"`, want: `annotation 0 (id 7): iscrowd is "no", want 0 or 1`},
		{task: Boxes, old: `"area":12`, new: `"area":-12`, want: "annotation 0 (id 7): area is -12"},
		{task: Boxes, old: `"annotations":[{`, new: `"annotations":[{"id":7,"image_id":1,"category_id":3,"bbox":[1,2,3,4]},{`, want: "annotation 1 (id 7): id 7 was used before"},
		{task: Boxes, old: `"annotations":[{`, new: `"annotations":[null,7,{`, want: "annotation 0: id is missing; annotation 1: want an object, got number"},
		{task: Boxes, old: `"annotations":[{`, new: `"annotations":{"a":{`, want: "want an array, got an object"},
		{task: Masks, old: `"width":20,"height":10},`, new: `"width":20,"height":-10},`, want: "image 0: height is -10"},
		{task: Masks, old: `"width":20,"height":10},`, new: `"width":20000000,"height":20000000},`, want: "annotation 0: segmentation: annotation: mask of 20000000×20000000"},
		{task: Masks, old: `"width":20,"height":10},`, new: `"width":20},`, want: "image 0: height is missing"},
		{task: Masks, old: `[[1,2,4,2,4,6,1,6]]`, new: `[[1,2,4,2,4,6,1]]`, want: "annotation 0: segmentation: annotation: polygon 0: 7 coordinates"},
		{task: Masks, old: `[[1,2,4,2,4,6,1,6]]`, new: `[1,2,4,2]`, want: "segmentation[0] is 1, want an array"},
		{task: Masks, old: `[[1,2,4,2,4,6,1,6]]`, new: `[[1e300,2,4,2,5,5]]`, want: "coordinate 0 is 1e+300"},
		{task: Masks, old: `[[1,2,4,2,4,6,1,6]]`, new: `[]`, want: "at least one polygon"},
		{task: Keypoints, old: `"keypoints":["a","b"]`, new: `"keypoints":["a","b","c"]`, want: `2 keypoints, category "person" has 3`},
		{task: Keypoints, old: `"keypoints":["a","b"]`, new: `"keypoints":[1,2]`, want: "category 0: keypoints is [1,2], want names"},
		{task: Keypoints, old: `"num_keypoints":2`, new: `"num_keypoints":"2"`, want: `num_keypoints is "2"`},
		{task: "depth", result: "[]", want: `unknown detection task "depth"`},
	} {
		truth, result := validTruth, validResult
		switch {
		case c.old == "":
			result = c.result
		case strings.Contains(result, c.old):
			result = strings.Replace(result, c.old, c.new, 1)
			if c.result != "" {
				result = c.result
			}
		case strings.Contains(truth, c.old):
			truth = strings.Replace(truth, c.old, c.new, 1)
		default:
			t.Fatalf("neither file has %q", c.old)
		}
		_, err := ScoreCOCO(strings.NewReader(truth), strings.NewReader(result), c.task, []float64{.1, .1})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s instead of %s: error\n     %v\nwant %s", c.task, c.new+c.result, c.old, err, c.want)
		}
	}
}

func TestScoreCOCOWarnings(t *testing.T) {
	truth := strings.Replace(validTruth, `"annotations":[{"id":7`, `"annotations":[{"id":8,"image_id":99,"category_id":3,"bbox":[0,0,1,1]},
		{"id":9,"image_id":98,"category_id":3,"bbox":[0,0,1,1]},{"id":0`, 1)
	result := strings.Replace(validResult, `[{`, `[{"image_id":1,"category_id":4,"score":1,"bbox":[0,0,1,1]},{`, 1)
	r, err := ScoreCOCO(strings.NewReader(truth), strings.NewReader(result), Boxes, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(r.Warnings, "\n")
	for _, want := range []string{"annotation 2 has id 0", "annotation 0 is of image 99, which the file does not list; left out (and 1 more like it)",
		"result 0 is of category 4, which the truth does not list"} {
		if !strings.Contains(all, want) {
			t.Errorf("warnings\n%s\nlack %q", all, want)
		}
	}
	if r.Metrics["AP"] != 0 {
		t.Errorf("AP %v: a match with annotation 0 counts in pycocotools as wrong", r.Metrics["AP"])
	}
	r, err = ScoreCOCO(strings.NewReader(validTruth), strings.NewReader("[]"), Boxes, nil)
	if err != nil || r.Metrics["AP"] != 0 || r.Metrics["AR100"] != 0 {
		t.Errorf("no results: %+v, %v", r, err)
	}
}

func FuzzScoreCOCO(f *testing.F) {
	f.Add(validTruth, validResult)
	f.Add(validTruth, `[{"image_id":2,"category_id":3,"score":1,"segmentation":{"size":[10,20],"counts":"d6"}}]`)
	f.Add(validTruth, `[{"image_id":2,"category_id":3,"score":1,"segmentation":[[0,0,5,5,9,0]]},null,3]`)
	f.Add(strings.Replace(validTruth, `"keypoints":[1,2,2,3,4,2],"num_keypoints":2`, `"keypoints":[1,2,0,3,4,0]`, 1), `[{"image_id":1,"category_id":3,"score":1,"keypoints":[0,0,0,0,0,0]}]`)
	f.Fuzz(func(t *testing.T, truth, result string) {
		for _, task := range []Task{Boxes, Masks, Keypoints} {
			r, err := ScoreCOCO(strings.NewReader(truth), strings.NewReader(result), task, nil)
			if err != nil {
				continue
			}
			if _, err := json.Marshal(r); err != nil {
				t.Fatalf("%s: %v", task, err)
			}
			for name, v := range r.Metrics {
				if v != -1 && !(v >= 0 && v <= 1+1e-9) {
					t.Fatalf("%s: %s is %v", task, name, v)
				}
			}
		}
	})
}

// FuzzResults puts hostile values into well-formed results.
func FuzzResults(f *testing.F) {
	f.Add(1.0, 2.0, 3.0, 4.0, .5, 10, 20, "d6")
	f.Add(-1e300, 1e300, 1e300, 0.0, -1e300, 20, 10, "PPYo5")
	f.Add(0.0, 0.0, 2e9, 4e8, 1.0, 1<<40, 1<<40, "")
	f.Fuzz(func(t *testing.T, x, y, w, h, score float64, height, width int, counts string) {
		text, err := json.Marshal(counts)
		if err != nil {
			t.Fatal(err)
		}
		for _, result := range []string{
			fmt.Sprintf(`[{"image_id":1,"category_id":3,"score":%v,"bbox":[%v,%v,%v,%v]}]`, score, x, y, w, h),
			fmt.Sprintf(`[{"image_id":1,"category_id":3,"score":%v,"segmentation":[[%v,%v,%v,%v,%v,%v]]}]`, score, x, y, w, h, y, x),
			fmt.Sprintf(`[{"image_id":1,"category_id":3,"score":%v,"segmentation":{"size":[%d,%d],"counts":%s}}]`, score, height, width, text),
			fmt.Sprintf(`[{"image_id":1,"category_id":3,"score":%v,"segmentation":{"size":[10,20],"counts":[%v,%v,%d]}}]`, score, x, y, width),
			fmt.Sprintf(`[{"image_id":1,"category_id":3,"score":%v,"keypoints":[%v,%v,%v,%v,%v,%v]}]`, score, x, y, w, h, score, x),
		} {
			for _, task := range []Task{Boxes, Masks, Keypoints} {
				r, err := ScoreCOCO(strings.NewReader(validTruth), strings.NewReader(result), task, nil)
				if err == nil && !(r.Metrics["AP"] >= 0 && r.Metrics["AP"] <= 1) {
					t.Fatalf("%s of %s: AP %v", task, result, r.Metrics["AP"])
				}
			}
		}
	})
}

func BenchmarkScoreCOCO(b *testing.B) {
	for _, c := range []struct{ task, gt, pred string }{
		{"bbox", "instances_val2014_100.json", "instances_val2014_fakebbox100_results.json"},
		{"segm", "instances_val2014_100.json", "instances_val2014_fakesegm100_results.json"},
		{"keypoints", "person_keypoints_synthetic.json", "person_keypoints_val2014_fakekeypoints100_results.json"},
	} {
		b.Run(c.task, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Score(c.task, "../testdata/fixtures/cocoapi/"+c.gt, "../testdata/fixtures/cocoapi/"+c.pred); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(100/(b.Elapsed().Seconds()/float64(b.N)), "images/s")
		})
	}
}

// BenchmarkDetection is one validation of COCO's size: 5000 pictures, 7 objects and 100 predictions each, 80 classes.
func BenchmarkDetection(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	random := func(n int) []annotation.Object {
		out := make([]annotation.Object, n)
		for i := range out {
			x, y := 600*rng.Float64(), 400*rng.Float64()
			out[i] = annotation.Object{Label: fmt.Sprint(rng.IntN(80)), Score: rng.Float64(), Box: annotation.Box{X0: x, Y0: y, X1: x + 100*rng.Float64(), Y1: y + 100*rng.Float64()}}
		}
		return out
	}
	var truth, preds [][]annotation.Object
	for range 5000 {
		truth, preds = append(truth, random(7)), append(preds, random(100))
	}
	b.ReportAllocs()
	for b.Loop() {
		d := NewDetection(Boxes)
		for i := range truth {
			if err := d.Add(fmt.Sprint(i), truth[i], preds[i]); err != nil {
				b.Fatal(err)
			}
		}
		d.Result()
	}
}
