package nn

import (
	"math"

	"fovea/imageproc"
	"fovea/ops"
)

// Taps resizes an axis of in samples to out samples as torch.nn.functional.interpolate does with align_corners=False; see
// imageproc.ResizePlanes.
func Taps(in, out int, f imageproc.Filter, antialias bool) *ops.Taps {
	unit := make([]float32, in*in) // plane i is the i-th unit row: resized, it holds the weights of sample i
	for i := range in {
		unit[i*in+i] = 1
	}
	weights := imageproc.ResizePlanes(unit, in, 1, in, 1, out, f, antialias)
	t := &ops.Taps{In: in, At: make([][]int32, out), Weight: make([][]float32, out)}
	for o := range out {
		for i := range in {
			if w := weights[i*out+o]; w != 0 {
				t.At[o], t.Weight[o] = append(t.At[o], int32(i)), append(t.Weight[o], w)
			}
		}
	}
	return t
}

// AlignedTaps is Taps for linear interpolation with align_corners=True: the first and last samples stay where they are.
func AlignedTaps(in, out int) *ops.Taps {
	t := &ops.Taps{In: in, At: make([][]int32, out), Weight: make([][]float32, out)}
	for o := range out {
		at := 0.
		if out > 1 {
			at = float64(o) * float64(in-1) / float64(out-1)
		}
		i := min(int(math.Floor(at)), in-1)
		w := float32(at - float64(i))
		t.At[o], t.Weight[o] = []int32{int32(i), int32(min(i+1, in-1))}, []float32{1 - w, w}
	}
	return t
}
