package unified

import (
	"math"
	"math/rand/v2"

	"fovea/autograd"
	"fovea/ops"
	"fovea/task"
)

// pointLoss teaches pieces of prompts where the things that they name are: joints through coordinates, image features
// and visibility; mentioned objects through coordinates. Mentions are what makes questions of position learnable: the
// word's state then holds the place that the answer compares.
func (m *Model) pointLoss(t *autograd.Tape, h Hidden, w Weights, s *lossScratch) {
	c, side := m.Config, m.Config.FeatureSide()
	joints, image, seen := s.refs[2][:0], s.ints[3][:0], s.ints[4][:0]
	jointAt, jointSoft, heat := s.floats[8][:0], s.floats[9][:0], s.floats[10][:0]
	mentions, mentionSoft := s.refs[3][:0], s.floats[11][:0]
	for i, p := range s.prompts {
		for _, q := range p.Points {
			row := ops.Ref{Row: int32(h.Start[i] + q.Piece)}
			if !q.Joint {
				mentions = append(mentions, row)
				mentionSoft = gaussian(mentionSoft, c.Bins, float64(q.Y)*float64(c.Bins), coordSigma)
				mentionSoft = gaussian(mentionSoft, c.Bins, float64(q.X)*float64(c.Bins), coordSigma)
				continue
			}
			joints, image, seen = append(joints, row), append(image, int32(p.Image)), append(seen, int32(q.V))
			jointAt = append(jointAt, q.Y, q.X)
			jointSoft = gaussian(jointSoft, c.Bins, float64(q.Y)*float64(c.Bins), coordSigma)
			jointSoft = gaussian(jointSoft, c.Bins, float64(q.X)*float64(c.Bins), coordSigma)
			heat = m.bump(heat, float64(q.X)*float64(side), float64(q.Y)*float64(side))
		}
	}
	s.refs[2], s.ints[3], s.ints[4], s.floats[8], s.floats[9], s.floats[10] = joints, image, seen, jointAt, jointSoft, heat
	s.refs[3], s.floats[11] = mentions, mentionSoft
	if n := len(joints); n > 0 {
		x := ops.Gather(t, joints, h.Text)
		each := 1 / float32(n)
		s.floats[12], s.floats[13] = fill(s.floats[12], 2*n, each/2), fill(s.floats[13], n, each)
		at := tableLogits(m.Readout.Point, x, h.Coords)
		s.add("pose.coord", ops.SoftCrossEntropy(at, jointSoft, s.floats[12]), w.JointCoord)
		s.add("pose.l1", ops.AbsoluteError(ops.Expect(at, m.centers), jointAt, s.floats[12]), w.JointL1)
		where := ops.Retrieve(m.Readout.Joint.Forward(x), s.maps.vectors(), image)
		s.add("pose.heat", ops.SoftCrossEntropy(where, heat, s.floats[13]), w.JointHeat)
		s.add("pose.seen", ops.CrossEntropy(m.Readout.Seen.Forward(x), seen, s.floats[13], 0), w.Seen)
	}
	if n := len(mentions); n > 0 {
		s.floats[14] = fill(s.floats[14], 2*n, .5/float32(n))
		// asked of the middle of the stack, so that the blocks after it can compare the places
		at := tableLogits(m.Readout.Point, ops.Gather(t, mentions, h.Early), h.Coords)
		s.add("ask.mention", ops.SoftCrossEntropy(at, mentionSoft, s.floats[14]), w.Mention)
	}
}

// bump appends a two-dimensional Gaussian around (x, y), in cells of the feature map, that sums to 1.
func (m *Model) bump(dst []float32, x, y float64) []float32 {
	side := m.Config.FeatureSide()
	from := len(dst)
	dst = append(dst, make([]float32, side*side)...)
	q := dst[from:]
	sum := float32(0)
	cx, cy := min(int(x), side-1), min(int(y), side-1)
	for j := max(cy-3, 0); j <= min(cy+3, side-1); j++ {
		for i := max(cx-3, 0); i <= min(cx+3, side-1); i++ {
			dx, dy := (float64(i)+.5-x)/heatSigma, (float64(j)+.5-y)/heatSigma
			v := float32(math.Exp(-.5 * (dx*dx + dy*dy)))
			q[j*side+i] = v
			sum += v
		}
	}
	for j := max(cy-3, 0); j <= min(cy+3, side-1); j++ {
		for i := max(cx-3, 0); i <= min(cx+3, side-1); i++ {
			q[j*side+i] /= sum
		}
	}
	return dst
}

