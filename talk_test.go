package fovea

import (
	"path/filepath"
	"testing"

	"fovea/task"
)

// A published model that writes looks at a picture once: answers about what it has kept are those about the picture itself, in
// whatever order pictures and questions come.
func TestTalkAboutKeptPictures(t *testing.T) {
	for _, name := range []string{"idefics3", "paligemma", "qwen2_5_vl", "qwen3_vl"} {
		dir := filepath.Join("testdata", "fixtures", "parity", name)
		p, err := Open(background, dir)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		pictures := []Request{{Image: scene(t, 0, 96)}, {Image: scene(t, 1, 96)}}
		questions := []string{"what is it?", "what is it made of?"}
		ask := func(r Request, e *Encoded, question string) string {
			t.Helper()
			r.Tasks, r.Questions, r.Writing = task.SetOf(task.Ask), []string{question}, Writing{MaxTokens: 6}
			do := func() (*Result, error) { return p.Do(background, r) }
			if e != nil {
				do = func() (*Result, error) { return p.DoEncoded(background, e, r) }
			}
			res, err := do()
			if err != nil {
				t.Fatal(err)
			}
			return res.Answers[0].Answer
		}
		var kept []*Encoded
		for _, q := range pictures {
			e, err := p.Encode(background, q.Image)
			if err != nil {
				t.Fatal(err)
			}
			if e.kept == nil || e.img != nil || e.Bytes() == 0 {
				t.Errorf("%s keeps the picture, not what it has seen of it", name)
			}
			kept = append(kept, e)
		}
		for _, at := range [][2]int{{0, 0}, {0, 1}, {1, 1}, {0, 0}, {1, 0}, {1, 0}} {
			i, question := at[0], questions[at[1]]
			if got, want := ask(pictures[i], kept[i], question), ask(pictures[i], nil, question); got != want {
				t.Errorf("%s, picture %d, %q: %q of what was kept, %q of the picture", name, i, question, got, want)
			}
		}
	}
}
