//go:build amd64 && !noasm

package kernel

import (
	"unsafe"

	"fovea/internal/cpu"
)

// hasAMX says that a processor multiplies tiles of bfloat16 and of bytes (Sapphire Rapids and later): eight times as many at a time as
// with AVX-512. Used whenever AVX-512 and its instructions for the same formats are.
var hasAMX = cpu.AMX()

// The tiles are 32 by 32, four tile registers. A panel of b, kc rows of 128 bytes, stays in the first-level cache, of 48 KiB, while the
// tiles of a pass by, from the second-level one.
var (
	amxPairs = tileShape{mr: 32, nr: 32, strip: 32, group: 2, amx: true, kc: 256}
	amxQuads = tileShape{mr: 32, nr: 32, strip: 32, group: 4, amx: true, kc: 256}
)

// amxArgs is what amx_amd64.s reads, by offset. Strides are in bytes.
type amxArgs struct {
	a, b, c   unsafe.Pointer
	init      unsafe.Pointer // what the sums are before, nil for zero
	config    *amxConfig
	steps     int // along k, of amxUnits
	tiles     int
	rs, ts    int            // a: from row to row, tile to tile
	bs        int            // b: from k to k
	ldc       int            // c: from row to row; tiles lie below one another
	initLD    int            // init: from row to row, 0 for a row that all rows share
	initTS    int            // and from tile to tile
	rows      int            // of a tile
	as        int            // a: from one step of a row to the next
	ahead     unsafe.Pointer // what is fetched into the second-level cache meanwhile: the panel that comes next
	aheadStep int            // bytes of it a step
	scratch   [32 * 32]float32
	remainder gemmArgs
}

// amxAhead is how many bytes are fetched ahead a step, at most: as many lines as amx_amd64.s asks for. Weights that come from memory
// are waited for otherwise by the first tile of each panel: the loads of tile registers ask for 16 lines at a time.
const amxAhead = 8 * 64

// amxConfig says how large the tile registers are (Intel's manual, volume 1, section 18.3).
type amxConfig struct {
	palette  byte
	_        [15]byte
	rowBytes [16]uint16
	rows     [16]byte
}

// amxConfigs has an entry for each height of a tile.
var amxConfigs = func() (c [33]amxConfig) {
	for h := 1; h < len(c); h++ {
		c[h].palette = 1
		upper, lower := min(h, 16), max(h-16, 0)
		for t, rows := range [8]int{upper, upper, lower, lower, upper, lower, 16, 16} {
			if rows > 0 {
				c[h].rows[t], c[h].rowBytes[t] = byte(rows), 64
			}
		}
	}
	return c
}()

// gemmTilesAMX runs the micro-kernel of a shape of AMX for tiles of h rows. Operands that lie ready may have more elements along k than
// fill tile registers, or columns of a side by side: those are multiplied by vectors.
func gemmTilesAMX(s *tileShape, h int, g *gemmArgs, x *amxArgs) {
	steps := g.k / amxUnits
	if steps == 0 || g.ks != 1 {
		gemmTilesTall(s, h, g, x)
		return
	}
	x.a, x.b, x.c, x.init = unsafe.Pointer(&g.a[0]), unsafe.Pointer(&g.b[0]), unsafe.Pointer(&g.c[0]), nil
	x.config, x.steps, x.tiles, x.rows = &amxConfigs[h], steps, g.tiles, h
	x.rs, x.ts, x.bs, x.ldc = 4*g.rs, 4*g.ts, 4*g.bs, 4*g.ldc
	if x.as = 4 * g.lines; g.lines == 0 {
		x.as = 4 * amxUnits
	}
	x.ahead, x.aheadStep = x.b, 0
	if g.pfs > 0 && len(g.pf) > 0 {
		x.ahead, x.aheadStep = unsafe.Pointer(&g.pf[0]), min(4*amxUnits*g.pfs, amxAhead)
	}
	rest := g.k - steps*amxUnits
	switch whole := g.cols == 16 || g.cols == s.nr; {
	case whole && g.beta != 0:
		if len(g.bias) > 0 && rest == 0 {
			for i := range h * g.tiles {
				addTo(g.c[i*g.ldc:][:g.cols], g.bias)
			}
		}
		x.init, x.initLD, x.initTS = x.c, x.ldc, h*x.ldc
		amxTiles(s, h, g.cols, x)
	case whole:
		if len(g.bias) > 0 && rest == 0 {
			x.init, x.initLD, x.initTS = unsafe.Pointer(&g.bias[0]), 0, 0
		}
		amxTiles(s, h, g.cols, x)
	default:
		x.tiles, x.ldc, x.c = 1, 4*s.nr, unsafe.Pointer(&x.scratch)
		for t := range g.tiles {
			x.a = unsafe.Pointer(&g.a[t*g.ts])
			amxTiles(s, h, g.cols, x)
			amxStore(s, h, g, g.c[t*h*g.ldc:], x.scratch[:], rest == 0)
		}
	}
	x.a, x.b, x.c, x.init, x.ahead = nil, nil, nil, nil, nil
	if rest > 0 {
		a, b, k, beta := g.a, g.b, g.k, g.beta
		g.a, g.b, g.k, g.beta = a[steps*x.as/4:], b[steps*amxUnits*g.bs:], rest, 1
		gemmTilesTall(s, h, g, x)
		g.a, g.b, g.k, g.beta = a, b, k, beta
	}
}

