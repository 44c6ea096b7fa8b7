package train

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// console shows people how far a run is: a bar where stderr is a terminal, a line now and then elsewhere. Results go to
// stdout in both cases.
type console struct {
	out, err io.Writer
	quiet    bool
	steps    int
	shared   bool // out and err are one terminal: lines must go above the bar
	progress *mpb.Progress
	bar      *mpb.Bar
	last     time.Time // of the last update
	began    time.Time
	first    int // steps done before this run

	mu   sync.Mutex
	show status // what the bar's own goroutine reads
}

type status struct {
	Progress
	left time.Duration
}

const (
	barInterval  = 200 * time.Millisecond
	lineInterval = 30 * time.Second
)

func newConsole(h Hooks, steps int) *console {
	c := &console{out: h.Stdout, err: h.Stderr, quiet: h.Quiet, steps: steps}
	if c.out == nil {
		c.out = os.Stdout
	}
	if c.err == nil {
		c.err = os.Stderr
	}
	return c
}

// start is called when done steps have been done by earlier runs.
func (c *console) start(done int) {
	c.began, c.last, c.first = time.Now(), time.Now(), done
	errFile, ok := c.err.(*os.File)
	if c.quiet || !ok {
		return
	}
	st, err := errFile.Stat()
	if err != nil || st.Mode()&os.ModeCharDevice == 0 || os.Getenv("TERM") == "dumb" {
		return
	}
	if outFile, ok := c.out.(*os.File); ok {
		if so, err := outFile.Stat(); err == nil {
			c.shared = os.SameFile(st, so)
		}
	}
	c.progress = mpb.New(mpb.WithOutput(errFile), mpb.WithRefreshRate(barInterval), mpb.WithWidth(40))
	c.bar = c.progress.AddBar(int64(c.steps),
		mpb.PrependDecorators(decor.CountersNoUnit("step %d/%d ")),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.show.Step == 0 {
				return " waiting for the first step"
			}
			return fmt.Sprintf(" %.1f images/s  loss %.4f  %s left", c.show.ImagesPerSecond, c.show.Loss, duration(c.show.left))
		})))
	c.bar.SetCurrent(int64(done))
}

// step is called after every step; most calls do nothing.
func (c *console) step(p Progress) {
	interval := lineInterval
	if c.bar != nil {
		interval = barInterval
	}
	if c.quiet || time.Since(c.last) < interval && p.Step < c.steps {
		return
	}
	c.last = time.Now()
	left := time.Duration(0)
	if n := p.Step - c.first; n > 0 {
		left = time.Duration(float64(time.Since(c.began)) / float64(n) * float64(c.steps-p.Step))
	}
	if c.bar == nil {
		fmt.Fprintf(c.err, "step %d/%d  loss %.4f  lr %.3g  %.1f images/s  %s left\n", p.Step, c.steps, p.Loss, p.LR, p.ImagesPerSecond, duration(left))
		return
	}
	c.mu.Lock()
	c.show = status{p, left}
	c.mu.Unlock()
	c.bar.SetCurrent(int64(p.Step))
}

// result prints a line of results to stdout.
func (c *console) result(line string) {
	if c.progress != nil && c.shared {
		if _, err := fmt.Fprintln(c.progress, line); err == nil {
			return
		}
	}
	fmt.Fprintln(c.out, line)
}

// say prints a remark to stderr.
func (c *console) say(format string, args ...any) {
	line := fmt.Sprintf("train: "+format, args...)
	if c.progress != nil {
		if _, err := fmt.Fprintln(c.progress, line); err == nil {
			return
		}
	}
	fmt.Fprintln(c.err, line)
}

// stop leaves the bar as it stands.
func (c *console) stop() {
	if c.progress != nil {
		c.bar.Abort(false)
		c.progress.Wait()
		c.progress, c.bar = nil, nil
	}
}

// duration is a time for people: "2h05m", "3m10s", "8s".
func duration(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	switch {
	case s >= 3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	case s >= 60:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	return fmt.Sprintf("%ds", s)
}
