package scenes

import "math"

// The joints of annotation.COCO17 by position. Left joints are odd from 1, their right twins follow.
const (
	nose, lEye, rEye, lEar, rEar                   = 0, 1, 2, 3, 4
	lShoulder, lElbow, lWrist, lHip, lKnee, lAnkle = 5, 7, 9, 11, 13, 15
)

// pose is a body in units of its standing height, around the hip's middle, y down.
type pose struct {
	joint     [17]vec
	hidden    [17]bool // faces away from the viewer
	head      vec      // centre
	up        vec      // along the trunk, towards the head
	side      vec      // across it, towards the right of the picture
	yaw       float64  // of the head: 0 faces the viewer, positive turns to the right of the picture
	front     bool     // the chest faces the viewer
	near      int      // the side nearer to the viewer: 0 the person's left, 1 the right
	facing    float64  // −1 or 1: which side of the picture a profile looks to; 0 when no profile
	upright   bool
	head2body float64 // scale of the head
}

const rad = math.Pi / 180

// samplePose draws a body: standing, walking, reaching, sitting, bent or lying, seen from any side. Lengths are those of
// an adult (Winter, Biomechanics, 2009), shortened at random as limbs that point at the viewer are.
func samplePose(d dice) *pose {
	p := &pose{head2body: d.between(.92, 1.2)}
	if d.chance(.12) {
		p.head2body = d.between(1.2, 1.5) // a child
	}
	yaw := clamp(d.normal(0, 42), -100, 100) * rad
	if !d.chance(.75) {
		yaw = math.Pi + d.normal(0, 40)*rad
	}
	sin, cos := math.Sincos(yaw)
	p.front = cos >= 0
	s := math.Copysign(1, cos)   // the person's left is on the right of the picture when it faces us
	w := max(math.Abs(cos), .32) // shoulders across the picture
	if math.Abs(sin) > .55 {
		p.facing = math.Copysign(1, sin)
	}
	p.near = d.IntN(2)
	if math.Abs(sin) > .3 && sin > 0 {
		p.near = 1
	} else if math.Abs(sin) > .3 {
		p.near = 0
	}
	lean, bend := d.normal(0, 7)*rad, d.normal(0, 7)*rad
	switch d.pick(.86, .07, .07) {
	case 1:
		lean = d.between(-95, 95) * rad
	case 2: // bent over
		dir := p.facing
		if dir == 0 {
			dir = math.Copysign(1, d.Float64()-.5)
		}
		bend = dir * d.between(15, 75) * rad
	}
	p.upright = math.Abs(lean) < 25*rad
	down := vec{-math.Sin(lean), math.Cos(lean)}
	hips := vec{math.Cos(lean), math.Sin(lean)}
	p.up = vec{math.Sin(lean + bend), -math.Cos(lean + bend)}
	p.side = vec{math.Cos(lean + bend), math.Sin(lean + bend)}
	p.trunk(d, s, w, hips)
	p.face(d, yaw)
	p.arms(d, s)
	p.legs(d, s, down, hips)
	return p
}

func (p *pose) trunk(d dice, s, w float64, hips vec) {
	neck := p.up.mul(d.between(.27, .31))
	nod := d.normal(0, .012)
	p.head = neck.add(p.up.mul(.105 * (.4 + .6*p.head2body))).add(p.side.mul(nod))
	half, hip := d.between(.088, .112)*w, d.between(.058, .074)*max(w, .45)
	for i, sg := range [2]float64{s, -s} {
		p.joint[lShoulder+i] = neck.add(p.side.mul(sg * half)).sub(p.up.mul(.025 - d.normal(0, .006)))
		p.joint[lHip+i] = hips.mul(sg * hip)
	}
}

// face puts nose, eyes and ears on the front, ±24° and ±90° of a round head that is turned by about yaw.
func (p *pose) face(d dice, yaw float64) {
	p.yaw = yaw + d.normal(0, 16)*rad
	tilt := d.normal(0, .012)
	for _, f := range [...]struct {
		j            int
		angle, r, up float64
	}{{nose, 0, .056, -.010}, {lEye, 24, .054, .014}, {rEye, -24, .054, .014}, {lEar, 90, .054, .002}, {rEar, -90, .054, .002}} {
		t := p.yaw + f.angle*rad
		p.joint[f.j] = p.head.add(p.side.mul(f.r * p.head2body * math.Sin(t))).add(p.up.mul((f.up + tilt) * p.head2body))
		p.hidden[f.j] = math.Cos(t) < -.2-.15*math.Abs(math.Sin(f.angle*rad))
	}
}

// swing is a direction at angle a from hanging down the body, towards dir on the picture.
func swing(down, side vec, a, dir float64) vec {
	sin, cos := math.Sincos(a * rad)
	return down.mul(cos).add(side.mul(sin * dir))
}

func (p *pose) arms(d dice, s float64) {
	down := p.up.mul(-1)
	both := d.chance(.25) // a pose that both arms take
	var a0, b0 float64
	for i, sg := range [2]float64{s, -s} {
		a, dir := d.normal(14, 20), sg
		var b float64
		if d.chance(.45) {
			a = d.between(-30, 175)
		}
		if p.facing != 0 {
			dir = p.facing
			if a = d.normal(0, 30); d.chance(.35) {
				a = d.between(-40, 160)
			}
			b = a + d.Float64()*d.between(0, 140)
		} else if b = a + d.Float64()*d.between(0, 140); d.chance(.3) {
			b = a - d.Float64()*d.between(0, 140)
		}
		if both && i == 1 {
			a, b = a0+d.normal(0, 8), b0+d.normal(0, 8)
		}
		a0, b0 = a, b
		long := d.between(.72, 1.05)
		p.joint[lElbow+i] = p.joint[lShoulder+i].add(swing(down, p.side, a, dir).mul(.155 * long))
		p.joint[lWrist+i] = p.joint[lElbow+i].add(swing(down, p.side, b, dir).mul(.145 * d.between(.72, 1.05)))
	}
}

func (p *pose) legs(d dice, s float64, down, hips vec) {
	sits := d.chance(.13)
	stride := d.between(-32, 32) // walking: legs swing against each other
	for i, sg := range [2]float64{s, -s} {
		dir, thigh := sg, d.between(.88, 1.05)
		a := d.normal(6, 10)
		b := a - d.Float64()*d.between(-15, 55)
		switch {
		case p.facing != 0 && sits:
			dir, a, b = p.facing, d.normal(82, 10), d.normal(5, 14)
		case p.facing != 0:
			dir, a = p.facing, stride*sg+d.normal(0, 8)
			b = a - d.Float64()*d.between(0, 80)
			if d.chance(.15) {
				a = d.between(20, 95)
				b = a - d.between(10, 110)
			}
		case sits:
			a, b, thigh = d.normal(14, 12), d.normal(0, 9), d.between(.3, .62)
		case d.chance(.25):
			a = d.between(-10, 80)
			b = a - d.Float64()*d.between(0, 100)
		}
		p.joint[lKnee+i] = p.joint[lHip+i].add(swing(down, hips, a, dir).mul(.235 * thigh))
		p.joint[lAnkle+i] = p.joint[lKnee+i].add(swing(down, hips, b, dir).mul(.235 * d.between(.88, 1.05)))
	}
}
