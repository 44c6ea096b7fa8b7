package eval

import "fmt"

// VQA scores answers in words (Antol et al. 2015; Goyal et al. 2017), equal to the official evaluation tool.
type VQA struct {
	n                 int
	accuracy, exact   float64
	question, answers map[string]*average
}

type average struct {
	sum float64
	n   int
}

// NewVQA makes an empty score.
func NewVQA() *VQA { return &VQA{question: map[string]*average{}, answers: map[string]*average{}} }

// Add scores the answer to one question against those of the annotators, ten in VQA; the types may be "". It returns the
// question's accuracy.
//
// The accuracy averages, over leaving out one annotator at a time, min(agreeing others/3, 1). Answers are normalised,
// see NormalizeAnswer, unless all annotators agree: then the official tool compares the answers as they stand. A question
// with a single annotator, for which that rule knows no right answer, scores 1 for the same normalised answer.
func (v *VQA) Add(annotators []string, answer, questionType, answerType string) (float64, error) {
	if len(annotators) == 0 {
		return 0, fmt.Errorf("eval: a question without annotated answers")
	}
	acc := vqaAccuracy(annotators, answer)
	v.n++
	v.accuracy += acc
	if NormalizeAnswer(answer) == NormalizeAnswer(mostCommon(annotators)) {
		v.exact++
	}
	for _, g := range []struct {
		to  map[string]*average
		key string
	}{{v.question, questionType}, {v.answers, answerType}} {
		if g.key == "" {
			continue
		}
		if g.to[g.key] == nil {
			g.to[g.key] = &average{}
		}
		g.to[g.key].sum += acc
		g.to[g.key].n++
	}
	return acc, nil
}

func vqaAccuracy(annotators []string, answer string) float64 {
	answer = vqaTrim(answer)
	truth := make([]string, len(annotators))
	agree := true
	for i, a := range annotators {
		truth[i] = vqaTrim(a)
		agree = agree && truth[i] == truth[0]
	}
	if !agree || len(truth) == 1 {
		answer = NormalizeAnswer(answer)
		for i := range truth {
			truth[i] = NormalizeAnswer(truth[i])
		}
	}
	same := 0
	for _, t := range truth {
		if t == answer {
			same++
		}
	}
	if len(truth) == 1 {
		return float64(same)
	}
	var sum float64
	for _, t := range truth {
		others := same
		if t == answer {
			others--
		}
		sum += min(float64(others)/3, 1)
	}
	return sum / float64(len(truth))
}

// mostCommon is the answer that most annotators gave, the first of those that tie.
func mostCommon(answers []string) string {
	n := map[string]int{}
	for _, a := range answers {
		n[a]++
	}
	best := answers[0]
	for _, a := range answers[1:] {
		if n[a] > n[best] {
			best = a
		}
	}
	return best
}

// Questions is how many questions were added.
func (v *VQA) Questions() int { return v.n }

// Result is vqa_accuracy, the mean of the questions' accuracies, and exact, the share of answers that equal the most
// common annotation once both are normalised. The official tool prints vqa_accuracy in percent.
func (v *VQA) Result() map[string]float64 {
	n := max(float64(v.n), 1)
	return map[string]float64{"vqa_accuracy": v.accuracy / n, "exact": v.exact / n}
}

// PerQuestionType is vqa_accuracy by type of question ("how many", "is the"), PerAnswerType by type of answer ("yes/no",
// "number", "other").
func (v *VQA) PerQuestionType() map[string]float64 { return means(v.question) }

// PerAnswerType is described at PerQuestionType.
func (v *VQA) PerAnswerType() map[string]float64 { return means(v.answers) }

func means(m map[string]*average) map[string]float64 {
	out := map[string]float64{}
	for k, a := range m {
		out[k] = a.sum / float64(a.n)
	}
	return out
}
