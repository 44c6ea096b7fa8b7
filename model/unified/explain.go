package unified

import (
	"math"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/ops"
	"fovea/task"
)

// ExplainOptions says which answer is to be explained.
type ExplainOptions struct {
	Task     task.Task      // Classify, Detect, Ask or Caption
	Question string         // Ask
	Name     int32          // Detect: the object's name; Classify: the picture's, -1 for the most probable one
	Box      annotation.Box // Detect: the object's box, model frame
	Least    float64        // Detect: least score of the object
	Method   string         // Gradient, the default, or Rollout, which models use anyway whose weights are held in fewer bits
}

// Explanation says where an answer looks.
type Explanation struct {
	Answer  Answer
	Method  string        // Gradient or Rollout
	Patches []float64     // [P] how much of the answer rests on each image token, row by row
	Words   []WordsWeight // Ask: the pieces of the question, whose weights and those of Patches sum to 1 at most
}

// WordsWeight is a piece of a question and how much of the answer rests on it.
type WordsWeight struct {
	Text  string
	Value float64
}

// Answer is an answer to a picture that can be weighed on others: Score.
type Answer struct {
	Task  task.Task
	Name  int32          // Classify, Detect
	Box   annotation.Box // Detect: model frame
	Text  string         // Ask, Caption
	Score float64        // as Score gives it for the picture that was answered

	patch  int         // Detect: the image token that answered
	group  *task.Group // what is read: the prompt and, but for its last word, the answer
	prompt int         // its pieces before the answer
	ids    []int32     // the answer's words
}

// Explain finds the answer to a picture (S × S) and says on which image tokens and words it rests: an object is explained from the image
// token that answered with it, of those with its name the one whose box fits best, and an answer in words from all of its words. ok is
// false when there is no such object, or the model has no names to choose from.
//
// The picture runs through the model again, because the keys and values that are kept of one do not suffice.
func (r *Runner) Explain(img *imageproc.RGB, o ExplainOptions) (e Explanation, ok bool) {
	if e.Answer, ok = r.answer(img, o); !ok {
		return e, false
	}
	a, before, patches := &e.Answer, r.m.Config.before(), r.m.Config.Tokens()
	if o.Method == "" {
		o.Method = Gradient
	}
	weight, method := r.relevance(img, a, o.Method)
	e.Method = method
	e.Patches = weight[before:patches]
	if o.Task == task.Ask {
		e.Words = r.m.questionWords(a.group, weight[patches:], a.prompt-1)
	}
	return e, true
}

// answer is what the model answers.
func (r *Runner) answer(img *imageproc.RGB, o ExplainOptions) (a Answer, ok bool) {
	m := r.m
	a.Task = o.Task
	pic := r.Encode(img)
	switch o.Task {
	case task.Detect:
		best := Detection{}
		for _, d := range r.Detect(pic, DetectOptions{Names: append([]int32{o.Name}, m.DefaultLabels()...), Threshold: 1e-9, NMS: 1, Max: m.Config.Patches()}) {
			if d.Name == o.Name && d.Score >= o.Least && (!ok || d.Box.IoU(o.Box) > best.Box.IoU(o.Box)) {
				best, ok = d, true
			}
		}
		if !ok {
			return a, false
		}
		a.Name, a.Box, a.patch = best.Name, best.Box, int(best.patch)
	case task.Classify:
		a.Name = o.Name
		if choices := r.Classify(pic, m.choices(a.Name)); len(choices) == 0 {
			return a, false
		} else if a.Name < 0 {
			a.Name = choices[0].Name
		}
		g := task.ClassifyPrompt(m.Vocab)
		a.group, a.prompt = &g, 1
	default:
		g, style := task.CaptionPrompt(m.Vocab), captionStyle
		if o.Task == task.Ask {
			g, style = task.AskPrompt(m.Vocab, o.Question), answerStyle
		}
		said := r.write(pic, []task.Group{g}, style, nil)[0]
		if len(said.ids) == 0 { // nobody waits for it any more, or the model's numbers are none
			return a, false
		}
		a.Text, a.ids, a.prompt, a.group = said.text, said.ids, len(g.Pieces), &g
		for _, id := range a.ids[:len(a.ids)-1] {
			g.Pieces = append(g.Pieces, task.Piece{Kind: task.Word, ID: id})
		}
	}
	a.Score = r.score(pic, &a)
	return a, true
}

// choices are the names that a picture's name is chosen from.
func (m *Model) choices(name int32) []int32 {
	names := m.DefaultClasses()
	for _, n := range names {
		if n == name {
			return names
		}
	}
	if name >= 0 {
		names = append(names, name)
	}
	return names
}

