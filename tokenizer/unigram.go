package tokenizer

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// unknownPenalty is how much worse than the least likely piece an unknown character scores [SentencePiece].
const unknownPenalty = 10

// unigram chooses the segmentation with the highest sum of log probabilities (Kudo 2018), by Viterbi's algorithm.
type unigram struct {
	voc          vocabulary
	scores       []float64 // log probability by id
	trie         *trie
	unk          ID // -1: characters outside the vocabulary are dropped
	unkScore     float64
	byteFallback bool
	bytes        *[256]ID
}

// newUnigram builds the model. A piece that occurs twice keeps its last id, as in the reference.
func newUnigram(pieces []string, scores []float64, unk ID, fallback bool) (*unigram, error) {
	if unk >= ID(len(pieces)) || unk < -1 {
		return nil, fmt.Errorf("tokenizer: Unigram unk_id %d is outside its %d pieces", unk, len(pieces))
	}
	ids := make(map[string]ID, len(pieces))
	lowest := math.Inf(1)
	for i, p := range pieces {
		if err := checkPiece(p, ID(i), len(pieces)); err != nil {
			return nil, err
		}
		ids[p] = ID(i)
		lowest = min(lowest, scores[i])
	}
	m := &unigram{
		voc: vocabulary{ids: ids, pieces: pieces}, scores: scores, trie: newTrie(ids),
		unk: unk, unkScore: lowest - unknownPenalty, byteFallback: fallback,
	}
	if fallback {
		m.bytes = byteFallback(ids)
	}
	return m, nil
}

func (m *unigram) vocab() *vocabulary { return &m.voc }

// best is the best segmentation that ends at one byte of a word.
type best struct {
	score float64
	start int32 // where its last piece begins; -1: nothing ends here
	id    ID
}

func (m *unigram) tokenize(dst []ID, word string, s *scratch) []ID {
	if len(m.voc.pieces) == 0 {
		return dst
	}
	path := m.viterbi(word, s)
	// Walk back over the path, then forward over the boundaries; a run of unknown pieces is one.
	cuts := s.cuts[:0]
	for end := int32(len(word)); end > 0; end = path[end].start {
		cuts = append(cuts, end)
	}
	s.cuts = cuts
	for i := len(cuts) - 1; i >= 0; i-- {
		node := path[cuts[i]]
		if node.id != m.unk {
			dst = append(dst, node.id)
			continue
		}
		for i > 0 && path[cuts[i-1]].id == m.unk {
			i--
		}
		dst = m.unknown(dst, word[node.start:cuts[i]])
	}
	return dst
}

// viterbi fills the table of best segmentations; entry i ends at byte i of word.
func (m *unigram) viterbi(word string, s *scratch) []best {
	path := s.table(len(word) + 1)
	path[0].score = 0
	better := func(end int, start int32, score float64, id ID) {
		if p := &path[end]; p.start < 0 || score > p.score {
			*p = best{score, start, id}
		}
	}
	for i := 0; i < len(word); {
		_, size := utf8.DecodeRuneInString(word[i:])
		so, single, node := path[i].score, false, int32(0)
		for j := i; j < len(word); j++ {
			if node = m.trie.next(node, word[j]); node < 0 {
				break
			}
			if id := m.trie.nodes[node].value; id >= 0 {
				better(j+1, int32(i), so+m.scores[id], id)
				single = single || j+1 == i+size
			}
		}
		if !single {
			better(i+size, int32(i), so+m.unkScore, m.unk)
		}
		i += size
	}
	return path
}

// unknown appends what stands for a run of unknown text: its own id if the run as a whole is a piece, else byte
// pieces, else the unknown piece.
func (m *unigram) unknown(dst []ID, text string) []ID {
	if id, ok := m.voc.ids[text]; ok {
		return append(dst, id)
	}
	if m.bytes != nil {
		var ok bool
		if dst, ok = appendBytes(dst, text, m.bytes); ok {
			return dst
		}
	}
	if m.unk >= 0 {
		dst = append(dst, m.unk)
	}
	return dst
}

func (m *unigram) spec() any {
	vocab := make([][2]any, len(m.voc.pieces))
	for i, p := range m.voc.pieces {
		vocab[i] = [2]any{p, m.scores[i]}
	}
	var unk *ID
	if m.unk >= 0 {
		unk = &m.unk
	}
	return struct {
		Type         string   `json:"type"`
		Unk          *ID      `json:"unk_id"`
		Vocab        [][2]any `json:"vocab"`
		ByteFallback bool     `json:"byte_fallback"`
	}{"Unigram", unk, vocab, m.byteFallback}
}
