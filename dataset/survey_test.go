package dataset

import (
	"reflect"
	"testing"
)

// TestSurveyOfBoxes: counts, and each kind of odd box and class, without a fault in what is in order.
func TestSurveyOfBoxes(t *testing.T) {
	dir := files{
		"train/a.png": "200×100", "train/b.png": "200×100",
		"annotations/instances_train.json": `{"images":[{"id":1,"file_name":"a.png","width":200,"height":100},{"id":2,"file_name":"b.png","width":200,"height":100}],
			"categories":[{"id":1,"name":"Dog"},{"id":2,"name":"cat"},{"id":3,"name":"dog"},{"id":4,"name":"boat"}],
			"annotations":[
			{"id":1,"image_id":1,"category_id":2,"bbox":[2,1,60,40],"iscrowd":0},
			{"id":2,"image_id":1,"category_id":2,"bbox":[2.2,1,60,40],"iscrowd":0},
			{"id":3,"image_id":1,"category_id":3,"bbox":[2,1,60,40],"iscrowd":0},
			{"id":4,"image_id":1,"category_id":1,"bbox":[0,0,200,99.5],"iscrowd":0},
			{"id":5,"image_id":1,"category_id":1,"bbox":[9,9,3,2],"iscrowd":0},
			{"id":6,"image_id":2,"category_id":1,"bbox":[0,0,200,100],"iscrowd":0},
			{"id":7,"image_id":1,"category_id":1,"bbox":[9,9,3,2],"iscrowd":1}]}`,
	}.write(t)
	s := open(t, dir, OpenOptions{})
	v, err := TakeSurvey(Cached(s, 1<<20), SurveyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []ClassCount{{"Dog", 2, 4, 0}, {"cat", 1, 2, 0}, {"dog", 1, 1, 0}, {"boat", 0, 0, 0}}
	if v.Images != 2 || v.Objects != 7 || !reflect.DeepEqual(v.Classes, want) {
		t.Errorf("%+v", v)
	}
	got := map[string]string{}
	for _, f := range v.Faults {
		if f.Count != 1 {
			t.Errorf("%s: %d times", f.Kind, f.Count)
		}
		got[f.Kind] = f.Examples[0]
	}
	faults := map[string]string{
		DuplicateBox: "train/a.png: cat at 2, 1, 60 × 40 pixels",
		HugeBox:      "train/a.png: Dog at 0, 0, 200 × 100 pixels of 200 × 100",
		TinyBox:      "train/a.png: Dog at 9, 9, 3 × 2 pixels of 200 × 100",
		OneSample:    "dog",
		CaseTwins:    "Dog, dog",
	}
	if !reflect.DeepEqual(got, faults) {
		t.Errorf("%q", got)
	}
	if v, err = TakeSurvey(s, SurveyOptions{Tiny: .01}); err != nil || len(v.Faults) != len(faults)-1 {
		t.Errorf("%v, %v", v.Faults, err)
	}
}

// TestSurveyOfPixels: the pixels of label maps are counted, those without a label are not.
func TestSurveyOfPixels(t *testing.T) {
	dir := files{
		"classes.txt": "sky\nroad\nvoid (ignore)\nship\n", "train/a.png": "4×1", "train/b.png": "4×1",
		"trainannot/a.png": "4×1 grey 0 0 1 2", "trainannot/b.png": "4×1 grey 0 2 2 2",
	}.write(t)
	v, err := TakeSurvey(open(t, dir, OpenOptions{}), SurveyOptions{})
	want := []ClassCount{{"sky", 2, 0, .75}, {"road", 1, 0, .25}, {"ship", 0, 0, 0}}
	if err != nil || !reflect.DeepEqual(v.Classes, want) {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestSurveyOfClasses: a class of many pictures beside one of few, and a drawn source.
func TestSurveyOfClasses(t *testing.T) {
	fs := files{"train/rare/a.png": "1×1"}
	for i := range imbalanceMax {
		fs["train/common/"+string(rune('a'+i%26))+string(rune('a'+i/26))+".png"] = "1×1"
	}
	v, err := TakeSurvey(open(t, fs.write(t), OpenOptions{}), SurveyOptions{})
	if err != nil || len(v.Faults) != 2 || v.Faults[0].Kind != OneSample || v.Faults[1].Kind != Imbalance || v.Faults[1].Examples[0] != "common 1000, rare 1" {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestTwins(t *testing.T) {
	got := Twins([]string{"left knee", "cat", "Left_Knee", "dog", "cat", "DOG", "left knee"})
	if want := [][]string{{"left knee", "Left_Knee"}, {"dog", "DOG"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
}
