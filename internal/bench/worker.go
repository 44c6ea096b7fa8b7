package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Worker lets a training step take part in a comparison, see answer.
func Worker(in io.Reader, out io.Writer, name, precision string, threads int) error {
	s, err := NewStep(name, precision, threads)
	if err != nil {
		return err
	}
	for range 4 {
		s.Run()
	}
	return answer(in, out, map[string]any{"ready": true, "losses": s.Losses, "batch": s.Batch, "gflop": s.GFLOP}, func(string) (func(), error) { return s.Run, nil })
}

// EncoderWorker lets an encoder take part in a comparison; keys are sizes of batches. What is ready says the error of fewer bits, see
// encoderError.
func EncoderWorker(in io.Reader, out io.Writer, name, file, precision string, threads int) error {
	e, err := NewEncoder(name, file, precision, threads)
	if err != nil {
		return err
	}
	defer e.Close()
	off, err := encoderError(e, name, file, precision)
	if err != nil {
		return err
	}
	return answer(in, out, map[string]any{"ready": true, "error": off}, func(key string) (func(), error) {
		batch, err := strconv.Atoi(key)
		if err != nil || batch < 1 || batch > maxEncoderBatch {
			return nil, fmt.Errorf("bench: batch %q, want 1 … %d", key, maxEncoderBatch)
		}
		pixels := e.Pixels(batch)
		return func() { e.Run(pixels, batch) }, nil
	})
}

// answer says that a case is ready, and for each line "KEY SECONDS MINREPS" runs what the key names at least that long and
// that often and writes the time of every repetition. It ends with its input.
func answer(in io.Reader, out io.Writer, ready any, item func(key string) (func(), error)) error {
	enc := json.NewEncoder(out)
	if err := enc.Encode(ready); err != nil {
		return err
	}
	for sc := bufio.NewScanner(in); sc.Scan(); {
		f := strings.Fields(sc.Text())
		if len(f) == 0 {
			continue
		}
		if len(f) != 3 {
			return fmt.Errorf("bench: %q: want KEY SECONDS MINREPS", sc.Text())
		}
		seconds, err1 := strconv.ParseFloat(f[1], 64)
		reps, err2 := strconv.Atoi(f[2])
		if err1 != nil || err2 != nil || seconds < 0 || seconds > 3600 || reps > 1e6 {
			return fmt.Errorf("bench: %q: want KEY SECONDS MINREPS", sc.Text())
		}
		run, err := item(f[0])
		if err != nil {
			return err
		}
		if err := enc.Encode(map[string]any{"times_s": times(run, seconds, reps)}); err != nil {
			return err
		}
	}
	return nil
}

// times repeats f for at least so many seconds and repetitions, after one that does not count.
func times(f func(), seconds float64, reps int) []float64 {
	f()
	var got []float64
	for start := time.Now(); len(got) < max(reps, 1) || time.Since(start).Seconds() < seconds; {
		t := time.Now()
		f()
		got = append(got, time.Since(t).Seconds())
	}
	return got
}
