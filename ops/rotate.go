package ops

import (
	"fovea/autograd"
)

// Rotation is an angle for each row and each pair of features: cosines and sines, [N, K/2] each.
type Rotation struct {
	Cos, Sin []float32
	Pairs    int // K/2
}

// Rotate turns each head's features i and i+K/2 of row n by the angle of (n, i) (RoPE, Su et al. 2021, with the halves of a
// head as pairs, as GPT-NeoX has them). x is [N, H·K]; r must stay as it is until the tape is reset.
func Rotate(x *Value, heads int, r *Rotation) *Value {
	d, rows := x.Shape.Last(), x.Shape.Rows()
	mustBe(d == heads*2*r.Pairs && len(r.Cos) == rows*r.Pairs && len(r.Sin) == rows*r.Pairs, "rotate", "[N, H·K] and N·K/2 angles", x)
	t := x.Tape()
	y := newLike(t, autograd.Wants(x), x, d)
	r.turn(y.Data, x.Data, heads, 1, false)
	if y.Wanted() {
		op := autograd.Node[rotateOp](t)
		*op = rotateOp{x, y, heads, r}
		t.Push(op)
	}
	return y
}

type rotateOp struct {
	x, y  *Value
	heads int
	r     *Rotation
}

// Backward implements autograd.Op: it turns back.
func (o *rotateOp) Backward() { o.r.turn(o.x.Grad(), o.y.Grad(), o.heads, -1, true) }

// turn writes x, turned, to dst, or adds it.
func (r *Rotation) turn(dst, x []float32, heads int, sign float32, add bool) {
	p := r.Pairs
	for n := range len(r.Cos) / p {
		cos, sin := r.Cos[n*p:(n+1)*p], r.Sin[n*p:(n+1)*p]
		for h := range heads {
			at := (n*heads + h) * 2 * p
			a, b := x[at:at+p], x[at+p:at+2*p]
			u, v := dst[at:at+p], dst[at+p:at+2*p]
			for i, c := range cos {
				s := sign * sin[i]
				left, right := a[i]*c-b[i]*s, b[i]*c+a[i]*s
				if add {
					left, right = left+u[i], right+v[i]
				}
				u[i], v[i] = left, right
			}
		}
	}
}
