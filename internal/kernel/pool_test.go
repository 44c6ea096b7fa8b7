package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestPoolRunsEachOnce(t *testing.T) {
	p := NewPool(4)
	defer p.Close()
	var counts [100]atomic.Int32
	for round := range 60 {
		n := round % 101
		p.Run(n, func(i int) { counts[i].Add(1) })
		for i := range counts {
			want := int32(0)
			if i < n {
				want = 1
			}
			if got := counts[i].Swap(0); got != want {
				t.Fatalf("round %d: fn(%d) ran %d times", round, i, got)
			}
		}
		if round%20 == 19 {
			time.Sleep(2 * time.Millisecond) // let the workers park
		}
	}
}

// Nested and concurrent runs do their work on the caller instead of waiting for each other.
func TestPoolNestedAndConcurrent(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	var n atomic.Int32
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 5 {
				p.Run(3, func(int) { p.Run(2, func(int) { n.Add(1) }) })
			}
		})
	}
	wg.Wait()
	if got := n.Load(); got != 3*5*3*2 {
		t.Errorf("%d calls, want %d", got, 3*5*3*2)
	}
}

func TestPoolClose(t *testing.T) {
	before := runtime.NumGoroutine()
	p := NewPool(0)
	if max := runtime.GOMAXPROCS(0); p.Workers() != max {
		t.Errorf("%d workers, want GOMAXPROCS = %d", p.Workers(), max)
	}
	p.Run(4, func(int) {})
	p.Close()
	p.Close()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines after Close, %d before NewPool", runtime.NumGoroutine(), before)
		}
	}
	n := 0
	p.Run(5, func(int) { n++ })
	if n != 5 {
		t.Errorf("after Close: %d calls", n)
	}
	var none *Pool
	none.Run(2, func(int) { n++ })
	none.Close()
	if n != 7 || none.Workers() != 1 {
		t.Errorf("nil pool: n = %d", n)
	}
}

func TestPoolAllocates(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	fn := func(int) {}
	if n := testing.AllocsPerRun(50, func() { p.Run(2, fn) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func BenchmarkPoolFork(b *testing.B) {
	p := NewPool(0)
	defer p.Close()
	fn := func(int) {}
	for b.Loop() {
		p.Run(p.Workers(), fn)
	}
}
