package kernel

// wideElements is the number of elements below which work on them is not worth a fork.
const wideElements = 16384

// Wide reports whether work on so many elements should be split over the pool. Ask before making Split's function, which
// lives on the heap: replicas, which have no pool, then allocate nothing.
func (w *Work) Wide(elements int) bool { return elements >= wideElements && w.pool.Workers() > 1 }

// Workers is how many threads work on a product.
func (w *Work) Workers() int { return w.pool.Workers() }

// Run calls f once for each i < n, spread over the threads. f must not use w.
func (w *Work) Run(n int, f func(i int)) { w.pool.Run(n, f) }

// Alone is the memory of another goroutine, which multiplies as w does but by itself.
func (w *Work) Alone() *Work {
	own := NewWork(nil)
	own.bf16 = w.bf16
	return own
}

// Split calls f on even shares [from, to) of n items side by side.
func (w *Work) Split(n int, f func(from, to int)) {
	parts := w.Parts(n)
	w.pool.Run(parts, func(i int) { f(n*i/parts, n*(i+1)/parts) })
}

// SplitWork is Split for work that multiplies matrices: share i of the items comes with buffers of its own.
func (w *Work) SplitWork(n int, f func(own *Work, part, from, to int)) {
	parts := w.Parts(n)
	for len(w.own) < parts {
		w.own = append(w.own, NewWork(nil))
	}
	for _, o := range w.own[:parts] {
		o.bf16 = w.bf16
	}
	w.pool.Run(parts, func(i int) { f(w.own[i], i, n*i/parts, n*(i+1)/parts) })
}

// Parts is the number of shares that Split and SplitWork make of n items.
func (w *Work) Parts(n int) int {
	if w.pool.Workers() == 1 {
		return min(1, n)
	}
	return min(w.pool.Workers()*partsEach, n)
}
