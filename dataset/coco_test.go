package dataset

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"fovea/annotation"
)

// smallCOCO is two pictures with a polygon, run lengths of both kinds, a crowd, joints and captions.
func smallCOCO() files {
	joints := make([]string, 51)
	for i := range joints {
		joints[i] = "0"
	}
	copy(joints, []string{"2", "3", "2", "4.5", "5", "1"})
	return files{
		"train/a.png": "20×10", "train/b.png": "8×8",
		"annotations/instances_train.json": `{"images":[{"id":1,"file_name":"a.png","width":20,"height":10},{"id":2,"file_name":"b.png","width":8,"height":8}],
			"categories":[{"id":1,"name":"person"},{"id":18,"name":"dog"}],
			"annotations":[
			{"id":10,"image_id":1,"category_id":18,"bbox":[2,1,6,4],"area":24,"iscrowd":0,"segmentation":[[2,1,8,1,8,5,2,5]]},
			{"id":11,"image_id":1,"category_id":1,"bbox":[0,0,5,10],"iscrowd":0,"segmentation":{"size":[10,20],"counts":[0,50,150]},"color":"red"},
			{"id":12,"image_id":2,"category_id":18,"bbox":[0,0,8,8],"iscrowd":1,"segmentation":{"size":[8,8],"counts":[8,56]}}]}`,
		"annotations/person_keypoints_train.json": `{"annotations":[{"id":11,"image_id":1,"category_id":1,"bbox":[0,0,5,10],"iscrowd":0,"num_keypoints":2,
			"keypoints":[` + strings.Join(joints, ",") + `]}],
			"images":[{"id":1,"file_name":"a.png","width":20,"height":10},{"id":2,"file_name":"b.png","width":8,"height":8}],
			"categories":[{"id":1,"name":"person","keypoints":["` + strings.Join(annotation.COCO17.Joints, `","`) + `"],"skeleton":[[1,2]]}]}`,
		"annotations/captions_train.json": `{"images":[{"id":1,"file_name":"a.png","width":20,"height":10}],
			"annotations":[{"id":1,"image_id":1,"caption":" A dog  and a person. "},{"id":2,"image_id":1,"caption":"Two."}]}`,
	}
}

func TestCOCO(t *testing.T) {
	s := open(t, smallCOCO().write(t), OpenOptions{})
	wantFaults(t, s.Report(), nil)
	if s.Len() != 2 || !slices.Equal(s.Classes(), []string{"person", "dog"}) || s.Labels() != HasBoxes|HasMasks|HasJoints|HasCaptions {
		t.Fatalf("%d pictures, classes %q, labels %b", s.Len(), s.Classes(), s.Labels())
	}
	a, b := at(t, s, 0), at(t, s, 1)
	if a.ID != "train/a.png" || a.W != 20 || a.H != 10 || a.Image.Pix[3] != 1 || a.Labels != s.Labels() {
		t.Errorf("picture %q of %d × %d, labels %b", a.ID, a.W, a.H, a.Labels)
	}
	if want := []string{"A dog and a person.", "Two."}; !slices.Equal(a.Captions, want) {
		t.Errorf("captions %q, want %q", a.Captions, want)
	}
	dog, person := a.Objects[0], a.Objects[1]
	if want := (annotation.Box{X0: 2, Y0: 1, X1: 8, Y1: 5}); dog.Label != "dog" || dog.Box != want || dog.Area != 24 || dog.ID != 10 || dog.Mask.Bounds() != want || dog.Mask.Area() != 24 {
		t.Errorf("dog: %+v", dog)
	}
	if person.Mask.Area() != 50 || person.Color != "red" || person.Skeleton != annotation.COCO17 ||
		person.Joints[0] != (annotation.Joint{X: 2, Y: 3, V: annotation.Visible}) || person.Joints[1] != (annotation.Joint{X: 4.5, Y: 5, V: annotation.Occluded}) ||
		person.Joints[2].V != annotation.Absent {
		t.Errorf("person: %+v", person)
	}
	if crowd := b.Objects[0]; !crowd.Crowd || crowd.Mask.Area() != 56 || b.Labels != HasBoxes|HasMasks|HasJoints {
		t.Errorf("crowd: %+v, labels %b", crowd, b.Labels)
	}
	a.Objects[0].Mask.Pix[0], a.Captions[0], a.Objects[1].Joints[0].X = 9, "x", 99 // the caller owns it
	if again := at(t, s, 0); again.Objects[0].Mask.Pix[0] != 0 || again.Captions[0] == "x" || again.Objects[1].Joints[0].X == 99 {
		t.Error("a change to an example changed the set")
	}
}

