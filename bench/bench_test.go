package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the test's own program be an engine: it answers with fixed times.
func TestMain(m *testing.M) {
	switch os.Getenv("BENCH_ENGINE") {
	case "":
		os.Exit(m.Run())
	case "silent":
		os.Exit(1)
	}
	os.Stdout.WriteString("a library greets\n{\"ready\": true, \"version\": \"1.2\", \"error\": 0.015}\n")
	var b [256]byte
	for {
		n, err := os.Stdin.Read(b[:])
		if err != nil {
			os.Exit(0)
		}
		if strings.HasPrefix(string(b[:n]), "bad") {
			os.Exit(1)
		}
		os.Stdout.WriteString("{\"times_s\": [" + os.Getenv("BENCH_ENGINE") + "]}\n")
	}
}

func TestTurns(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(name, times string) *engine {
		t.Helper()
		t.Setenv("BENCH_ENGINE", times)
		e, err := start(name, 2, []string{self})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.stop)
		return e
	}
	engines := []*engine{run("fovea", "0.1, 0.3"), run("fovea bf16", "0.1"), run("other", "0.4"), run("other-fast-bf16", "0.3")}
	w := &work{Name: "w", Items: []string{"a", "bad"}, Unit: map[string]string{"a": "the work"}}
	o := &options{rounds: 3, threads: 2}
	got := o.turns(w, engines)
	if len(got) != 4 || got[0].Version != "1.2" || len(got[0].Rounds) != 3 || len(got[0].Rounds[2]) != 2 {
		t.Fatalf("%+v", got)
	}
	table := report(got, o, "a machine")
	for _, want := range []string{"## the work", "a machine, 2 threads, 3 rounds", "| fovea 1.2, error 1.5 % | 200.0 | 100.0 | 6 | | |", "| other 1.2, error 1.5 % | 400.0 | 400.0 | 3 | 2.00 (2.00 … 2.00) | 4.00 |", "| other-fast-bf16 1.2, error 1.5 % | 300.0 | 300.0 | 3 | 3.00"} {
		if !strings.Contains(table, want) {
			t.Errorf("%q is not in\n%s", want, table)
		}
	}
	path := filepath.Join(t.TempDir(), "r.svg")
	if err := plotRatios(path, got); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), "other-fast-bf16") {
		t.Errorf("plot of %d bytes, %v", len(b), err)
	}
	t.Setenv("BENCH_ENGINE", "silent")
	if _, err := start("mute", 1, []string{self}); err == nil {
		t.Error("an engine that ends at once was taken")
	}
}

func TestCompare(t *testing.T) {
	ours, theirs := &result{Rounds: [][]float64{{1, 1}, {2}}}, &result{Rounds: [][]float64{{2}, {2, 2}}}
	if r := compare(ours, theirs); r.Median != 2 || r.Least != 2 || r.Low != 1 || r.High != 2 {
		t.Errorf("%+v", r)
	}
	if m := median([]float64{4, 1, 3, 2}); math.Abs(m-2.5) > 1e-12 {
		t.Errorf("median %g", m)
	}
}

func TestRunRefuses(t *testing.T) {
	for _, o := range []options{{rounds: 0, threads: 1}, {rounds: 1, threads: 1, works: "none", dir: t.TempDir()}} {
		if err := run(&o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

// TestApart: where memory holds one engine, the table is as if they had taken turns.
func TestApart(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("BENCH_ENGINE", "0.5")
	w := &work{Name: "w", Items: []string{"a", "b", "bad"}, Unit: map[string]string{}}
	o := &options{rounds: 2, threads: 2}
	got, err := o.apart(w, []string{"fovea", "none", "torch"}, [][]string{{self}, {filepath.Join(t.TempDir(), "none")}, {self}})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, r := range got {
		order = append(order, r.Item+" "+r.Engine)
		if len(r.Rounds) != 2 {
			t.Errorf("%+v", r)
		}
	}
	if want := "a fovea, a torch, b fovea, b torch"; strings.Join(order, ", ") != want {
		t.Errorf("%q, want %q", order, want)
	}
	if _, err := o.apart(w, []string{"fovea"}, [][]string{{filepath.Join(t.TempDir(), "none")}}); err == nil {
		t.Error("nothing to compare with")
	}
}

func TestEnginesAskedFor(t *testing.T) {
	for asked, want := range map[string]string{"": "torch torch-bf16 openvino fovea int8", "torch": "torch", "torch,openvino": "torch openvino", "fovea int8,torch": "torch fovea int8", "bf16": "torch-bf16", "vino": "openvino"} {
		o := options{engines: asked}
		var got []string
		for _, name := range []string{"torch", "torch-bf16", "openvino", "fovea int8"} {
			if o.wants(name) {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", asked, got, want)
		}
	}
}
