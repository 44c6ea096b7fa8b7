package scenes

import "math"

var (
	skins = []rgb{{248, 212, 184}, {228, 180, 145}, {195, 140, 100}, {145, 95, 65}, {98, 64, 44}}
	hairs = []rgb{{30, 22, 18}, {60, 40, 26}, {95, 58, 28}, {205, 175, 95}, {130, 128, 126}, {150, 62, 24}}
)

// Parts of a body, for telling which joints are covered by which.
const (
	partHead = 1 + iota
	partTrunk
	partArm  // + side
	partLeg  = partArm + 2
	partNone = partLeg + 2
)

// owner is the part that shows a joint; shoulders and hips are shown by the trunk too.
func shows(part uint8, joint int) bool {
	side := uint8((joint + 1) % 2) // 0 left, 1 right
	switch {
	case joint <= rEar:
		return part == partHead
	case joint < lElbow:
		return part == partTrunk || part == partArm+side
	case joint < lHip:
		return part == partArm+side
	case joint < lKnee:
		return part == partTrunk || part == partLeg+side
	default:
		return part == partLeg+side
	}
}

// figure is a body while it is drawn: the pose in pixels of the layer and what it wears.
type figure struct {
	*layer
	*pose
	d                             dice
	k                             float64 // pixels per body height
	light                         vec
	at                            [17]vec // joints, pixels
	headAt                        vec
	skin, shirt, legs, shoe, hair rgb
	fat                           float64
	sleeves, shorts, skirt, long  bool
}

// drawPerson paints a person h pixels tall into the layer, which it resizes to fit. It returns the joints in pixels of
// the layer and whether each one can be seen there.
func (l *layer) drawPerson(d dice, h float64, shirt rgb, light vec) (*figure, [17]bool) {
	p := samplePose(d)
	f := &figure{layer: l, pose: p, d: d, k: h, light: light, shirt: shirt, fat: d.between(.85, 1.3)}
	f.skin = d.jitter(skins[d.IntN(len(skins))], 7)
	f.legs = d.jitter(paint[d.IntN(len(paint))].scale(.7), 14)
	if d.chance(.4) { // denim, black, grey and beige are what trousers mostly are
		f.legs = d.jitter([]rgb{{60, 75, 115}, {35, 35, 40}, {110, 110, 112}, {170, 150, 115}}[d.IntN(4)], 10)
	}
	f.shoe = rgb{float32(d.between(10, 240)), float32(d.between(10, 240)), float32(d.between(10, 240))}
	f.hair = d.jitter(hairs[d.IntN(len(hairs))], 8)
	f.sleeves, f.shorts, f.long = !d.chance(.45), d.chance(.3), d.chance(.35)
	f.skirt = f.long && d.chance(.4)

	lo, hi := p.head, p.head
	for _, j := range p.joint {
		lo, hi = vec{min(lo.x, j.x), min(lo.y, j.y)}, vec{max(hi.x, j.x), max(hi.y, j.y)}
	}
	const pad = .125
	shift := vec{pad - lo.x, pad - lo.y}.mul(h).add(vec{d.Float64(), d.Float64()})
	l.reset(int(math.Ceil((hi.x-lo.x+2*pad)*h))+1, int(math.Ceil((hi.y-lo.y+2*pad)*h))+1)
	for i, j := range p.joint {
		f.at[i] = j.mul(h).add(shift)
	}
	f.headAt = p.head.mul(h).add(shift)
	f.draw()

	var seen [17]bool
	for i, j := range f.at {
		x, y := int(j.x), int(j.y)
		seen[i] = !p.hidden[i] && x >= 0 && y >= 0 && x < l.w && y < l.h && shows(l.part[y*l.w+x], i)
	}
	return f, seen
}

func (f *figure) draw() {
	near, far := f.near, 1-f.near
	farBehind := f.facing != 0 || !f.front || f.d.chance(.3)
	nearBehind := !f.front && f.facing == 0 && f.d.chance(.6)
	if f.long && f.front {
		f.longHair()
	}
	if farBehind {
		f.arm(far, .8)
	}
	if nearBehind {
		f.arm(near, .9)
	}
	f.leg(far, .82)
	f.leg(near, 1)
	f.trunk()
	if !farBehind {
		f.arm(far, .9)
	}
	if f.facing == 0 && f.front && f.d.chance(.75) || nearBehind {
		if !nearBehind {
			f.arm(near, 1)
		}
		f.headAndHair()
		return
	}
	f.headAndHair()
	f.arm(near, 1)
}

func (f *figure) r(part float64) float64 { return max(part*f.k*f.fat, .9) }

func (f *figure) arm(i int, dim float32) {
	part := uint8(partArm + i)
	sh, el, wr := f.at[lShoulder+i], f.at[lElbow+i], f.at[lWrist+i]
	lower := f.skin
	if f.sleeves {
		lower = f.shirt
	}
	f.limb(el, wr, f.r(.022), f.r(.016), lower.scale(dim), f.light, part)
	hand := wr.add(wr.sub(el).mul(.18))
	f.limb(wr, hand, f.r(.018), f.r(.021), f.skin.scale(dim), f.light, part)
	f.limb(sh, el, f.r(.031), f.r(.023), f.shirt.scale(dim), f.light, part)
}

