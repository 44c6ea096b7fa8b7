// Package testmodel makes small models with random weights for tests of everything that opens a model: they answer
// nonsense, in milliseconds.
package testmodel

import (
	"slices"

	"fovea/annotation"
	"fovea/checkpoint"
	"fovea/dataset/scenes"
	"fovea/model/unified"
	"fovea/task"
	"fovea/tokenizer"
)

// New makes a model of the tiny variant that knows the words of scenes; its weights are a function of the seed.
func New(seed uint64) (*unified.Model, error) {
	words := func(yield func(string) bool) {
		for _, w := range slices.Concat(scenes.Words(), []string{"nose", "eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"}) {
			if !yield(" " + w) {
				return
			}
		}
	}
	tok, err := tokenizer.Train(words, tokenizer.TrainOptions{VocabSize: 512, Specials: task.Specials()})
	if err != nil {
		return nil, err
	}
	v, err := task.NewVocabulary(tok)
	if err != nil {
		return nil, err
	}
	c, err := unified.Variant("tiny")
	if err != nil {
		return nil, err
	}
	c.Labels, c.Classes, c.Joints = scenes.Classes(), scenes.Classes(), annotation.COCO17.Joints
	return unified.New(c, v, seed)
}

// Write makes the model of seed 1 and saves it into a folder.
func Write(dir string) error {
	m, err := New(1)
	if err != nil {
		return err
	}
	return m.Save(dir, checkpoint.WriteOptions{})
}