func TestCOCOOptions(t *testing.T) {
	dir := smallCOCO().write(t)
	s := open(t, dir, OpenOptions{Labels: HasCaptions})
	if ex := at(t, s, 0); s.Labels() != HasCaptions || len(ex.Objects) != 0 || len(ex.Captions) != 2 {
		t.Errorf("captions only: labels %b, %d objects", s.Labels(), len(ex.Objects))
	}
	no := false
	s = open(t, dir, OpenOptions{CompleteBoxes: &no, Labels: HasBoxes | HasJoints})
	if ex := at(t, s, 0); s.Labels() != HasJoints || len(ex.Objects) != 2 || ex.Objects[0].Mask != nil {
		t.Errorf("incomplete boxes: labels %b", s.Labels())
	}
	s = open(t, dir, OpenOptions{Skeleton: annotation.LSP14})
	if p := at(t, s, 0).Objects[1]; p.Skeleton != annotation.LSP14 || len(p.Joints) != 14 || p.Joints[0].V != annotation.Absent {
		t.Errorf("joints in another skeleton: %+v", p)
	}
	one := open(t, dir+"/annotations/instances_train.json", OpenOptions{})
	if one.Len() != 2 || one.Labels()&HasCaptions != 0 || one.Name() != "instances_train.json" {
		t.Errorf("a single file: %d pictures, labels %b", one.Len(), one.Labels())
	}
}

// One person in each picture: the others were not labelled.
func TestCOCOOnePersonEach(t *testing.T) {
	make := func(pictures, people int) files {
		var images, anns []string
		fs := files{}
		for i := range pictures {
			fs[fmt.Sprintf("val/%d.png", i)] = "8×8"
			images = append(images, fmt.Sprintf(`{"id":%d,"file_name":"%d.png","width":8,"height":8}`, i, i))
		}
		for i := range people {
			anns = append(anns, fmt.Sprintf(`{"id":%d,"image_id":%d,"category_id":1,"bbox":[1,1,4,4],"keypoints":[1,2,2,0,0,0],"num_keypoints":1}`, i+1, i%pictures))
		}
		fs["annotations/person_keypoints_val.json"] = fmt.Sprintf(`{"images":[%s],"annotations":[%s],"categories":[{"id":1,"name":"person","keypoints":["l_hand","r_hand"]}]}`,
			strings.Join(images, ","), strings.Join(anns, ","))
		return fs
	}
	yes := true
	for _, c := range []struct {
		pictures, people int
		opt              OpenOptions
		boxes            bool
	}{{12, 12, OpenOptions{}, false}, {12, 12, OpenOptions{CompleteBoxes: &yes}, true}, {12, 13, OpenOptions{}, true}, {3, 3, OpenOptions{}, true}} {
		s := open(t, make(c.pictures, c.people).write(t), c.opt)
		if got := s.Labels()&HasBoxes != 0; got != c.boxes || s.Labels()&HasJoints == 0 {
			t.Errorf("%d people in %d pictures: labels %b, want boxes %v", c.people, c.pictures, s.Labels(), c.boxes)
		}
		if note := len(s.Report().Notes()) > 0; note == c.boxes {
			t.Errorf("%d people in %d pictures: notes %q", c.people, c.pictures, s.Report().Notes())
		}
		sk := at(t, s, 0).Objects[0].Skeleton
		if !slices.Equal(sk.Joints, []string{"left_hand", "right_hand"}) || !slices.Equal(sk.Flip, []int{1, 0}) {
			t.Errorf("skeleton %+v", sk)
		}
	}
}

