package unified

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"fovea/autograd"
	"fovea/ops"
	"fovea/task"
)

// Weights are what the parts of the loss count.
type Weights struct {
	Class, Coord, GIoU, Mask, JointHeat, JointCoord, JointL1, Seen, Ask, Caption, Mention, Classify, Match, Pixel, Dice float32
	Smooth                                                                                                              float32 // label smoothing of words and classes
	// Drop is the share of the features, [0, 1), that a picture and a text lose before they are placed in the joint space (dropout:
	// Srivastava et al. 2014). A few hundred captions are else known by features that say nothing of other pictures.
	Drop float32
}

// DefaultWeights are those that the shipped model was trained with.
var DefaultWeights = Weights{Class: 1, Coord: .5, GIoU: 1, Mask: 1, JointHeat: 1, JointCoord: .5, JointL1: 5, Seen: .2, Ask: 2, Caption: .5, Mention: 1, Classify: .5, Match: .2, Pixel: 1, Dice: 1}

// byPart finds the weight of a part of the loss by its name.
var byPart = map[string]func(*Weights) *float32{
	"object.class": func(w *Weights) *float32 { return &w.Class },
	"object.box":   func(w *Weights) *float32 { return &w.Coord },
	"object.giou":  func(w *Weights) *float32 { return &w.GIoU },
	"object.mask":  func(w *Weights) *float32 { return &w.Mask },
	"pose.heat":    func(w *Weights) *float32 { return &w.JointHeat },
	"pose.coord":   func(w *Weights) *float32 { return &w.JointCoord },
	"pose.l1":      func(w *Weights) *float32 { return &w.JointL1 },
	"pose.seen":    func(w *Weights) *float32 { return &w.Seen },
	"ask.word":     func(w *Weights) *float32 { return &w.Ask },
	"ask.mention":  func(w *Weights) *float32 { return &w.Mention },
	"caption.word": func(w *Weights) *float32 { return &w.Caption },
	"classify":     func(w *Weights) *float32 { return &w.Classify },
	"match":        func(w *Weights) *float32 { return &w.Match },
	"pixel.class":  func(w *Weights) *float32 { return &w.Pixel },
	"pixel.dice":   func(w *Weights) *float32 { return &w.Dice },
}

// Set gives a part of the loss another weight, a finite number of at least 0. Parts are named as the loss names them ("match").
func (w *Weights) Set(part string, weight float64) error {
	at, ok := byPart[part]
	if !ok {
		return fmt.Errorf("unified: the loss has no part %q; there are %s", part, strings.Join(slices.Sorted(maps.Keys(byPart)), ", "))
	}
	if !(weight >= 0 && weight <= 1e6) {
		return fmt.Errorf("unified: the weight of %s is %g, want a number in [0, 1e6]", part, weight)
	}
	*at(w) = float32(weight)
	return nil
}

// coordSigma is the width of a coordinate's target in bins: neighbouring bins are nearly right.
const coordSigma = 1.5

// heatSigma is the width of a joint's target in cells of the feature map.
const heatSigma = .8

// Part is one part of the loss, before its weight.
type Part struct {
	Name   string
	Value  float32
	Weight float32
}

// lossScratch holds targets and indices that the recorded operations refer to.
type lossScratch struct {
	prompts []Prompt
	words   [][]int32 // names that detection chooses from in this batch
	column  map[int32]int32
	terms   []*Value
	weights []float32
	parts   []Part
	ints    [16][]int32
	floats  [24][]float32
	refs    [8][]ops.Ref
	same    []bool
	owner   []int32
	assigner
	bags   [][]int32
	pixels pixelScratch
	maps   fineMaps
}

