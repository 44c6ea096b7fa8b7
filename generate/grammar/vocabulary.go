package grammar

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Vocabulary is what tokens add to a text. It is safe for concurrent use.
type Vocabulary struct {
	tokens [][]byte // by id
	single [256]bool
	all    trie
	plain  []int32 // tokens that stay within a text, ascending
	others trie    // all but those
}

// NewVocabulary takes the bytes of tokens 0 … size−1; of one that adds no text, such as a mark of the model's, none. Every
// printable ASCII character must be a token by itself, which those of byte-pair and SentencePiece vocabularies are: else there
// may be no way to complete a text.
func NewVocabulary(size int, of func(id int32) []byte) (*Vocabulary, error) {
	v := &Vocabulary{tokens: make([][]byte, size)}
	for id := range v.tokens {
		b := of(int32(id))
		if v.tokens[id] = b; len(b) == 1 {
			v.single[b[0]] = true
		}
	}
	for b := byte(' '); b <= '~'; b++ {
		if !v.single[b] {
			return nil, fmt.Errorf("grammar: the model cannot write JSON: no piece of its vocabulary is %q", b)
		}
	}
	whole := false // only tokens of whole characters
	for b := 0x80; b <= 0xbf; b++ {
		whole = whole || !v.single[b]
	}
	var all, others []int32
	for id, b := range v.tokens {
		if len(b) == 0 || whole && !utf8.Valid(b) {
			continue
		}
		all = append(all, int32(id))
		at := int32(textPlain)
		for _, c := range b {
			if at = textStep(at, c); at < 0 {
				break
			}
		}
		if at == textPlain {
			v.plain = append(v.plain, int32(id))
		} else {
			others = append(others, int32(id))
		}
	}
	v.all, v.others = v.trie(all), v.trie(others)
	return v, nil
}

// writes reports that every byte of a text is a token.
func (v *Vocabulary) writes(s string) bool {
	for i := range len(s) {
		if !v.single[s[i]] {
			return false
		}
	}
	return true
}

// trie holds the bytes of tokens as nodes in preorder.
type trie struct {
	nodes []trieNode
	ids   []int32
	depth int
}

type trieNode struct {
	b      byte
	depth  int32 // 1 below the root
	skip   int32 // the node after those below this one
	lo, hi int32 // ids[lo:hi] end here
}

func (v *Vocabulary) trie(ids []int32) trie {
	slices.SortFunc(ids, func(a, b int32) int { return bytes.Compare(v.tokens[a], v.tokens[b]) })
	t := trie{ids: ids}
	var open []int32 // nodes on the way to the last token
	var last []byte
	for i, id := range ids {
		b := v.tokens[id]
		same := 0
		for same < min(len(b), len(last)) && b[same] == last[same] {
			same++
		}
		for len(open) > same {
			t.nodes[open[len(open)-1]].skip = int32(len(t.nodes))
			open = open[:len(open)-1]
		}
		for d := same; d < len(b); d++ {
			open = append(open, int32(len(t.nodes)))
			t.nodes = append(t.nodes, trieNode{b: b[d], depth: int32(d + 1), lo: int32(i), hi: int32(i)})
		}
		t.nodes[open[len(open)-1]].hi = int32(i + 1)
		last, t.depth = b, max(t.depth, len(b))
	}
	for _, n := range open {
		t.nodes[n].skip = int32(len(t.nodes))
	}
	return t
}

// walk visits the tokens that may follow in a state, with the state after them, which is valid during the call.
func (t *trie) walk(s state, visit func(ids []int32, after *state)) {
	states := make([]state, t.depth+1)
	states[0] = s
	for i := 0; i < len(t.nodes); {
		n := &t.nodes[i]
		before, after := &states[n.depth-1], &states[n.depth]
		*after = before.next(n.b, after.threads)
		if len(after.threads) == 0 && !after.done {
			i = int(n.skip)
			continue
		}
		if n.lo < n.hi {
			visit(t.ids[n.lo:n.hi], after)
		}
		i++
	}
}
