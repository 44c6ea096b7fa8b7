package cli

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// TestTrainPublished trains tiny published models by the command, adapters and all, asks what was saved, and starts a joint model
// from an encoder.
func TestTrainPublished(t *testing.T) {
	data := labelled(t)
	for _, c := range []struct {
		model, task string
		args        []string
		said        string // on stderr
	}{
		{"smolvlm", "ask", []string{"--lora=2"}, "are trained by adamw"},
		{"florence2", "ask", []string{"--lr", "1e-3", "--optimizer", "muon"}, "are trained by muon"},
		{"clip", "match", nil, "are trained by adamw"},
		{"clip", "classify", []string{"--variant", "tiny"}, "model tiny"},
	} {
		t.Run(c.model+" "+c.task, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "run")
			var stdout, stderr bytes.Buffer
			root := (&app{in: strings.NewReader(""), out: &stdout, err: &stderr, outStyle: styleOf(&stdout), errStyle: styleOf(&stderr)}).root()
			root.SetArgs(append([]string{"train", "--from", filepath.Join(parityRoot(), c.model), "--data", data, "--split", "val", "--task", c.task,
				"--epochs", "1", "--batch", "2", "--out", out}, c.args...))
			if err := root.Execute(); err != nil {
				t.Fatalf("%v %s", err, stderr.String())
			}
			if !strings.Contains(stderr.String(), c.said) {
				t.Errorf("%q is not in %s", c.said, stderr.String())
			}
			image, saved := filepath.Join(data, "0.png"), filepath.Join(out, "model")
			switch c.task {
			case "ask":
				var answer *string
				if err := json.Unmarshal(command(t, "ask", image, "What color is the Dog?", "--model", saved)["answer"], &answer); err != nil || answer == nil {
					t.Errorf("no answer: %v", err)
				}
			case "match":
				if v := command(t, "embed", image, "--model", saved)["vector"]; v == nil {
					t.Error("no vector")
				}
			default:
				if v := command(t, "classify", image, "--model", saved)["classes"]; v == nil {
					t.Error("no classes")
				}
			}
		})
	}
}
