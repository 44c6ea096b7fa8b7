package checkpoint

import (
	"encoding/binary"
	"math"

	"fovea/tensor"
)

// Weights of four bits are stored as two tensors that other programs can read as well: NAME, U8 [rows, columns/2], whose byte j holds
// column 2j in its lower half and 2j+1 in its upper one, each 8 more than a number from −8 to 7; and NAME.scale, BF16
// [rows, ⌈columns/32⌉], by which the numbers of each 32 columns are multiplied.

// I4Group is how many weights of a row share a scale.
const I4Group = 32

func groupsOf(cols int) int { return (cols + I4Group - 1) / I4Group }

func fitsInt4(s tensor.Shape) bool {
	return len(s) == 2 && s[0] > 0 && s[1] >= I4Group && s[1]%2 == 0
}

// isInt4 reports that s holds the scales of the groups of q.
func isInt4(q, s *entry) bool {
	return q.dtype == U8 && len(q.shape) == 2 && s.dtype == BF16 && len(s.shape) == 2 && s.shape[0] == q.shape[0] && q.shape[1] > 0 && s.shape[1] == groupsOf(2*q.shape[1])
}

// int4Ends are the numbers that a group's largest magnitude may become; that with the least squared error is taken. Those beyond
// the range let the largest be cut off for the sake of the others.
var int4Ends = [...]float32{-8, 7, -7, -9, 8, -10}

// quantizeInt4 rounds a matrix to halves of bytes, and gives their scales as bfloat16. NaN becomes 0.
func quantizeInt4(data []float32, rows, cols int) (q, scales []byte) {
	q, scales = make([]byte, rows*cols/2), make([]byte, 0, 2*rows*groupsOf(cols))
	for r := range rows {
		row := data[r*cols : (r+1)*cols]
		for from := 0; from < cols; from += I4Group {
			group := row[from:min(from+I4Group, cols)]
			scale := bestScale(group)
			scales = binary.LittleEndian.AppendUint16(scales, toBF16(scale))
			for i, v := range group {
				at := r*cols + from + i
				q[at/2] |= byte(nearestInt4(v, scale)+8) << (4 * (at % 2))
			}
		}
	}
	return q, scales
}

// bestScale is the step, a bfloat16, that rounds a group with the least squared error.
func bestScale(group []float32) (best float32) {
	end := float32(0)
	for _, v := range group {
		if math.Abs(float64(v)) > math.Abs(float64(end)) {
			end = v
		}
	}
	least := math.Inf(1)
	for _, c := range int4Ends {
		scale := math.Float32frombits(uint32(toBF16(end/c)) << 16)
		sum := 0.
		for _, v := range group {
			if v == v {
				d := float64(v) - float64(scale)*float64(nearestInt4(v, scale))
				sum += d * d
			}
		}
		if sum < least {
			best, least = scale, sum
		}
	}
	return best
}

func nearestInt4(v, scale float32) int {
	if scale == 0 || v != v {
		return 0
	}
	x := math.RoundToEven(float64(v) / float64(scale))
	if x != x {
		return 0
	}
	return int(min(max(x, -8), 7))
}

// dequantInt4 widens a row.
func dequantInt4(dst []float32, q, scales []byte) {
	for i := range dst {
		scale := math.Float32frombits(uint32(binary.LittleEndian.Uint16(scales[i/I4Group*2:])) << 16)
		dst[i] = scale * float32(int(q[i/2]>>(4*(i%2))&15)-8)
	}
}
