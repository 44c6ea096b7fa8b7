package augment

import (
	"math"

	"fovea/annotation"
)

// Affine maps a point: x' = XX·x + XY·y + X0 and y' = YX·x + YY·y + Y0, in the frame of annotations (corners of pixels on
// integers).
type Affine struct{ XX, XY, X0, YX, YY, Y0 float64 }

// Apply maps one point.
func (a Affine) Apply(x, y float64) (float64, float64) {
	return a.XX*x + a.XY*y + a.X0, a.YX*x + a.YY*y + a.Y0
}

// Then is the map that applies a and then b.
func (a Affine) Then(b Affine) Affine {
	return Affine{
		b.XX*a.XX + b.XY*a.YX, b.XX*a.XY + b.XY*a.YY, b.XX*a.X0 + b.XY*a.Y0 + b.X0,
		b.YX*a.XX + b.YY*a.YX, b.YX*a.XY + b.YY*a.YY, b.YX*a.X0 + b.YY*a.Y0 + b.Y0,
	}
}

// Det is the factor by which areas grow; negative when the map mirrors.
func (a Affine) Det() float64 { return a.XX*a.YY - a.XY*a.YX }

// Inverse undoes the map. The inverse of a map onto a line is not finite.
func (a Affine) Inverse() Affine {
	d := 1 / a.Det()
	b := Affine{XX: a.YY * d, XY: -a.XY * d, YX: -a.YX * d, YY: a.XX * d}
	b.X0, b.Y0 = -(b.XX*a.X0 + b.XY*a.Y0), -(b.YX*a.X0 + b.YY*a.Y0)
	return b
}

// Rotation turns by an angle in degrees about a point, clockwise on the screen.
func Rotation(degrees, cx, cy float64) Affine {
	s, c := math.Sincos(degrees * math.Pi / 180)
	return Affine{c, -s, cx - c*cx + s*cy, s, c, cy - s*cx - c*cy}
}

// ellipse is the bounds of the ellipse inscribed in a box after the map; without rotation, the box itself.
func (a Affine) ellipse(b annotation.Box) annotation.Box {
	x, y := a.Apply(b.Center())
	hx, hy := math.Hypot(a.XX*b.W(), a.XY*b.H())/2, math.Hypot(a.YX*b.W(), a.YY*b.H())/2
	return annotation.Box{X0: x - hx, Y0: y - hy, X1: x + hx, Y1: y + hy}
}

// bounds is the bounds of a box's corners after the map.
func (a Affine) bounds(b annotation.Box) annotation.Box {
	x, y := a.Apply(b.X0, b.Y0)
	x0, x1 := extent(a.XX*b.W(), a.XY*b.H(), x)
	y0, y1 := extent(a.YX*b.W(), a.YY*b.H(), y)
	return annotation.Box{X0: x0, Y0: y0, X1: x1, Y1: y1}
}

// extent is the range of c, c+a, c+b and c+a+b.
func extent(a, b, c float64) (lo, hi float64) {
	return c + min(a, 0) + min(b, 0), c + max(a, 0) + max(b, 0)
}
