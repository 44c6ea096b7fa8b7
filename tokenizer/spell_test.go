package tokenizer

import (
	"path/filepath"
	"slices"
	"testing"
)

// TestSpell: special pieces stand for their own bytes, hidden ones for none, and words between them share a span.
func TestSpell(t *testing.T) {
	p, err := Load(filepath.Join("..", "testdata", "fixtures", "parity", "florence2"))
	if err != nil {
		t.Fatal(err)
	}
	const text = "<s>é car<loc_52>dog</s>"
	ids := p.Encode(text)
	got, spans := p.Spell(ids, "<s>", "</s>")
	if got != text || len(spans) != len(ids) {
		t.Fatalf("%q, %d spans of %d ids", got, len(spans), len(ids))
	}
	label, place := len("é car"), len("é car<loc_52>")
	want := map[string][2]int{"<s>": {0, 0}, "<loc_52>": {label, place}, "</s>": {place + 3, place + 3}}
	for i, id := range ids {
		if w, ok := want[p.Piece(id)]; ok && spans[i] != w || !ok && !slices.Contains([][2]int{{0, label}, {place, place + 3}}, spans[i]) {
			t.Errorf("%q stands for %v", p.Piece(id), spans[i])
		}
	}
}
