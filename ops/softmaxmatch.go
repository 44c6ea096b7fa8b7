package ops

import (
	"math"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// SoftmaxMatch returns the contrastive loss of image–text matching (CLIP, Radford et al. 2021, fig. 3): for unit vectors img and
// txt [N, D], of which those with the same number belong together, the mean of the cross-entropies of finding the text among
// all texts and the image among all images, with logits e^scale·img·txt; scale is [1] or []. same[i·N+j] says that text j fits
// picture i too; such a pair takes no part in either choice, unless i = j.
func SoftmaxMatch(img, txt, scale *Value, same []bool) *Value {
	n, d := img.Shape.Rows(), img.Shape.Last()
	mustBe(txt.Shape.Equal(img.Shape) && len(same) == n*n && len(scale.Data) == 1, "softmaxmatch", "[N, D] twice, [1] and N·N pairs", img, txt, scale)
	t := img.Tape()
	y := t.New(autograd.Wants(img, txt, scale), 1)
	op := autograd.Node[softmaxMatchOp](t)
	*op = softmaxMatchOp{img, txt, scale, y, t.Scratch(n * n), t.Zeros(n * n)}
	mark := t.Mark()
	s := exp(scale.Data[0])
	kernel.Gemm(t.Work, kernel.M(op.dot, n, n), kernel.M(img.Data, n, d), kernel.M(txt.Data, n, d).T(), kernel.Epilogue{})
	p, loss := t.Scratch(n), 0.
	for i := range n { // row i, then column i: op.slope becomes Σ (p − 1 where they belong together), of both
		for _, step := range [2][2]int{{1, i * n}, {n, i}} {
			for j := range n {
				k := step[1] + j*step[0]
				if p[j] = s * op.dot[k]; same[k] && j != i {
					p[j] = float32(math.Inf(-1))
				}
			}
			lse := kernel.LogSumExp(p)
			loss += float64(lse - p[i])
			for j := range n {
				op.slope[step[1]+j*step[0]] += exp(p[j] - lse)
			}
		}
		op.slope[i*n+i] -= 2
	}
	t.Release(mark)
	kernel.Scale(op.slope, 1/float32(2*n))
	y.Data[0] = float32(loss / float64(2*n))
	if y.Wanted() {
		t.Push(op)
	}
	return y
}

type softmaxMatchOp struct {
	img, txt, scale, y *Value
	dot, slope         []float32 // slope is d loss / d (e^scale·dot)
}

// Backward implements autograd.Op.
func (o *softmaxMatchOp) Backward() {
	t, n, d := o.y.Tape(), o.img.Shape.Rows(), o.img.Shape.Last()
	s, add := exp(o.scale.Data[0]), kernel.Epilogue{Beta: 1}
	mark := t.Mark()
	g := t.Scratch(n * n)
	for i, v := range o.slope {
		g[i] = v * s * o.y.Grad()[0]
	}
	if o.scale.Wanted() {
		o.scale.Grad()[0] += kernel.Dot(g, o.dot)
	}
	if o.img.Wanted() {
		kernel.Gemm(t.Work, kernel.M(o.img.Grad(), n, d), kernel.M(g, n, n), kernel.M(o.txt.Data, n, d), add)
	}
	if o.txt.Wanted() {
		kernel.Gemm(t.Work, kernel.M(o.txt.Grad(), n, d), kernel.M(g, n, n).T(), kernel.M(o.img.Data, n, d), add)
	}
	t.Release(mark)
}
