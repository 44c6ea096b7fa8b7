package annotation

// Skeleton names the joints of a body and says how they hang together.
type Skeleton struct {
	Name   string
	Joints []string // "nose", "left_eye", …
	Flip   []int    // Flip[i] is the joint that i becomes when the picture is mirrored
	Bones  [][2]int // pairs of joints to draw a line between
	Sigmas []float64
}

// COCO17 is the person of COCO keypoints: 17 joints. The sigmas are those of the COCO evaluation (pycocotools,
// cocoeval.py): a joint's tolerance as a fraction of the object's scale.
var COCO17 = &Skeleton{
	Name: "coco17",
	Joints: []string{"nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
		"right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"},
	Flip: []int{0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15},
	Bones: [][2]int{{15, 13}, {13, 11}, {16, 14}, {14, 12}, {11, 12}, {5, 11}, {6, 12}, {5, 6}, {5, 7}, {6, 8}, {7, 9}, {8, 10},
		{0, 1}, {0, 2}, {1, 3}, {2, 4}},
	Sigmas: []float64{.026, .025, .025, .035, .035, .079, .079, .072, .072, .062, .062, .107, .107, .087, .087, .089, .089},
}

// LSP14 is the person of the Leeds Sports Pose sets: 14 joints, from the right ankle to the top of the head.
var LSP14 = &Skeleton{
	Name: "lsp14",
	Joints: []string{"right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
		"right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top"},
	Flip:   []int{5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13},
	Bones:  [][2]int{{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}, {6, 7}, {7, 8}, {8, 12}, {9, 12}, {9, 10}, {10, 11}, {12, 13}, {2, 8}, {3, 9}},
	Sigmas: []float64{.089, .087, .107, .107, .087, .089, .062, .072, .079, .079, .072, .062, .079, .079},
}

// Index is the position of a joint by name, or -1.
func (s *Skeleton) Index(joint string) int {
	for i, n := range s.Joints {
		if n == joint {
			return i
		}
	}
	return -1
}

// SkeletonOf finds the known skeleton with exactly these joints in this order, or nil. Data sets that bring their own
// skeleton make one with NewSkeleton.
func SkeletonOf(joints []string) *Skeleton {
	for _, s := range []*Skeleton{COCO17, LSP14} {
		if equal(s.Joints, joints) {
			return s
		}
	}
	return nil
}

// NewSkeleton makes a skeleton from names and bones. Mirrored pairs are found by the words left and right in the names;
// sigmas are 0.079, the middle of COCO's.
func NewSkeleton(name string, joints []string, bones [][2]int) *Skeleton {
	s := &Skeleton{Name: name, Joints: joints, Bones: bones}
	for i, n := range joints {
		f := i
		for j, m := range joints {
			if i != j && mirrored(n) == m {
				f = j
			}
		}
		s.Flip = append(s.Flip, f)
		s.Sigmas = append(s.Sigmas, .079)
	}
	return s
}

func mirrored(n string) string {
	for i := range n {
		switch {
		case hasAt(n, i, "left"):
			return n[:i] + "right" + n[i+4:]
		case hasAt(n, i, "right"):
			return n[:i] + "left" + n[i+5:]
		}
	}
	return n
}

func hasAt(s string, i int, w string) bool { return i+len(w) <= len(s) && s[i:i+len(w)] == w }

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
