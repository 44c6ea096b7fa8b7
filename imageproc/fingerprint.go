package imageproc

import "math/bits"

// Fingerprint is what a picture looks like from afar. Pictures of one scene that were encoded again, scaled, or changed a
// little in brightness have nearly the same one; cropped, turned or mirrored pictures do not.
type Fingerprint struct {
	// Hash has a bit for each pair of neighbouring cells of an 8 × 9 grid: the right one is brighter (a difference hash,
	// Krawetz 2013). Cells that are about equal count as not brighter, so that flat areas do not depend on noise.
	Hash uint64
	// Small is the picture in 18 × 16 cells of red, green and blue.
	Small [3 * smallW * smallH]uint8
}

const (
	hashW, hashH   = 9, 8
	smallW, smallH = 18, 16
	// flat is the difference of brightness, levels, from which on a cell is brighter than its neighbour.
	flat = 3
	// nearLevels bounds the mean difference of the cells of near duplicates, levels.
	nearLevels = 6
)

// NearBits is the most bits in which the hashes of pictures that are Near differ.
const NearBits = 8

// NewFingerprint makes the fingerprint of a picture of at least 1 × 1 pixels.
func NewFingerprint(m *RGB) Fingerprint {
	const w, h = 8 * hashW, 8 * hashH
	small := Resize(m, w, h, Bilinear)
	var f Fingerprint
	const block = w / smallW
	var luma [hashW * hashH]int // sums over 8 × 8 pixels of 2·red + 5·green + blue
	var sums [len(f.Small)]int
	for y := range h {
		for x := range w {
			p := small.Pix[3*(y*w+x):][:3]
			luma[y/8*hashW+x/8] += 2*int(p[0]) + 5*int(p[1]) + int(p[2])
			for c, v := range p {
				sums[3*(y/block*smallW+x/block)+c] += int(v)
			}
		}
	}
	for i, s := range sums {
		f.Small[i] = uint8((s + block*block/2) / (block * block))
	}
	for y := range hashH {
		for x := range hashW - 1 {
			f.Hash <<= 1
			if luma[y*hashW+x+1]-luma[y*hashW+x] > flat*8*64 {
				f.Hash |= 1
			}
		}
	}
	return f
}

// Near reports that two pictures look the same.
func (f *Fingerprint) Near(g *Fingerprint) bool {
	if bits.OnesCount64(f.Hash^g.Hash) > NearBits {
		return false
	}
	sum := 0
	for i, v := range f.Small {
		d := int(v) - int(g.Small[i])
		sum += max(d, -d)
	}
	return sum <= nearLevels*len(f.Small)
}
