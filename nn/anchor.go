package nn

import (
	"math"
	"slices"

	"fovea/ops"
)

// Anchors are the boxes that the places of maps, rows and columns of each, stand for: centre and size in [0, 1] before the sigmoid,
// four numbers each. They are centred on the place, and from map to map twice as large. Those that touch the edge of the picture are
// not valid, and lie beyond everything (Zhao et al. 2024).
func Anchors(maps [][2]int) (boxes []float32, valid []bool) {
	const eps = 1e-2
	for level, s := range maps {
		side := float32(.05 * math.Exp2(float64(level)))
		for i := range s[0] * s[1] {
			box := [4]float32{(float32(i%s[1]) + .5) / float32(s[1]), (float32(i/s[1]) + .5) / float32(s[0]), side, side}
			ok := true
			for j, v := range box {
				ok = ok && v > eps && v < 1-eps
				box[j] = float32(math.Log(float64(v / (1 - v))))
			}
			if !ok {
				box = [4]float32{math.MaxFloat32, math.MaxFloat32, math.MaxFloat32, math.MaxFloat32}
			}
			boxes, valid = append(boxes, box[:]...), append(valid, ok)
		}
	}
	return boxes, valid
}

// Refine moves boxes, centre and size in [0, 1], by delta, both before the sigmoid, without a gradient. What is within 1e-5 of an end
// counts as if it were there.
func Refine(boxes, delta *Value) *Value {
	const eps = 1e-5
	y := boxes.Tape().New(false, boxes.Shape...)
	for i, b := range boxes.Data {
		b = min(max(b, 0), 1)
		y.Data[i] = sigmoid(delta.Data[i] + float32(math.Log(float64(max(b, eps))/float64(max(1-b, eps)))))
	}
	return y
}

// RefineAnchors is Refine for the boxes of anchors, of which delta [N, 4] has rows chosen[0], chosen[1], ….
func RefineAnchors(anchors []float32, chosen []int, delta *Value) *Value {
	y := delta.Tape().New(false, len(chosen), 4)
	for i, at := range chosen {
		for j := range 4 {
			y.Data[4*i+j] = sigmoid(delta.Data[4*i+j] + anchors[4*at+j])
		}
	}
	return y
}

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }

// Top are the k of n numbers that are largest, the largest first; of equals the first comes first.
func Top(n, k int, number func(i int) float32) []int {
	all, numbers := make([]int, n), make([]float32, n)
	for i := range all {
		all[i], numbers[i] = i, number(i)
	}
	slices.SortStableFunc(all, func(a, b int) int { return descending(numbers[a], numbers[b]) })
	return all[:min(k, n)]
}

// descending compares numbers; those that are none are like all others.
func descending(a, b float32) int {
	switch {
	case a > b:
		return -1
	case a < b:
		return 1
	}
	return 0
}

// Interleave lists the rows of several values picture by picture, and of each of b pictures value by value: [ΣN, D].
func Interleave(b int, vs ...*Value) *Value {
	var refs []ops.Ref
	for p := range b {
		for i, v := range vs {
			n := v.Shape.Rows() / b
			for j := range n {
				refs = append(refs, ops.Ref{Table: int32(i), Row: int32(p*n + j)})
			}
		}
	}
	return ops.Gather(vs[0].Tape(), refs, vs...)
}
