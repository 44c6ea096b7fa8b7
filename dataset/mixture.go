package dataset

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Weighted is a source of a mixture. Weights are relative: 3 and 1 give three examples of the first for each of the
// second, however long the sets are.
type Weighted struct {
	Source Source
	Weight float64
}

// Mixture is an endless stream of examples from several sources. Example k of the stream is a pure function of the seed
// and k, so a run is resumed by its counter alone.
//
// Each source is visited in epochs, every one a permutation of its own. Sources are spread evenly: visit n of a source
// with the share w of the weights falls at a random time in [n/w, (n+1)/w), and the stream is the visits of all sources
// in the order of their times (stratified sampling). After k examples a source has had k·w of them, within one or two.
type Mixture struct {
	seed  uint64
	parts []Weighted
	share []float64 // sums to 1
}

// Pick is one place of the stream: which example of which source, in which epoch of that source.
type Pick struct {
	Source int // index of the source
	Index  int // of the example in the source
	Epoch  int // from 0
}

// NewMixture checks the parts: weights must be finite and not negative, one must be positive, and a source with a positive
// weight must not be empty. Sources of weight 0 keep their index and never occur.
func NewMixture(seed uint64, parts []Weighted) (*Mixture, error) {
	m := &Mixture{seed: seed, parts: parts, share: make([]float64, len(parts))}
	sum := 0.0
	for i, p := range parts {
		switch {
		case p.Source == nil:
			return nil, fmt.Errorf("dataset: mixture: source %d is nil", i)
		case !(p.Weight >= 0) || math.IsInf(p.Weight, 0):
			return nil, fmt.Errorf("dataset: mixture: the weight of %s is %v, want a number from 0 on", p.Source.Name(), p.Weight)
		case p.Weight > 0 && p.Source.Len() == 0:
			return nil, fmt.Errorf("dataset: mixture: %s holds no examples; leave it out or give it weight 0", p.Source.Name())
		}
		sum += p.Weight
	}
	if !(sum > 0) || math.IsInf(sum, 0) {
		return nil, fmt.Errorf("dataset: mixture: the weights of %d sources sum to %v, want a positive sum", len(parts), sum)
	}
	for i, p := range parts {
		m.share[i] = p.Weight / sum
	}
	return m, nil
}

// Parts is what the mixture was made of.
func (m *Mixture) Parts() []Weighted { return m.parts }

// Len is the number of examples in all sources with a weight: a natural length for an epoch of the whole.
func (m *Mixture) Len() int {
	n := 0
	for _, p := range m.parts {
		if p.Weight > 0 {
			n += p.Source.Len()
		}
	}
	return n
}

// At is place k ≥ 0 of the stream, found in time that grows with the square of the number of sources and not with k.
func (m *Mixture) At(k int) Pick {
	// Before time t, source i has had t·share[i] visits, less than one more or fewer; together t ± the number of sources.
	// So start where at most k visits lie behind and merge from there.
	t := max(float64(k-len(m.parts)), 0)
	next := make([]int, len(m.parts)) // number of the next visit of each source
	rank := 0
	for i, w := range m.share {
		if w == 0 {
			continue
		}
		n := int(t * w)
		if m.time(i, n) < t {
			n++
		}
		next[i] = n
		rank += n
	}
	for ; ; rank++ {
		best, at := -1, math.Inf(1)
		for i, w := range m.share {
			if w == 0 {
				continue
			}
			if s := m.time(i, next[i]); s < at {
				best, at = i, s
			}
		}
		if rank == k {
			return m.visit(best, next[best])
		}
		next[best]++
	}
}

// time is when visit n of source i falls.
func (m *Mixture) time(i, n int) float64 {
	u := float64(hash(m.seed, 1, uint64(i), uint64(n))>>11) / (1 << 53)
	return (float64(n) + u) / m.share[i]
}

func (m *Mixture) visit(i, n int) Pick {
	size := m.parts[i].Source.Len()
	epoch := n / size
	return Pick{Source: i, Epoch: epoch, Index: permute(n%size, size, hash(m.seed, 2, uint64(i), uint64(epoch)))}
}

// Example reads place k of the stream. rng is passed to the source.
func (m *Mixture) Example(k int, rng *rand.Rand) (*Example, Pick, error) {
	p := m.At(k)
	ex, err := m.parts[p.Source].Source.At(p.Index, rng)
	return ex, p, err
}

// permute maps i to its place in the key's permutation of [0, n). It stores nothing: a Feistel network shuffles the next
// larger power of four, and numbers from n on are mapped again until they fall below (cycle walking, Black and Rogaway
// 2002).
func permute(i, n int, key uint64) int {
	half := 1
	for 1<<(2*half) < n {
		half++
	}
	mask := uint64(1)<<half - 1
	x := uint64(i)
	for {
		l, r := x>>half, x&mask
		for round := range uint64(6) {
			l, r = r, l^hash(key, round, r)&mask
		}
		if x = l<<half | r; x < uint64(n) {
			return int(x)
		}
	}
}

// hash mixes words into one, by splitmix64 (Steele, Lea and Flood 2014).
func hash(words ...uint64) uint64 {
	var h uint64
	for _, w := range words {
		h += w + 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

// RNG is the random generator of place k of the stream that a seed stands for.
func RNG(seed uint64, k int) *rand.Rand {
	return rand.New(rand.NewPCG(hash(seed, 3, uint64(k)), hash(seed, 4, uint64(k))))
}
