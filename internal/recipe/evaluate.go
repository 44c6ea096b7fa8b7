package recipe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"fovea/annotation"
	"fovea/dataset"
	"fovea/internal/kernel"
	"fovea/model/unified"
	"fovea/nn"
	"fovea/task"
)

// Evaluation measures a model on one data set with each task's standard metrics.
type Evaluation struct {
	Name   string
	Source dataset.Source
	Tasks  task.Set
	Limit  int
	// Spread takes the Limit pictures from all over the set instead of its start, where frames of one film lie side by side.
	Spread bool
	// Views is how many views of a picture recognition and matching are averaged over (imageproc.RGB.View), and whether joints
	// of given people are over the picture and its mirror image; 0 means 1.
	Views int
	// Beams is how many beginnings of an answer or caption Run follows at once (unified.Runner.Search); 0: as it does by itself.
	Beams int
	// Precision is how Run holds the model's matrices from then on, as nn.Lower has it; "" and "f32" leave them as they are.
	Precision string
	// Captions bounds the pictures that are described, which takes longer than everything else; 0 means all.
	Captions int
	// Progress is told after every picture.
	Progress func(done, total int)
	// Keep receives pictures with what was found, for contact sheets; nil keeps none.
	Keep func(ex *dataset.Example, found annotation.Picture)
}

// Measurement is the result of an evaluation.
type Measurement struct {
	// Metrics by name, prefixed with their kind: "box AP", "answers exact".
	Metrics map[string]float64
	Images  int // that were looked at
	// Unread says which pictures of the set could not be read, *dataset.ExampleError each: the metrics are of the others.
	Unread []error
}

// Run measures the program's own model, whose names grow by those of the data set. When the context ends, what was measured so far is returned beside its error.
func (e *Evaluation) Run(ctx context.Context, m *unified.Model) (Measurement, error) {
	if e.Precision != "" && e.Precision != "f32" {
		if _, _, err := nn.Lower(m, e.Precision); err != nil {
			return Measurement{}, err
		}
	}
	found, err := e.RunOn(ctx, newOwn(m, e.Precision == "bf16" && kernel.FastBF16(), e.Beams))
	if errors.Is(err, ErrNothing) { // a run may name a set to measure that has no labels for its tasks: it was said before
		err = nil
	}
	return found, err
}

// leftOut tells, once, of pictures that cannot be read and so are not measured.
type leftOut map[string]bool

func (l *leftOut) tell(w io.Writer, m Measurement) {
	if *l == nil {
		*l = leftOut{}
	}
	if w == nil {
		w = os.Stderr
	}
	for _, err := range m.Unread {
		if !(*l)[err.Error()] {
			(*l)[err.Error()] = true
			_, _ = fmt.Fprintf(w, "fovea: note: not measured: %s\n", strings.TrimPrefix(err.Error(), "dataset: "))
		}
	}
}
