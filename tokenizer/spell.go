package tokenizer

import (
	"slices"
	"strings"
)

// Spell turns ids into their text, special pieces included, and says which bytes each stands for in the text without the pieces hidden.
// Ids between two special pieces have one span together, as a letter may be spread over several of them.
func (p *Pipeline) Spell(ids []ID, hidden ...string) (text string, spans [][2]int) {
	var b strings.Builder
	at := 0
	put := func(ids []ID, shown bool) {
		s, from := p.Decode(ids, false), at
		b.WriteString(s)
		if shown {
			at += len(s)
		}
		for range ids {
			spans = append(spans, [2]int{from, at})
		}
	}
	from := 0
	for i, id := range ids {
		if p.Special(id) {
			put(ids[from:i], true)
			put(ids[i:i+1], !slices.Contains(hidden, p.Piece(id)))
			from = i + 1
		}
	}
	put(ids[from:], true)
	return b.String(), spans
}
