package unified

import (
	"fmt"
	"math"

	"fovea/annotation"
	"fovea/autograd"
	"fovea/imageproc"
	"fovea/ops"
	"fovea/task"
)

// Pixels are read out as everything with a name is: a cell of the stride-4 pyramid is mapped to the width of the words, and its
// dot product with a class's name is the class's logit. No prompt is needed, and any words can be made a class.

// Divides says that the model can tell the class of every pixel: Config.Pixels names some.
func (m *Model) Divides() bool { return m.Readout.Pixel != nil }

// pixelLogits are the logits of names for each cell of the pyramid: [B, F, F, U] → [B·F·F, len(words)].
func (m *Model) pixelLogits(pyramid *Value, words [][]int32) *Value {
	t := pyramid.Tape()
	return tableLogits(m.Readout.Pixel, t.View(pyramid, pyramid.Shape.Rows(), pyramid.Shape.Last()), m.names(t, words))
}

// pixelScratch holds the targets of pixelLoss.
type pixelScratch struct {
	words                 [][]int32       // names that the cells of this batch choose from
	column                map[int32]int32 // place of a name in words
	target, weight, share []float32
	allowed               []bool
}

// pixelLoss teaches the class of every cell: cross-entropy over the labelled part of the picture, and the Dice coefficient of
// each class, in which small ones count as much as large ones. The target of a cell are the shares of its pixels' classes.
func (m *Model) pixelLoss(t *autograd.Tape, samples []*task.Sample, w Weights, s *lossScratch) {
	if m.Readout.Pixel == nil {
		return
	}
	q := &s.pixels
	if !q.choices(samples, m.Names) {
		return
	}
	side, k := m.Config.FeatureSide(), len(q.words)
	cells := side * side
	rows := len(samples) * cells
	q.target, q.weight = fill(q.target, rows*k, 0), fill(q.weight, rows, 0)
	labelled := float32(0)
	for i, smp := range samples {
		if smp.Pixels != nil {
			labelled += q.cells(smp, side, q.target[i*cells*k:(i+1)*cells*k], q.weight[i*cells:(i+1)*cells])
		}
	}
	if labelled == 0 {
		return
	}
	q.share = fill(q.share, rows, 0)
	for i, v := range q.weight {
		q.share[i] = v / labelled
	}
	logits := m.pixelLogits(s.maps.cells(), q.words)
	q.forbid(logits, samples, cells)
	s.add("pixel.class", ops.SoftCrossEntropy(logits, q.target, q.share), w.Pixel)
	s.add("pixel.dice", ops.ClassDice(logits, q.target, q.weight), w.Dice)
}

// choices collects the names that cells choose from in this batch; false when no pixel is labelled.
func (q *pixelScratch) choices(samples []*task.Sample, names *task.Names) bool {
	if q.column == nil {
		q.column = map[int32]int32{}
	}
	clear(q.column)
	q.words = q.words[:0]
	for _, smp := range samples {
		if smp.Pixels == nil {
			continue
		}
		for _, id := range smp.PixelNames {
			if _, ok := q.column[id]; !ok {
				q.column[id] = int32(len(q.words))
				q.words = append(q.words, names.Words[id])
			}
		}
	}
	return len(q.words) > 0
}

// cells fills in the shares of the classes in each cell of a picture, and the share of the cell that is labelled. It returns
// the sum of the latter.
func (q *pixelScratch) cells(smp *task.Sample, side int, target, weight []float32) float32 {
	k, pixels := len(q.words), smp.Pixels
	block := pixels.W / side
	total := float32(0)
	for y := range side {
		for x := range side {
			at := y*side + x
			row, n := target[at*k:(at+1)*k], float32(0)
			for dy := range block {
				line := pixels.Pix[(y*block+dy)*pixels.W+x*block:][:block]
				for _, c := range line {
					if int(c) < len(smp.PixelNames) {
						row[q.column[smp.PixelNames[c]]]++
						n++
					}
				}
			}
			if n == 0 {
				continue
			}
			for j := range row {
				row[j] /= n
			}
			weight[at] = n / float32(block*block)
			total += weight[at]
		}
	}
	return total
}

