package unified

import (
	"cmp"
	"math"
	"slices"

	"fovea/annotation"
	"fovea/task"
)

// assigner says which object each patch answers for. Its slices are reused.
type assigner struct {
	order []int // objects, the smallest first
	first []int // the first patch of each object, −1: it got none
}

// assign writes to owner [grid·grid], all −1 before, the objects that the patches answer for. An object's first patch is that in
// which its centre lies; where a smaller object has it already, as among the people of a crowd, the nearest free one around it.
// Patches beside the first whose centres lie in the middle half of the box answer for it too: in few pictures they teach several
// times as much (centre sampling: Tian et al., FCOS, 2019), and what is found twice is suppressed.
func (a *assigner) assign(owner []int32, objects []task.Target, grid int) {
	a.order, a.first = a.order[:0], a.first[:0]
	for i := range objects {
		a.order, a.first = append(a.order, i), append(a.first, -1)
	}
	slices.SortStableFunc(a.order, func(i, j int) int { return cmp.Compare(objects[i].Box.Area(), objects[j].Box.Area()) })
	for _, i := range a.order {
		if cell := nearest(owner, objects[i].Box, grid); cell >= 0 {
			owner[cell], a.first[i] = int32(i), cell
		}
	}
	for _, i := range a.order {
		if a.first[i] < 0 {
			continue
		}
		b := objects[i].Box
		middle := annotation.Box{X0: .75*b.X0 + .25*b.X1, Y0: .75*b.Y0 + .25*b.Y1, X1: .25*b.X0 + .75*b.X1, Y1: .25*b.Y0 + .75*b.Y1}
		around(a.first[i], grid, func(cell int) {
			if x, y := cellCenter(cell, grid); owner[cell] < 0 && x >= middle.X0 && x < middle.X1 && y >= middle.Y0 && y < middle.Y1 {
				owner[cell] = int32(i)
			}
		})
	}
}

// nearest is the free patch nearest to a box's centre among the one that it lies in and those around that; −1: none is free.
func nearest(owner []int32, b annotation.Box, grid int) int {
	x, y := b.Center()
	best, least := -1, math.Inf(1)
	around(min(int(y*float64(grid)), grid-1)*grid+min(int(x*float64(grid)), grid-1), grid, func(cell int) {
		cx, cy := cellCenter(cell, grid)
		if d := max(math.Abs(cx-x), math.Abs(cy-y)); owner[cell] < 0 && d < least {
			best, least = cell, d
		}
	})
	return best
}

// around calls f with a patch and those around it.
func around(cell, grid int, f func(cell int)) {
	for y := max(cell/grid-1, 0); y <= min(cell/grid+1, grid-1); y++ {
		for x := max(cell%grid-1, 0); x <= min(cell%grid+1, grid-1); x++ {
			f(y*grid + x)
		}
	}
}

// cellCenter is the centre of a patch in the model frame, [0, 1].
func cellCenter(cell, grid int) (x, y float64) {
	return (float64(cell%grid) + .5) / float64(grid), (float64(cell/grid) + .5) / float64(grid)
}

func ignored(crowds []annotation.Box, cell, grid int) bool {
	x, y := cellCenter(cell, grid)
	for _, b := range crowds {
		if x >= b.X0 && x < b.X1 && y >= b.Y0 && y < b.Y1 {
			return true
		}
	}
	return false
}
