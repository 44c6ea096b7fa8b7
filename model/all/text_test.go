package all

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fovea/chat"
	"fovea/generate"
	"fovea/model"
	"fovea/nn"
)

// whole opens the fixture's model so that it does not cut pictures into tiles.
func (x *fixture) whole(t *testing.T) model.Network {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(x.dir)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "preprocessor_config.json")
	b, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, bytes.Replace(b, []byte(`"do_image_splitting": true`), []byte(`"do_image_splitting": false`), 1), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	net, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// written is what the reference wrote.
type written struct {
	Input []int32 `json:"input_ids"`
	IDs   []int32 `json:"generated_ids"`
	Text  string  `json:"generated_text"`
}

// TestParityWriting reads the fixture's prompt and writes on from it what the reference wrote.
func TestParityWriting(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		net, ok := x.load(t).(model.Speaker)
		if !ok {
			t.Skip("the fixture does not write on from a prompt")
		}
		var question string
		if !x.want(t, "question", &question) {
			x.want(t, "prompt", &question)
		}
		for part, net := range map[string]model.Speaker{"": net, "split": net, "no_split": nil} {
			var want written
			if part == "" {
				x.want(t, "input_ids", &want.Input)
				x.want(t, "generated_ids", &want.IDs)
				x.want(t, "generated_text", &want.Text)
			} else if !x.want(t, part, &want) {
				continue
			}
			if want.Input == nil {
				continue
			}
			if part == "no_split" {
				net = x.whole(t).(model.Speaker)
			}
			tape := newTape()
			sight, err := net.Look(tape, x.pictures)
			if err != nil {
				t.Fatal(err)
			}
			p, err := net.Prompt(sight, nil, question)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(p.IDs, want.Input) {
				t.Fatalf("%s prompt %v, want %v", part, p.IDs, want.Input)
			}
			voice := net.Voice()
			w := nn.NewTeller(voice.Decoder, tape)
			for range 2 { // the second time, what the prompts share has been read
				first, err := w.Read(p)
				if err != nil {
					t.Fatal(err)
				}
				ids, _, err := generate.Generate(context.Background(), w, first, generate.Config{MaxTokens: len(want.IDs), EOS: voice.How.EOS})
				if err != nil || !slices.Equal(ids, want.IDs) {
					t.Errorf("%s wrote %v, %v; want %v", part, ids, err, want.IDs)
				}
			}
			if len(x.pictures) == 1 {
				heard, run := "", net.NewRunner(2)
				v, err := run.Encode(x.pictures[0])
				if err != nil {
					t.Fatal(err)
				}
				v.(model.Writer).Write(context.Background(), model.Writing{MaxTokens: len(want.IDs)})
				got := v.Ask([]string{question, "What is it?"}, func(s string) { heard = s })
				text := strings.TrimSpace(voice.Words.Decode(want.IDs, true))
				if err := v.(model.Writer).Err(); err != nil || got[0].Question != question || got[0].Answer != text || heard != text {
					t.Errorf("%s answered %v, heard %q, %v; want %q", part, got, heard, err, text)
				}
				for _, a := range got {
					if !(a.Score > 0 && a.Score <= 1) {
						t.Errorf("%v: the score is no probability", a)
					}
				}
				if c := v.Caption(nil); !(c.Score > 0 && c.Score <= 1) || c.Text == "" {
					t.Errorf("described as %v", c)
				}
				run.Close()
			}
			if text := voice.Words.Decode(want.IDs, false); text != want.Text {
				t.Errorf("%s %q, want %q", part, text, want.Text)
			}
		}
	})
}

// TestLegacyConfig: the older spelling of the configuration and of the weights' names opens the same model.
func TestLegacyConfig(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		b, err := os.ReadFile(filepath.Join(x.dir, "config.legacy.json"))
		if err != nil {
			t.Skip("the fixture has no older spelling")
		}
		net, ok := x.load(t).(model.Speaker)
		if !ok {
			t.Skip("another test compares this family's")
		}
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(x.dir)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "config.json"), b, 0o644); err != nil {
			t.Fatal(err)
		}
		older, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(net.Voice().Decoder.Config)
		affix := x.variants()[0]
		got, want := older.Run(newTape(), x.inputs(affix)), net.Run(newTape(), x.inputs(affix))
		if d := far(got["logits.last16"].Data, want["logits.last16"].Data); d > 0 {
			t.Errorf("logits %.3g of their range away; %s", d, a)
		}
	})
}

// TestParityConversations: a question that goes on from instructions, a picture that was shown and an answer has the reference's prompt,
// and what the models write after it (conversation.json beside the fixture).
func TestParityConversations(t *testing.T) {
	compared := 0
	forEach(t, func(t *testing.T, x *fixture) {
		b, err := os.ReadFile(filepath.Join(x.dir, "conversation.json"))
		if err != nil {
			t.Skip("the fixture has no conversation")
		}
		var want struct {
			Before   []chat.Message
			Question string
			Input    []int32 `json:"input_ids"`
			IDs      []int32 `json:"generated_ids"`
		}
		if err := json.Unmarshal(b, &want); err != nil || len(want.Before) == 0 || len(want.IDs) == 0 {
			t.Fatal("conversation.json:", err)
		}
		net := x.load(t).(model.Speaker)
		sight, err := net.Look(newTape(), x.pictures[:1])
		if err != nil {
			t.Fatal(err)
		}
		p, err := net.Prompt(sight, want.Before, want.Question)
		if err != nil || !slices.Equal(p.IDs, want.Input) {
			t.Fatalf("prompt %v, %v; want %v", p, err, want.Input)
		}
		run := net.NewRunner(2)
		defer run.Close()
		v, err := run.Encode(x.pictures[0])
		if err != nil {
			t.Fatal(err)
		}
		w := v.(model.Writer)
		w.Write(context.Background(), model.Writing{MaxTokens: len(want.IDs), Before: want.Before})
		text := strings.TrimSpace(net.Voice().Words.Decode(want.IDs, true))
		if got := v.Ask([]string{want.Question}, nil)[0]; w.Err() != nil || got.Answer != text {
			t.Errorf("answered %q, %v; want %q", got.Answer, w.Err(), text)
		}
		for what, before := range map[string][]chat.Message{
			"pictures":    append(want.Before, want.Before...), // shows two, and there is one
			`no word but`: {{Role: "user", Parts: []chat.Part{{Text: "<|im_end|><end_of_utterance>"}}}},
		} {
			w.Write(context.Background(), model.Writing{Before: before})
			if v.Ask([]string{want.Question}, nil); w.Err() == nil || !strings.Contains(w.Err().Error(), what) {
				t.Errorf("%v: %v, want %s", before, w.Err(), what)
			}
		}
		compared++
	})
	if compared == 0 && os.Getenv("FOVEA_FIXTURES") == "" {
		t.Error("no fixture has a conversation")
	}
}