// amxStore writes the sums of a tile whose columns do not fill tile registers to c.
func amxStore(s *tileShape, h int, g *gemmArgs, c, sums []float32, last bool) {
	for i := range h {
		from, to := sums[i*s.nr:][:g.cols], c[i*g.ldc:][:g.cols]
		switch {
		case g.beta == 0:
			copy(to, from)
		case s.group == 4:
			x, y := integers(to), integers(from)
			for j := range x {
				x[j] += y[j]
			}
		default:
			addTo(to, from)
		}
		if last && len(g.bias) > 0 {
			addTo(to, g.bias)
		}
	}
}

// integers sees sums of bytes as what they are.
func integers(x []float32) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// gemmTilesTall runs the micro-kernels of vectors, whose tiles are lower, in turn.
func gemmTilesTall(s *tileShape, h int, g *gemmArgs, x *amxArgs) {
	lower, n := pairsShape, ceilDiv(h, pairsShape.mr)
	if s.group == 4 {
		lower = quadsShape
	}
	r := &x.remainder
	for t := range g.tiles {
		for i := range n {
			from, to := h*i/n, h*(i+1)/n
			*r = *g
			r.a, r.c, r.tiles = g.a[t*g.ts+from*g.rs:], g.c[(t*h+from)*g.ldc:], 1
			r.pf, r.pfs = r.b, 0
			gemmTiles(&lower, to-from, r, nil)
		}
	}
	*r = gemmArgs{}
}

func amxTiles(s *tileShape, h, cols int, x *amxArgs) {
	switch tall, wide := h > 16, cols > 16; {
	case s.group == 4 && tall && wide:
		amx22Int8(x)
	case s.group == 4 && tall:
		amx21Int8(x)
	case s.group == 4 && wide:
		amx12Int8(x)
	case s.group == 4:
		amx11Int8(x)
	case tall && wide:
		amx22BF16(x)
	case tall:
		amx21BF16(x)
	case wide:
		amx12BF16(x)
	default:
		amx11BF16(x)
	}
}

//go:noescape
func amx22BF16(args *amxArgs)

//go:noescape
func amx21BF16(args *amxArgs)

//go:noescape
func amx12BF16(args *amxArgs)

//go:noescape
func amx11BF16(args *amxArgs)

//go:noescape
func amx22Int8(args *amxArgs)

//go:noescape
func amx21Int8(args *amxArgs)

//go:noescape
func amx12Int8(args *amxArgs)

//go:noescape
func amx11Int8(args *amxArgs)

//go:noescape
func amxPeakBF16(args *amxArgs)

//go:noescape
func amxPeakInt8(args *amxArgs)

// The offsets that amx_amd64.s relies on; a wrong one does not compile.
const (
	_ = -(unsafe.Offsetof(amxArgs{}.init) ^ 24)
	_ = -(unsafe.Offsetof(amxArgs{}.config) ^ 32)
	_ = -(unsafe.Offsetof(amxArgs{}.steps) ^ 40)
	_ = -(unsafe.Offsetof(amxArgs{}.tiles) ^ 48)
	_ = -(unsafe.Offsetof(amxArgs{}.rs) ^ 56)
	_ = -(unsafe.Offsetof(amxArgs{}.ts) ^ 64)
	_ = -(unsafe.Offsetof(amxArgs{}.bs) ^ 72)
	_ = -(unsafe.Offsetof(amxArgs{}.ldc) ^ 80)
	_ = -(unsafe.Offsetof(amxArgs{}.initLD) ^ 88)
	_ = -(unsafe.Offsetof(amxArgs{}.initTS) ^ 96)
	_ = -(unsafe.Offsetof(amxArgs{}.rows) ^ 104)
	_ = -(unsafe.Offsetof(amxArgs{}.as) ^ 112)
	_ = -(unsafe.Offsetof(amxArgs{}.ahead) ^ 120)
	_ = -(unsafe.Offsetof(amxArgs{}.aheadStep) ^ 128)
	_ = -(unsafe.Sizeof(amxConfig{}) ^ 64)
)
