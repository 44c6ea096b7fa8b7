package eval

import (
	"errors"
	"fmt"
	"io"
)

// shape is the field that a results file describes its objects by. As in pycocotools' loadRes the first result decides.
type shape int

const (
	unknownShape shape = iota
	boxShape
	maskShape
	jointShape
)

// cocoResults is a COCO results file, by image and category, in the order of the file.
type cocoResults struct {
	truth    *cocoTruth
	objects  map[[2]int64][]instance
	n        int
	known    int // results of categories that the truth lists
	shape    shape
	warnings notes
}

// readResults reads an array of results [{"image_id", "category_id", "score", "bbox" | "segmentation" | "keypoints"}, …].
func readResults(r io.Reader, t *cocoTruth) (*cocoResults, error) {
	res := &cocoResults{truth: t, objects: map[[2]int64][]instance{}}
	j, err := newReader(r)
	if err != nil {
		return nil, err
	}
	var e entry
	err = readDocument(j, func(bad *faults) error {
		return j.array(func(i int) error {
			e.reset()
			fatal, err := j.decode(&e)
			if fatal {
				return fmt.Errorf("result %d: %w", i, err)
			}
			if err == nil {
				err = res.add(i, &e)
			}
			if err != nil {
				bad.add("result %d: %v", i, err)
			}
			return giveUp(bad)
		})
	})
	if err == nil && res.n > 0 && res.known == 0 {
		err = errors.New("no result is of a category that the truth lists; the last is of category " + quoted(e.CategoryID))
	}
	return res, err
}

func (res *cocoResults) add(i int, e *entry) error {
	res.n++
	if i == 0 {
		switch {
		case !absent(e.BBox) && string(e.BBox) != "[]":
			res.shape = boxShape
		case !absent(e.Segmentation):
			res.shape = maskShape
		case !absent(e.Keypoints):
			res.shape = jointShape
		default:
			return errors.New("bbox, segmentation and keypoints are missing; want one of them")
		}
	}
	t := res.truth
	image, err := integer("image_id", e.ImageID)
	if err != nil {
		return err
	}
	im, ok := t.images[image]
	if !ok {
		return fmt.Errorf("image_id %d is not in the truth's %d images", image, len(t.images))
	}
	class, err := integer("category_id", e.CategoryID)
	if err != nil {
		return err
	}
	in, err := res.instance(e, im)
	if err != nil {
		return err
	}
	c, ok := t.categories[class]
	if !ok {
		res.warnings.add("result %d is of category %d, which the truth does not list; left out", i, class)
		return nil
	}
	res.known++
	if t.task == Keypoints {
		if in.sigmas, err = t.sigmasOf(c, len(in.joints)); err != nil {
			return err
		}
	}
	key := [2]int64{image, class}
	res.objects[key] = append(res.objects[key], in)
	return nil
}

// instance reads what the task compares. The area, which decides between small and large, is that of the shape of the
// file: a file of boxes that also has masks is measured by its boxes, as in pycocotools.
func (res *cocoResults) instance(e *entry, im cocoImage) (in instance, err error) {
	task := res.truth.task
	if in.score, err = number("score", e.Score); err != nil {
		return in, err
	}
	if res.shape == boxShape || res.shape == maskShape && !absent(e.BBox) {
		if in.box, err = rectangle(e.BBox); err != nil {
			return in, err
		}
		in.area = in.box[2] * in.box[3]
	}
	if res.shape == maskShape || res.shape == boxShape && task == Masks {
		if absent(e.Segmentation) && res.shape == maskShape {
			return in, errors.New("segmentation is missing")
		}
		if in.mask, err = res.truth.mask(e.Segmentation, in.box, im); err != nil {
			return in, err
		}
	}
	if res.shape == maskShape {
		in.area = in.mask.Area()
		if absent(e.BBox) {
			in.box = boundsOf(in.mask)
		}
	}
	if res.shape == jointShape || task == Keypoints {
		if in.joints, err = triples(e.Keypoints); err != nil {
			return in, err
		}
	}
	if res.shape == jointShape {
		in.box = around(in.joints)
		in.area = in.box[2] * in.box[3]
		if task == Masks {
			return in, errors.New("segmentation is missing")
		}
	}
	return in, nil
}

// around is the box that holds all joints, labelled or not.
func around(joints []joint) box {
	x0, y0, x1, y1 := joints[0].x, joints[0].y, joints[0].x, joints[0].y
	for _, j := range joints[1:] {
		x0, x1, y0, y1 = min(x0, j.x), max(x1, j.x), min(y0, j.y), max(y1, j.y)
	}
	return box{x0, y0, x1 - x0, y1 - y0}
}
