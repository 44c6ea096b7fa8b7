package train

import (
	"errors"
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"time"
)

// record tells people and files how a run goes.
type record struct {
	cfg     Config
	hooks   Hooks
	console *console
	metrics *metricsLog  // nil without an output folder
	board   *tensorBoard // the same
	memory  *memory
	started time.Time
	rate    rate
}

func newRecord(cfg Config, h Hooks) *record {
	return &record{cfg: cfg, hooks: h, console: newConsole(h, cfg.Steps), memory: newMemory(), started: time.Now()}
}

// open starts the files and the progress of a run that has done steps steps already.
func (r *record) open(steps int) (err error) {
	r.console.start(steps)
	if r.cfg.Out == "" {
		return nil
	}
	if r.metrics, err = openMetrics(r.cfg.Out, steps); err != nil {
		return err
	}
	r.board, err = newTensorBoard(r.cfg.Out, steps)
	return err
}

// step records a step. It completes p and resets the tallies that it has written out.
func (r *record) step(p *Progress, st *snapshotState) error {
	now := time.Now()
	p.ImagesPerSecond = r.rate.add(now, r.cfg.Batch)
	r.console.step(*p)
	if st.Step%r.cfg.LogEvery == 0 || st.Step == r.cfg.Steps {
		if r.metrics != nil {
			rss := r.memory.resident()
			if err := r.metrics.step(p, &st.Interval, rss, now.Sub(r.started).Seconds()); err != nil {
				return err
			}
			if err := r.board.step(now, p, &st.Interval, rss); err != nil {
				return err
			}
		}
		st.Interval.reset()
	}
	if st.Step%r.cfg.EpochSteps == 0 || st.Step == r.cfg.Steps {
		n := r.cfg.EpochSteps
		r.console.result(fmt.Sprintf("Epoch [%d/%d] Training Loss: %.4f", (st.Step+n-1)/n, (r.cfg.Steps+n-1)/n, st.Epoch.mean()))
		st.Epoch.reset()
	}
	return nil
}

// evaluation records what Eval returned.
func (r *record) evaluation(step int, m map[string]float64, d time.Duration) error {
	if r.metrics == nil {
		return nil
	}
	if err := r.metrics.evaluation(step, m, d); err != nil {
		return err
	}
	r.board.begin(time.Now(), step)
	for _, k := range sortedKeys(m) {
		r.board.add("eval/", k, m[k])
	}
	return r.board.end()
}

// sheet records a picture of examples.
func (r *record) sheet(step int, m image.Image) error {
	if r.board == nil {
		return nil
	}
	b, err := encodePNG(m)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(r.cfg.Out, "sheet.png"), b); err != nil {
		return err
	}
	r.board.begin(time.Now(), step)
	r.board.addImage("examples", m.Bounds().Dx(), m.Bounds().Dy(), b)
	return r.board.end()
}

// pause says that time passes which is not spent on steps: the speed is measured anew.
func (r *record) pause() { r.rate = rate{} }

// results ends the progress and prints the last evaluation.
func (r *record) results(m map[string]float64) {
	r.console.stop()
	for _, l := range r.resultLines(m) {
		r.console.result(l)
	}
}

func (r *record) resultLines(m map[string]float64) []string {
	if r.hooks.Results != nil {
		return r.hooks.Results(m)
	}
	var lines []string
	for _, k := range sortedKeys(m) {
		lines = append(lines, fmt.Sprintf("Test %s: %.4f", k, m[k]))
	}
	return lines
}

func sortedKeys[V any](m map[string]V) []string {
	ks := make([]string, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	slices.Sort(ks)
	return ks
}

func (r *record) close() error {
	r.console.stop()
	r.memory.close()
	var errs []error
	if r.metrics != nil {
		errs = append(errs, r.metrics.file.Close())
	}
	if r.board != nil {
		errs = append(errs, r.board.file.Close())
	}
	return errors.Join(errs...)
}

// rate is the speed over the last steps.
type rate struct {
	times [32]time.Time
	items [32]int
	n     int
}

// add notes that items were done at now and returns items a second since the oldest note.
func (r *rate) add(now time.Time, items int) float64 {
	i := r.n % len(r.times)
	r.times[i], r.items[i] = now, items
	r.n++
	first := max(r.n-len(r.times), 0)
	sum := 0
	for k := first + 1; k < r.n; k++ {
		sum += r.items[k%len(r.times)]
	}
	d := now.Sub(r.times[first%len(r.times)]).Seconds()
	if d <= 0 {
		return 0
	}
	return float64(sum) / d
}
