package tokenizer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// AddedToken is a piece that is found in the text itself, before the model sees it. The fields are those of a
// tokenizer.json's added_tokens.
type AddedToken struct {
	ID         ID     `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // only where no word character touches it
	LStrip     bool   `json:"lstrip"`      // swallows the white space to its left
	RStrip     bool   `json:"rstrip"`      // swallows the white space to its right
	Normalized bool   `json:"normalized"`  // found in the normalised text, not in the raw one
	Special    bool   `json:"special"`     // Decode can skip it; EncodeLiteral does not find it
}

// added is the set of added pieces.
type added struct {
	list     []AddedToken // ascending id
	byID     map[ID]int
	ids      map[string]ID
	spelling map[ID]string // what Decode writes where that is not the content: a normalised piece's normal form
	specials map[string]bool
	raw      *trie // pieces to find in raw text; nil: none
	norm     *trie // pieces to find in normalised text; nil: none
}

// newAdded indexes tokens for a model. A piece that the model has too keeps the model's id, as in the reference.
func newAdded(tokens []AddedToken, voc *vocabulary, norm normalizer) (*added, error) {
	a := &added{
		byID: map[ID]int{}, ids: map[string]ID{}, spelling: map[ID]string{}, specials: map[string]bool{},
	}
	raw, normed := map[string]ID{}, map[string]ID{}
	unique := map[string]AddedToken{}
	for _, t := range tokens {
		if t.Content == "" {
			continue
		}
		if id, ok := voc.ids[t.Content]; ok {
			t.ID = id
		} else if voc.has(t.ID) {
			return nil, fmt.Errorf("tokenizer: added piece %q has id %d, which belongs to %q", t.Content, t.ID, voc.piece(t.ID))
		}
		if err := checkPiece(t.Content, t.ID, len(voc.pieces)+len(tokens)); err != nil {
			return nil, err
		}
		unique[t.Content] = t // the last of equal pieces counts
	}
	for _, t := range unique {
		a.list = append(a.list, t)
	}
	slices.SortFunc(a.list, func(x, y AddedToken) int {
		return cmp.Or(cmp.Compare(x.ID, y.ID), strings.Compare(x.Content, y.Content))
	})
	for i, t := range a.list {
		if j, ok := a.byID[t.ID]; ok {
			return nil, fmt.Errorf("tokenizer: added pieces %q and %q have the same id %d", a.list[j].Content, t.Content, t.ID)
		}
		a.byID[t.ID], a.ids[t.Content] = i, t.ID
		if t.Special {
			a.specials[t.Content] = true
		}
		if !t.Normalized {
			raw[t.Content] = t.ID
			continue
		}
		form := t.Content
		if norm != nil {
			form = norm.normalize(form)
		}
		if len(form) > maxPiece {
			return nil, fmt.Errorf("tokenizer: added piece %.20q… has %d bytes when normalised, more than %d", form, len(form), maxPiece)
		}
		if form != t.Content {
			a.spelling[t.ID] = form
		}
		normed[form] = t.ID
	}
	if len(raw) > 0 {
		a.raw = newTrie(raw)
	}
	if len(normed) > 0 {
		a.norm = newTrie(normed)
	}
	return a, nil
}

// segment is a part of a text: an added piece, or with id -1 the text between two.
type segment struct {
	text  string
	start int // bytes from the beginning of the text that was split
	id    ID
}

// split appends the segments of text, longest piece first where several begin at one place. literal leaves special
// pieces in the text.
func (a *added) split(dst []segment, text string, t *trie, literal bool) []segment {
	done := 0 // text before this is in dst
	for from := 0; t != nil && from < len(text); {
		id, start, end := t.find(text, from)
		if start < 0 {
			break
		}
		from = end
		tok := &a.list[a.byID[id]]
		if literal && tok.Special || tok.SingleWord && (endsInWord(text[:start]) || beginsWithWord(text[end:])) {
			continue
		}
		if tok.LStrip {
			start = max(done, len(strings.TrimRightFunc(text[:start], unicode.IsSpace)))
		}
		if tok.RStrip {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
		}
		if start > done {
			dst = append(dst, segment{text[done:start], done, -1})
		}
		dst = append(dst, segment{id: id})
		done = end
	}
	if done < len(text) {
		dst = append(dst, segment{text[done:], done, -1})
	}
	return dst
}

// isWord is \w of the reference: letters, marks, decimal digits, connectors and joiners.
func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
}

func endsInWord(s string) bool {
	r, n := utf8.DecodeLastRuneInString(s)
	return n > 0 && isWord(r)
}

func beginsWithWord(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && isWord(r)
}