// wordLoss teaches answers and captions word by word.
func (m *Model) wordLoss(t *autograd.Tape, h Hidden, w Weights, s *lossScratch) {
	rows, next := s.refs[4][:0], s.ints[5][:0]
	ask, caption := s.floats[15][:0], s.floats[16][:0]
	var asked, captioned float32
	for i, p := range s.prompts {
		for j, id := range p.Next {
			if id < 0 {
				continue
			}
			rows, next = append(rows, ops.Ref{Row: int32(h.Start[i] + j)}), append(next, id)
			a, c := float32(1), float32(0)
			if p.Task == task.Caption {
				a, c = 0, 1
			}
			ask, caption = append(ask, a), append(caption, c)
			asked, captioned = asked+a, captioned+c
		}
	}
	s.refs[4], s.ints[5], s.floats[15], s.floats[16] = rows, next, ask, caption
	if len(rows) == 0 {
		return
	}
	logits := tableLogits(m.Readout.Word, ops.Gather(t, rows, h.Text), t.Use(m.Words))
	if asked > 0 {
		// an answer is one word and its end: the factor 2 makes the loss that of a whole answer
		scaleBy(ask, 2/asked)
		s.add("ask.word", ops.CrossEntropy(logits, next, ask, w.Smooth), w.Ask)
	}
	if captioned > 0 {
		scaleBy(caption, 1/captioned)
		s.add("caption.word", ops.CrossEntropy(logits, next, caption, w.Smooth), w.Caption)
	}
}

func scaleBy(x []float32, f float32) {
	for i := range x {
		x[i] *= f
	}
}

// classifyLoss teaches the name of the whole picture.
func (m *Model) classifyLoss(t *autograd.Tape, h Hidden, samples []*task.Sample, w Weights, s *lossScratch) {
	rows, weight, of := s.refs[5][:0], s.floats[17][:0], s.ints[8][:0]
	clear(s.column)
	s.bags = s.bags[:0]
	for i, p := range s.prompts {
		if p.Task != task.Classify {
			continue
		}
		smp := samples[p.Image]
		for _, id := range smp.ClassChoices {
			if _, ok := s.column[id]; !ok {
				s.column[id] = int32(len(s.bags))
				s.bags = append(s.bags, m.Names.Words[id])
			}
		}
		sum := float32(0)
		for _, c := range smp.Class {
			sum += c.Weight
		}
		rows, of, weight = append(rows, ops.Ref{Row: int32(h.Start[i])}), append(of, int32(p.Image)), append(weight, sum)
	}
	s.refs[5], s.floats[17], s.ints[8] = rows, weight, of
	if len(rows) == 0 {
		return
	}
	logits := tableLogits(m.Readout.Class, ops.Gather(t, rows, h.Text), m.names(t, s.bags))
	v := logits.Shape.Last()
	total := float32(0)
	s.floats[18] = fill(s.floats[18], len(rows)*v, -1) // no choice
	for k, image := range of {
		row, q := logits.Data[k*v:(k+1)*v], s.floats[18][k*v:(k+1)*v]
		choices := samples[image].ClassChoices
		for _, id := range choices {
			q[s.column[id]] = w.Smooth / float32(len(choices))
		}
		for c := range q {
			if q[c] < 0 {
				row[c], q[c] = never, 0
			}
		}
		for _, c := range samples[image].Class {
			q[s.column[c.Name]] += (1 - w.Smooth) * c.Weight / weight[k]
		}
		total += weight[k]
	}
	scaleBy(weight, 1/total)
	s.add("classify", ops.SoftCrossEntropy(logits, s.floats[18], weight), w.Classify)
}

// matchLoss places pictures and their captions close together in the joint space. Texts that are equal word for word fit
// each other's pictures too.
func (m *Model) matchLoss(t *autograd.Tape, h Hidden, w Weights, rng *rand.Rand, s *lossScratch) {
	last, image := s.refs[6][:0], s.refs[7][:0]
	texts := s.ints[7][:0] // prompt of each text
	for i, p := range s.prompts {
		if p.Task == task.Match {
			last = append(last, ops.Ref{Row: int32(h.Start[i] + len(p.Pieces) - 1)})
			image = append(image, ops.Ref{Row: int32(p.Image)})
			texts = append(texts, int32(i))
		}
	}
	s.refs[6], s.refs[7], s.ints[7] = last, image, texts
	n := len(last)
	if n < 2 {
		return
	}
	s.same = s.same[:0]
	for _, i := range texts {
		for _, j := range texts {
			s.same = append(s.same, samePieces(s.prompts[i].Pieces, s.prompts[j].Pieces))
		}
	}
	img := ops.Gather(t, image, m.imageVector(dropout(ops.MeanRows(h.Tokens, m.Config.Patches()), w.Drop, rng)))
	txt := m.textVector(dropout(ops.Gather(t, last, h.Text), w.Drop, rng))
	s.add("match", ops.SigmoidMatch(img, txt, t.Use(m.Readout.Scale), t.Use(m.Readout.Offset), s.same), w.Match)
}

// dropout sets each number of x to 0 with probability share, and makes the others larger by as much as keeps their mean.
func dropout(x *Value, share float32, rng *rand.Rand) *Value {
	if share == 0 {
		return x
	}
	keep := x.Tape().New(false, len(x.Data))
	for i := range keep.Data {
		keep.Data[i] = 0
		if rng.Float32() >= share {
			keep.Data[i] = 1 / (1 - share)
		}
	}
	return ops.Mul(x, keep)
}

func samePieces(a, b []task.Piece) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
