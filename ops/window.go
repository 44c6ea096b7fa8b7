package ops

import (
	"fmt"

	"fovea/internal/kernel"
)

// bandFloats bounds the columns that are laid out at a time before they are added to a picture (about 256 KiB), so that they stay in the
// second-level cache between being multiplied and being added.
const bandFloats = 64 << 10

// window is how a k×k kernel moves over a picture [h, w, c] with stride s and pad zeros around it: it stops at oh × ow
// places. Convolutions read through it, transposed convolutions write through it.
type window struct{ h, w, c, oh, ow, k, s, pad int }

func newWindow(h, w, c, k, s, pad int) window {
	return window{h, w, c, (h+2*pad-k)/s + 1, (w+2*pad-k)/s + 1, k, s, pad}
}

// sameWindow is a window with TensorFlow's "SAME" padding: ⌈h/s⌉ × ⌈w/s⌉ places, as many zeros before the picture as after
// it, or one less. Both axes must need the same number before.
func sameWindow(h, w, c, k, s int) window {
	g := window{h, w, c, (h + s - 1) / s, (w + s - 1) / s, k, s, 0}
	g.pad = max((g.oh-1)*s+k-h, 0) / 2
	if max((g.ow-1)*s+k-w, 0)/2 != g.pad {
		panic(fmt.Sprintf("ops: same padding of %d×%d pixels differs between the axes for kernel %d, stride %d", h, w, k, s))
	}
	return g
}

// plain reports that the unfolded columns are the picture itself.
func (g *window) plain() bool { return g.k == 1 && g.s == 1 && g.pad == 0 }

// band is the number of rows of places that are unfolded at a time.
func (g *window) band() int { return min(max(bandFloats/(g.ow*g.k*g.k*g.c), 1), g.oh) }

// picture is number b of a batch.
func (g *window) picture(x []float32, b int) []float32 {
	n := g.h * g.w * g.c
	return x[b*n : (b+1)*n]
}

// each calls f for every line of the kernel at rows [r, r+n) of places: the kernel's columns [lo, hi) lie in the picture,
// from sample src on; the line's k·c columns begin at at. hi ≤ lo when the line lies outside.
func (g *window) each(r, n int, f func(at, src, lo, hi int)) {
	at := 0
	for oy := r; oy < r+n; oy++ {
		for ox := range g.ow {
			x0 := ox*g.s - g.pad
			lo, hi := max(-x0, 0), min(g.w-x0, g.k)
			for ky := range g.k {
				iy := oy*g.s - g.pad + ky
				if iy < 0 || iy >= g.h || hi <= lo {
					f(at, 0, 0, 0)
				} else {
					f(at, (iy*g.w+x0+lo)*g.c, lo, hi)
				}
				at += g.k * g.c
			}
		}
	}
}

// patches is the matrix of the samples under the kernel: a place a row, k·k·c columns.
func (g *window) patches(pictures []float32) kernel.Patches {
	n := g.h * g.w * g.c
	return kernel.Patches{Data: pictures, B: len(pictures) / max(n, 1), H: g.h, W: g.w, C: g.c, OH: g.oh, OW: g.ow, K: g.k, S: g.s, Pad: g.pad}
}

// fold adds columns back onto the picture: the transpose of patches.
func (g *window) fold(picture, cols []float32, r, n int) {
	c := g.c
	g.each(r, n, func(at, src, lo, hi int) {
		if hi > lo {
			kernel.AddTo(picture[src:src+(hi-lo)*c], cols[at+lo*c:at+hi*c])
		}
	})
}