// Scores weighs an answer on other pictures (S × S each): the probability of a picture's name; of an object the largest product,
// over the image tokens, of the probability of its name and its box's overlap (IoU) with the explained one (Petsiuk et al. 2021,
// "Black-box Explanation of Object Detectors via Saliency Maps"); of words the geometric mean of their probabilities.
func (r *Runner) Scores(imgs []*imageproc.RGB, a *Answer) []float64 {
	out := make([]float64, len(imgs))
	for i, p := range r.EncodeBatch(imgs) {
		out[i] = r.score(p, a)
	}
	return out
}

// score is what Scores says of one picture.
func (r *Runner) score(p *Picture, a *Answer) float64 {
	m, t := r.m, r.t
	t.Reset()
	switch a.Task {
	case task.Classify:
		for _, c := range r.Classify(p, m.choices(a.Name)) {
			if c.Name == a.Name {
				return c.Score
			}
		}
		return 0
	case task.Detect:
		tokens := r.tokens(p)
		logits, column := m.objectLogits(tokens, a.Name)
		v := logits.Shape.Last()
		kernel.SoftmaxRows(logits.Data, logits.Shape.Rows(), v, v, 1)
		found := make([]Detection, logits.Shape.Rows())
		for i := range found {
			found[i] = Detection{Name: a.Name, Score: float64(logits.Data[i*v+column]), patch: int32(i)}
		}
		r.boxes(tokens, found)
		best := 0.
		for _, d := range found {
			best = max(best, d.Score*d.Box.IoU(a.Box))
		}
		return best
	}
	h := m.Ask(t, &p.Encoded, []Prompt{{0, a.group}}, &r.sc)
	logits := m.wordLogits(ops.Slice(h.Text, a.prompt-1, a.prompt-1+len(a.ids)))
	v := logits.Shape.Last()
	sum := 0.
	for i, id := range a.ids {
		row := logits.Data[i*v : (i+1)*v]
		m.forbidSpecials(row, m.Vocab.Special(task.EndPiece), i == 0)
		sum += float64(row[id] - kernel.LogSumExp(row))
	}
	return math.Exp(sum / float64(len(a.ids)))
}

// objectLogits weighs "nothing", the name and its rivals for every token, and says in which column the name is.
func (m *Model) objectLogits(tokens *Value, name int32) (logits *Value, column int) {
	words := [][]int32{m.Names.Words[task.Nothing], m.Names.Words[name]}
	for _, id := range m.DefaultLabels() {
		if id != name {
			words = append(words, m.Names.Words[id])
		}
	}
	return tableLogits(m.Readout.Class, tokens, m.names(tokens.Tape(), words)), 1
}

// wordLogits weighs all pieces of the vocabulary for every row of x [T, D]: [T, V].
func (m *Model) wordLogits(x *Value) *Value {
	return tableLogits(m.Readout.Word, x, x.Tape().Use(m.Words))
}

// logProbability is the logarithm of the answer's probability, a node that gradients start from: out are the final states.
func (m *Model) logProbability(out *Value, a *Answer) *Value {
	t, n := out.Tape(), m.Config.Tokens()
	switch a.Task {
	case task.Detect:
		at := m.Config.before() + a.patch
		logits, column := m.objectLogits(ops.Slice(out, at, at+1), a.Name)
		return ops.CrossEntropy(logits, []int32{int32(column)}, []float32{-1}, 0)
	case task.Classify:
		var words [][]int32
		target := int32(0)
		for i, id := range m.choices(a.Name) {
			if words = append(words, m.Names.Words[id]); id == a.Name {
				target = int32(i)
			}
		}
		logits := tableLogits(m.Readout.Class, ops.Slice(out, n, n+1), m.names(t, words))
		return ops.CrossEntropy(logits, []int32{target}, []float32{-1}, 0)
	}
	weights := make([]float32, len(a.ids))
	for i := range weights {
		weights[i] = -1
	}
	return ops.CrossEntropy(m.wordLogits(ops.Slice(out, n+a.prompt-1, n+a.prompt-1+len(a.ids))), a.ids, weights, 0)
}

// answeredBy lists the rows of the sequence that the answer was read from.
func (m *Model) answeredBy(a *Answer) (rows []int) {
	if a.Task == task.Detect {
		return []int{m.Config.before() + a.patch}
	}
	for i := a.prompt - 1; i < len(a.group.Pieces); i++ {
		rows = append(rows, m.Config.Tokens()+i)
	}
	return rows
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
