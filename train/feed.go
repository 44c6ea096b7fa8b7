package train

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// feed reads samples ahead, in several goroutines, and gives them out in order. next must depend on nothing but its index.
type feed[S any] struct {
	ring []chan reading[S] // sample k waits in ring[k mod n]
	room chan struct{}     // a token for each free place of the ring
	at   int               // next sample to give out
	todo atomic.Int64      // next sample to read
	stop chan struct{}
	done sync.WaitGroup
}

type reading[S any] struct {
	sample S
	err    error
}

// newFeed starts reading at sample from. At most ahead samples are in memory that take has not returned.
func newFeed[S any](next func(k int) (S, error), from, readers, ahead int) *feed[S] {
	f := &feed[S]{at: from, stop: make(chan struct{}), room: make(chan struct{}, ahead)}
	f.todo.Store(int64(from))
	for range ahead {
		f.ring = append(f.ring, make(chan reading[S], 1))
		f.room <- struct{}{}
	}
	for range readers {
		f.done.Add(1)
		go f.read(next)
	}
	return f
}

func (f *feed[S]) read(next func(k int) (S, error)) {
	defer f.done.Done()
	for {
		select {
		case <-f.stop:
			return
		case <-f.room:
		}
		// Tokens are given back in order, so place k mod n is free as soon as number k can be drawn.
		k := int(f.todo.Add(1) - 1)
		s, err := guarded(next, k)
		f.ring[k%len(f.ring)] <- reading[S]{s, err}
	}
}

func guarded[S any](next func(k int) (S, error), k int) (s S, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Where: fmt.Sprintf("reading sample %d", k), Value: v, Stack: debug.Stack()}
		}
	}()
	return next(k)
}

// take fills dst with the next samples.
func (f *feed[S]) take(ctx context.Context, dst []S) error {
	for i := range dst {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r := <-f.ring[f.at%len(f.ring)]:
			if r.err != nil {
				return fmt.Errorf("train: sample %d: %w", f.at, r.err)
			}
			dst[i] = r.sample
		}
		f.at++
		f.room <- struct{}{}
	}
	return nil
}

// close ends the readers and waits for them.
func (f *feed[S]) close() {
	close(f.stop)
	f.done.Wait()
}
