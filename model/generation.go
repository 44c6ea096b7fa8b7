package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"fovea/chat"
	"fovea/generate"
	"fovea/generate/grammar"
)

// Generation is how a repository says that texts are written: its generation_config.json. Whether tokens are drawn is not
// taken over: the same question gives the same answer unless something else is asked for.
type Generation struct {
	EOS       Ends    `json:"eos_token_id"`
	Beams     int     `json:"num_beams"`
	NGram     int     `json:"no_repeat_ngram_size"`
	Penalty   float64 `json:"repetition_penalty"`
	Length    float64 `json:"length_penalty"`
	Early     any     `json:"early_stopping"`
	Suppress  []int32 `json:"suppress_tokens"`
	MaxTokens int     `json:"max_new_tokens"`
}

// Ends are the tokens that end a text, published as one number or several.
type Ends []int32

// UnmarshalJSON implements json.Unmarshaler.
func (e *Ends) UnmarshalJSON(b []byte) error {
	var one int32
	if string(b) == "null" {
		return nil
	}
	if json.Unmarshal(b, &one) == nil {
		*e = Ends{one}
		return nil
	}
	var list []int32
	if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("model: eos_token_id %.80s is neither a number nor a list of numbers", b)
	}
	*e = list
	return nil
}

// Generation reads generation_config.json, if it is there, over the defaults that g holds: a Generation, or a struct with one.
func (f *Folder) Generation(g any) error {
	b, err := f.Read("generation_config.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(b, g)
	}
	if err != nil {
		return fmt.Errorf("generation_config.json: %w", err)
	}
	return nil
}

// Check names the first setting that cannot work with a vocabulary of so many tokens.
func (g *Generation) Check(vocab int) error {
	for _, id := range slices.Concat(g.EOS, g.Suppress) {
		if id < 0 || int(id) >= vocab {
			return fmt.Errorf("model: the token %d of eos_token_id or suppress_tokens is not within vocab_size %d", id, vocab)
		}
	}
	c := g.Rules(Writing{}, maxAnswer)
	return c.Check()
}

// Writing is how somebody wants texts to be written; zero fields mean the model's own.
type Writing struct {
	MaxTokens, Beams  int
	Temperature, TopP float64 // see generate.Config
	Seed              uint64
	Schema            *grammar.Schema // the text is JSON of this schema, whatever the model would rather write
	Stop              []string        // the text ends before the first of these that the model writes
	Before            []chat.Message  // what was said before the question, and instructions ("system"): of models with a chat template
}

// Zero reports that nothing is wanted but the model's own way.
func (w Writing) Zero() bool {
	return w.MaxTokens == 0 && w.Beams == 0 && w.Temperature == 0 && w.TopP == 0 && w.Seed == 0 && w.Schema == nil && len(w.Stop)+len(w.Before) == 0
}

// maxStops bounds Writing.Stop: each token is compared with all of them; maxBefore the messages of Writing.Before.
const (
	maxStops  = 16
	maxBefore = 256
)

// Check names the first setting that cannot work.
func (w Writing) Check() error {
	if w.MaxTokens < 0 || w.MaxTokens > 1<<20 {
		return fmt.Errorf("model: %d tokens of an answer are not within 1 … %d", w.MaxTokens, 1<<20)
	}
	if len(w.Stop) > maxStops || slices.Contains(w.Stop, "") {
		return fmt.Errorf("model: stop strings %.200q: at most %d are taken, and none that is empty", w.Stop, maxStops)
	}
	if len(w.Before) > maxBefore {
		return fmt.Errorf("model: %d messages before the question, at most %d are taken", len(w.Before), maxBefore)
	}
	for _, m := range w.Before {
		if !slices.Contains([]string{"system", "user", "assistant"}, m.Role) {
			return fmt.Errorf("model: a message of %.40q, want system, user or assistant", m.Role)
		}
	}
	if w.Schema != nil && len(w.Stop) > 0 {
		return errors.New("model: JSON of a schema ends where the schema says; leave the stop strings out")
	}
	c := generate.Config{MaxTokens: 1, Beams: w.Beams, Temperature: w.Temperature, TopP: w.TopP}
	return c.Check()
}

// Rules joins the two. An answer has at most limit tokens. What stops it and what precedes it are left to the caller.
func (g *Generation) Rules(w Writing, limit int) generate.Config {
	c := generate.Config{
		MaxTokens: limit, EOS: g.EOS, Beams: g.Beams, NoRepeatNGram: g.NGram, RepetitionPenalty: g.Penalty, LengthPenalty: g.Length,
		EarlyStopping: g.Early == true, Suppress: g.Suppress, Temperature: w.Temperature, TopP: w.TopP, Seed: w.Seed,
	}
	if w.Beams > 0 {
		c.Beams = w.Beams
	}
	if c.Temperature > 0 && w.Beams == 0 {
		c.Beams = 1
	}
	for _, n := range []int{g.MaxTokens, w.MaxTokens} {
		if n > 0 {
			c.MaxTokens = min(limit, n)
		}
	}
	if w.Schema != nil {
		// JSON repeats itself, and its grammar knows which tokens never occur. How much it takes, the repository cannot have known.
		c.NoRepeatNGram, c.Suppress = 0, nil
		if c.MaxTokens = w.MaxTokens; c.MaxTokens == 0 {
			c.MaxTokens = max(maxAnswer, 2*w.Schema.Least())
		}
		c.MaxTokens = min(limit, c.MaxTokens)
	}
	return c
}
