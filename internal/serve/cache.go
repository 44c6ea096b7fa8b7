package serve

import (
	"container/list"
	"context"
	"sync"

	"fovea"
)

// cacheKey is a picture's content, as one model sees it.
type cacheKey struct {
	model   string
	content [32]byte
}

// cache keeps encoded pictures, up to so many bytes, and drops those first that were not asked about for longest. While a
// picture is being encoded, others who want it wait for that.
type cache struct {
	max   int64
	mu    sync.Mutex
	bytes int64
	byKey map[cacheKey]*list.Element
	lru   list.List // of *cached, the most recent first
}

// cached is a picture that is encoded, or about to be.
type cached struct {
	key   cacheKey
	ready chan struct{} // closed when what follows is set
	enc   *fovea.Encoded
	err   error
}

func newCache(max int64) *cache { return &cache{max: max, byKey: map[cacheKey]*list.Element{}} }

// get returns the picture of a key, which encode makes unless it is there; hit says that it was. A failure is not kept.
func (c *cache) get(ctx context.Context, key cacheKey, encode func() (*fovea.Encoded, error)) (enc *fovea.Encoded, hit bool, err error) {
	c.mu.Lock()
	if at, ok := c.byKey[key]; ok {
		c.lru.MoveToFront(at)
		c.mu.Unlock()
		e := at.Value.(*cached)
		select {
		case <-e.ready:
			return e.enc, true, e.err
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
	e := &cached{key: key, ready: make(chan struct{})}
	at := c.lru.PushFront(e)
	c.byKey[key] = at
	c.mu.Unlock()
	done := false
	defer func() {
		if !done { // encode panicked
			e.err = errPanicked
		}
		c.settle(at)
	}()
	e.enc, e.err = encode()
	done = true
	return e.enc, false, e.err
}

// settle tells those who wait, and makes room.
func (c *cache) settle(at *list.Element) {
	e := at.Value.(*cached)
	c.mu.Lock()
	defer c.mu.Unlock()
	close(e.ready)
	if e.err != nil {
		c.lru.Remove(at)
		delete(c.byKey, e.key)
		return
	}
	c.bytes += e.enc.Bytes()
	for at := c.lru.Back(); at != nil && c.bytes > c.max; {
		e, before := at.Value.(*cached), at.Prev()
		select {
		case <-e.ready:
			c.lru.Remove(at)
			delete(c.byKey, e.key)
			c.bytes -= e.enc.Bytes()
		default: // it is being encoded and has no bytes yet
		}
		at = before
	}
}

// usage is the bytes and the pictures in the cache.
func (c *cache) usage() (bytes int64, pictures int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes, c.lru.Len()
}
