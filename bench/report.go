package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// median of values, which are at least one.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

func (r *result) all() []float64 { return slices.Concat(r.Rounds...) }

// ratio says how many times as fast ours is as theirs: by medians of all repetitions, by least times, and the range of the
// ratios of single rounds' medians.
type ratio struct{ Median, Least, Low, High float64 }

func compare(ours, theirs *result) ratio {
	r := ratio{median(theirs.all()) / median(ours.all()), slices.Min(theirs.all()) / slices.Min(ours.all()), math.Inf(1), 0}
	for i := range min(len(ours.Rounds), len(theirs.Rounds)) {
		q := median(theirs.Rounds[i]) / median(ours.Rounds[i])
		r.Low, r.High = min(r.Low, q), max(r.High, q)
	}
	return r
}

// item is what all engines did of one kind.
type item struct {
	what string
	of   []*result
}

func items(results []result) (out []item) {
	for i := range results {
		r := &results[i]
		if n := len(out); n == 0 || out[n-1].of[0].Work != r.Work || out[n-1].of[0].Item != r.Item {
			out = append(out, item{what: r.What})
		}
		out[len(out)-1].of = append(out[len(out)-1].of, r)
	}
	return out
}

// counterpart is our engine that a peer is compared with: the one of the same number format, if there is one.
func (it *item) counterpart(peer *result) *result {
	var plain *result
	format := peer.Engine[strings.LastIndex(peer.Engine, "-")+1:]
	for _, r := range it.of {
		if r.Engine == "fovea" {
			plain = r
		}
	}
	for _, r := range it.of {
		if f, ours := strings.CutPrefix(r.Engine, "fovea "); ours && f == format {
			return r
		}
	}
	return plain
}

// report writes the tables.
func report(results []result, o *options, machine string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Side by side\n%s, %d threads, %d rounds of %g s, commit %s, %s.\n\n", machine, o.threads, o.rounds, o.seconds, commit(), time.Now().UTC().Format("2 January 2006, 15:04 UTC"))
	b.WriteString("Milliseconds. A ratio above 1 says that Fovea is faster; its range is that of the rounds. Differences under a twentieth are ties. MB is memory that a\nprocess held at most so far, weights and libraries included; an error is the mean one over the standard deviation.\n")
	for _, it := range items(results) {
		fmt.Fprintf(&b, "\n## %s\n\n| Engine | median | least | repetitions | ratio of medians (range) | of least times | MB |\n|---|---|---|---|---|---|---|\n", it.what)
		for _, r := range it.of {
			t := r.all()
			name := strings.TrimSpace(r.Engine + " " + r.Version)
			if r.Error > 0 {
				name += fmt.Sprintf(", error %.2g %%", 100*r.Error)
			}
			fmt.Fprintf(&b, "| %s | %.1f | %.1f | %d |", name, 1e3*median(t), 1e3*slices.Min(t), len(t))
			if ours := it.counterpart(r); ours != nil && !strings.HasPrefix(r.Engine, "fovea") {
				q := compare(ours, r)
				fmt.Fprintf(&b, " %.2f (%.2f … %.2f) | %.2f |", q.Median, q.Low, q.High, q.Least)
			} else {
				b.WriteString(" | |")
			}
			if r.Resident > 0 {
				fmt.Fprintf(&b, " %.0f", r.Resident)
			}
			b.WriteString(" |\n")
		}
	}
	return b.String()
}

// machine names the processor and the system.
func machine() string {
	name := runtime.GOARCH
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if k, v, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(k) == "model name" {
				name = strings.TrimSpace(v)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d processors, %s, %s", name, runtime.NumCPU(), runtime.GOOS, runtime.Version())
}

func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
