package task

import (
	"fmt"
	"strings"
	"sync"

	"fovea/tokenizer"
)

// The special pieces of the native model's vocabulary, in the order in which they are appended to it.
const (
	ClassifyPiece = "<classify>"
	PosePiece     = "<pose>"
	AskPiece      = "<ask>"
	CaptionPiece  = "<caption>"
	MatchPiece    = "<match>"
	EndPiece      = "<end>"
	NothingPiece  = "<nothing>"
)

// Specials lists the special pieces.
func Specials() []string {
	return []string{ClassifyPiece, PosePiece, AskPiece, CaptionPiece, MatchPiece, EndPiece, NothingPiece}
}

// Vocabulary turns text into word ids, a word at a time and each with the space before it, so that a word has the same
// ids wherever it stands.
type Vocabulary struct {
	Tok      tokenizer.Tokenizer
	special  map[string]int32
	mu       sync.RWMutex
	words    map[string][]int32 // cache of the words seen
	lowerAll bool
}

// maxCachedWords bounds the cache; words beyond it are encoded each time.
const maxCachedWords = 1 << 16

// NewVocabulary wraps a tokenizer that has the special pieces.
func NewVocabulary(tok tokenizer.Tokenizer) (*Vocabulary, error) {
	v := &Vocabulary{Tok: tok, special: map[string]int32{}, words: map[string][]int32{}, lowerAll: true}
	for _, s := range Specials() {
		id, ok := tok.Token(s)
		if !ok {
			return nil, fmt.Errorf("task: the tokenizer has no piece %s; train it with `fovea data vocab`", s)
		}
		v.special[s] = id
	}
	return v, nil
}

// Special is the id of one of the special pieces.
func (v *Vocabulary) Special(piece string) int32 { return v.special[piece] }

// Split cuts text into words: white space separates, and punctuation stands alone.
func Split(text string) []string {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune("?!.,;:()\"", r) {
			b.WriteByte(' ')
			b.WriteRune(r)
			b.WriteByte(' ')
		} else {
			b.WriteRune(r)
		}
	}
	return strings.Fields(b.String())
}

// Word is the ids of one word; the caller must not change them.
func (v *Vocabulary) Word(w string) []int32 {
	if v.lowerAll {
		w = strings.ToLower(w)
	}
	v.mu.RLock()
	ids, ok := v.words[w]
	v.mu.RUnlock()
	if ok {
		return ids
	}
	ids = v.Tok.EncodeLiteral(" " + w)
	v.mu.Lock()
	if len(v.words) < maxCachedWords {
		v.words[w] = ids
	}
	v.mu.Unlock()
	return ids
}

// Text is the ids of all words of a text.
func (v *Vocabulary) Text(s string) []int32 {
	var ids []int32
	for _, w := range Split(s) {
		ids = append(ids, v.Word(w)...)
	}
	return ids
}

// Decode puts ids back into text, without special pieces.
func (v *Vocabulary) Decode(ids []int32) string { return strings.TrimSpace(v.Tok.Decode(ids, true)) }
