package cli

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/chat"
	"fovea/generate/grammar"
)

// writingOptions say how a text is written.
type writingOptions struct {
	how    fovea.Writing
	schema string
	system string
}

func (o *writingOptions) flags(c *cobra.Command) {
	f, w := c.Flags(), &o.how
	f.Float64Var(&w.Temperature, "temperature", 0, "draw words instead of taking the likeliest; 1: by their probability, higher: more freely")
	f.Float64Var(&w.TopP, "top-p", 0, "with --temperature, draw among the likeliest words that have this probability together")
	f.Uint64Var(&w.Seed, "seed", 0, "with --temperature, number of the draw")
	f.IntVar(&w.Beams, "beams", 0, beamsHelp)
	f.IntVar(&w.MaxTokens, "max-tokens", 0, "at most so many pieces of words")
	f.StringArrayVar(&w.Stop, "stop", nil, "end the text before this; may be repeated")
	f.StringVar(&o.system, "system", "", "instructions that come before the question, of models with a chat template")
	f.StringVar(&o.schema, "schema", "", "write JSON of this JSON schema: a file, or the schema itself")
}

const beamsHelp = "follow so many beginnings of a text at once and take the best text"

// read gives what the flags say. A schema that begins with { stands for itself.
func (o *writingOptions) read() (fovea.Writing, error) {
	w := o.how
	if o.system != "" {
		w.Before = []chat.Message{{Role: "system", Parts: []chat.Part{{Text: o.system}}}}
	}
	if o.schema == "" {
		return w, nil
	}
	text := []byte(o.schema)
	if !strings.HasPrefix(strings.TrimSpace(o.schema), "{") {
		var err error
		switch text, err = os.ReadFile(o.schema); {
		case errors.Is(err, fs.ErrNotExist):
			return w, bad("name a file, or write the schema itself: --schema '{\"type\": \"object\", …}'", "--schema: there is no file %s", o.schema)
		case err != nil:
			return w, err
		}
	}
	var err error
	if w.Schema, err = grammar.Parse(text); err != nil {
		return w, usage("docs/reference/cli.md lists what a schema may say", "--schema: %s", strings.TrimPrefix(err.Error(), "grammar: "))
	}
	return w, nil
}
