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

// Worker lets the program take part in a comparison: it builds a case, says that it is ready, and for each line
// "KEY SECONDS MINREPS" runs the case at least that long and that often and answers with the time of every repetition.
// It ends with its input.
func Worker(in io.Reader, out io.Writer, name string, threads int) error {
	s, err := NewStep(name, threads)
	if err != nil {
		return err
	}
	for range 4 {
		s.Run()
	}
	enc := json.NewEncoder(out)
	if err := enc.Encode(map[string]any{"ready": true, "losses": s.Losses, "batch": s.Batch, "gflop": s.GFLOP}); err != nil {
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
		if err := enc.Encode(map[string]any{"times_s": times(s.Run, seconds, reps)}); err != nil {
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
