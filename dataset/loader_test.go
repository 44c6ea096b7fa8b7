package dataset

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// drain fetches everything.
func drain[T any](t *testing.T, l *Loader[T]) (ks []int, out []T) {
	t.Helper()
	for {
		k, v, ok, err := l.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return ks, out
		}
		ks, out = append(ks, k), append(out, v)
	}
}

func TestLoaderDoesNotDependOnWorkers(t *testing.T) {
	read := func(k int, rng *rand.Rand) (string, error) {
		if k%10 == 3 {
			return "", errors.New("broken")
		}
		time.Sleep(time.Duration(rng.IntN(300)) * time.Microsecond)
		return fmt.Sprint(k, rng.Uint64()), nil
	}
	var want []string
	for _, workers := range []int{1, 2, 7} {
		l := NewLoader(LoaderOptions{Seed: 5, Start: 10, End: 90, Workers: workers}, read)
		ks, got := drain(t, l)
		l.Close()
		if len(ks) != 80 || ks[0] != 10 || ks[79] != 89 || !slices.IsSorted(ks) {
			t.Fatalf("%d workers: places %v", workers, ks)
		}
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d workers gave other results than 1", workers)
		}
		if l.Skipped() < 8 {
			t.Errorf("%d workers: %d skipped, want at least the 8 broken ones", workers, l.Skipped())
		}
	}
	// A resumed run goes on as the first did.
	l := NewLoader(LoaderOptions{Seed: 5, Start: 50, End: 90, Workers: 3}, read)
	defer l.Close()
	if _, got := drain(t, l); !slices.Equal(got, want[40:]) {
		t.Error("a run resumed at 50 gave other results")
	}
}

func TestLoaderHandsOnErrorsAndPanics(t *testing.T) {
	var skipped atomic.Int64
	l := NewLoader(LoaderOptions{End: 3, Skipped: func(int, error) { skipped.Add(1) }}, func(k int, _ *rand.Rand) (int, error) {
		if k%replacementStride == 1 {
			panic("bad index")
		}
		return k, nil
	})
	defer l.Close()
	if k, v, ok, err := l.Next(); k != 0 || v != 0 || !ok || err != nil {
		t.Errorf("place 0: %d, %d, %v, %v", k, v, ok, err)
	}
	if k, _, ok, err := l.Next(); k != 1 || !ok || err == nil || !strings.Contains(err.Error(), "bad index") {
		t.Errorf("place 1: %d, %v, %v", k, ok, err)
	}
	if k, v, ok, err := l.Next(); k != 2 || v != 2 || !ok || err != nil {
		t.Errorf("place 2: %d, %d, %v, %v", k, v, ok, err)
	}
	if skipped.Load() != replacements {
		t.Errorf("%d skips were told, want %d", skipped.Load(), replacements)
	}
}

func TestLoaderIsBoundedAndCloses(t *testing.T) {
	var started atomic.Int64
	l := NewLoader(LoaderOptions{Workers: 2, Ahead: 3}, func(k int, _ *rand.Rand) (int, error) {
		started.Add(1)
		return k, nil
	})
	time.Sleep(20 * time.Millisecond)
	if n := started.Load(); n > 6 {
		t.Errorf("%d results were made before one was fetched, want at most 6", n)
	}
	var wg sync.WaitGroup
	wg.Go(func() { // Next while Close runs
		for {
			if _, _, ok, _ := l.Next(); !ok {
				return
			}
		}
	})
	l.Close()
	wg.Wait()
	l.Close() // again
}
