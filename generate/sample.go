package generate

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// sampler chooses a token of a row of scores.
type sampler struct {
	c     *Config
	rng   *rand.Rand
	items []item
}

type item struct {
	id int32
	p  float64
}

func newSampler(c *Config) *sampler {
	return &sampler{c: c, rng: rand.New(rand.NewPCG(c.Seed, 0x9e3779b97f4a7c15))}
}

// pick chooses a token, −1 when none may come. Of equals the first is the likeliest.
func (s *sampler) pick(row []float64) int32 {
	best := 0
	for i, l := range row {
		if l > row[best] {
			best = i
		}
	}
	if math.IsInf(row[best], -1) {
		return -1
	}
	if s.c.Temperature == 0 {
		return int32(best)
	}
	s.weigh(row, row[best])
	sum := 0.
	for _, it := range s.items {
		sum += it.p
	}
	at := s.rng.Float64() * sum
	for _, it := range s.items {
		if at -= it.p; at < 0 {
			return it.id
		}
	}
	return s.items[0].id // rounding
}

// weigh lists the tokens to draw from with their weights, which the likeliest of scores top gives 1. A token without weight
// is not listed.
func (s *sampler) weigh(row []float64, top float64) {
	s.items = s.items[:0]
	sum := 0.
	for i, l := range row {
		if p := math.Exp((l - top) / s.c.Temperature); p > 0 {
			s.items = append(s.items, item{int32(i), p})
		}
	}
	k, narrow := s.c.TopK, s.c.TopP > 0 && s.c.TopP < 1
	if (k == 0 || k >= len(s.items)) && !narrow {
		return
	}
	slices.SortStableFunc(s.items, func(a, b item) int { return cmp.Compare(b.p, a.p) })
	if k > 0 && k < len(s.items) {
		s.items = s.items[:k]
	}
	if !narrow {
		return
	}
	for _, it := range s.items {
		sum += it.p
	}
	reached := 0.
	for i, it := range s.items {
		if reached += it.p; reached >= s.c.TopP*sum {
			s.items = s.items[:i+1]
			break
		}
	}
}
