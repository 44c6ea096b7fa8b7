package train

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// history is what metrics.jsonl tells about a run.
type history struct {
	Loss, LR, GradNorm, Speed, Memory series
	Parts                             []series // in the order in which they appeared
	Evals                             []series // by name
	Seconds                           float64
	Steps                             int
}

// series is a curve over steps.
type series struct {
	Name string
	X, Y []float64
}

func (s *series) add(x, y float64) { s.X, s.Y = append(s.X, x), append(s.Y, y) }

func (s series) last() float64 {
	if len(s.Y) == 0 {
		return 0
	}
	return s.Y[len(s.Y)-1]
}

// readHistory reads dir's metrics.jsonl. Lines that are not whole are left out.
func readHistory(dir string) (*history, error) {
	f, err := os.Open(filepath.Join(dir, metricsName))
	if err != nil {
		return nil, fmt.Errorf("train: report: %w", err)
	}
	defer f.Close()
	h := &history{}
	parts, evals := map[string]*series{}, map[string]*series{}
	var partNames, evalNames []string
	put := func(m map[string]*series, names *[]string, k string, x, y float64) {
		s, ok := m[k]
		if !ok {
			s = &series{Name: k}
			m[k] = s
			*names = append(*names, k)
		}
		s.add(x, y)
	}
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<24)
	for sc.Scan() {
		var l struct {
			Step     int
			Loss     *float64
			Parts    map[string]*float64
			LR       float64
			GradNorm float64 `json:"grad_norm"`
			Speed    float64 `json:"images_per_second"`
			RSS      float64 `json:"rss_mb"`
			Seconds  float64
			Eval     map[string]*float64
		}
		if json.Unmarshal(sc.Bytes(), &l) != nil {
			continue
		}
		x := float64(l.Step)
		for _, k := range sortedKeys(l.Eval) {
			if v := l.Eval[k]; v != nil && *v >= 0 { // COCO's AP is −1 where there is nothing to find
				put(evals, &evalNames, k, x, *v)
			}
		}
		if l.Loss == nil {
			continue
		}
		h.Steps, h.Seconds = l.Step, l.Seconds
		h.Loss.add(x, *l.Loss)
		h.LR.add(x, l.LR)
		h.GradNorm.add(x, l.GradNorm)
		h.Memory.add(x, l.RSS)
		if l.Speed > 0 { // unknown at a run's first step
			h.Speed.add(x, l.Speed)
		}
		for _, k := range sortedKeys(l.Parts) {
			if v := l.Parts[k]; v != nil {
				put(parts, &partNames, k, x, *v)
			}
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("train: report: %s: %w", metricsName, err)
	}
	for _, k := range partNames {
		h.Parts = append(h.Parts, *parts[k])
	}
	slices.Sort(evalNames)
	for _, k := range evalNames {
		h.Evals = append(h.Evals, *evals[k])
	}
	return h, nil
}

// thin averages neighbouring points until at most n are left, for drawing.
func (s series) thin(n int) series {
	k := (len(s.X) + n - 1) / n
	if k <= 1 {
		return s
	}
	out := series{Name: s.Name}
	for i := 0; i < len(s.X); i += k {
		end := min(i+k, len(s.X))
		sum := 0.0
		for _, y := range s.Y[i:end] {
			sum += y
		}
		out.add(s.X[end-1], sum/float64(end-i))
	}
	return out
}

// smooth is an exponential moving average over about n points, without the bias towards zero at the start; a geometric
// one where values (all positive) are drawn on a logarithmic axis.
func (s series) smooth(n float64, log bool) series {
	out := series{Name: s.Name, X: s.X}
	decay, sum, weight := 1-1/max(n, 1), 0.0, 0.0
	for _, y := range s.Y {
		if log {
			y = math.Log(y)
		}
		sum, weight = sum*decay+y, weight*decay+1
		y = sum / weight
		if log {
			y = math.Exp(y)
		}
		out.Y = append(out.Y, y)
	}
	return out
}
