package nn

import (
	"math"
	"slices"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/ops"
)

// EdgeBins is the way to boxes by fine-grained distributions (D-FINE, Peng et al. 2025): a first box, and how far each of its edges lies
// from there, as a distribution over bins, to which every layer adds. It is for inference: nothing has a gradient.
type EdgeBins struct {
	Up      *autograd.Param `weight:"up"`            // [1]: how far an edge can move, in sides of the first box
	Scale   *autograd.Param `weight:"reg_scale"`     // [1]: how fast bins grow away from the middle
	First   *Chain          `weight:"pre_bbox_head"` // what the first box changes of the query's
	Quality []*EdgeQuality  `weight:"lqe_layers"`

	bins int // even; there is one more
}

// EdgeQuality adds to all logits of a query how sharp its distributions are.
type EdgeQuality struct {
	Conf *Chain `weight:"reg_conf"`

	bins, top int
}

// BlankEdgeBins is one of blank parameters for queries of d features and an even number of bins. Quality looks at the top largest
// probabilities of each edge, through depth layers of inner features.
func BlankEdgeBins(d, bins, layers, top, inner, depth int) *EdgeBins {
	e := &EdgeBins{Up: Blank(autograd.Vector, 1), Scale: Blank(autograd.Vector, 1), First: BlankChain(ops.ReLU, d, d, d, 4), bins: bins}
	widths := slices.Concat([]int{4 * (top + 1)}, slices.Repeat([]int{inner}, depth-1), []int{1})
	for range layers {
		e.Quality = append(e.Quality, &EdgeQuality{BlankChain(ops.ReLU, widths...), bins, top})
	}
	return e
}

// Move moves the edges of the first boxes [N, 4], centre and size, to where the logits corners [N, 4·(bins+1)] of their distances say.
func (e *EdgeBins) Move(first, corners *Value) *Value {
	t, n := first.Tape(), e.bins+1
	scale := float32(math.Abs(float64(e.Scale.Data[0])))
	dist := ops.Expect(t.View(corners, len(corners.Data)/n, n), binDistances(e.bins, e.Up.Data[0], e.Scale.Data[0])).Data
	boxes := t.New(false, first.Shape...)
	for j := 0; j < len(dist); j += 4 {
		b, d, y := first.Data[j:j+4], dist[j:j+4], boxes.Data[j:j+4]
		x0, y0 := b[0]-(.5*scale+d[0])*(b[2]/scale), b[1]-(.5*scale+d[1])*(b[3]/scale)
		x1, y1 := b[0]+(.5*scale+d[2])*(b[2]/scale), b[1]+(.5*scale+d[3])*(b[3]/scale)
		y[0], y[1], y[2], y[3] = (x0+x1)/2, (y0+y1)/2, x1-x0, y1-y0
	}
	return boxes
}

// binDistances are what an even number of bins and one more stand for, from −2·a to 2·a with a = |up·scale|: none in the middle, and from
// bin to bin by a constant factor more (D-FINE, eq. 2).
func binDistances(bins int, up, scale float32) []float32 {
	a := math.Abs(float64(up)) * math.Abs(float64(scale))
	step := math.Pow(a+1, 2/float64(bins-2))
	w := make([]float32, bins+1)
	for i := 1; i < bins/2; i++ {
		d := float32(math.Pow(step, float64(i)) - 1)
		w[bins/2-i], w[bins/2+i] = -d, d
	}
	w[0], w[bins] = float32(-2*a), float32(2*a)
	return w
}

// Judge adds to each query's logits [N, L] what its distributions' largest probabilities and their mean say.
func (q *EdgeQuality) Judge(corners, logits *Value) *Value {
	t, n, k := logits.Tape(), q.bins+1, q.top
	edges := len(corners.Data) / n
	p := t.Scratch(len(corners.Data))
	copy(p, corners.Data)
	kernel.SoftmaxRows(p, edges, n, n, 1)
	stat := t.New(false, edges/4, 4*(k+1))
	for i := range edges {
		row, to := p[i*n:(i+1)*n], stat.Data[i*(k+1):(i+1)*(k+1)]
		slices.SortFunc(row, descending)
		sum := float32(0)
		for j, v := range row[:k] {
			to[j], sum = v, sum+v
		}
		to[k] = sum / float32(k)
	}
	better := q.Conf.Forward(stat)
	y, labels := t.New(false, logits.Shape...), logits.Shape.Last()
	for i, v := range logits.Data {
		y.Data[i] = v + better.Data[i/labels]
	}
	return y
}
