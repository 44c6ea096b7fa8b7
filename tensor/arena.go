package tensor

import "fovea/internal/memory"

// chunkFloats is the size of an arena's ordinary chunk: 16 MiB.
const chunkFloats = 4 << 20

// Arena hands out float32 slices that all die together at Reset. After the first pass over a given amount of work it
// holds enough memory and allocates nothing more, so a training step in steady state makes no garbage. It is not safe
// for concurrent use: each goroutine has its own.
type Arena struct {
	chunks [][]float32
	at     int // chunk in use
	used   int // floats used of it
	high   int // floats handed out since Reset
}

// Alloc returns n floats, aligned to 64 bytes, with whatever values the memory held before.
func (a *Arena) Alloc(n int) []float32 {
	need := (n + 15) &^ 15
	a.high += need
	for a.at < len(a.chunks) {
		if c := a.chunks[a.at]; a.used+need <= len(c) {
			s := c[a.used : a.used+n : a.used+n]
			a.used += need
			return s
		}
		a.at, a.used = a.at+1, 0
	}
	chunk := memory.Make[float32](max(chunkFloats, need))
	a.chunks = append(a.chunks, chunk)
	a.used = need
	return a.chunks[a.at][:n:n]
}

// Zeros is Alloc with the memory cleared.
func (a *Arena) Zeros(n int) []float32 {
	s := a.Alloc(n)
	clear(s)
	return s
}

// Reset takes back everything that was handed out; slices from before must no longer be used.
func (a *Arena) Reset() { a.at, a.used, a.high = 0, 0, 0 }

// Mark and Release free in the order of a stack: everything allocated since the mark is taken back.
func (a *Arena) Mark() (mark [3]int) { return [3]int{a.at, a.used, a.high} }

// Release takes back what was handed out since Mark.
func (a *Arena) Release(mark [3]int) { a.at, a.used, a.high = mark[0], mark[1], mark[2] }

// Bytes is the memory handed out since Reset.
func (a *Arena) Bytes() int { return 4 * a.high }

// Chunks is all memory of the arena, for tests.
func (a *Arena) Chunks() [][]float32 { return a.chunks }

// Held is the memory that the arena has taken for the most that was handed out at a time.
func (a *Arena) Held() int {
	n := 0
	for _, c := range a.chunks {
		n += 4 * len(c)
	}
	return n
}