func (f *figure) leg(i int, dim float32) {
	part := uint8(partLeg + i)
	hp, kn, an := f.at[lHip+i], f.at[lKnee+i], f.at[lAnkle+i]
	lower := f.legs
	if f.shorts || f.skirt {
		lower = f.skin
	}
	upper := f.legs
	if f.skirt {
		upper = f.skin
	}
	f.limb(kn, an, f.r(.030), f.r(.019), lower.scale(dim), f.light, part)
	shin := an.sub(kn)
	shin = shin.mul(1 / max(shin.len(), 1e-6))
	toe := vec{-shin.y, shin.x} // forward, across the shin
	if dir := f.facing; dir != 0 && toe.x*dir < 0 {
		toe = toe.mul(-1)
	} else if out := f.at[lHip+i].x - f.at[lHip+1-i].x; dir == 0 {
		if toe.x*out < 0 {
			toe = toe.mul(-1)
		}
		toe = toe.mul(.35)
	}
	heel := an.add(shin.mul(.022 * f.k))
	f.limb(heel, heel.add(toe.mul(.055*f.k)), f.r(.024), f.r(.018), f.shoe.scale(dim), f.light, part)
	f.limb(hp, kn, f.r(.043), f.r(.031), upper.scale(dim), f.light, part)
}

func (f *figure) trunk() {
	ls, rs, lh, rh := f.at[lShoulder], f.at[lShoulder+1], f.at[lHip], f.at[lHip+1]
	wide := max(f.r(.038), .2*ls.sub(rs).len())
	f.limb(lh, rh, f.r(.042), f.r(.042), f.legs, vec{}, partTrunk)
	if f.skirt {
		f.skirtOver(lh, rh)
	}
	mid, neck := lerp(lh, rh, .5), lerp(ls, rs, .5)
	waist := lerp(mid, neck, .12)
	lw, rw := waist.add(lh.sub(mid)), waist.add(rh.sub(mid))
	f.limb(neck, f.headAt, f.r(.024), f.r(.024), f.skin.scale(.9), f.light, partHead)
	for _, c := range [...][2]vec{{ls, rs}, {ls, lw}, {rs, rw}, {lw, rw}} {
		f.capsule(c[0], c[1], wide*.9, wide*.9)
	}
	f.ras.polygon([]vec{ls, rs, rw, lw}, false)
	f.fill(f.shirt, across(neck, waist, wide+ls.sub(rs).len()/2, f.light), partTrunk)
}

// skirtOver paints a skirt from the hips to above the knees, as wide as the legs stand.
func (f *figure) skirtOver(lh, rh vec) {
	const cut = .75
	lk, rk := lerp(lh, f.at[lKnee], cut), lerp(rh, f.at[lKnee+1], cut)
	r := f.r(.045)
	f.capsule(lh, rh, r, r)
	f.capsule(lh, lk, r, r)
	f.capsule(rh, rk, r, r)
	f.ras.polygon([]vec{lh, rh, rk, lk}, false)
	f.fill(f.legs, across(lerp(lh, rh, .5), lerp(lk, rk, .5), 2*r, f.light), partTrunk)
}

func (f *figure) longHair() {
	r := .058 * f.k * f.head2body
	end := f.headAt.sub(f.up.mul(1.9 * r))
	f.limb(f.headAt, end, r*1.05, r*.85, f.hair.scale(.85), f.light, partHead)
}

func (f *figure) headAndHair() {
	r := .062 * f.k * f.head2body
	a, b := f.up.mul(1.12*r), .9*r
	lit := across(f.headAt, f.headAt.add(f.up), r, f.light)
	face := f.skin
	if math.Cos(f.yaw) < -.35 {
		face = f.hair
	}
	f.ellipse(f.headAt, a, b, face, lit, partHead)
	if face == f.hair {
		if f.long {
			f.limb(f.headAt, f.headAt.sub(f.up.mul(1.8*r)), .85*r, .8*r, f.hair, f.light, partHead)
		}
		return
	}
	f.features(r)
	f.cap(r, lit)
}

// cap paints hair: a part of the head's ellipse around its top, drawn towards the back as the head turns.
func (f *figure) cap(r float64, lit shade) {
	sin := math.Sin(f.yaw)
	mid, span := -sin*48*rad, (66+52*math.Abs(sin))*rad
	f.pts = f.pts[:0]
	const n = 12
	for i := range n + 1 { // along the crown, then back along the hair line
		t := mid + span*(2*float64(i)/n-1)
		f.pts = append(f.pts, f.headAt.add(f.up.mul(1.17*r*math.Cos(t))).add(f.side.mul(.96*r*math.Sin(t))))
	}
	for i := range n + 1 {
		t := mid + span*(1-2*float64(i)/n)
		in := 1 - .48*math.Cos((t-mid)/span*math.Pi/2)
		f.pts = append(f.pts, f.headAt.add(f.up.mul(1.17*r*in*math.Cos(t))).add(f.side.mul(.96*r*in*math.Sin(t))))
	}
	f.polygon(f.pts, f.hair, lit, partHead)
}

func (f *figure) features(r float64) {
	dot := max(.13*r, .5)
	for j := lEye; j <= rEye; j++ {
		if !f.hidden[j] {
			f.ellipse(f.at[j], vec{dot, 0}, dot, rgb{25, 22, 22}, flat, partHead)
		}
	}
	for j := lEar; j <= rEar; j++ {
		if !f.hidden[j] && f.k > 30 {
			f.ellipse(f.at[j], f.up.mul(.2*r), .14*r, f.skin.scale(.88), flat, partHead)
		}
	}
	if f.hidden[nose] {
		return
	}
	n := f.at[nose]
	f.limb(n.add(f.up.mul(.15*r)), n.sub(f.up.mul(.08*r)), max(.08*r, .4), max(.12*r, .45), f.skin.scale(.78), vec{}, partHead)
	if f.k > 55 {
		m := lerp(f.headAt, n, .8).sub(f.up.mul(.42 * r))
		f.limb(m.sub(f.side.mul(.2*r)), m.add(f.side.mul(.2*r)), .07*r, .07*r, rgb{165, 70, 70}, vec{}, partHead)
	}
}
