package recipe

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"fovea/augment"
	"fovea/dataset"
	"fovea/task"
)

// source is an opened data set of the mixture.
type source struct {
	dataset.Source
	tasks   task.Set
	labels  task.Source
	augment *augment.Pipeline
	teacher *teacher // says what is on a picture; nil: the labels do
}

// sampler makes the samples of a run: sample k of the stream is a pure function of the seed and k.
type sampler struct {
	seed    uint64
	mix     *dataset.Mixture
	sources []source
	builder *task.Builder
}

// sample reads, augments and builds one sample of source i.
func (s *sampler) sample(i int, ex *dataset.Example, rng *rand.Rand) (*task.Sample, error) {
	src := &s.sources[i]
	if src.tasks == task.SetOf(task.Classify) {
		if m, ok := src.augment.Mix(rng, ex, s.builder.Side); ok {
			return s.builder.BuildMixed(m, src.labels), nil
		}
	}
	img, pic := src.augment.Apply(rng, ex, s.builder.Side)
	has := task.Has{Boxes: ex.Labels&dataset.HasBoxes != 0, Some: ex.Labels&dataset.SomeBoxes != 0, Masks: ex.Labels&dataset.HasMasks != 0}
	out := s.builder.Build(img, &pic, has, src.labels, rng)
	if src.teacher != nil {
		seen, err := src.teacher.look(img)
		if err != nil {
			return nil, fmt.Errorf("recipe: the teacher looks at %s: %w", ex.ID, err)
		}
		if src.teacher.teaches.Has(task.Classify) {
			s.builder.Teach(out, seen.classes, src.labels)
		}
		if src.teacher.teaches.Has(task.Detect) {
			s.builder.Find(out, seen.objects, src.labels)
		}
	}
	return out, nil
}

// served says which tasks a data set's labels can teach, and which they can measure: boxes of some objects teach what is there, but
// not that nothing else is.
func served(has dataset.Labels) (teach, measure task.Set) {
	for _, p := range []struct {
		label dataset.Labels
		task  task.Task
	}{
		{dataset.HasClass, task.Classify}, {dataset.HasBoxes, task.Detect}, {dataset.HasMasks | dataset.HasSemantic, task.Segment}, {dataset.HasJoints, task.Pose},
		{dataset.HasQuestions, task.Ask}, {dataset.HasCaptions, task.Caption}, {dataset.HasCaptions, task.Match},
	} {
		if has&p.label != 0 {
			measure |= task.SetOf(p.task)
		}
	}
	teach = measure
	if has&dataset.SomeBoxes != 0 {
		teach |= task.SetOf(task.Detect)
	}
	return teach, measure
}

// labelsOf registers a data set's labels as names and says which tasks it can teach.
func labelsOf(src dataset.Source, asked task.Set, names *task.Names) (task.Source, task.Set) {
	has := src.Labels()
	can, _ := served(has)
	can &= asked
	l := task.Source{Tasks: can}
	ids := names.AddAll(src.Classes())
	if can.Has(task.Classify) {
		l.Classes = once(ids)
	}
	if can.Has(task.Detect) {
		l.Candidates = append([]int32{task.Nothing}, once(ids)...)
	}
	if can.Has(task.Segment) && has&dataset.HasSemantic != 0 {
		l.Pixels = ids
	}
	return l, can
}

// once leaves out ids that were there before: labels that differ only by case are one name.
func once(ids []int32) []int32 {
	var out []int32
	for _, id := range ids {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}
