package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ScoreVQA scores VQA results, [{"question_id", "answer"}, …], against a VQA v2 annotation file, {"annotations":
// [{"question_id", "answers": [{"answer"}, …], "question_type", "answer_type"}, …]}; the types may be missing. The metrics
// are those of VQA.Result, the groups "question_type" and "answer_type". As in the official tool every question needs
// exactly one answer; other files are an error that names the first few questions.
func ScoreVQA(truth, preds io.Reader) (*Report, error) {
	questions, order, err := readQuestions(truth)
	if err != nil {
		return nil, &sideError{true, err}
	}
	answers, err := readAnswers(preds, questions, order)
	if err != nil {
		return nil, &sideError{false, err}
	}
	v := NewVQA()
	for _, id := range order {
		q := questions[id]
		if _, err := v.Add(q.answers, answers[id], q.questionType, q.answerType); err != nil {
			return nil, fmt.Errorf("eval: question %d: %w", id, err)
		}
	}
	groups := map[string]map[string]map[string]float64{}
	for name, g := range map[string]map[string]float64{"question_type": v.PerQuestionType(), "answer_type": v.PerAnswerType()} {
		if len(g) == 0 {
			continue
		}
		groups[name] = map[string]map[string]float64{}
		for k, acc := range g {
			groups[name][k] = map[string]float64{"vqa_accuracy": acc}
		}
	}
	return &Report{Task: "vqa", Images: v.n, Metrics: v.Result(), Groups: groups}, nil
}

type question struct {
	answers                  []string
	questionType, answerType string
}

func readQuestions(r io.Reader) (map[int64]question, []int64, error) {
	j, err := newReader(r)
	if err != nil {
		return nil, nil, err
	}
	questions := map[int64]question{}
	var order []int64
	annotated, asked := false, false
	err = readDocument(j, func(bad *faults) error {
		return j.object(func(key string) error {
			asked = asked || key == "questions"
			if key != "annotations" {
				return j.skip()
			}
			annotated = true
			return j.array(func(i int) error {
				id, q, fatal, err := readQuestion(j)
				if fatal {
					return fmt.Errorf("annotation %d: %w", i, err)
				}
				if _, twice := questions[id]; err == nil && twice {
					err = fmt.Errorf("question_id %d was used before", id)
				}
				if err != nil {
					bad.add("annotation %d: %v", i, err)
					return giveUp(bad)
				}
				questions[id] = q
				order = append(order, id)
				return nil
			})
		})
	})
	switch {
	case err != nil:
	case !annotated && asked:
		err = errors.New(`"annotations" is missing; this is a file of questions, want the file of annotations with the answers`)
	case !annotated:
		err = errors.New(`"annotations" is missing; want a VQA v2 annotation file`)
	}
	return questions, order, err
}

func readQuestion(j *jsonReader) (id int64, q question, fatal bool, err error) {
	var a struct {
		QuestionID   json.RawMessage `json:"question_id"`
		QuestionType json.RawMessage `json:"question_type"`
		AnswerType   json.RawMessage `json:"answer_type"`
		Answers      json.RawMessage `json:"answers"`
	}
	if fatal, err = j.decode(&a); err != nil {
		return 0, q, fatal, err
	}
	if id, err = integer("question_id", a.QuestionID); err != nil {
		return 0, q, false, err
	}
	for _, f := range []struct {
		name string
		raw  json.RawMessage
		to   *string
	}{{"question_type", a.QuestionType, &q.questionType}, {"answer_type", a.AnswerType, &q.answerType}} {
		if absent(f.raw) {
			continue
		}
		if *f.to, err = text(f.name, f.raw); err != nil {
			return 0, q, false, err
		}
	}
	var answers []struct {
		Answer json.RawMessage `json:"answer"`
	}
	if absent(a.Answers) {
		return 0, q, false, fmt.Errorf("answers is missing")
	}
	if json.Unmarshal(a.Answers, &answers) != nil || len(answers) == 0 {
		return 0, q, false, fmt.Errorf(`answers is %s, want [{"answer": …}, …]`, quoted(a.Answers))
	}
	for i, e := range answers {
		s, err := text(fmt.Sprintf("answers[%d].answer", i), e.Answer)
		if err != nil {
			return 0, q, false, err
		}
		q.answers = append(q.answers, s)
	}
	return id, q, false, nil
}

func readAnswers(r io.Reader, questions map[int64]question, order []int64) (map[int64]string, error) {
	j, err := newReader(r)
	if err != nil {
		return nil, err
	}
	answers := make(map[int64]string, len(questions))
	err = readDocument(j, func(bad *faults) error {
		return j.array(func(i int) error {
			var a struct {
				QuestionID json.RawMessage `json:"question_id"`
				Answer     json.RawMessage `json:"answer"`
			}
			fatal, err := j.decode(&a)
			if fatal {
				return fmt.Errorf("result %d: %w", i, err)
			}
			var id int64
			if err == nil {
				id, err = integer("question_id", a.QuestionID)
			}
			var s string
			if err == nil {
				s, err = text("answer", a.Answer)
			}
			if _, known := questions[id]; err == nil && !known {
				err = fmt.Errorf("question_id %d is not among the truth's %d questions", id, len(questions))
			}
			if _, twice := answers[id]; err == nil && twice {
				err = fmt.Errorf("question_id %d was answered before", id)
			}
			if err != nil {
				bad.add("result %d: %v", i, err)
				return giveUp(bad)
			}
			answers[id] = s
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	for _, id := range order {
		if _, ok := answers[id]; !ok {
			return nil, fmt.Errorf("%d of %d questions have no answer, the first is question_id %d", len(order)-len(answers), len(order), id)
		}
	}
	return answers, nil
}
