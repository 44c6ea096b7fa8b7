// Command bench times this program and others on the same work, side by side: every engine is a process of its own that
// sleeps while another is timed, blocks of about a second take turns, and only ratios inside one run are reported. See
// README.md.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

type options struct {
	fovea, python, peers, dir, out string
	works, engines                 string
	rounds, threads                int
	seconds                        float64
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	var o options
	flag.StringVar(&o.fovea, "fovea", "fovea", "the program, see README.md")
	flag.StringVar(&o.python, "python", "python3", "Python with the packages of requirements.txt")
	flag.StringVar(&o.peers, "peers", filepath.Join("bench", "peers"), "folder of the peers' scripts")
	flag.StringVar(&o.dir, "dir", filepath.Join(os.TempDir(), "fovea-bench"), "folder of pictures and weights that engines share")
	flag.StringVar(&o.out, "out", "", "write NAME.md, NAME.jsonl and NAME.svg; empty: the table goes to standard output alone")
	flag.StringVar(&o.works, "works", "", "comma list; empty: all")
	flag.StringVar(&o.engines, "engines", "", "comma list of names, or of parts of names; fovea always takes part; empty: all")
	flag.IntVar(&o.rounds, "rounds", 5, "every engine is timed once a round")
	flag.IntVar(&o.threads, "threads", 2, "of every engine")
	flag.Float64Var(&o.seconds, "seconds", 1, "of a block")
	flag.Parse()
	if err := run(&o); err != nil {
		log.Fatal(err)
	}
}

func run(o *options) error {
	if o.rounds < 1 || o.threads < 1 || o.seconds < 0 {
		return fmt.Errorf("-rounds %d, -threads %d or -seconds %g is out of range", o.rounds, o.threads, o.seconds)
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	var results []result
	for i := range works {
		w := &works[i]
		if o.works != "" && !slices.Contains(strings.Split(o.works, ","), w.Name) {
			continue
		}
		r, err := o.measure(w)
		if err != nil {
			return fmt.Errorf("%s: %w", w.Name, err)
		}
		results = append(results, r...)
	}
	if len(results) == 0 {
		return fmt.Errorf("no work is called %q", o.works)
	}
	table := report(results, o, machine())
	fmt.Print(table)
	if o.out == "" {
		return nil
	}
	if err := os.WriteFile(o.out+".md", []byte(table), 0o644); err != nil {
		return err
	}
	var lines []byte
	for _, r := range results {
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		lines = append(append(lines, b...), '\n')
	}
	if err := os.WriteFile(o.out+".jsonl", lines, 0o644); err != nil {
		return err
	}
	return plotRatios(o.out+".svg", results)
}

// result is what one engine did for one item.
type result struct {
	Work    string      `json:"work"`
	Item    string      `json:"item"`
	What    string      `json:"what"`
	Engine  string      `json:"engine"`
	Version string      `json:"version"`
	Rounds  [][]float64 `json:"rounds_s"` // seconds of every repetition

	Error    float64 `json:"error,omitempty"`       // of results in fewer bits: the mean one over the standard deviation
	Resident float64 `json:"resident_mb,omitempty"` // memory that the process held at most until then, 0: unknown
}

// measure starts the engines of a work, lets them take turns and stops them.
func (o *options) measure(w *work) ([]result, error) {
	file := w.file(o.dir)
	script := filepath.Join(o.peers, w.script+".py")
	if _, err := os.Stat(file); w.prepare && err != nil {
		c := exec.Command(o.python, script, "--prepare", file, "--case", w.Name)
		c.Stdout, c.Stderr = os.Stderr, os.Stderr
		if err := c.Run(); err != nil {
			return nil, fmt.Errorf("prepare %s: %w", file, err)
		}
	}
	ours := append([]string{o.fovea}, w.fovea...)
	ours = append(ours, "--threads", fmt.Sprint(o.threads))
	if w.prepare && !w.fixed {
		ours = append(ours, "--model", file)
	}
	commands, names := [][]string{ours}, []string{"fovea"}
	for _, v := range w.variant {
		if name, args, _ := strings.Cut(v, "="); o.wants("fovea " + name) {
			commands, names = append(commands, append(slices.Clone(ours), strings.Fields(args)...)), append(names, "fovea "+name)
		}
	}
	for _, p := range w.peers {
		if !o.wants(p) {
			continue
		}
		c := []string{o.python, script, "--engine", p, "--case", w.Name, "--threads", fmt.Sprint(o.threads), "--file", file}
		if w.apart {
			c = append(c, "--cold")
		}
		commands, names = append(commands, c), append(names, p)
	}
	if w.apart {
		return o.apart(w, names, commands)
	}
	var engines []*engine
	for i, c := range commands {
		e, err := start(names[i], o.threads, c)
		if err != nil {
			log.Print(err)
			continue
		}
		defer e.stop()
		engines = append(engines, e)
	}
	if len(engines) == 0 || engines[0].Name != "fovea" {
		return nil, errAbsent
	}
	return o.turns(w, engines), nil
}

var errAbsent = errors.New("fovea does not take part; say where it is with -fovea")

// wants reports that an engine was asked for. Its whole name asks for it alone.
func (o *options) wants(name string) bool {
	if o.engines == "" {
		return true
	}
	asked := strings.Split(o.engines, ",")
	return slices.ContainsFunc(asked, func(a string) bool { return a == name || !isEngine(a) && strings.Contains(name, a) })
}

// isEngine reports that a peer or a variant of any work has the name.
func isEngine(name string) bool {
	return slices.ContainsFunc(works, func(w work) bool {
		return slices.Contains(w.peers, name) || slices.ContainsFunc(w.variant, func(v string) bool { return strings.HasPrefix("fovea "+v, name+"=") })
	})
}

// apart times one engine after the other, each alone in memory, and gives the results in turns' order.
func (o *options) apart(w *work, names []string, commands [][]string) (out []result, err error) {
	var all []result
	for i, c := range commands {
		e, err := start(names[i], o.threads, c)
		if err != nil && i == 0 {
			return nil, errors.Join(errAbsent, err)
		}
		if err != nil {
			log.Print(err)
			continue
		}
		got := o.turns(w, []*engine{e})
		e.stop()
		for _, r := range got { // a run of minutes may be broken off: what there is has been said
			log.Printf("%s, %s: %.4g s at least", r.Engine, r.Item, slices.Min(slices.Concat(r.Rounds...)))
		}
		all = append(all, got...)
	}
	for _, item := range w.Items {
		for _, r := range all {
			if r.Item == item {
				out = append(out, r)
			}
		}
	}
	return out, nil
}

// turns times the engines round by round, each round beginning with another one. An engine that fails leaves the table.
func (o *options) turns(w *work, engines []*engine) (out []result) {
	for _, item := range w.Items {
		rs := make([]result, len(engines))
		for i, e := range engines {
			rs[i] = result{Work: w.Name, Item: item, What: w.Unit[item], Engine: e.Name, Version: e.Version, Error: e.Error}
		}
		for round := range o.rounds {
			for j := range engines {
				i := (j + round) % len(engines)
				times, err := engines[i].time(item, o.seconds)
				if err != nil {
					log.Print(err)
				}
				rs[i].Rounds = append(rs[i].Rounds, times)
			}
		}
		for i, r := range rs {
			r.Resident = engines[i].resident()
			if !slices.ContainsFunc(r.Rounds, func(t []float64) bool { return len(t) == 0 }) {
				out = append(out, r)
			}
		}
	}
	return out
}
