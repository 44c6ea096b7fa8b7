package eval

import (
	"cmp"
	"slices"

	"fovea/annotation"
)

// COCO's evaluation averages over ten IoU thresholds, .50 to .95, and reads precision at 101 recalls, 0 to 1.
const (
	thresholds = 10
	recalls    = 101
	at50       = 0 // index of the threshold .50
	at75       = 5
)

// linspace is lo, …, hi in n steps with numpy's rounding: the last bit of a threshold decides ties.
func linspace(lo, hi float64, n int) []float64 {
	step := (hi - lo) / float64(n-1)
	out := make([]float64, n)
	for i := range out {
		out[i] = lo + float64(float64(i)*step)
	}
	out[n-1] = hi
	return out
}

// areaRange keeps the objects of some sizes, in square pixels; both ends belong to it.
type areaRange struct {
	name   string // as it is appended to AP and AR
	lo, hi float64
}

const maxAreas = 4

var (
	allSizes = areaRange{"", 0, 1e10}
	small    = areaRange{"s", 0, 32 * 32}
	medium   = areaRange{"m", 32 * 32, 96 * 96}
	large    = areaRange{"l", 96 * 96, 1e10}
)

// instance is one object of the truth or of the predictions, ready to be matched.
type instance struct {
	box    box // unused when scoring joints of predictions
	area   float64
	score  float64 // predictions only
	crowd  bool    // truth: many objects; matched any number of times and never counted
	ignore bool    // truth: matched but not counted
	// void marks truth whose id is 0. pycocotools stores the matched id and takes 0 for "unmatched", so a detection of
	// such an object counts as wrong there, and here.
	void   bool
	mask   annotation.RLE
	joints []joint   // in the truth none at all also means that none is labelled
	sigmas []float64 // as long as joints
}

// verdict is what became of one prediction: for each area range a bit per threshold.
type verdict struct {
	picture      int32 // in the order of adding
	rank         int32 // among the picture's predictions of the class, best first
	score        float64
	hit, ignored [maxAreas]uint16
}

// tally gathers a class's verdicts over the pictures.
type tally struct {
	verdicts []verdict
	truths   [maxAreas]int // objects that count
}

// board matches predictions to truth, picture by picture and class by class, as pycocotools' COCOeval.evaluate does, and
// keeps only the verdicts: masks are not held.
type board struct {
	task    Task
	areas   []areaRange
	maxDets []int // ascending
	ious    []float64
	classes []tally
}

func newBoard(task Task) *board {
	b := &board{task: task, areas: []areaRange{allSizes, small, medium, large}, maxDets: []int{1, 10, 100}, ious: linspace(.5, .95, thresholds)}
	if task == Keypoints {
		b.areas, b.maxDets = []areaRange{allSizes, medium, large}, []int{20}
	}
	return b
}

// add scores one picture's objects of one class. The slices are sorted in place.
func (b *board) add(picture, class int, truth, preds []instance) {
	for len(b.classes) <= class {
		b.classes = append(b.classes, tally{})
	}
	t := &b.classes[class]
	slices.SortStableFunc(preds, func(p, q instance) int { return cmp.Compare(q.score, p.score) })
	preds = preds[:min(len(preds), b.maxDets[len(b.maxDets)-1])]
	sim := similarity(b.task, truth, preds)
	first := len(t.verdicts)
	for i, p := range preds {
		t.verdicts = append(t.verdicts, verdict{picture: int32(picture), rank: int32(i), score: p.score})
	}
	for a, r := range b.areas {
		m := newMatcher(truth, sim, r)
		t.truths[a] += m.counted()
		for k, iou := range b.ious {
			m.match(iou, len(preds), func(i, truth int) {
				v := &t.verdicts[first+i]
				found := truth >= 0 && !m.truth[truth].void
				outside := preds[i].area < r.lo || preds[i].area > r.hi
				if found {
					v.hit[a] |= 1 << k
				}
				if truth >= 0 && m.ignored[truth] || !found && outside {
					v.ignored[a] |= 1 << k
				}
			})
		}
	}
}

// matcher assigns one picture's predictions to truth within an area range.
type matcher struct {
	truth   []instance
	sim     []float64 // [predictions, truth]
	order   []int     // truth that counts first
	ignored []bool
	taken   []bool
}

func newMatcher(truth []instance, sim []float64, r areaRange) *matcher {
	m := &matcher{truth: truth, sim: sim, ignored: make([]bool, len(truth)), taken: make([]bool, len(truth))}
	for i, g := range truth {
		m.ignored[i] = g.ignore || g.crowd || g.area < r.lo || g.area > r.hi
		if !m.ignored[i] {
			m.order = append(m.order, i)
		}
	}
	for i := range truth {
		if m.ignored[i] {
			m.order = append(m.order, i)
		}
	}
	return m
}

func (m *matcher) counted() (n int) {
	for _, g := range m.ignored {
		if !g {
			n++
		}
	}
	return n
}

// match gives each prediction, best first, the free truth that it overlaps most, at least by iou; truth that counts goes
// before truth that does not. done hears the truth's index, or -1.
func (m *matcher) match(iou float64, preds int, done func(pred, truth int)) {
	clear(m.taken)
	for p := range preds {
		best, at := min(iou, 1-1e-10), -1
		for _, g := range m.order {
			if m.taken[g] && !m.truth[g].crowd {
				continue
			}
			if at >= 0 && !m.ignored[at] && m.ignored[g] {
				break
			}
			if s := m.sim[p*len(m.truth)+g]; s >= best {
				best, at = s, g
			}
		}
		if at >= 0 {
			m.taken[at] = true
		}
		done(p, at)
	}
}
