package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// bpe is byte-pair encoding (Sennrich et al. 2016): a word begins as characters, and the neighbouring pair with the
// lowest rank in the merge table becomes one piece until no pair is in the table.
type bpe struct {
	voc    vocabulary
	merges map[uint64]merge // by pair(left, right)
	opt    bpeOptions
	unk    ID // -1: characters outside the vocabulary are dropped
	bytes  *[256]ID
}

type merge struct {
	rank int32
	id   ID
}

// bpeOptions are the fields of a tokenizer.json's BPE model besides the tables.
type bpeOptions struct {
	Dropout      *float64 `json:"dropout"`
	UnkToken     *string  `json:"unk_token"`
	Prefix       *string  `json:"continuing_subword_prefix"`
	Suffix       *string  `json:"end_of_word_suffix"`
	FuseUnk      bool     `json:"fuse_unk"`
	ByteFallback bool     `json:"byte_fallback"`
	IgnoreMerges bool     `json:"ignore_merges"`
}

// pair packs two ids into a map key.
func pair(left, right ID) uint64 { return uint64(uint32(left))<<32 | uint64(uint32(right)) }

// newBPE builds the model from its vocabulary and its merges in order of rank, each a left and a right piece.
func newBPE(ids map[string]ID, merges [][2]string, opt bpeOptions) (*bpe, error) {
	voc, err := newVocabulary(ids)
	if err != nil {
		return nil, err
	}
	if opt.Dropout != nil && *opt.Dropout != 0 {
		return nil, fmt.Errorf("tokenizer: BPE dropout %v would make encoding random; set it to null", *opt.Dropout)
	}
	if n := max(len(deref(opt.Prefix)), len(deref(opt.Suffix))); n > maxAffix {
		return nil, fmt.Errorf("tokenizer: BPE prefix or suffix has %d bytes, more than %d", n, maxAffix)
	}
	m := &bpe{voc: voc, merges: make(map[uint64]merge, len(merges)), opt: opt, unk: -1}
	prefix := deref(opt.Prefix)
	for rank, ab := range merges {
		a, okA := ids[ab[0]]
		b, okB := ids[ab[1]]
		both := ab[0] + strings.TrimPrefix(ab[1], prefix)
		id, ok := ids[both]
		if !okA || !okB || !ok {
			return nil, fmt.Errorf("tokenizer: merge %d (%q %q): one of these or %q is not in the vocabulary", rank, ab[0], ab[1], both)
		}
		m.merges[pair(a, b)] = merge{int32(rank), id}
	}
	if opt.UnkToken != nil {
		if id, ok := ids[*opt.UnkToken]; ok {
			m.unk = id
		}
	}
	if opt.ByteFallback {
		m.bytes = byteFallback(ids)
	}
	return m, nil
}

// byteFallback is the table of the pieces <0x00> … <0xFF>; -1 where the vocabulary lacks one.
func byteFallback(ids map[string]ID) *[256]ID {
	var t [256]ID
	for b := range t {
		id, ok := ids[fmt.Sprintf("<0x%02X>", b)]
		if !ok {
			id = -1
		}
		t[b] = id
	}
	return &t
}

