package unified

import (
	"math"
	"slices"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/ops"
	"fovea/task"
)

// EncodeMirrored is Encode of a square and of its mirror image: joints will be sought in both. Left and right joints are confused in other ways
// there, and the mean of the two heat maps is more often right than either, as is usual for poses (Newell et al., stacked hourglass
// networks, 2016). It takes as long as two pictures.
func (r *Runner) EncodeMirrored(img *imageproc.RGB) *Picture {
	both := r.EncodeBatch([]*imageproc.RGB{img, img.View(1)})
	both[0].mirror = both[1]
	return both[0]
}

// Poses finds the joints of people in the given boxes (model frame): COCO's 17 each, model frame.
func (r *Runner) Poses(p *Picture, boxes []annotation.Box) [][]annotation.Joint {
	if len(boxes) == 0 {
		return nil
	}
	heat, seen := r.heat(p, boxes)
	f := r.m.Config.FeatureSide()
	if p.mirror != nil {
		heat, seen = slices.Clone(heat), slices.Clone(seen) // the other look overwrites them
		turned := make([]annotation.Box, len(boxes))
		for i, b := range boxes {
			turned[i] = annotation.Box{X0: 1 - b.X1, Y0: b.Y0, X1: 1 - b.X0, Y1: b.Y1}
		}
		other, otherSeen := r.heat(p.mirror, turned)
		joinMirrored(heat, other, seen, otherSeen, f)
	}
	out := make([][]annotation.Joint, len(boxes))
	for k := range len(seen) / 3 {
		jx, jy, mass := peak(heat[k*f*f:(k+1)*f*f], f)
		joint := annotation.Joint{X: jx, Y: jy, V: annotation.Visible, Score: mass}
		if seen[3*k+1] > seen[3*k+2] {
			joint.V = annotation.Occluded
		}
		i := k / (len(seen) / 3 / len(boxes))
		out[i] = append(out[i], joint)
	}
	return out
}

// heat are the heat maps of the joints of people in the given boxes, logits [people · 17, F·F], and the probabilities that they are
// absent, occluded and visible, [people · 17, 3]. Both are valid until the runner's next question.
func (r *Runner) heat(p *Picture, boxes []annotation.Box) (where, seen []float32) {
	m, t := r.m, r.t
	t.Reset()
	joints := m.JointNames()
	groups := make([]task.Group, len(boxes))
	prompts := make([]Prompt, len(boxes))
	for i, b := range boxes {
		groups[i] = task.PosePrompt(m.Vocab, b, joints)
		prompts[i] = Prompt{0, &groups[i]}
	}
	feat := r.featuresOf(p)
	h := m.Ask(t, &p.Encoded, prompts, &r.sc)
	var refs []ops.Ref
	for i := range boxes {
		for j := range joints {
			refs = append(refs, ops.Ref{Row: int32(h.Start[i] + task.PoseJoint(j))})
		}
	}
	x := ops.Gather(t, refs, h.Text)
	where = ops.Retrieve(m.Readout.Joint.Forward(x), feat, make([]int32, len(refs))).Data
	seen = m.Readout.Seen.Forward(x).Data
	kernel.SoftmaxRows(seen, len(refs), 3, 3, 1)
	return where, seen
}

// joinMirrored makes heat and seen the means of the probabilities of a picture and of its mirror image; heat becomes their logarithms.
// f is the side of a heat map.
func joinMirrored(heat, other, seen, otherSeen []float32, f int) {
	flip := annotation.COCO17.Flip
	n := f * f
	rows := len(heat) / n
	kernel.SoftmaxRows(heat, rows, n, n, 1)
	kernel.SoftmaxRows(other, rows, n, n, 1)
	for k := range rows {
		j := k/len(flip)*len(flip) + flip[k%len(flip)] // the joint in the mirror image
		for c := range 3 {
			seen[3*k+c] = (seen[3*k+c] + otherSeen[3*j+c]) / 2
		}
		for y := range f {
			row, back := heat[k*n+y*f:][:f], other[j*n+y*f:][:f]
			for x := range row {
				row[x] = float32(math.Log(float64(row[x]+back[f-1-x])/2 + 1e-30))
			}
		}
	}
}
