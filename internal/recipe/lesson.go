package recipe

import (
	"fmt"
	"math/rand/v2"

	"fovea/dataset"
	"fovea/model"
	"fovea/task"
)

// taught are the tasks that lessons can be made of.
var taught = []struct {
	label dataset.Labels
	task  task.Task
}{{dataset.HasQuestions, task.Ask}, {dataset.HasCaptions, task.Caption}, {dataset.HasCaptions, task.Match}}

// lessons makes the lessons of a run: lesson k of the stream is a pure function of the seed and k.
type lessons struct {
	net   model.Learner
	seed  uint64
	mix   *dataset.Mixture
	tasks []task.Set // of each source
}

// teachable are the tasks among those that are asked for which a source has labels for and the network can be taught.
func teachable(src dataset.Source, asked, can task.Set) (s task.Set) {
	for _, p := range taught {
		if src.Labels()&p.label != 0 {
			s |= task.SetOf(p.task)
		}
	}
	return s & asked & can
}

// tries is how many examples are looked at for one that has something to say.
const tries = 100

// next makes lesson k.
func (l *lessons) next(k int) (*model.Prepared, error) {
	rng := dataset.RNG(l.seed, k)
	for range tries {
		ex, pick, err := l.mix.Example(k, rng)
		if err != nil {
			return nil, err
		}
		if x, ok := lesson(ex, l.tasks[pick.Source], rng); ok {
			p, err := l.net.Prepare(x)
			if err != nil {
				return nil, fmt.Errorf("recipe: %s: %w", ex.ID, err)
			}
			return p, nil
		}
		k = rng.IntN(1 << 30)
	}
	return nil, fmt.Errorf("recipe: none of %d examples has a question or a caption", tries)
}

// lesson draws one of what an example can teach.
func lesson(ex *dataset.Example, tasks task.Set, rng *rand.Rand) (model.Lesson, bool) {
	var can []task.Task
	for _, p := range taught {
		n := len(ex.Captions)
		if p.task == task.Ask {
			n = len(ex.Questions)
		}
		if n > 0 && tasks.Has(p.task) {
			can = append(can, p.task)
		}
	}
	if len(can) == 0 {
		return model.Lesson{}, false
	}
	l := model.Lesson{Task: can[rng.IntN(len(can))], Picture: ex.Image, ID: ex.ID}
	if l.Task != task.Ask {
		l.Answer = ex.Captions[rng.IntN(len(ex.Captions))]
		return l, true
	}
	q := ex.Questions[rng.IntN(len(ex.Questions))]
	if len(q.Answers) == 0 {
		return l, false
	}
	l.Question, l.Answer = q.Text, q.Answers[0]
	return l, true
}