func TestCOCOFaults(t *testing.T) {
	const head = `{"images":[{"id":1,"file_name":"a.png","width":20,"height":10},{"id":2,"file_name":"b.png","width":8,"height":8}%s],
		"categories":[{"id":1,"name":"dog"}%s],"annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[1,1,5,5],"segmentation":[[1,1,6,1,6,6]]}%s]}`
	type counts = map[string]int
	const b = NoAnnotations // of picture b, unless an entry is for it
	for _, c := range []struct {
		name, images, categories, annotations string
		want                                  counts
	}{
		{"nothing", "", "", "", counts{b: 1}},
		{"missing file", `,{"id":3,"file_name":"no.png","width":8,"height":8}`, "", `,{"id":2,"image_id":3,"category_id":1,"bbox":[1,1,2,2]}`, counts{b: 1, MissingFile: 1}},
		{"path outside", `,{"id":3,"file_name":"../../etc/a.png"}`, "", "", counts{b: 1, OutsidePath: 1}},
		{"absolute path", `,{"id":3,"file_name":"/etc/a.png"}`, "", "", counts{b: 1, OutsidePath: 1}},
		{"image twice", `,{"id":2,"file_name":"b.png"}`, "", "", counts{b: 1, DuplicateID: 1}},
		{"file twice", `,{"id":3,"file_name":"b.png"}`, "", "", counts{b: 1, DuplicateID: 1}},
		{"image without id", `,{"file_name":"b.png"}`, "", "", counts{b: 1, BadEntry: 1}},
		{"image without name", `,{"id":3}`, "", "", counts{b: 1, BadEntry: 1}},
		{"image is a number", `,7`, "", "", counts{b: 1, BadEntry: 1}},
		{"negative size", `,{"id":3,"file_name":"b.png","width":-8,"height":8}`, "", "", counts{b: 1, BadEntry: 1}},
		{"category twice", "", `,{"id":1,"name":"cat"}`, "", counts{b: 1, DuplicateID: 1}},
		{"category without name", "", `,{"id":4}`, "", counts{b: 1, BadEntry: 1}},
		{"annotation twice", "", "", `,{"id":1,"image_id":2,"category_id":1,"bbox":[1,1,2,2]}`, counts{b: 1, DuplicateID: 1}},
		{"no such image", "", "", `,{"id":2,"image_id":9,"category_id":1,"bbox":[1,1,2,2]}`, counts{b: 1, UnknownImage: 1}},
		{"no such category", "", "", `,{"id":2,"image_id":2,"category_id":9,"bbox":[1,1,2,2]}`, counts{UnknownCategory: 1}},
		{"box outside", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[5,5,20,20]}`, counts{BoxClipped: 1}},
		{"box a little outside", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[5,5,3.9,3]}`, nil},
		{"box far outside", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[50,50,20,20]}`, counts{b: 1, BoxEmpty: 1}},
		{"empty box", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[5,5,0,2]}`, counts{b: 1, BoxEmpty: 1}},
		{"negative box", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[5,5,-3,2]}`, counts{b: 1, BoxEmpty: 1}},
		{"NaN", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[NaN,5,3,2]}`, counts{NotANumber: 1}},
		{"Infinity", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[1,-Infinity,3,Infinity]}`, counts{NotANumber: 1}},
		{"huge", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[1,1,1e999,3]}`, counts{NotANumber: 1}},
		{"three numbers", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[1,1,3]}`, counts{BadEntry: 1, NotANumber: 1}},
		{"words", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":["1","1","3","3"]}`, counts{BadEntry: 1, NotANumber: 1}},
		{"no box", "", "", `,{"id":2,"image_id":2,"category_id":1}`, counts{BadEntry: 1}},
		{"box from mask", "", "", `,{"id":2,"image_id":2,"category_id":1,"segmentation":[[1,1,6,1,6,6]]}`, nil},
		{"no image id", "", "", `,{"id":2,"category_id":1,"bbox":[1,1,2,2]}`, counts{b: 1, BadEntry: 1}},
		{"a list", "", "", `,[1,2]`, counts{b: 1, BadEntry: 1}},
		{"flat polygon", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[1,1,2,2],"segmentation":[[1,1,3,3,5,5]]}`, counts{BadMask: 1}},
		{"short polygon", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[1,1,2,2],"segmentation":[[1,1,3,3]]}`, counts{BadMask: 1}},
		{"odd polygon", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[1,1,2,2],"segmentation":[[1,1,3,3,5,1,3]]}`, counts{BadMask: 1}},
		{"NaN polygon", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[1,1,2,2],"segmentation":[[1,1,3,NaN,5,1]]}`, counts{BadMask: 1}},
		{"one of two polygons", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[1,1,2,2],"segmentation":[[1,1],[1,1,3,1,3,4]]}`, counts{BadMask: 1}},
		{"bare polygon", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[1,1,2,2],"segmentation":[1,1,3,1,3,4]}`, nil},
		{"mask is a word", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[1,1,2,2],"segmentation":"x"}`, counts{BadMask: 1}},
		{"short runs", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[1,1,2,2],"segmentation":{"size":[8,8],"counts":[3,4]}}`, counts{BadMask: 1}},
		{"negative run", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[1,1,2,2],"segmentation":{"size":[8,8],"counts":[-3,67]}}`, counts{BadMask: 1}},
		{"empty runs", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[1,1,2,2],"segmentation":{"size":[8,8],"counts":[64]}}`, counts{BadMask: 1}},
		{"huge runs", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[1,1,2,2],"segmentation":{"size":[99999999,99999999],"counts":"0"}}`, counts{BadMask: 1}},
		{"runs of another size", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[1,1,2,2],"segmentation":{"size":[4,4],"counts":[8,8]}}`, counts{BadMask: 1}},
		{"bad string", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[1,1,2,2],"segmentation":{"size":[8,8],"counts":"~~~"}}`, counts{BadMask: 1}},
		{"no joints there", "", "", `,{"id":2,"image_id":2,"category_id":1,"bbox":[1,1,2,2],"keypoints":[1,2,2]}`, counts{BadJoints: 1}},
		{"empty caption", "", "", `,{"id":2,"image_id":2,"caption":"  "}`, counts{b: 1, EmptyText: 1}},
		{"string ids", `,{"id":"x","file_name":"c.png"}`, "", `,{"id":"y","image_id":"x","category_id":"1","bbox":[1,1,2,2]}`, counts{b: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, files{"train/a.png": "20×10", "train/b.png": "8×8", "train/c.png": "8×8",
				"annotations/instances_train.json": fmt.Sprintf(head, c.images, c.categories, c.annotations)}.write(t), OpenOptions{})
			wantFaults(t, s.Report(), c.want)
			first := at(t, s, 0)
			if len(first.Objects) != 1 || first.Objects[0].Mask == nil || first.Labels&(HasBoxes|HasMasks) != HasBoxes|HasMasks {
				t.Errorf("the sound picture suffered: %+v", first)
			}
			for i := range s.Len() {
				ex := at(t, s, i)
				for _, o := range ex.Objects {
					if o.Box.Empty() || !o.Box.Finite() || o.Box.X1 > float64(ex.W) || o.Box.Y1 > float64(ex.H) {
						t.Errorf("%s: box %v", ex.ID, o.Box)
					}
					if o.Mask == nil && ex.Labels&HasMasks != 0 {
						t.Errorf("%s: an object has no mask, yet all are said to have one", ex.ID)
					}
				}
			}
			lost := c.want[NotANumber] + c.want[UnknownCategory] + c.want[BadEntry]
			if b := at(t, s, 1); c.want[NoAnnotations] == 0 && lost > 0 && b.Labels&HasBoxes != 0 {
				t.Errorf("an object of %s was lost, yet its boxes are said to be complete", b.ID)
			}
		})
	}
}

func TestCOCOJointFaults(t *testing.T) {
	file := func(k string) files {
		return files{"train/a.png": "20×10", "annotations/person_keypoints_train.json": `{"images":[{"id":1,"file_name":"a.png","width":20,"height":10}],
			"categories":[{"id":1,"name":"person","keypoints":["a","b"]}],"annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[1,1,5,5],"keypoints":` + k + `}]}`}
	}
	nan := annotation.Joint{}
	for _, c := range []struct {
		joints string
		want   []annotation.Joint
		faults map[string]int
	}{
		{"[1,2,2,3,4,1]", []annotation.Joint{{X: 1, Y: 2, V: 2}, {X: 3, Y: 4, V: 1}}, nil},
		{"[1,2,7,0,0,0]", []annotation.Joint{{X: 1, Y: 2, V: 2}, nan}, nil},
		{"[-0.5,2,2,20,10.7,2]", []annotation.Joint{{X: 0, Y: 2, V: 2}, {X: math.Nextafter(20, 0), Y: math.Nextafter(10, 0), V: 2}}, nil},
		{"[NaN,2,2,3,4,2]", []annotation.Joint{nan, {X: 3, Y: 4, V: 2}}, map[string]int{NotANumber: 1}},
		{"[50,2,2,3,4,2]", []annotation.Joint{nan, {X: 3, Y: 4, V: 2}}, map[string]int{BadJoints: 1}},
		{"[1,2,2]", nil, map[string]int{BadJoints: 1}},
		{"[0,0,0,0,0,0]", nil, nil},
		{`"x"`, nil, map[string]int{BadJoints: 1}},
	} {
		s := open(t, file(c.joints).write(t), OpenOptions{})
		wantFaults(t, s.Report(), c.faults)
		if got := at(t, s, 0).Objects[0].Joints; !slices.Equal(got, c.want) {
			t.Errorf("%s: joints %v, want %v", c.joints, got, c.want)
		}
	}
}

func TestSizeMismatchNamesThePicture(t *testing.T) {
	s := open(t, smallCOCO().with("train/b.png", "9×8").write(t), OpenOptions{})
	if _, err := s.At(1, nil); err == nil || !strings.Contains(err.Error(), "train/b.png") || !strings.Contains(err.Error(), "9 × 8") {
		t.Errorf("error %v", err)
	}
	if r := Check(s, nil); r.Count(UnreadableFile) != 1 {
		t.Errorf("check found %+v", r.Faults())
	}
}
