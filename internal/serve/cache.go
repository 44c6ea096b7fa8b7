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

// lookup finds the picture of a key, or makes a place for it that the caller has to fill; mine says which.
func (c *cache) lookup(key cacheKey) (e *cached, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.byKey[key]; ok {
		c.lru.MoveToFront(at)
		return at.Value.(*cached), false
	}
	e = &cached{key: key, ready: make(chan struct{})}
	c.byKey[key] = c.lru.PushFront(e)
	return e, true
}

// get waits for a picture.
func (e *cached) get(ctx context.Context) (*fovea.Encoded, error) {
	select {
	case <-e.ready:
		return e.enc, e.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// isReady reports that get would not wait.
func (e *cached) isReady() bool {
	select {
	case <-e.ready:
		return true
	default:
		return false
	}
}

// fill fills a place that lookup has made. A failure is not kept: it is told to those who wait for it.
func (c *cache) fill(e *cached, enc *fovea.Encoded, err error) {
	c.mu.Lock()
	at := c.byKey[e.key]
	c.mu.Unlock()
	e.enc, e.err = enc, err
	c.settle(at)
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
		if e.isReady() { // one that is being encoded has no bytes yet
			c.lru.Remove(at)
			delete(c.byKey, e.key)
			c.bytes -= e.enc.Bytes()
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
