package cli

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"fovea/annotation"
	"fovea/dataset"
	"fovea/dataset/scenes"
	"fovea/task"
	"fovea/tokenizer"
)

type dataVocabOptions struct {
	setOptions
	out    string
	size   int
	scenes int
}

func (a *app) dataVocab() *cobra.Command {
	var o dataVocabOptions
	c := &cobra.Command{
		Use: "vocab [PATH...] --out tokenizer.json", Short: "Learn a vocabulary from the words of data sets",
		Long: `Learns the pieces that a model reads and writes (byte-level byte-pair encoding) from the labels, questions, answers and captions of data sets ` +
			`and of generated scenes, and writes a tokenizer.json as the Hugging Face libraries read it.`,
		Example: "fovea data vocab coco/ easy_vqa/ --size 4096 --out tokenizer.json",
		Args:    cobra.ArbitraryArgs,
		RunE:    func(c *cobra.Command, args []string) error { return a.runDataVocab(c.Context(), &o, args) },
	}
	o.flags(c)
	c.Flags().StringVarP(&o.out, "out", "o", "", "the file to write")
	c.Flags().IntVar(&o.size, "size", 4096, "so many pieces")
	c.Flags().IntVar(&o.scenes, "scenes", 2000, "learn from the words of so many generated scenes, too")
	return c
}

func (a *app) runDataVocab(ctx context.Context, o *dataVocabOptions, paths []string) error {
	switch {
	case o.out == "":
		return usage("fovea data vocab DATA --out tokenizer.json", "--out is missing")
	case o.size < 300 || o.size > 1<<20:
		return usage("", "--size is %d, want 300 … %d", o.size, 1<<20)
	case o.scenes < 0 || o.scenes > maxScenes:
		return usage("", "--scenes is %d, want 0 … %d", o.scenes, maxScenes)
	case o.scenes == 0 && len(paths) == 0:
		return usage("name a data set", "nothing to learn from")
	}
	var sets []dataset.Source
	for _, p := range paths {
		s, err := o.open(p)
		if err != nil {
			return err
		}
		sets = append(sets, s)
	}
	if o.scenes > 0 {
		sets = append(sets, scenes.New(scenes.Config{Seed: 1, N: o.scenes, Size: 32}))
	}
	tok, err := tokenizer.Train(a.words(ctx, sets), tokenizer.TrainOptions{VocabSize: o.size, Specials: task.Specials()})
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := tok.Save(o.out); err != nil {
		return err
	}
	if !a.quiet {
		fmt.Fprintf(a.err, "%d pieces are in %s\n", tok.Size(), o.out)
	}
	return nil
}

// words lists the words of data sets as the model reads them: lower case, each with the space before it.
func (a *app) words(ctx context.Context, sets []dataset.Source) iter.Seq[string] {
	return func(yield func(string) bool) {
		total, at := 0, 0
		for _, s := range sets {
			total += s.Len()
		}
		p := a.progress("reading", total)
		defer p.done()
		spread := func(text string) bool {
			for _, w := range task.Split(strings.ToLower(text)) {
				if !yield(" " + w) {
					return false
				}
			}
			return true
		}
		for _, j := range annotation.COCO17.Joints {
			if !spread(strings.ReplaceAll(j, "_", " ")) {
				return
			}
		}
		for _, s := range sets {
			for _, c := range s.Classes() {
				if !spread(strings.ReplaceAll(c, "_", " ")) {
					return
				}
			}
			for i := range s.Len() {
				if ctx.Err() != nil {
					return
				}
				p.step(at)
				at++
				ex, err := s.At(i, dataset.RNG(0, i))
				if err != nil {
					continue // its words are lost, the rest is there
				}
				for _, t := range textsOf(&ex.Picture) {
					if !spread(t) {
						return
					}
				}
			}
		}
	}
}

func textsOf(p *annotation.Picture) (out []string) {
	for _, q := range p.Questions {
		out = append(out, q.Text)
		out = append(out, q.Answers...)
	}
	return append(out, p.Captions...)
}
