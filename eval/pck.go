package eval

import (
	"fmt"
	"math"

	"fovea/annotation"
)

// Reference is the length that a joint's error is measured by.
type Reference int

const (
	BoxSide Reference = iota // the longer side of the true box
	Torso                    // from the left shoulder to the right hip of the truth
)

// PCK is the percentage of correct keypoints (Yang & Ramanan 2013; Sapp & Taskar 2013 for the torso): the share of
// labelled joints that were predicted within a fraction of a reference length.
type PCK struct {
	fraction  float64
	reference Reference
	people    int
	joints    []string
	hit, all  map[string]int
}

// NewPCK makes an empty score: a joint is right within fraction (0.1 and 0.2 are usual) of the reference.
func NewPCK(fraction float64, reference Reference) *PCK {
	return &PCK{fraction: fraction, reference: reference, hit: map[string]int{}, all: map[string]int{}}
}

// Add scores one person: the truth, and the prediction for it in the same frame and skeleton, nil when none was made;
// its joints are then wrong. Joints that are absent in the truth are left out. With Torso, people whose left shoulder or
// right hip is not labelled are left out, too: ok is then false.
func (p *PCK) Add(truth annotation.Object, pred *annotation.Object) (ok bool, err error) {
	s := truth.Skeleton
	switch {
	case s == nil || len(s.Joints) != len(truth.Joints):
		return false, fmt.Errorf("eval: truth: %d joints without a skeleton of as many", len(truth.Joints))
	case pred != nil && len(pred.Joints) != len(truth.Joints):
		return false, fmt.Errorf("eval: %d joints predicted, skeleton %q has %d", len(pred.Joints), s.Name, len(s.Joints))
	}
	unit := max(truth.Box.W(), truth.Box.H())
	if p.reference == Torso {
		a, b := s.Index("left_shoulder"), s.Index("right_hip")
		if a < 0 || b < 0 {
			return false, fmt.Errorf("eval: skeleton %q has no left_shoulder and right_hip; measure by BoxSide", s.Name)
		}
		if truth.Joints[a].V == annotation.Absent || truth.Joints[b].V == annotation.Absent {
			return false, nil
		}
		unit = math.Hypot(truth.Joints[a].X-truth.Joints[b].X, truth.Joints[a].Y-truth.Joints[b].Y)
	}
	p.people++
	for i, j := range truth.Joints {
		if j.V == annotation.Absent {
			continue
		}
		name := s.Joints[i]
		if p.all[name] == 0 {
			p.joints = append(p.joints, name)
		}
		p.all[name]++
		if pred != nil && math.Hypot(pred.Joints[i].X-j.X, pred.Joints[i].Y-j.Y) <= p.fraction*unit {
			p.hit[name]++
		}
	}
	return true, nil
}

// People is how many people were scored.
func (p *PCK) People() int { return p.people }

// Result is PCK, over all joints of all people.
func (p *PCK) Result() map[string]float64 {
	hit, all := 0, 0
	for _, n := range p.joints {
		hit, all = hit+p.hit[n], all+p.all[n]
	}
	return map[string]float64{"PCK": ratio(hit, all)}
}

// PerJoint is each joint's share, by its name.
func (p *PCK) PerJoint() map[string]float64 {
	out := map[string]float64{}
	for _, n := range p.joints {
		out[n] = ratio(p.hit[n], p.all[n])
	}
	return out
}
