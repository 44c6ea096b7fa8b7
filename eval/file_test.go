package eval

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestScoreLabels(t *testing.T) {
	const lines = `{"image":"a.jpg","task":"classify","classes":[{"label":"dog","score":0.2},{"label":"cat","score":0.7}]}
{"image":"b.jpg","label":"dog"}
{"image":"c.jpg","error":{"code":"image.truncated","message":"…"}}`
	want := map[string]float64{"top1": .5, "top5": .5, "mean_class_accuracy": .5}
	for _, truth := range []string{
		`{"a.jpg":"cat","b.jpg":"dog","c.jpg":"dog","image":"cat"}`,
		`[{"image":"a.jpg","label":"cat"},{"image":"b.jpg","label":"dog"},{"image":"c.jpg","label":"dog"},{"image":"image","label":"cat"}]`,
		`{"image":"a.jpg","label":"cat"} {"image":"b.jpg","label":"dog"} {"image":"c.jpg","label":"dog"} {"image":"image","label":"cat"}`,
	} {
		r, err := ScoreLabels(strings.NewReader(truth), strings.NewReader(lines))
		if err != nil {
			t.Fatal(err)
		}
		near(t, r.Metrics, want)
		if r.Images != 4 || r.Groups["class"]["cat"]["recall"] != .5 ||
			!reflect.DeepEqual(r.Warnings, []string{`image "c.jpg" has no prediction and counts as wrong (and 1 more like it)`}) {
			t.Errorf("%+v", r)
		}
	}
	r, err := ScoreLabels(strings.NewReader(`{"a":"x","b":"y"}`), strings.NewReader(`{"a":["y","x"],"b":"y"}`))
	if err != nil {
		t.Fatal(err)
	}
	near(t, r.Metrics, map[string]float64{"top1": .5, "top5": 1, "mean_class_accuracy": .5})
	for _, c := range []struct{ truth, preds, want string }{
		{`{"a":["x","y"]}`, `{}`, `truth: image "a" has 2 labels, want one`},
		{`{"a":3}`, `{}`, `image "a": label is 3, want a string`},
		{`[3]`, `{}`, "entry 0: 3, want an object"},
		{`[{"image":"a"}]`, `{}`, "label and classes are missing"},
		{`[{"label":"a"}]`, `{}`, "image is missing"},
		{`[{"image":"a","label":"x"},{"image":"a","label":"x"}]`, `{}`, `image "a" appeared before`},
		{`{"a":"x"}`, `{"b":"x"}`, `predictions: image "b" is not among the truth's 1 images`},
		{`{"a":"x"}`, `{"image":"a","classes":[{"label":"x"}]}`, "classes[0].score is missing"},
		{`{"a":"x"}`, `{"image":"a","classes":7}`, "classes is 7"},
		{`{"a":"x"}`, `{"a":"x"`, "the file ends in the middle"},
		{`{"a":"x"}`, `{"a":"x"} ]`, "more text follows"},
	} {
		if _, err := ScoreLabels(strings.NewReader(c.truth), strings.NewReader(c.preds)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: error %v, want %q", c.truth, c.preds, err, c.want)
		}
	}
}

