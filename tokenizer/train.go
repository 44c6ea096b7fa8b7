package tokenizer

import (
	"cmp"
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// TrainOptions says what vocabulary Train learns.
type TrainOptions struct {
	// VocabSize is the number of pieces wanted, Specials and the 256 bytes included. Fewer come out if the text runs
	// out of pairs.
	VocabSize int

	// MinFrequency is how often a pair must occur to become a piece; below 1 means 1.
	MinFrequency int

	// Specials are the special pieces, such as <pad>; they get the ids from 0 on, in order.
	Specials []string

	// Clean is applied to the texts here and, as the tokenizer's normalizer, to every text that it encodes.
	Clean Clean
}

// maxTrained is the longest piece that training makes, in bytes; runs of dashes and the like stop there.
const maxTrained = 256

// Train learns a byte-level byte-pair vocabulary (Sennrich et al. 2016, Radford et al. 2019) from texts: words are cut
// by GPT-2's pattern, and the most frequent pair of neighbouring pieces within words becomes a new piece until the
// vocabulary is full. Equal counts go to the pair with the lower ids, so the result depends on the texts alone, not on
// their order. Special pieces that stand in the texts are not learnt from, and no pair becomes one, so that text can
// never encode to a special piece except by its whole spelling.
//
// Every text can be encoded, and without Clean, Decode(Encode(text)) is text. Ids: Specials, the 256 bytes, then the
// learnt pieces, best first. Where no special piece is concerned, the result equals that of the Hugging Face tokenizers
// library's BpeTrainer with a byte-level alphabet.
func Train(texts iter.Seq[string], opt TrainOptions) (*Pipeline, error) {
	specials := make(map[string]bool)
	ids := make(map[string]ID)
	for _, s := range slices.Concat(opt.Specials, alphabet()) {
		if _, ok := ids[s]; ok {
			return nil, fmt.Errorf("tokenizer: train: special piece %q occurs twice or is one of the 256 bytes", s)
		}
		if len(ids) < len(opt.Specials) {
			if s == "" || s != lossy(s) {
				return nil, fmt.Errorf("tokenizer: train: special piece %q is empty or not UTF-8", s)
			}
			specials[s] = true
		}
		ids[s] = ID(len(ids))
	}
	if opt.VocabSize < len(ids) {
		return nil, fmt.Errorf("tokenizer: train: VocabSize %d is less than %d special pieces and 256 bytes", opt.VocabSize, len(opt.Specials))
	}
	// The tokenizer without merges cuts the texts into words, so that training sees what encoding will see.
	p, err := newByteBPE(ids, nil, opt)
	if err != nil {
		return nil, err
	}
	t := newTrainer(ids)
	counts := make(map[string]int64)
	for text := range texts {
		p.eachWord(text, func(w string) { counts[w]++ })
	}
	if len(counts) == 0 {
		return nil, errors.New("tokenizer: train: the texts hold no words")
	}
	t.addWords(counts)
	t.learn(opt.VocabSize, int64(max(opt.MinFrequency, 1)))
	return newByteBPE(t.ids, t.merges, opt)
}

// newByteBPE assembles a trained tokenizer.
func newByteBPE(ids map[string]ID, merges [][2]string, opt TrainOptions) (*Pipeline, error) {
	m, err := newBPE(ids, merges, bpeOptions{})
	if err != nil {
		return nil, err
	}
	f := file{
		Normalizer:    opt.Clean.spec(),
		PreTokenizer:  json.RawMessage(`{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}`),
		PostProcessor: json.RawMessage(`{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}`),
		Decoder:       json.RawMessage(`{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}`),
	}
	for i, s := range opt.Specials {
		f.AddedTokens = append(f.AddedTokens, AddedToken{ID: ID(i), Content: s, Special: true})
	}
	return assemble(f, m)
}

// eachWord calls f with every word that the model would get for text.
func (p *Pipeline) eachWord(text string, f func(string)) {
	for _, seg := range p.added.split(nil, lossy(text), p.added.raw, false) {
		if seg.id >= 0 {
			continue
		}
		normal := seg.text
		if p.norm != nil {
			normal = p.norm.normalize(normal)
		}
		for _, w := range p.pre.split(nil, word{normal, seg.start == 0}) {
			if w.text != "" {
				f(w.text)
			}
		}
	}
}

// trainer holds the words of the texts as pieces, and for each pair of neighbours how often and where it occurs, so
// that a merge touches only the words that hold its pair.
type trainer struct {
	ids    map[string]ID
	pieces []string
	merges [][2]string
	words  []trainWord
	pairs  map[uint64]*pairStat
	queue  pairQueue
}

type trainWord struct {
	pieces []ID
	count  int64
}

type pairStat struct {
	count int64
	words []int32 // where the pair may occur, ascending; a merge may since have taken it away
}

func newTrainer(ids map[string]ID) *trainer {
	t := &trainer{ids: ids, pieces: make([]string, len(ids)), pairs: map[uint64]*pairStat{}}
	for piece, id := range ids {
		t.pieces[id] = piece
	}
	return t
}

// addWords takes the words in sorted order, which makes the result independent of the map's.
func (t *trainer) addWords(counts map[string]int64) {
	words := make([]string, 0, len(counts))
	for w := range counts {
		words = append(words, w)
	}
	slices.Sort(words)
	for _, w := range words {
		tw := trainWord{count: counts[w]}
		for _, r := range w {
			tw.pieces = append(tw.pieces, t.ids[string(r)])
		}
		at := int32(len(t.words))
		t.words = append(t.words, tw)
		for i := range len(tw.pieces) - 1 {
			t.change(pair(tw.pieces[i], tw.pieces[i+1]), tw.count, at)
		}
	}
	for key, s := range t.pairs {
		t.queue = append(t.queue, queued{s.count, key})
	}
	heap.Init(&t.queue)
}

// change adds n to a pair's count; a pair that gains also occurs in word at. Pairs too long to merge are not counted.
func (t *trainer) change(key uint64, n int64, at int32) {
	if len(t.pieces[ID(key>>32)])+len(t.pieces[ID(uint32(key))]) > maxTrained {
		return
	}
	s := t.pairs[key]
	if s == nil {
		s = &pairStat{}
		t.pairs[key] = s
	}
	s.count += n
	if n > 0 && (len(s.words) == 0 || s.words[len(s.words)-1] != at) {
		s.words = append(s.words, at)
	}
}

// learn merges until there are size pieces or no pair occurs least times.
func (t *trainer) learn(size int, least int64) {
	for len(t.pieces) < size && len(t.queue) > 0 {
		top := heap.Pop(&t.queue).(queued)
		s := t.pairs[top.key]
		if s == nil || s.count == 0 {
			continue
		}
		if s.count != top.count {
			heap.Push(&t.queue, queued{s.count, top.key}) // the entry was out of date
			continue
		}
		if s.count < least {
			return
		}
		left, right := t.pieces[ID(top.key>>32)], t.pieces[ID(uint32(top.key))]
		piece := left + right
		if _, ok := t.ids[piece]; ok {
			continue // a special piece: every other comes from one pair only
		}
		id := ID(len(t.pieces))
		t.ids[piece] = id
		t.pieces = append(t.pieces, piece)
		t.merges = append(t.merges, [2]string{left, right})
		t.apply(top.key, id)
	}
}

// apply merges a pair into id wherever it occurs, and queues the pairs that this brings about.
func (t *trainer) apply(key uint64, id ID) {
	s := t.pairs[key]
	delete(t.pairs, key)
	touched := map[uint64]bool{}
	for _, at := range s.words {
		t.mergeIn(at, key, id, touched)
	}
	for k := range touched {
		if s := t.pairs[k]; s != nil && s.count > 0 {
			heap.Push(&t.queue, queued{s.count, k}) // the queue's order is total, so the order of pushes is free
		}
	}
}

// mergeIn merges a pair into id within one word, left to right, and keeps the counts; pairs that gain are marked as touched.
func (t *trainer) mergeIn(at int32, key uint64, id ID, touched map[uint64]bool) {
	w := &t.words[at]
	left, right := ID(key>>32), ID(uint32(key))
	old := w.pieces
	merged := old[:0:0]
	for i := 0; i < len(old); i++ {
		if i+1 < len(old) && old[i] == left && old[i+1] == right {
			merged = append(merged, id)
			i++
		} else {
			merged = append(merged, old[i])
		}
	}
	if len(merged) == len(old) {
		return
	}
	diff := map[uint64]int64{}
	for i := range len(old) - 1 {
		diff[pair(old[i], old[i+1])]--
	}
	for i := range len(merged) - 1 {
		diff[pair(merged[i], merged[i+1])]++
	}
	for k, n := range diff {
		if k == key || n == 0 {
			continue
		}
		t.change(k, n*w.count, at)
		if n > 0 {
			touched[k] = true
		}
	}
	w.pieces = merged
}

// queued is a pair with the count that it had when it was queued.
type queued struct {
	count int64
	key   uint64
}

// pairQueue has the most frequent pair on top, and among equals the one with the lower ids.
type pairQueue []queued

func (q pairQueue) Len() int { return len(q) }

func (q pairQueue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[j].count, q[i].count), cmp.Compare(q[i].key, q[j].key)) < 0
}

func (q pairQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *pairQueue) Push(x any) { *q = append(*q, x.(queued)) }

// Pop implements heap.Interface.
func (q *pairQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
