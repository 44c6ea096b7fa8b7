package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBatchGoesOn: a batch that is interrupted, and whose last line a crash has cut off, ends up with one result for each picture, the
// same as without.
func TestBatchGoesOn(t *testing.T) {
	model, err := tinyModel()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	photos, out := filepath.Join(dir, "photos"), filepath.Join(dir, "out")
	park, err := filepath.Abs("../../examples/park.png")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(photos, 0o755); err != nil {
		t.Fatal(err)
	}
	const n = 40
	for i := range n {
		if err := os.Symlink(park, filepath.Join(photos, fmt.Sprintf("%02d.png", i))); err != nil {
			t.Fatal(err)
		}
	}
	var said bytes.Buffer
	run := func(ctx context.Context, out string) int {
		said.Reset()
		return Run(ctx, []string{"batch", photos, "--out", out, "--model", model, "--task", "classify,embed"}, strings.NewReader(""), io.Discard, &said)
	}
	file := filepath.Join(out, "results.jsonl")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if b, _ := os.ReadFile(file); bytes.Count(b, []byte("\n")) >= 3 {
				cancel()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if code := run(ctx, out); code != exitFailed || !strings.Contains(said.String(), "interrupted after") || !strings.Contains(said.String(), "goes on") {
		t.Fatalf("code %d, said %s", code, said.String())
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(before, []byte("\n")); got < 3 || got >= n {
		t.Fatalf("%d of %d pictures when it was interrupted", got, n)
	}
	if err := os.WriteFile(file, append(before, `{"image":"x`...), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := run(t.Context(), out); code != exitDone {
		t.Fatalf("code %d, said %s", code, said.String())
	}
	whole := filepath.Join(dir, "whole")
	if code := run(t.Context(), whole); code != exitDone {
		t.Fatalf("code %d, said %s", code, said.String())
	}
	results := func(file string) map[string]string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for line := range strings.Lines(string(b)) {
			var l map[string]any
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			delete(l, "ms")
			name := l["image"].(string)
			if all[name] != "" {
				t.Errorf("%s is there twice", name)
			}
			all[name] = fmt.Sprint(l)
		}
		return all
	}
	got, want := results(file), results(filepath.Join(whole, "results.jsonl"))
	if len(got) != n || len(want) != n {
		t.Errorf("%d and %d results of %d pictures", len(got), len(want), n)
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s: %s, want %s", name, got[name], want[name])
		}
	}
	if b, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(b, before) {
		t.Errorf("the results from before were touched, %v", err)
	}
	trained := filepath.Join(dir, "trained")
	if err := os.CopyFS(trained, os.DirFS(model)); err != nil {
		t.Fatal(err)
	}
	weights, err := os.ReadFile(filepath.Join(trained, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	for i := len(weights) / 2; i < len(weights); i++ {
		weights[i] ^= 1 // of what a float32 says little
	}
	move := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(trained, "model.safetensors"), weights, 0o600); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(dir, "mine", filepath.Base(model))
	if err := os.CopyFS(mine, os.DirFS(model)); err != nil {
		t.Fatal(err)
	}
	model = mine // of the same name, so that the results go on
	if code := run(t.Context(), out); code != exitDone {
		t.Fatalf("code %d, said %s", code, said.String())
	}
	move(mine, filepath.Join(dir, "old"))
	move(trained, mine)
	if code := run(t.Context(), out); code != exitUsage || !strings.Contains(said.String(), "has other weights now") {
		t.Errorf("trained again: code %d, said %s", code, said.String())
	}
}

// TestJournalIsLocked: two programs do not write the same file.
func TestJournalIsLocked(t *testing.T) {
	dir := t.TempDir()
	j, err := openJournal(dir, "results.jsonl", batchSettings{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openJournal(dir, "results.jsonl", batchSettings{}); err == nil || !strings.Contains(err.Error(), "another fovea batch") {
		t.Errorf("the second one: %v", err)
	}
	other, err := openJournal(dir, "results-1-of-2.jsonl", batchSettings{})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.close(); err != nil {
		t.Error(err)
	}
	if err := j.close(); err != nil {
		t.Error(err)
	}
	if j, err = openJournal(dir, "results.jsonl", batchSettings{}); err != nil {
		t.Fatalf("after the first one ended: %v", err)
	}
	if err := j.close(); err != nil {
		t.Error(err)
	}
}
