package eval

import (
	"cmp"
	"slices"
	"sort"
)

// curves holds, for every class with truth, the precision at each threshold and recall and the recall reached.
type curves struct {
	precision [][thresholds][recalls]float64
	recall    [][thresholds]float64
	classes   []int
}

// average reads off the curves, as pycocotools' COCOeval.accumulate does, for one area range and one number of
// predictions per picture. The verdicts are sorted.
func (b *board) average(area, maxDets int) (c curves) {
	points := linspace(0, 1, recalls)
	var rc, pr []float64
	for k := range b.classes {
		t := &b.classes[k]
		if t.truths[area] == 0 {
			continue
		}
		var precision [thresholds][recalls]float64
		var recall [thresholds]float64
		for i := range thresholds {
			rc, pr = t.curve(rc[:0], pr[:0], area, maxDets, i)
			if len(rc) > 0 {
				recall[i] = rc[len(rc)-1]
			}
			for j := len(pr) - 1; j > 0; j-- {
				pr[j-1] = max(pr[j-1], pr[j])
			}
			for j, r := range points {
				if at := sort.SearchFloat64s(rc, r); at < len(pr) {
					precision[i][j] = pr[at]
				}
			}
		}
		c.precision = append(c.precision, precision)
		c.recall = append(c.recall, recall)
		c.classes = append(c.classes, k)
	}
	return c
}

// sort puts the verdicts of all pictures in order. order ranks the pictures: among equal scores the picture that ranks
// lower comes first; nil keeps the order of adding.
func (b *board) sort(order []int) {
	for k := range b.classes {
		b.classes[k].sort(order)
	}
}

// sort puts the best score first, then the picture that ranks lowest, then the picture's own order.
func (t *tally) sort(order []int) {
	at := func(v verdict) int {
		if order == nil {
			return int(v.picture)
		}
		return order[v.picture]
	}
	slices.SortFunc(t.verdicts, func(p, q verdict) int {
		return cmp.Or(cmp.Compare(q.score, p.score), cmp.Compare(at(p), at(q)), cmp.Compare(p.rank, q.rank))
	})
}

// curve appends recall and precision after each prediction, at one threshold.
func (t *tally) curve(rc, pr []float64, area, maxDets, threshold int) ([]float64, []float64) {
	const spacing = 0x1p-52 // of float64 at 1: 0/0 is 0
	bit := uint16(1) << threshold
	var hits, misses float64
	for _, v := range t.verdicts {
		if int(v.rank) >= maxDets {
			continue
		}
		if v.ignored[area]&bit == 0 {
			if v.hit[area]&bit != 0 {
				hits++
			} else {
				misses++
			}
		}
		rc = append(rc, hits/float64(t.truths[area]))
		pr = append(pr, hits/(misses+hits+spacing))
	}
	return rc, pr
}

// ap is the mean precision over classes, recalls and the thresholds from…to; -1 without truth.
func (c curves) ap(from, to int) float64 {
	var sum float64
	for _, p := range c.precision {
		for t := from; t < to; t++ {
			for _, v := range p[t] {
				sum += v
			}
		}
	}
	return mean(sum, len(c.precision)*(to-from)*recalls)
}

// ar is the mean recall over classes and the thresholds from…to; -1 without truth.
func (c curves) ar(from, to int) float64 {
	var sum float64
	for _, r := range c.recall {
		for t := from; t < to; t++ {
			sum += r[t]
		}
	}
	return mean(sum, len(c.recall)*(to-from))
}

func mean(sum float64, n int) float64 {
	if n == 0 {
		return -1
	}
	return sum / float64(n)
}

// result is COCO's summary.
func (b *board) result(order []int) map[string]float64 {
	b.sort(order)
	out := map[string]float64{}
	for a, r := range b.areas {
		for _, n := range b.maxDets {
			last := n == b.maxDets[len(b.maxDets)-1]
			if !last && r != allSizes {
				continue
			}
			c := b.average(a, n)
			switch {
			case b.task == Keypoints || r != allSizes:
				out["AR"+r.name] = c.ar(0, thresholds)
			default:
				out[map[int]string{1: "AR1", 10: "AR10", 100: "AR100"}[n]] = c.ar(0, thresholds)
			}
			if !last {
				continue
			}
			out["AP"+r.name] = c.ap(0, thresholds)
			if r == allSizes {
				out["AP50"], out["AP75"] = c.ap(at50, at50+1), c.ap(at75, at75+1)
				if b.task == Keypoints {
					out["AR50"], out["AR75"] = c.ar(at50, at50+1), c.ar(at75, at75+1)
				}
			}
		}
	}
	return out
}
