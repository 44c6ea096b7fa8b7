package jpeg

import (
	"image"

	"fovea/internal/pixel"
)

// prepareColors guesses the colours as libjpeg does (jdapimin.c): from the markers of JFIF and Adobe, else from the
// components' names.
func (d *decoder) prepareColors() {
	named := func(names string) bool {
		for i := range names {
			if d.comps[i].id != names[i] {
				return false
			}
		}
		return true
	}
	switch len(d.comps) {
	case 1:
		d.ycc = false
	case 3:
		d.ycc = d.jfif || d.adobe && d.transform != 0 || !d.jfif && !d.adobe && !named("RGB")
	case 4:
		d.ycc = d.adobe && d.transform != 0
		d.rgb = resize(d.rgb, 3*d.w)
	}
	for i := range d.comps {
		c := &d.comps[i]
		c.prepare(d.maxH)
	}
}

// prepare makes room for rows on the way.
func (c *component) prepare(maxH int) {
	c.line = resize(c.line, c.w*maxH/c.h)
	c.sum = resize(c.sum, c.w+2)
}

// FromYCbCr converts a picture of JPEG's full-range colours whose bounds begin at (0, 0), with the same smooth chroma.
func FromYCbCr(m *image.YCbCr) *Picture {
	across, down := 1, 1
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		across = 2
	case image.YCbCrSubsampleRatio420:
		across, down = 2, 2
	case image.YCbCrSubsampleRatio440:
		down = 2
	case image.YCbCrSubsampleRatio411:
		across = 4
	case image.YCbCrSubsampleRatio410:
		across, down = 4, 2
	}
	d := decoder{state: state{w: m.Rect.Dx(), h: m.Rect.Dy(), maxH: across, maxV: down, ycc: true}}
	d.comps = d.store[:3]
	d.comps[0] = component{h: across, v: down, w: d.w, hgt: d.h, pitch: m.YStride, pix: m.Y}
	chroma := component{h: 1, v: 1, w: ceilDiv(d.w, across), hgt: ceilDiv(d.h, down), pitch: m.CStride}
	chroma.pix = m.Cb
	d.comps[1] = chroma
	chroma.pix = m.Cr
	d.comps[2] = chroma
	for i := range d.comps {
		d.comps[i].prepare(across)
	}
	d.out = &Picture{d.w, d.h, 3, make([]uint8, 3*d.w*d.h)}
	d.convert(d.h)
	return d.out
}

// convert makes the picture's rows before end.
func (d *decoder) convert(end int) {
	n := d.w * d.out.Channels
	var s [4][]uint8
	for ; d.rowsDone < end; d.rowsDone++ {
		for i := range d.comps {
			s[i] = d.comps[i].row(d.rowsDone, d.maxH, d.maxV, d.w)
		}
		o := d.out.Pix[d.rowsDone*n:][:n]
		switch {
		case len(d.comps) == 1:
			copy(o, s[0])
		case len(d.comps) == 4:
			d.inkRow(o, &s)
		case d.ycc:
			pixel.RGBFromYCC(o, s[0], s[1], s[2])
		default:
			weave(o, s[0], 0, 3, 0)
			weave(o, s[1], 1, 3, 0)
			weave(o, s[2], 2, 3, 0)
		}
	}
}

// inkRow makes a row of CMYK. Files hold the light that is left rather than the ink (Adobe's habit, which Pillow expects of
// all); YCCK is converted to RGB first, and libjpeg's and Pillow's inversions of that cancel out.
func (d *decoder) inkRow(o []uint8, s *[4][]uint8) {
	if d.ycc {
		rgb := d.rgb[:3*d.w]
		pixel.RGBFromYCC(rgb, s[0], s[1], s[2])
		for i := range d.w {
			o[4*i], o[4*i+1], o[4*i+2] = rgb[3*i], rgb[3*i+1], rgb[3*i+2]
		}
	} else {
		for c := range 3 {
			weave(o, s[c], c, 4, 0xff)
		}
	}
	weave(o, s[3], 3, 4, 0xff)
}

// weave writes samples to every step-th byte from at on.
func weave(o, s []uint8, at, step int, invert uint8) {
	for i, v := range s {
		o[step*i+at] = v ^ invert
	}
}

// row returns row y of a component at the picture's width w. Halved directions are interpolated linearly between the centres
// of samples, 3:1; the rarer ratios, and pictures of at most two samples, repeat samples (libjpeg, jdsample.c).
func (c *component) row(y, maxH, maxV, w int) []uint8 {
	across, down := maxH/c.h, maxV/c.v
	at := func(y int) []uint8 { return c.pix[y*c.pitch:][:c.w] }
	near := y / down
	far := min(max(near-1+y&1*2, 0), c.hgt-1) // where heights are doubled
	smooth := c.w > 2
	switch {
	case across == 1 && down == 1:
		return at(y)
	case across == 2 && down == 1 && smooth:
		c.stretch(at(near), at(near), 4, 8)
	case across == 2 && down == 2 && smooth:
		c.stretch(at(near), at(far), 8, 7)
	case across == 1 && down == 2:
		f := at(far)
		for i, v := range at(near) {
			c.line[i] = uint8((3*int32(v) + int32(f[i]) + 1 + int32(y&1)) >> 2)
		}
	default:
		p := at(near)
		for i := range w {
			c.line[i] = p[i/across]
		}
	}
	return c.line[:w]
}

// stretch fills line with a row of twice as many samples.
func (c *component) stretch(near, far []uint8, even, odd uint16) {
	n := len(near)
	s := c.sum[:n+2]
	pixel.Columns(s[1:n+1], near, far)
	s[0], s[n+1] = s[1], s[n]
	pixel.Stretch(c.line[:2*n], s, even, odd)
}
