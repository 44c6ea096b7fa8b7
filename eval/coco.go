package eval

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"fovea/annotation"
)

// Task is what COCO's evaluation compares.
type Task string

const (
	Boxes     Task = "bbox"      // IoU of boxes
	Masks     Task = "segm"      // IoU of masks
	Keypoints Task = "keypoints" // similarity of joints
)

// Detection scores detected objects as COCO does (Lin et al. 2014), equal to pycocotools to rounding: ten IoU thresholds
// from .50 to .95, 101 recalls, regions of crowds, three sizes, the best 100 predictions per picture and class (20 of
// people with joints). See Result.
type Detection struct {
	board    *board
	fixed    bool
	classes  []string
	index    map[string]int
	pictures []string
	seen     map[string]bool
}

// NewDetection makes an empty score. Classes are the labels to score; predictions of others are left out. Without
// classes, every label counts that appears. It panics on an unknown task: that is a bug of the caller.
func NewDetection(task Task, classes ...string) *Detection {
	switch task {
	case Boxes, Masks, Keypoints:
	default:
		panic(fmt.Sprintf("eval: unknown detection task %q", string(task)))
	}
	d := &Detection{board: newBoard(task), fixed: len(classes) > 0, index: map[string]int{}, seen: map[string]bool{}}
	for _, c := range classes {
		d.class(c)
	}
	return d
}

func (d *Detection) class(label string) int {
	k, ok := d.index[label]
	if !ok {
		k = len(d.classes)
		d.index[label] = k
		d.classes = append(d.classes, label)
	}
	return k
}

// Add scores one picture. An image's id may be added once; its order decides between equal scores of different pictures
// (numbers by value, others by spelling), never the order of adding. Boxes, masks and joints of both sides share one
// frame, pixels; masks are as large as the picture.
//
// Of the truth count Label, Box, Mask, Joints, Area and Crowd. An Area of 0 means the mask's area when masks are scored,
// else the box's. People without a labelled joint are not counted when joints are scored. Of the predictions count Label,
// Box, Mask or Joints, and Score; small, medium and large are measured by the box, the mask, or the joints' bounds.
//
// Errors name the object and leave the score as it was: a label outside the classes in the truth, a missing mask or
// skeleton, masks of different sizes, skeletons of different lengths, numbers that are not finite.
func (d *Detection) Add(image string, truth, preds []annotation.Object) error {
	if d.seen[image] {
		return fmt.Errorf("eval: image %q was added before", image)
	}
	type group struct{ truth, preds []instance }
	groups := map[string]*group{}
	var labels []string
	at := func(label string) *group {
		if groups[label] == nil {
			groups[label] = &group{}
			labels = append(labels, label)
		}
		return groups[label]
	}
	var size frame
	for i, o := range truth {
		if _, ok := d.index[o.Label]; d.fixed && !ok {
			return fmt.Errorf("eval: image %q: object %d: label %q is none of the %d classes", image, i, o.Label, len(d.classes))
		}
		in, err := d.instance(o, &size, true)
		if err != nil {
			return fmt.Errorf("eval: image %q: object %d (%s): %w", image, i, o.Label, err)
		}
		g := at(o.Label)
		g.truth = append(g.truth, in)
	}
	for i, o := range preds {
		if _, ok := d.index[o.Label]; d.fixed && !ok {
			continue
		}
		in, err := d.instance(o, &size, false)
		if err != nil {
			return fmt.Errorf("eval: image %q: prediction %d (%s): %w", image, i, o.Label, err)
		}
		g := at(o.Label)
		g.preds = append(g.preds, in)
	}
	d.seen[image] = true
	d.pictures = append(d.pictures, image)
	for _, label := range labels {
		d.board.add(len(d.pictures)-1, d.class(label), groups[label].truth, groups[label].preds)
	}
	return nil
}

// frame is what all masks or skeletons of a picture must agree on: width and height, or the number of joints.
type frame struct{ w, h, joints int }

