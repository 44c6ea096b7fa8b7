package tokenizer

import (
	"fmt"
	"unicode/utf8"
)

// wordPiece takes the longest piece that begins the word, then the longest continuation (BERT's greedy search over the
// vocabulary of Schuster & Nakajima 2012). A word that cannot be finished is one unknown piece.
type wordPiece struct {
	voc    vocabulary
	trie   *trie
	inner  int32 // the trie's node after the continuing prefix; -1: no piece continues a word
	prefix string
	unk    ID
	limit  int // characters; a longer word is unknown
}

func newWordPiece(ids map[string]ID, unkToken, prefix string, limit int) (*wordPiece, error) {
	voc, err := newVocabulary(ids)
	if err != nil {
		return nil, err
	}
	unk, ok := ids[unkToken]
	if !ok {
		return nil, fmt.Errorf("tokenizer: WordPiece's unk_token %q is not in its vocabulary", unkToken)
	}
	t := newTrie(ids)
	return &wordPiece{voc: voc, trie: t, inner: t.walk(prefix), prefix: prefix, unk: unk, limit: limit}, nil
}

func (m *wordPiece) vocab() *vocabulary { return &m.voc }

func (m *wordPiece) tokenize(dst []ID, word string, _ *scratch) []ID {
	start := len(dst)
	if utf8.RuneCountInString(word) > m.limit {
		return append(dst, m.unk)
	}
	for node := int32(0); word != ""; node = m.inner {
		n := 0
		if node >= 0 {
			var id ID
			id, n = m.trie.longest(node, word)
			dst = append(dst, id)
		}
		if n == 0 {
			return append(dst[:start], m.unk)
		}
		word = word[n:]
	}
	return dst
}

func (m *wordPiece) spec() any {
	return struct {
		Type   string       `json:"type"`
		Unk    string       `json:"unk_token"`
		Prefix string       `json:"continuing_subword_prefix"`
		Limit  int          `json:"max_input_chars_per_word"`
		Vocab  orderedVocab `json:"vocab"`
	}{"WordPiece", m.voc.pieces[m.unk], m.prefix, m.limit, orderedVocab{&m.voc}}
}
