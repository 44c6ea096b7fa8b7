package dataset

import (
	"math/rand/v2"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
)

// counted counts how often the source behind it is read.
type counted struct {
	Source
	reads atomic.Int64
}

func (c *counted) At(i int, rng *rand.Rand) (*Example, error) {
	c.reads.Add(1)
	return c.Source.At(i, rng)
}

func TestCached(t *testing.T) {
	src := &counted{Source: open(t, smallCOCO().write(t), OpenOptions{})}
	c := Cached(src, 1<<20)
	want := []*Example{at(t, src, 0), at(t, src, 1)}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				for i, w := range want {
					ex, err := c.At(i, nil)
					if err == nil && len(ex.Questions) == 0 {
						ex.Questions = nil // as the source has it
					}
					if err != nil || !reflect.DeepEqual(ex, w) {
						t.Errorf("example %d from the cache differs (%v)", i, err)
						return
					}
					ex.Image.Pix[0]++ // the caller's own
					ex.Objects[0].Mask.Pix[0] ^= 1
				}
			}
		})
	}
	wg.Wait()
	if n := src.reads.Load(); n > 2+8 {
		t.Errorf("the source was read %d times", n)
	}
	if c.Len() != 2 || c.Labels() != src.Labels() || c.(Reporter).Report() == nil {
		t.Error("the cache is not the source that it holds")
	}
	if _, err := c.At(2, nil); err == nil {
		t.Error("example 2 of 2")
	}
}

func TestCachedIsBounded(t *testing.T) {
	src := &counted{Source: open(t, smallCOCO().write(t), OpenOptions{})}
	c := Cached(src, 2500) // the first picture has 600 bytes and about 1,800 with its annotations; the second 192 and 800
	for range 5 {
		at(t, c, 0)
		at(t, c, 1)
	}
	n := src.reads.Load()
	if n <= 2 || n >= 10 {
		t.Errorf("%d reads of 10; want some from the cache and some from the source", n)
	}
	for range 3 {
		at(t, Cached(src, 0), 0)
	}
	if got := src.reads.Load() - n; got != 3 {
		t.Errorf("a cache of no size kept something: %d reads", got)
	}
}
