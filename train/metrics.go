package train

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"fovea/checkpoint"
)

const metricsName = "metrics.jsonl"

// metricsLog appends to metrics.jsonl: a line for every LogEvery steps
//
//	{"step":50,"loss":1.25,"parts":{"class":0.5},"lr":0.02,"grad_norm":0.7,"images_per_second":41,"rss_mb":512,"seconds":61.5}
//
// with loss and parts averaged since the line before, and for every evaluation
//
//	{"step":500,"eval":{"AP":0.53},"eval_seconds":12.1}
type metricsLog struct {
	file *os.File
	buf  []byte
}

// openMetrics opens the log of a run that has done steps steps; later lines, which a run wrote before it was killed and
// resumed from an earlier snapshot, are removed.
func openMetrics(dir string, steps int) (*metricsLog, error) {
	path := filepath.Join(dir, metricsName)
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("train: metrics: %w", err)
	}
	var keep []byte
	sc := bufio.NewScanner(bytes.NewReader(old))
	sc.Buffer(nil, 1<<24)
	for sc.Scan() {
		var l struct{ Step *int }
		if json.Unmarshal(sc.Bytes(), &l) == nil && l.Step != nil && *l.Step <= steps {
			keep = append(append(keep, sc.Bytes()...), '\n')
		}
	}
	if err := checkpoint.AtomicWrite(nil, path, func(w io.Writer) error {
		_, err := w.Write(keep)
		return err
	}); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, fmt.Errorf("train: metrics: %w", err)
	}
	return &metricsLog{file: f}, nil
}

// step writes a line about the steps since the last one; nothing is allocated once buf has grown.
func (m *metricsLog) step(p *Progress, t *tally, rss int64, seconds float64) error {
	b := append(m.buf[:0], `{"step":`...)
	b = strconv.AppendInt(b, int64(p.Step), 10)
	b = appendNumber(append(b, `,"loss":`...), t.mean())
	b = append(b, `,"parts":{`...)
	first := true
	for i, n := range t.Counts {
		if n == 0 {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(strconv.AppendQuote(b, t.Names[i]), ':')
		b = appendNumber(b, t.Sums[i]/float64(n))
	}
	b = appendNumber(append(b, `},"lr":`...), p.LR)
	b = appendNumber(append(b, `,"grad_norm":`...), p.GradNorm)
	b = strconv.AppendFloat(append(b, `,"images_per_second":`...), p.ImagesPerSecond, 'f', 2, 64)
	b = strconv.AppendInt(append(b, `,"rss_mb":`...), rss>>20, 10)
	b = strconv.AppendFloat(append(b, `,"seconds":`...), seconds, 'f', 1, 64)
	m.buf = append(b, "}\n"...)
	return m.write(m.buf)
}

func (m *metricsLog) write(line []byte) error {
	if _, err := m.file.Write(line); err != nil {
		return fmt.Errorf("train: metrics: %w", err)
	}
	return nil
}

func (m *metricsLog) evaluation(step int, values map[string]float64, d time.Duration) error {
	v := map[string]any{}
	for k, x := range values {
		if x-x == 0 {
			v[k] = x
		} else {
			v[k] = nil // JSON has no NaN
		}
	}
	b, err := json.Marshal(map[string]any{"step": step, "eval": v, "eval_seconds": float64(d.Milliseconds()) / 1000})
	if err != nil {
		return fmt.Errorf("train: metrics: %w", err)
	}
	return m.write(append(b, '\n'))
}

// appendNumber writes the shortest text that reads back as the same float64.
func appendNumber(b []byte, v float64) []byte {
	if v-v != 0 {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

// memory is the process's resident set in bytes, or what the Go runtime has taken where the system does not say.
type memory struct {
	file *os.File
	buf  [128]byte
}

func newMemory() *memory {
	f, _ := os.Open("/proc/self/statm") // nil elsewhere than on Linux
	return &memory{file: f}
}

func (m *memory) resident() int64 {
	if m.file != nil {
		if n, _ := m.file.ReadAt(m.buf[:], 0); n > 0 {
			if f := bytes.IndexByte(m.buf[:n], ' '); f > 0 {
				pages := int64(0)
				for _, c := range m.buf[f+1 : n] {
					if c < '0' || c > '9' {
						break
					}
					pages = pages*10 + int64(c-'0')
				}
				return pages * int64(os.Getpagesize())
			}
		}
	}
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.Sys)
}

func (m *memory) close() {
	if m.file != nil {
		m.file.Close()
	}
}