// never is the logit of what cannot be: its probability is 0, and unlike −Inf it can be multiplied by a target of 0.
const never = -1e9

// forbid sets the logits of names that a sample's data set does not know to never.
func (q *pixelScratch) forbid(logits *Value, samples []*task.Sample, cells int) {
	k := len(q.words)
	for i, smp := range samples {
		if smp.Pixels == nil {
			continue
		}
		if cap(q.allowed) < k {
			q.allowed = make([]bool, k)
		}
		q.allowed = q.allowed[:k]
		clear(q.allowed)
		n := 0
		for _, id := range smp.PixelNames {
			if c := q.column[id]; !q.allowed[c] {
				q.allowed[c] = true
				n++
			}
		}
		if n == k {
			continue
		}
		for r := i * cells; r < (i+1)*cells; r++ {
			for c, ok := range q.allowed {
				if !ok {
					logits.Data[r*k+c] = never
				}
			}
		}
	}
}

// DefaultPixels are the names that pixels are divided among when nothing else is asked.
func (m *Model) DefaultPixels() []int32 { return m.Names.AddAll(m.Config.Pixels) }

// Divide gives every pixel of the source the best of the names, as an index of them; nil means the model's own. The model must
// be one that Divides. Logits are interpolated bilinearly between the centres of cells.
func (r *Runner) Divide(p *Picture, g imageproc.Geometry, names []int32) (*annotation.LabelMap, error) {
	if names == nil {
		names = r.m.DefaultPixels()
	}
	if n := len(names); n == 0 || n > annotation.Void {
		return nil, fmt.Errorf("unified: pixels of %d classes, want 1 … %d", n, annotation.Void)
	}
	c, f := r.m.Config, r.m.Config.FeatureSide()
	r.t.Reset()
	words := make([][]int32, len(names))
	for i, id := range names {
		words[i] = r.m.Names.Words[id]
	}
	logits := r.m.pixelLogits(r.m.pyramid(r.tokens(p), r.t.Input(p.S4, 1, f, f, c.Detail())), words).Data
	out := &annotation.LabelMap{W: g.SrcW, H: g.SrcH, Pix: make([]uint8, g.SrcW*g.SrcH)}
	k, scale := len(names), float64(f)/float64(c.Size)
	cols := make([]tap, out.W)
	for x := range cols {
		at, _ := g.ToModel(float64(x)+.5, 0)
		cols[x] = tapAt(at*scale, f)
	}
	line := make([]float32, f*k) // the logits of a row of cells, interpolated between two
	for y := range out.H {
		_, at := g.ToModel(0, float64(y)+.5)
		row := tapAt(at*scale, f)
		top, low := logits[row.i*f*k:(row.i+1)*f*k], logits[row.j*f*k:(row.j+1)*f*k]
		for i, v := range top {
			line[i] = v + row.w*(low[i]-v)
		}
		for x, t := range cols {
			a, b := line[t.i*k:(t.i+1)*k], line[t.j*k:(t.j+1)*k]
			best, most := 0, float32(math.Inf(-1))
			for i, v := range a {
				if v += t.w * (b[i] - v); v > most {
					best, most = i, v
				}
			}
			out.Pix[y*out.W+x] = uint8(best)
		}
	}
	return out, nil
}

// tap says between which cells of a row a position lies: (1−w)·cell i + w·cell j.
type tap struct {
	i, j int
	w    float32
}

// tapAt is the tap at a position in cells; beyond the outermost cells' centres their values go on.
func tapAt(at float64, cells int) tap {
	at = min(max(at-.5, 0), float64(cells-1))
	i := int(at)
	return tap{i, min(i+1, cells-1), float32(at - float64(i))}
}
