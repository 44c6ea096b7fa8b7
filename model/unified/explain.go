package unified

import (
	"math"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/nn"
	"fovea/ops"
	"fovea/task"
)

// ExplainOptions says which answer is to be explained.
type ExplainOptions struct {
	Task     task.Task      // Classify, Detect, Ask or Caption
	Question string         // Ask
	Name     int32          // Detect: the object's name; Classify takes the picture's name whatever it is
	Box      annotation.Box // Detect: the object's box, model frame
}

// Explanation says where an answer looks.
type Explanation struct {
	Text    string        // Ask, Caption: the answer
	Score   float64       // of the answer; of Detect the object's; 0 for Classify, whose scores Classify gives
	Patches []float64     // [P] how much of the attention ends at each image token, row by row
	Words   []WordsWeight // Ask: the pieces of the question, whose weights and those of Patches sum to 1 at most
}

// WordsWeight is a piece of a question and how much of the attention ends at it.
type WordsWeight struct {
	Text  string
	Value float64
}

// Explain follows the attention of an answer's tokens down to the image tokens and words that it starts from, by attention
// rollout (Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers", eq. 1): in each block a token's state is
// taken to be half its own and half the mean over the heads of what it attends to, and these matrices are multiplied
// through all blocks. It needs no gradient. It says where information may come from, not whether it was decisive.
//
// The picture (S × S) runs through the model again, because the keys and values that are kept of one do not suffice. Of an
// answer in words the mean over the tokens that the words were read from is taken; an object is explained from the image
// token that answered with it, of those with its name the one whose box fits best. ok is false when there is none.
func (r *Runner) Explain(img *imageproc.RGB, o ExplainOptions) (e Explanation, ok bool) {
	m := r.m
	var group *task.Group
	var rows []int // in the sequence, image tokens first
	patches, before := m.Config.Tokens(), m.Config.before()
	switch o.Task {
	case task.Detect:
		best := Detection{}
		for _, d := range r.Detect(r.Encode(img), DetectOptions{Names: append([]int32{o.Name}, m.DefaultLabels()...), Threshold: 1e-9, NMS: 1, Max: m.Config.Patches()}) {
			if d.Name == o.Name && (!ok || d.Box.IoU(o.Box) > best.Box.IoU(o.Box)) {
				best, ok = d, true
			}
		}
		if !ok {
			return e, false
		}
		e.Score, rows = best.Score, []int{before + int(best.patch)}
	case task.Classify:
		g := task.ClassifyPrompt(m.Vocab)
		group, rows = &g, []int{patches}
	default:
		g, limit := task.CaptionPrompt(m.Vocab), task.MaxGroup-2
		if o.Task == task.Ask {
			g, limit = task.AskPrompt(m.Vocab, o.Question), 8
		}
		prompt := len(g.Pieces)
		groups := []task.Group{g}
		texts, scores := r.write(r.Encode(img), groups, limit, nil)
		group, e.Text, e.Score = &groups[0], texts[0], scores[0]
		for i := prompt - 1; i < len(group.Pieces); i++ {
			rows = append(rows, patches+i)
		}
		if len(rows) > 1 {
			rows = rows[:len(rows)-1] // the last piece is the answer's last word; what it says next is that the answer ends
		}
	}
	weight := r.rollout(img, group, rows)
	e.Patches = weight[before:patches]
	if o.Task == task.Ask {
		e.Words = m.questionWords(group, weight[patches:], rows[0]-patches)
	}
	return e, true
}

// questionWords pairs the words of a prompt, without its special pieces, with their weights; the prompt ends at piece last.
func (m *Model) questionWords(g *task.Group, weight []float64, last int) (out []WordsWeight) {
	special := map[int32]bool{}
	for _, s := range task.Specials() {
		special[m.Vocab.Special(s)] = true
	}
	for i, p := range g.Pieces[:last+1] {
		if p.Kind == task.Word && !special[p.ID] {
			out = append(out, WordsWeight{m.Vocab.Decode([]int32{p.ID}), weight[i]})
		}
	}
	return out
}

// rollout runs a picture, and a prompt if there is one, and multiplies the blocks' attention, from the mean of some rows
// down: the result is a distribution over the tokens that go into the first block.
func (r *Runner) rollout(img *imageproc.RGB, group *task.Group, rows []int) []float64 {
	m, t, c := r.m, r.t, r.m.Config
	t.Reset()
	x := t.New(false, 1, c.Size, c.Size, 3)
	m.normalize(x.Data, img.Pix)
	seq, _ := m.Stem.Forward(x)
	r.sc.layout = ops.Layout{Images: 1, Patches: c.Tokens(), Groups: r.sc.layout.Groups[:0]}
	if group != nil {
		seq = ops.Concat(seq, m.embed(t, []Prompt{{0, group}}, m.coords(t), &r.sc, c.Tokens()))
	}
	var maps [][]float64
	r.sc.pass = nn.Pass{Layout: &r.sc.layout, Tap: func(i int, x *Value) *Value {
		if i < len(m.Stack.Blocks) {
			maps = append(maps, attentionMap(m.Stack.Blocks[i], x, &r.sc.layout))
		}
		return x
	}}
	m.Stack.Forward(&r.sc.pass, seq)
	n := seq.Shape.Rows()
	weight := make([]float64, n)
	for _, row := range rows {
		weight[row] += 1 / float64(len(rows))
	}
	for i := len(maps) - 1; i >= 0; i-- {
		next := make([]float64, n)
		for from, w := range weight {
			if w == 0 {
				continue
			}
			next[from] += w / 2
			for to, a := range maps[i][from*n : (from+1)*n] {
				next[to] += w / 2 * a
			}
		}
		weight = next
	}
	return weight
}

// attentionMap is a block's attention for its input x [N, D], the mean over the heads: [N, N], whose rows sum to 1.
func attentionMap(b *nn.Block, x *Value, l *ops.Layout) []float64 {
	a := b.Attn
	y := b.Norm1.Forward(x)
	q, k := a.Q.Forward(y), a.K.Forward(y)
	if a.QNorm != nil {
		q, k = a.QNorm.Forward(q), a.KNorm.Forward(k)
	}
	n, d := x.Shape.Rows(), q.Shape.Last()
	head := d / a.Heads
	scale := 1 / math.Sqrt(float64(head))
	out, row := make([]float64, n*n), make([]float64, n)
	for i := range n {
		seen := visible(l, i)
		for h := range a.Heads {
			most, sum := math.Inf(-1), 0.
			for j := range seen {
				row[j] = scale * float64(kernel.Dot(q.Data[i*d+h*head:i*d+(h+1)*head], k.Data[j*d+h*head:j*d+(h+1)*head]))
				most = max(most, row[j])
			}
			for j := range seen {
				row[j] = math.Exp(row[j] - most)
				sum += row[j]
			}
			for j := range seen {
				out[i*n+j] += row[j] / sum / float64(a.Heads)
			}
		}
	}
	return out
}

// visible is how many tokens, from the first on, row i of one picture and at most one prompt sees.
func visible(l *ops.Layout, i int) int {
	if i < l.Patches {
		return l.Patches
	}
	return l.Patches + l.Groups[0].Sees(i-l.Patches)
}
