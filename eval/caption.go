package eval

import (
	"fmt"
	"math"
	"strings"
)

// Captions scores descriptions against several references each, equal to coco-caption (Chen et al. 2015): corpus BLEU
// (Papineni et al. 2002) and CIDEr-D (Vedantam et al. 2015).
type Captions struct{ items []captioned }

type captioned struct {
	caption ngrams
	refs    []ngrams
}

// NewCaptions makes an empty score.
func NewCaptions() *Captions { return &Captions{} }

// Add scores one picture's caption against its references, at least one. Both are split by CaptionWords.
func (c *Captions) Add(refs []string, caption string) error {
	if len(refs) == 0 {
		return fmt.Errorf("eval: caption %q has no reference", caption)
	}
	it := captioned{caption: countNgrams(CaptionWords(caption))}
	for _, r := range refs {
		it.refs = append(it.refs, countNgrams(CaptionWords(r)))
	}
	c.items = append(c.items, it)
	return nil
}

// Images is how many pictures were added.
func (c *Captions) Images() int { return len(c.items) }

// Result is BLEU1, BLEU2, BLEU3, BLEU4 in [0, 1] and CIDEr in [0, 10], often printed times 100. CIDEr weighs words by how
// rare they are among the references of all pictures: it is 0 for a single picture and means little for a few.
func (c *Captions) Result() map[string]float64 {
	out := map[string]float64{"CIDEr": c.cider()}
	for i, v := range c.bleu() {
		out[fmt.Sprint("BLEU", i+1)] = v
	}
	return out
}

// maxN is the longest run of words that counts.
const maxN = 4

// ngrams are the runs of one to four words of a text in the order of appearance, with how often each appears.
type ngrams struct {
	words  int
	keys   []string
	n      []int // the run's length less one
	counts map[string]int
}

func countNgrams(words []string) ngrams {
	g := ngrams{words: len(words), counts: map[string]int{}}
	for n := 1; n <= maxN; n++ {
		for i := 0; i+n <= len(words); i++ {
			k := strings.Join(words[i:i+n], " ")
			if g.counts[k] == 0 {
				g.keys, g.n = append(g.keys, k), append(g.n, n-1)
			}
			g.counts[k]++
		}
	}
	return g
}

// bleu is the geometric mean of the precisions of runs of 1…n words over all captions together, each run counted at most
// as often as in one reference, times a penalty for captions shorter than the reference of the closest length.
func (c *Captions) bleu() (out [maxN]float64) {
	if len(c.items) == 0 {
		return out
	}
	var guess, correct [maxN]float64
	var length, target float64
	for _, it := range c.items {
		length += float64(it.caption.words)
		target += float64(closest(it.refs, it.caption.words))
		for n := range maxN {
			guess[n] += float64(max(0, it.caption.words-n))
		}
		for i, k := range it.caption.keys {
			most := 0
			for _, r := range it.refs {
				most = max(most, r.counts[k])
			}
			correct[it.caption.n[i]] += float64(min(most, it.caption.counts[k]))
		}
	}
	const little, tiny = 1e-9, 1e-15 // coco-caption's guards against dividing by 0
	product := 1.0
	for n := range maxN {
		product *= (correct[n] + tiny) / (guess[n] + little)
		out[n] = math.Pow(product, 1/float64(n+1))
	}
	if ratio := (length + tiny) / (target + little); ratio < 1 {
		for n := range out {
			out[n] *= math.Exp(1 - 1/ratio)
		}
	}
	return out
}

// closest is the reference length nearest to n, the shorter of two.
func closest(refs []ngrams, n int) int {
	best := refs[0].words
	for _, r := range refs[1:] {
		d, e := abs(r.words-n), abs(best-n)
		if d < e || d == e && r.words < best {
			best = r.words
		}
	}
	return best
}

func abs(v int) int { return max(v, -v) }

// cider is the mean over pictures, references and lengths 1…4 of the cosine between the captions' and the references'
// tf-idf vectors, the caption's entries cut to the reference's, times a Gaussian of the difference in length, times 10.
func (c *Captions) cider() float64 {
	if len(c.items) == 0 {
		return 0
	}
	df := map[string]int{} // pictures that have the run in a reference
	for _, it := range c.items {
		seen := map[string]bool{}
		for _, r := range it.refs {
			for _, k := range r.keys {
				if !seen[k] {
					seen[k] = true
					df[k]++
				}
			}
		}
	}
	w := weights{df, math.Log(float64(len(c.items)))}
	var sum float64
	for _, it := range c.items {
		hyp := w.vector(it.caption)
		var s float64
		for _, r := range it.refs {
			s += hyp.similarity(w.vector(r))
		}
		sum += 10 * s / maxN / float64(len(it.refs))
	}
	return sum / float64(len(c.items))
}

type weights struct {
	df  map[string]int
	log float64 // of the number of pictures
}

// tfidf is the vector of a text: one entry per run of words, one norm per length.
type tfidf struct {
	ngrams
	weight map[string]float64
	norm   [maxN]float64
	length int // in runs of two words, as coco-caption measures it
}

func (w weights) vector(g ngrams) tfidf {
	v := tfidf{ngrams: g, weight: make(map[string]float64, len(g.keys)), length: max(g.words-1, 0)}
	for i, k := range g.keys {
		x := float64(g.counts[k]) * (w.log - math.Log(max(1, float64(w.df[k]))))
		v.weight[k] = x
		v.norm[g.n[i]] += x * x
	}
	for n := range v.norm {
		v.norm[n] = math.Sqrt(v.norm[n])
	}
	return v
}

func (v tfidf) similarity(ref tfidf) float64 {
	var val [maxN]float64
	for i, k := range v.keys {
		r := ref.weight[k]
		val[v.n[i]] += min(v.weight[k], r) * r
	}
	const sigma = 6
	d := float64(v.length - ref.length)
	penalty := math.Exp(-d * d / (2 * sigma * sigma))
	var sum float64
	for n, x := range val {
		if v.norm[n] != 0 && ref.norm[n] != 0 {
			x /= v.norm[n] * ref.norm[n]
		}
		sum += x * penalty
	}
	return sum
}