// Loss runs a batch of samples forward and returns the weighted sum of all parts of the loss. The result and its parts
// are valid until the tape is reset. rng draws what Weights.Drop drops; without Drop it may be nil.
func (m *Model) Loss(t *autograd.Tape, samples []*task.Sample, w Weights, rng *rand.Rand, sc *Scratch) (*Value, []Part) {
	s := &sc.loss
	s.terms, s.weights, s.parts, s.prompts = s.terms[:0], s.weights[:0], s.parts[:0], s.prompts[:0]
	for i, smp := range samples {
		for j := range smp.Groups {
			s.prompts = append(s.prompts, Prompt{i, &smp.Groups[j]})
		}
	}
	h := m.Forward(t, m.pixels(t, samples), s.prompts, sc, nil)
	s.maps = fineMaps{m: m, h: h}
	m.objectLoss(t, h, samples, w, s)
	m.pixelLoss(t, samples, w, s)
	if h.Text != nil {
		m.pointLoss(t, h, w, s)
		m.wordLoss(t, h, w, s)
		m.classifyLoss(t, h, samples, w, s)
		m.matchLoss(t, h, w, rng, s)
	}
	return ops.Sum(t, s.terms, s.weights), s.parts
}

func (s *lossScratch) add(name string, v *Value, weight float32) {
	s.terms, s.weights = append(s.terms, v), append(s.weights, weight)
	s.parts = append(s.parts, Part{name, v.Data[0], weight})
}

// pixel statistics: rough mean and spread of photographs.
const pixelMean, pixelStd = .45, .25

// pixels brings pictures onto the tape as [B, S, S, 3].
func (m *Model) pixels(t *autograd.Tape, samples []*task.Sample) *Value {
	x := t.New(false, len(samples), m.Config.Size, m.Config.Size, 3)
	n := m.Config.Size * m.Config.Size * 3
	for i, s := range samples {
		m.normalize(x.Data[i*n:(i+1)*n], s.Image.Pix)
	}
	return x
}

// normalize writes pixels as the model's first convolution was trained on them.
func (m *Model) normalize(dst []float32, pix []uint8) {
	scale, shift := float32(1/(255*pixelStd)), float32(pixelMean/pixelStd)
	if m.Config.Backbone == Lite0 {
		scale, shift = 1./128, 127./128
	}
	for i, p := range pix {
		dst[i] = float32(p)*scale - shift
	}
}

// objectLoss teaches the image tokens what is centred in their patches.
func (m *Model) objectLoss(t *autograd.Tape, h Hidden, samples []*task.Sample, w Weights, s *lossScratch) {
	c := m.Config
	g, p := c.Grid(), c.Patches()
	s.choices(samples, m.Names)
	target, weight := s.ints[0][:0], s.floats[0][:0]
	rows, image := s.refs[0][:0], s.ints[1][:0] // positive tokens and their pictures
	boxes, soft := s.floats[1][:0], s.floats[2][:0]
	maskRows, maskImage, masks := s.refs[1][:0], s.ints[2][:0], s.floats[3][:0]
	if cap(s.owner) < p {
		s.owner = make([]int32, p)
	}
	owner := s.owner[:p]
	taught := false
	for i, smp := range samples {
		for j := range owner {
			owner[j] = -1
		}
		if smp.Boxes || smp.Some {
			taught = true
			s.assigner.assign(owner, smp.Objects, g)
		}
		for j, o := range owner {
			switch {
			case !smp.Boxes && !smp.Some, o < 0 && (smp.Some || ignored(smp.Ignore, j, g)):
				target, weight = append(target, -1), append(weight, 0)
			case o < 0:
				target, weight = append(target, 0), append(weight, 1)
			default:
				obj := smp.Objects[o]
				target, weight = append(target, s.column[obj.Name]), append(weight, 1)
				rows, image = append(rows, ops.Ref{Row: int32(i*p + j)}), append(image, int32(i))
				for _, v := range [4]float64{obj.Box.Y0, obj.Box.X0, obj.Box.Y1, obj.Box.X1} {
					boxes = append(boxes, float32(v))
					soft = gaussian(soft, c.Bins, v*float64(c.Bins), coordSigma)
				}
				if obj.Mask != nil {
					maskRows, maskImage = append(maskRows, ops.Ref{Row: int32(i*p + j)}), append(maskImage, int32(i))
					masks = append(masks, obj.Mask...)
				}
			}
		}
	}
	s.ints[0], s.floats[0], s.refs[0], s.ints[1], s.floats[1], s.floats[2] = target, weight, rows, image, boxes, soft
	s.refs[1], s.ints[2], s.floats[3] = maskRows, maskImage, masks
	if !taught {
		return
	}
	n := len(rows)
	scale := 1 / float32(max(n, 1))
	for i := range weight {
		weight[i] *= scale
	}
	logits := tableLogits(m.Readout.Class, h.Tokens, m.names(t, s.words))
	s.forbid(logits, samples, p)
	s.add("object.class", ops.CrossEntropy(logits, target, weight, 0), w.Class)
	if n == 0 {
		return
	}
	pos := ops.Gather(t, rows, h.Tokens)
	bl := tableLogits(m.Readout.Box, pos, h.Coords)
	s.floats[4] = fill(s.floats[4], 4*n, scale/4)
	s.add("object.box", ops.SoftCrossEntropy(bl, soft, s.floats[4]), w.Coord)
	s.floats[5] = fill(s.floats[5], n, scale)
	s.add("object.giou", ops.GIoULoss(ops.Expect(bl, m.centers), boxes, s.floats[5]), w.GIoU)
	if k := len(maskRows); k > 0 {
		e := m.Readout.Mask.Forward(ops.Gather(t, maskRows, h.Tokens))
		s.floats[6] = fill(s.floats[6], k, 1/float32(k))
		s.add("object.mask", ops.MaskLoss(ops.Retrieve(e, s.maps.vectors(), maskImage), masks, s.floats[6]), w.Mask)
	}
}