func TestScoreCaptionsErrors(t *testing.T) {
	const truth = `{"images":[],"annotations":[{"image_id":1,"caption":"A dog."},{"image_id":2,"caption":"A cat."}]}`
	r, err := ScoreCaptions(strings.NewReader(truth), strings.NewReader(`[{"image_id":2,"caption":"a cat"}]`))
	if err != nil || r.Images != 1 || !reflect.DeepEqual(r.Warnings, []string{"1 of 2 images have no result and are left out"}) {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err = ScoreCaptions(strings.NewReader(truth), strings.NewReader(`[]`)); err != nil || r.Metrics["CIDEr"] != 0 || r.Metrics["BLEU4"] != 0 {
		t.Errorf("no results: %+v, %v", r, err)
	}
	if r, err = ScoreCaptions(strings.NewReader(truth), strings.NewReader(`[{"image_id":2,"caption":""},{"image_id":1,"caption":"?"}]`)); err != nil || r.Metrics["CIDEr"] != 0 {
		t.Errorf("empty captions: %+v, %v", r, err)
	}
	for _, c := range []struct{ truth, preds, want string }{
		{`{"images":[]}`, `[]`, `truth: "annotations" is missing`},
		{truth, `[{"image_id":3,"caption":"x"}]`, "result 0: image_id 3 has no caption in the truth's 2 images"},
		{truth, `[{"image_id":1,"caption":"x"},{"image_id":1,"caption":"x"}]`, "result 1: image_id 1 has a caption already"},
		{truth, `[{"image_id":1,"caption":["x"]}]`, `caption is ["x"], want a string`},
		{truth, `{}`, "want an array, got an object"},
	} {
		if _, err := ScoreCaptions(strings.NewReader(c.truth), strings.NewReader(c.preds)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.preds, err, c.want)
		}
	}
	if err := NewCaptions().Add(nil, "x"); err == nil {
		t.Error("a caption without references is accepted")
	}
}

func TestCaptionWords(t *testing.T) {
	for caption, want := range map[string]string{
		"A man isn't riding two dogs' sleds.":           "a man is n't riding two dogs sleds",
		`He's "happy" (and so am I), Mr. Fox!`:          "he 's happy -lrb- and so am i -rrb- mr. fox",
		"A black-and-white photo -- 3,000 people...":    "a black-and-white photo 3,000 people",
		"The U.S. flag at 10:30 a.m. w/ fries":          "the u.s. flag at 10:30 a.m. w / fries",
		"I’ve got a “grey” dog’s-eye view, can't you?!": "i 've got a grey dog 's eye view ca n't you ?!",
		"it cost $5.50 & 20% more, gonna pay #1":        "it cost $ 5.50 & 20 % more gon na pay # 1",
		"":                                              "",
		"... , ; : ' ` - --":                            "",
	} {
		if got := strings.Join(CaptionWords(caption), " "); got != want {
			t.Errorf("%q: %q, want %q", caption, got, want)
		}
	}
}

func FuzzCaptionWords(f *testing.F) {
	f.Add("A man's dog isn't on <b>the</b> www.site.com, é…")
	f.Fuzz(func(t *testing.T, s string) {
		for _, w := range CaptionWords(s) {
			if w == "" || strings.ContainsAny(w, " \n\t") {
				t.Fatalf("%q gives the word %q", s, w)
			}
		}
		NormalizeAnswer(s)
	})
}

// Files may be compressed; errors name the file at fault.
func TestScoreFiles(t *testing.T) {
	dir := t.TempDir()
	path := func(name, content string, compress bool) string {
		data := []byte(content)
		if compress {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, err := z.Write(data)
			if err != nil || z.Close() != nil {
				t.Fatal(err)
			}
			data = b.Bytes()
		}
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	truth := path("gt.json.gz", "\xef\xbb\xbf"+validTruth, true)
	good := path("good.json", validResult, false)
	bad := path("bad.json", "[", false)
	cut := path("cut.json.gz", validResult, true)
	if data := must(os.ReadFile(cut)); os.WriteFile(cut, data[:len(data)/2], 0o600) != nil {
		t.Fatal("cannot write")
	}
	for _, task := range Tasks() {
		r, err := Score(task, truth, good)
		if detection := task == "bbox" || task == "segm" || task == "keypoints"; detection != (err == nil) {
			t.Errorf("%s: %+v, %v", task, r, err)
		}
	}
	for _, c := range []struct{ task, truth, preds, want string }{
		{"bbox", truth, bad, "eval: " + bad + ": byte 1"},
		{"bbox", bad, good, "eval: " + bad + ": "},
		{"bbox", truth, cut, cut},
		{"bbox", filepath.Join(dir, "none"), good, "none"},
		{"bbox", truth, filepath.Join(dir, "none"), "none"},
		{"box", truth, good, `unknown task "box"; want one of ["bbox"`},
	} {
		if _, err := Score(c.task, c.truth, c.preds); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s %s: error %v, want %q", c.task, c.truth, c.preds, err, c.want)
		}
	}
}
