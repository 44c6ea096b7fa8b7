package eval

import (
	"encoding/json"
	"fmt"
	"io"

	"fovea/annotation"
)

// cocoImage is an image's size; known is false where the file leaves it out, which only masks mind.
type cocoImage struct {
	h, w  int
	known bool
}

type category struct {
	name   string
	joints []string
}

// cocoTruth is what a COCO annotation file says about the objects of one task, by image and category.
type cocoTruth struct {
	task       Task
	sigmas     []float64 // of every category, or nil
	images     map[int64]cocoImage
	categories map[int64]category
	objects    map[[2]int64][]instance // by image and category
	warnings   notes
	runs       int // of the polygons drawn so far
}

// readTruth reads an instances or person_keypoints file. Annotations may stand before images and categories, so masks
// are drawn when all is read.
func readTruth(r io.Reader, task Task, sigmas []float64) (*cocoTruth, error) {
	t := &cocoTruth{task: task, sigmas: sigmas, images: map[int64]cocoImage{}, categories: map[int64]category{}, objects: map[[2]int64][]instance{}}
	j, err := newReader(r)
	if err != nil {
		return nil, err
	}
	var pending []pendingTruth
	found := map[string]bool{}
	err = readDocument(j, func(bad *faults) error {
		err := j.object(func(key string) error {
			switch key {
			case "images", "categories", "annotations":
				found[key] = true
			}
			switch key {
			case "images":
				return t.readImages(j, bad)
			case "categories":
				return t.readCategories(j, bad)
			case "annotations":
				return t.readAnnotations(j, &pending, bad)
			}
			return j.skip()
		})
		if err == nil {
			for _, key := range []string{"images", "categories", "annotations"} {
				if !found[key] {
					bad.add("%q is missing; want a COCO annotation file with images, categories and annotations", key)
				}
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var bad faults
	t.place(pending, &bad)
	return t, bad.err()
}

func (t *cocoTruth) readImages(j *jsonReader, bad *faults) error {
	var im struct {
		ID     json.RawMessage `json:"id"`
		Height json.RawMessage `json:"height"`
		Width  json.RawMessage `json:"width"`
	}
	return j.array(func(i int) error {
		im.ID, im.Height, im.Width = im.ID[:0], im.Height[:0], im.Width[:0]
		if fatal, err := j.decode(&im); fatal {
			return fmt.Errorf("image %d: %w", i, err)
		} else if err != nil {
			bad.add("image %d: %v", i, err)
			return giveUp(bad)
		}
		id, err := integer("id", im.ID)
		size := cocoImage{known: t.task == Masks || !absent(im.Height) && !absent(im.Width)}
		if size.known && err == nil {
			if size.h, err = side("height", im.Height); err == nil {
				size.w, err = side("width", im.Width)
			}
		}
		if _, twice := t.images[id]; err == nil && twice {
			err = fmt.Errorf("id %d was used before", id)
		}
		if err != nil {
			bad.add("image %d: %v", i, err)
			return giveUp(bad)
		}
		t.images[id] = size
		return nil
	})
}

func (t *cocoTruth) readCategories(j *jsonReader, bad *faults) error {
	return j.array(func(i int) error {
		var c struct {
			ID        json.RawMessage `json:"id"`
			Name      json.RawMessage `json:"name"`
			Keypoints json.RawMessage `json:"keypoints"`
		}
		if fatal, err := j.decode(&c); fatal {
			return fmt.Errorf("category %d: %w", i, err)
		} else if err != nil {
			bad.add("category %d: %v", i, err)
			return giveUp(bad)
		}
		id, err := integer("id", c.ID)
		if _, twice := t.categories[id]; err == nil && twice {
			err = fmt.Errorf("id %d was used before", id)
		}
		cat := category{name: fmt.Sprintf("category %d", id)}
		if err == nil && !absent(c.Name) {
			cat.name, err = text("name", c.Name)
		}
		if err == nil && !absent(c.Keypoints) && t.task == Keypoints {
			if e := json.Unmarshal(c.Keypoints, &cat.joints); e != nil {
				err = fmt.Errorf("keypoints is %s, want names", quoted(c.Keypoints))
			}
		}
		if err != nil {
			bad.add("category %d: %v", i, err)
			return giveUp(bad)
		}
		t.categories[id] = cat
		return nil
	})
}

// pendingTruth is an annotation whose mask waits for the image's size.
type pendingTruth struct {
	instance
	index           int
	image, category int64
	segmentation    json.RawMessage
	areaGiven       bool
}

func (t *cocoTruth) readAnnotations(j *jsonReader, out *[]pendingTruth, bad *faults) error {
	var e entry
	ids := map[int64]bool{}
	return j.array(func(i int) error {
		e.reset()
		if fatal, err := j.decode(&e); fatal {
			return fmt.Errorf("annotation %d: %w", i, err)
		} else if err != nil {
			bad.add("annotation %d: %v", i, err)
			return giveUp(bad)
		}
		p, id, err := t.annotation(&e)
		if err == nil && ids[id] {
			err = fmt.Errorf("id %d was used before", id)
		}
		if err != nil {
			bad.add("annotation %d%s: %v", i, idOf(e.ID), err)
			return giveUp(bad)
		}
		ids[id] = true
		if p.void = id == 0; p.void {
			t.warnings.add("annotation %d has id 0: pycocotools counts detections of it as wrong, and so does this score; number annotations from 1", i)
		}
		p.index = i
		*out = append(*out, p)
		return nil
	})
}

func (t *cocoTruth) annotation(e *entry) (p pendingTruth, id int64, err error) {
	if id, err = integer("id", e.ID); err != nil {
		return p, 0, err
	}
	if p.image, err = integer("image_id", e.ImageID); err != nil {
		return p, 0, err
	}
	if p.category, err = integer("category_id", e.CategoryID); err != nil {
		return p, 0, err
	}
	if p.crowd, err = flag("iscrowd", e.IsCrowd); err != nil {
		return p, 0, err
	}
	if t.task != Masks || !absent(e.BBox) {
		if p.box, err = rectangle(e.BBox); err != nil {
			return p, 0, err
		}
	}
	if p.areaGiven = !absent(e.Area); p.areaGiven {
		if p.area, err = number("area", e.Area); err == nil && p.area < 0 {
			err = fmt.Errorf("area is %g", p.area)
		}
		if err != nil {
			return p, 0, err
		}
	} else {
		p.area = p.box[2] * p.box[3]
	}
	switch t.task {
	case Masks:
		if absent(e.Segmentation) {
			return p, 0, fmt.Errorf("segmentation is missing; the file has no masks to score")
		}
		p.segmentation = append(json.RawMessage(nil), e.Segmentation...)
	case Keypoints:
		if p.joints, err = triples(e.Keypoints); err != nil {
			return p, 0, err
		}
		labelled := int64(0)
		for _, j := range p.joints {
			if j.v > 0 {
				labelled++
			}
		}
		if !absent(e.NumKeypoints) {
			if labelled, err = integer("num_keypoints", e.NumKeypoints); err != nil {
				return p, 0, err
			}
		}
		p.ignore = labelled == 0
	}
	return p, id, nil
}

// place draws the masks and sorts the annotations by image and category. Annotations of images or categories that the
// file does not list are left out, as in pycocotools.
func (t *cocoTruth) place(pending []pendingTruth, bad *faults) {
	for _, p := range pending {
		im, ok := t.images[p.image]
		if !ok {
			t.warnings.add("annotation %d is of image %d, which the file does not list; left out", p.index, p.image)
			continue
		}
		cat, ok := t.categories[p.category]
		if !ok {
			t.warnings.add("annotation %d is of category %d, which the file does not list; left out", p.index, p.category)
			continue
		}
		var err error
		switch t.task {
		case Masks:
			if p.mask, err = t.mask(p.segmentation, p.box, im); err == nil && !p.areaGiven {
				p.area = p.mask.Area()
			}
		case Keypoints:
			p.sigmas, err = t.sigmasOf(cat, len(p.joints))
		}
		if err != nil {
			if bad.add("annotation %d: %v", p.index, err); bad.full() {
				return
			}
			continue
		}
		key := [2]int64{p.image, p.category}
		t.objects[key] = append(t.objects[key], p.instance)
	}
}

// sigmasOf is the tolerance of each joint of a category.
func (t *cocoTruth) sigmasOf(c category, joints int) ([]float64, error) {
	want := joints
	if c.joints != nil {
		want = len(c.joints)
	}
	s := t.sigmas
	if s == nil {
		switch known := annotation.SkeletonOf(c.joints); {
		case known != nil:
			s = known.Sigmas
		case want == len(annotation.COCO17.Sigmas):
			s = annotation.COCO17.Sigmas
		default:
			s = annotation.NewSkeleton(c.name, make([]string, want), nil).Sigmas
			t.warnings.once("category %q has %d joints without known tolerances: each σ is %g", c.name, want, s[0])
		}
	}
	if joints != want || len(s) != want {
		return nil, fmt.Errorf("%d keypoints, category %q has %d and %d sigmas", joints, c.name, want, len(s))
	}
	return s, nil
}

func giveUp(bad *faults) error {
	if bad.full() {
		return errGivenUp
	}
	return nil
}