// choices collects the names that detection chooses from in this batch; "nothing" is column 0.
func (s *lossScratch) choices(samples []*task.Sample, names *task.Names) {
	if s.column == nil {
		s.column = map[int32]int32{}
	}
	clear(s.column)
	s.words = append(s.words[:0], names.Words[task.Nothing])
	s.column[task.Nothing] = 0
	for _, smp := range samples {
		for _, id := range smp.Candidates {
			if _, ok := s.column[id]; !ok {
				s.column[id] = int32(len(s.words))
				s.words = append(s.words, names.Words[id])
			}
		}
	}
}

// forbid sets the logits of names that a sample's data set does not label to −Inf: not seen there means nothing.
func (s *lossScratch) forbid(logits *Value, samples []*task.Sample, rows int) {
	v := logits.Shape.Last()
	inf := float32(math.Inf(-1))
	allowed := fill(s.floats[7], v, 0)
	s.floats[7] = allowed
	for i, smp := range samples {
		clear(allowed)
		allowed[0] = 1
		n := 1
		for _, id := range smp.Candidates {
			if c := s.column[id]; c != 0 {
				allowed[c] = 1
				n++
			}
		}
		if n == v {
			continue
		}
		for r := i * rows; r < (i+1)*rows; r++ {
			for c, ok := range allowed {
				if ok == 0 {
					logits.Data[r*v+c] = inf
				}
			}
		}
	}
}

// gaussian appends a distribution over n bins around position at (in bins; the centre of bin 0 is 0.5).
func gaussian(dst []float32, n int, at, sigma float64) []float32 {
	from := len(dst)
	dst = append(dst, make([]float32, n)...)
	q := dst[from:]
	sum := float32(0)
	lo, hi := max(int(at-6*sigma-1), 0), min(int(at+6*sigma+1), n-1)
	for i := lo; i <= hi; i++ {
		d := (float64(i) + .5 - at) / sigma
		q[i] = float32(math.Exp(-.5 * d * d))
		sum += q[i]
	}
	if sum == 0 { // outside the picture: the nearest bin
		q[min(max(int(at), 0), n-1)] = 1
		return dst
	}
	for i := lo; i <= hi; i++ {
		q[i] /= sum
	}
	return dst
}

// fill returns a slice of n times v, reusing buf's memory.
func fill(buf []float32, n int, v float32) []float32 {
	if cap(buf) < n {
		buf = make([]float32, n)
	}
	buf = buf[:n]
	for i := range buf {
		buf[i] = v
	}
	return buf
}