// appendBytes appends the byte pieces of text, or reports that one is missing.
func appendBytes(dst []ID, text string, table *[256]ID) ([]ID, bool) {
	start := len(dst)
	for i := range len(text) {
		id := table[text[i]]
		if id < 0 {
			return dst[:start], false
		}
		dst = append(dst, id)
	}
	return dst, true
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (m *bpe) vocab() *vocabulary { return &m.voc }

func (m *bpe) tokenize(dst []ID, word string, s *scratch) []ID {
	if m.opt.IgnoreMerges {
		if id, ok := m.voc.ids[word]; ok {
			return append(dst, id)
		}
	}
	s.symbols = m.characters(s.symbols[:0], word)
	return m.mergeAll(dst, s)
}

// characters appends the ids that a word begins with. The order of the unknown piece and of byte pieces around it is
// the reference's.
func (m *bpe) characters(dst []ID, word string) []ID {
	prefix, suffix := deref(m.opt.Prefix), deref(m.opt.Suffix)
	unknown := false // an unknown piece waits, so that the next one can fuse with it
	for i := 0; i < len(word); {
		_, n := utf8.DecodeRuneInString(word[i:])
		c := word[i : i+n]
		if prefix != "" && i > 0 {
			c = prefix + c
		}
		i += n
		if suffix != "" && i == len(word) {
			c += suffix
		}
		if id, ok := m.voc.ids[c]; ok {
			if unknown {
				dst, unknown = append(dst, m.unk), false
			}
			dst = append(dst, id)
			continue
		}
		if m.bytes != nil {
			var ok bool
			if dst, ok = appendBytes(dst, c, m.bytes); ok {
				continue
			}
		}
		if m.unk >= 0 {
			if unknown && !m.opt.FuseUnk {
				dst = append(dst, m.unk)
			}
			unknown = true
		}
	}
	if unknown {
		dst = append(dst, m.unk)
	}
	return dst
}

// mergeAll applies the merge table to s.symbols and appends the result: lowest rank first, leftmost among equals. The
// candidates wait in a heap, so that a long word costs n·log n.
func (m *bpe) mergeAll(dst []ID, s *scratch) []ID {
	sym := s.symbols
	n := int32(len(sym))
	if n < 2 {
		return append(dst, sym...)
	}
	next, prev := s.links(len(sym))
	heap := s.heap[:0]
	for i := range n - 1 {
		if mg, ok := m.merges[pair(sym[i], sym[i+1])]; ok {
			heap.push(candidate(mg.rank, i))
		}
	}
	for len(heap) > 0 {
		top := heap.pop()
		rank, i := int32(top>>32), int32(uint32(top))
		j := next[i]
		if sym[i] < 0 || j >= n {
			continue
		}
		mg, ok := m.merges[pair(sym[i], sym[j])]
		if !ok || mg.rank != rank {
			continue // a neighbour has merged since
		}
		sym[i], sym[j] = mg.id, -1
		j = next[j]
		next[i] = j
		if j < n {
			prev[j] = i
			if mg, ok := m.merges[pair(sym[i], sym[j])]; ok {
				heap.push(candidate(mg.rank, i))
			}
		}
		if h := prev[i]; h >= 0 {
			if mg, ok := m.merges[pair(sym[h], sym[i])]; ok {
				heap.push(candidate(mg.rank, h))
			}
		}
	}
	s.heap = heap
	for i := int32(0); i < n; i = next[i] {
		dst = append(dst, sym[i])
	}
	return dst
}

// candidate packs a merge that waits, so that the smaller number goes first.
func candidate(rank, at int32) uint64 { return uint64(uint32(rank))<<32 | uint64(uint32(at)) }

// minHeap is a binary heap of candidates; container/heap would box each one.
type minHeap []uint64

func (h *minHeap) push(x uint64) {
	a := append(*h, x)
	i := len(a) - 1
	for i > 0 {
		up := (i - 1) / 2
		if a[up] <= x {
			break
		}
		a[i] = a[up]
		i = up
	}
	a[i] = x
	*h = a
}

func (h *minHeap) pop() uint64 {
	a := *h
	top, x := a[0], a[len(a)-1]
	a = a[:len(a)-1]
	i := 0
	for {
		down := 2*i + 1
		if down >= len(a) {
			break
		}
		if down+1 < len(a) && a[down+1] < a[down] {
			down++
		}
		if x <= a[down] {
			break
		}
		a[i] = a[down]
		i = down
	}
	if len(a) > 0 {
		a[i] = x
	}
	*h = a
	return top
}

// spec implements model.
func (m *bpe) spec() any {
	merges := make([][2]string, 0, len(m.merges))
	for _, key := range rankOrder(m.merges) {
		merges = append(merges, [2]string{m.voc.pieces[ID(key>>32)], m.voc.pieces[ID(uint32(key))]})
	}
	return struct {
		Type string `json:"type"`
		bpeOptions
		Vocab  orderedVocab `json:"vocab"`
		Merges [][2]string  `json:"merges"`
	}{"BPE", m.opt, orderedVocab{&m.voc}, merges}
}

// parseMerges reads both spellings of merges: ["a b", …] and [["a", "b"], …].
func parseMerges(raw json.RawMessage) ([][2]string, error) {
	var lines []string
	if json.Unmarshal(raw, &lines) == nil {
		return splitMerges(lines)
	}
	var pairs [][]string
	if err := json.Unmarshal(raw, &pairs); err != nil {
		return nil, fmt.Errorf("tokenizer: BPE merges are neither strings nor pairs of strings: %w", err)
	}
	out := make([][2]string, len(pairs))
	for i, p := range pairs {
		if len(p) != 2 {
			return nil, fmt.Errorf("tokenizer: merge %d has %d pieces, not 2", i, len(p))
		}
		out[i] = [2]string(p)
	}
	return out, nil
}

// splitMerges reads lines of the form "left right".
func splitMerges(lines []string) ([][2]string, error) {
	out := make([][2]string, 0, len(lines))
	for i, line := range lines {
		left, right, ok := strings.Cut(line, " ")
		if !ok || strings.Contains(right, " ") {
			return nil, fmt.Errorf("tokenizer: merge %d, %.80q, is not two pieces with a space between them", i, line)
		}
		out = append(out, [2]string{left, right})
	}
	return out, nil
}