func (d *Detection) instance(o annotation.Object, f *frame, truth bool) (instance, error) {
	in := instance{score: o.Score, crowd: truth && o.Crowd}
	if math.IsNaN(o.Score) || math.IsInf(o.Score, 0) {
		return in, fmt.Errorf("score is %g", o.Score)
	}
	if !o.Box.Finite() {
		return in, fmt.Errorf("box %v is not finite", o.Box)
	}
	in.box = box{o.Box.X0, o.Box.Y0, o.Box.W(), o.Box.H()}
	in.area = in.box[2] * in.box[3]
	switch d.board.task {
	case Masks:
		m := o.Mask
		switch {
		case m == nil:
			return in, errors.New("no mask")
		case m.W < 0 || m.H < 0 || len(m.Pix) != m.W*m.H:
			return in, fmt.Errorf("mask of %d×%d pixels holds %d", m.W, m.H, len(m.Pix))
		case f.w == 0 && f.h == 0:
			f.w, f.h = m.W, m.H
		case f.w != m.W || f.h != m.H:
			return in, fmt.Errorf("mask of %d×%d pixels beside one of %d×%d", m.W, m.H, f.w, f.h)
		}
		in.mask = m.RLE()
		in.area = in.mask.Area()
	case Keypoints:
		if err := in.setJoints(o, f, truth); err != nil {
			return in, err
		}
	}
	if truth && o.Area > 0 {
		in.area = o.Area
	}
	return in, nil
}

func (in *instance) setJoints(o annotation.Object, f *frame, truth bool) error {
	in.ignore = truth
	if len(o.Joints) == 0 {
		if !truth {
			return errors.New("no joints")
		}
		return nil // not counted, and neither are the people found there
	}
	s := o.Skeleton
	switch {
	case s == nil:
		return fmt.Errorf("%d joints without a skeleton", len(o.Joints))
	case len(s.Joints) != len(o.Joints) || len(s.Sigmas) != len(o.Joints):
		return fmt.Errorf("%d joints, but skeleton %q has %d with %d sigmas", len(o.Joints), s.Name, len(s.Joints), len(s.Sigmas))
	case f.joints == 0:
		f.joints = len(o.Joints)
	case f.joints != len(o.Joints):
		return fmt.Errorf("%d joints beside %d", len(o.Joints), f.joints)
	}
	in.sigmas = s.Sigmas
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for i, j := range o.Joints {
		if sum := j.X + j.Y; math.IsNaN(sum) || math.IsInf(sum, 0) {
			return fmt.Errorf("joint %s is at (%g, %g)", s.Joints[i], j.X, j.Y)
		}
		in.joints = append(in.joints, joint{j.X, j.Y, float64(j.V)})
		in.ignore = in.ignore && j.V == annotation.Absent
		x0, x1, y0, y1 = min(x0, j.X), max(x1, j.X), min(y0, j.Y), max(y1, j.Y)
	}
	if !truth {
		in.area = (x1 - x0) * (y1 - y0)
	}
	return nil
}

// Images is how many pictures were added.
func (d *Detection) Images() int { return len(d.pictures) }

// Result is COCO's summary over the pictures added so far:
//
//	boxes, masks:  AP AP50 AP75 APs APm APl   AR1 AR10 AR100 ARs ARm ARl
//	joints:        AP AP50 AP75 APm APl       AR AR50 AR75 ARm ARl
//
// Each is in [0, 1], or -1 where the truth has no object of that kind, as pycocotools prints it.
func (d *Detection) Result() map[string]float64 { return d.board.result(d.order()) }

// PerClass is AP and AP50 of each class that the truth has.
func (d *Detection) PerClass() map[string]map[string]float64 {
	return d.board.perClass(d.order(), func(k int) string { return d.classes[k] })
}

func (b *board) perClass(order []int, name func(class int) string) map[string]map[string]float64 {
	b.sort(order)
	c := b.average(0, b.maxDets[len(b.maxDets)-1])
	out := map[string]map[string]float64{}
	for i, k := range c.classes {
		one := curves{precision: c.precision[i : i+1]}
		out[name(k)] = map[string]float64{"AP": one.ap(0, thresholds), "AP50": one.ap(at50, at50+1)}
	}
	return out
}

// order ranks the pictures by id: numbers first, by value, then names by spelling.
func (d *Detection) order() []int {
	by := make([]int, len(d.pictures))
	for i := range by {
		by[i] = i
	}
	slices.SortFunc(by, func(i, j int) int { return compareIDs(d.pictures[i], d.pictures[j]) })
	rank := make([]int, len(by))
	for r, i := range by {
		rank[i] = r
	}
	return rank
}

func compareIDs(a, b string) int {
	m, errA := strconv.ParseInt(a, 10, 64)
	n, errB := strconv.ParseInt(b, 10, 64)
	switch {
	case errA == nil && errB == nil:
		return cmp.Or(cmp.Compare(m, n), cmp.Compare(a, b))
	case errA == nil:
		return -1
	case errB == nil:
		return 1
	}
	return cmp.Compare(a, b)
}
