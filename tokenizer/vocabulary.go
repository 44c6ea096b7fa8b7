package tokenizer

import "fmt"

// Limits on what a file may claim. They are far above every published vocabulary and keep the cost of a hostile file
// in proportion to its size.
const (
	maxFile  = 256 << 20 // bytes of a tokenizer.json or vocabulary file, unpacked
	maxPiece = 4096      // bytes of one piece
	maxDepth = 8         // components within components
	maxAffix = 64        // bytes that a BPE model puts at the ends of characters
	maxGrow  = 1 << 10   // how many times longer a normalizer or decoder may make a text
)

// vocabulary is a two-way table of pieces.
type vocabulary struct {
	ids    map[string]ID
	pieces []string // by id; "" where the numbering has a hole
}

// newVocabulary checks and inverts a table of ids.
func newVocabulary(ids map[string]ID) (vocabulary, error) {
	size := 0
	for piece, id := range ids {
		if err := checkPiece(piece, id, len(ids)); err != nil {
			return vocabulary{}, err
		}
		size = max(size, int(id)+1)
	}
	v := vocabulary{ids: ids, pieces: make([]string, size)}
	taken := make([]bool, size)
	for piece, id := range ids {
		if taken[id] {
			a, b := min(piece, v.pieces[id]), max(piece, v.pieces[id])
			return vocabulary{}, fmt.Errorf("tokenizer: pieces %q and %q have the same id %d", a, b, id)
		}
		taken[id] = true
		v.pieces[id] = piece
	}
	return v, nil
}

// checkPiece rejects a piece that is too long and an id that is negative or so far above the count of pieces that a
// table of ids would be mostly holes.
func checkPiece(piece string, id ID, count int) error {
	if len(piece) > maxPiece {
		return fmt.Errorf("tokenizer: piece %.20q… with id %d has %d bytes, more than %d", piece, id, len(piece), maxPiece)
	}
	if id < 0 || int(id) > 16*count+(1<<16) {
		return fmt.Errorf("tokenizer: piece %q has id %d, outside a vocabulary of %d pieces", piece, id, count)
	}
	return nil
}

func (v *vocabulary) piece(id ID) string {
	if id < 0 || int(id) >= len(v.pieces) {
		return ""
	}
	return v.pieces[id]
}

// has reports whether id belongs to a piece.
func (v *vocabulary) has(id ID) bool {
	if id < 0 || int(id) >= len(v.pieces) {
		return false
	}
	if v.pieces[id] != "" {
		return true
	}
	empty, ok := v.ids[""]
	return ok && empty == id
}

// model splits a word into pieces. Implementations are immutable.
type model interface {
	// tokenize appends the ids of word, which is not empty and valid UTF-8.
	tokenize(dst []ID, word string, s *scratch) []ID
	// vocab is the model's own table, without the pieces added to it.
	vocab() *vocabulary
	// spec is the model section of a tokenizer.json.
	spec() any
}
