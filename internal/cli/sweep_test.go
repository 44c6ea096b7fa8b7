package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSweepCommand trains two variations of a tiny recipe, compares them, and does not train them again.
func TestSweepCommand(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"small.yaml": "model: {variant: tiny}\ndata: [{task: ask, scenes: 8, seed: 1}]\neval: [{task: ask, scenes: 2, seed: 2}]\ntrain: {epochs: 1, batch: 4, replicas: 1}\n",
		"two.yaml":   "bases: [small.yaml]\nseeds: [1, 2]\nvary: {plain: {}, fast: {train: {muon_lr: 0.04}}}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "out")
	run := func(args ...string) (stdout, stderr string, err error) {
		var o, e bytes.Buffer
		root := (&app{in: strings.NewReader(""), out: &o, err: &e, outStyle: styleOf(&o), errStyle: styleOf(&e)}).root()
		root.SetArgs(append([]string{"sweep", filepath.Join(dir, "two.yaml"), "--out", out}, args...))
		err = root.ExecuteContext(context.Background())
		return o.String(), e.String(), err
	}
	if _, listed, err := run("--dry-run"); err != nil || strings.Count(listed, "run ") != 4 {
		t.Fatalf("%v %s", err, listed)
	}
	if _, err := os.Stat(out); err == nil {
		t.Fatal("--dry-run wrote something")
	}
	table, said, err := run()
	if err != nil || !strings.Contains(table, "plain") || !strings.Contains(table, "fast") || strings.Contains(said, "has ended") {
		t.Fatalf("%v\n%s\n%s", err, table, said)
	}
	for _, name := range []string{"table.md", "small-scenes-answers-vqa-accuracy.png", "small/plain-1/result.json", "small/fast-2/model/config.json"} {
		if info, err := os.Stat(filepath.Join(out, filepath.FromSlash(name))); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(out, "small", "plain-1", "snapshots")); err == nil {
		t.Error("snapshots of a run that has ended were kept")
	}
	lines, said, err := run("--json")
	if err != nil || strings.Count(said, "has ended") != 4 {
		t.Fatalf("%v %s", err, said)
	}
	n := 0
	for dec := json.NewDecoder(strings.NewReader(lines)); dec.More(); n++ {
		var l sweptRun
		if err := dec.Decode(&l); err != nil || l.Recipe != "small" || l.Metric != "scenes answers vqa_accuracy" || l.Seconds <= 0 {
			t.Errorf("%+v, %v", l, err)
		}
	}
	if n != 4 {
		t.Errorf("%d lines, want 4", n)
	}
}

// TestSweptTitle: a metric's name that begins with the recipe's is not said twice.
func TestSweptTitle(t *testing.T) {
	for metric, want := range map[string]string{"lspet pose PCK": "lspet pose PCK", "lspets pose PCK": "lspet: lspets pose PCK", "answers exact": "lspet: answers exact"} {
		if s := (swept{recipe: "lspet", metric: metric}); s.title() != want {
			t.Errorf("%q, want %q", s.title(), want)
		}
	}
}
