package dataset

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// LoaderOptions says what a Loader makes.
type LoaderOptions struct {
	Seed    uint64
	Start   int // first index of the stream: where a resumed run goes on
	End     int // index after the last; 0 means no end
	Workers int // goroutines; 0 means one for each processor
	Ahead   int // results that may wait to be fetched; 0 means 2·Workers
	// Skipped is told about each index that failed and was replaced, from any goroutine; it may be nil.
	Skipped func(k int, err error)
}

// Loader makes the results of a stream ahead of their use, in several goroutines, and hands them out in order. What it
// hands out does not depend on the number of goroutines.
type Loader[T any] struct {
	opt     LoaderOptions
	read    func(k int, rng *rand.Rand) (T, error)
	pending chan chan loaded[T] // in the order of the stream
	stop    context.CancelFunc
	wg      sync.WaitGroup
	skipped atomic.Int64
}

type loaded[T any] struct {
	k   int
	val T
	err error
}

// replacements is how often another place of the stream is tried before a failure is handed on.
const replacements = 8

// replacementStride is the distance from a place of the stream to its replacements, further than any run gets.
const replacementStride = 1 << 40

// NewLoader starts the goroutines; Close ends them. read is called for each index from Start on, by several goroutines at
// once, with a generator that depends on Seed and the index alone. When it fails, the index is replaced by one far down
// the stream, the same in every run; read must take any index, as Mixture.Example does. After eight failures in a row
// the error is handed on by Next. A panic in read counts as a failure.
func NewLoader[T any](opt LoaderOptions, read func(k int, rng *rand.Rand) (T, error)) *Loader[T] {
	if opt.Workers <= 0 {
		opt.Workers = runtime.GOMAXPROCS(0)
	}
	if opt.Ahead <= 0 {
		opt.Ahead = 2 * opt.Workers
	}
	ctx, stop := context.WithCancel(context.Background())
	l := &Loader[T]{opt: opt, read: read, pending: make(chan chan loaded[T], opt.Ahead), stop: stop}
	jobs := make(chan job[T])
	l.wg.Go(func() {
		defer close(l.pending)
		defer close(jobs)
		for k := opt.Start; opt.End == 0 || k < opt.End; k++ {
			j := job[T]{k, make(chan loaded[T], 1)}
			select {
			case l.pending <- j.result:
			case <-ctx.Done():
				return
			}
			select {
			case jobs <- j:
			case <-ctx.Done():
				close(j.result)
				return
			}
		}
	})
	for range opt.Workers {
		l.wg.Go(func() {
			for j := range jobs {
				v, err := l.load(ctx, j.k)
				j.result <- loaded[T]{j.k, v, err}
			}
		})
	}
	return l
}

type job[T any] struct {
	k      int
	result chan loaded[T] // holds one, so that a worker never waits
}

func (l *Loader[T]) load(ctx context.Context, k int) (v T, err error) {
	for try := range replacements + 1 {
		at := k + try*replacementStride
		if v, err = l.once(at); err == nil || ctx.Err() != nil {
			return v, err
		}
		if try < replacements {
			l.skipped.Add(1)
			if l.opt.Skipped != nil {
				l.opt.Skipped(at, err)
			}
		}
	}
	return v, fmt.Errorf("dataset: place %d of the stream and %d replacements failed, the last with: %w", k, replacements, err)
}

func (l *Loader[T]) once(k int) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("dataset: place %d of the stream: panic: %v\n%s", k, p, debug.Stack())
		}
	}()
	return l.read(k, RNG(l.opt.Seed, k))
}

// Next waits for the next result. ok is false after the last one and after Close.
func (l *Loader[T]) Next() (k int, val T, ok bool, err error) {
	result, ok := <-l.pending
	if !ok {
		return 0, val, false, nil
	}
	r, ok := <-result
	return r.k, r.val, ok, r.err
}

// Skipped counts the failures that were replaced so far.
func (l *Loader[T]) Skipped() int { return int(l.skipped.Load()) }

// Close ends the goroutines and waits for them.
func (l *Loader[T]) Close() {
	l.stop()
	l.wg.Wait()
}
