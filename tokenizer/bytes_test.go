package tokenizer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The bytes of all pieces of a text, put together, are what the text decodes to.
func TestBytesMakeTheText(t *testing.T) {
	for _, name := range []string{"bytebpe_digits", "gpt2", "roberta", "qwen2", "gemma_bpe", "llama2"} {
		p := loadFixture(t, name)
		n := 0
		texts := filepath.Join(fixtures(t), "tokenizer", name+".jsonl")
		if _, err := os.Stat(texts); err != nil { // other folders may have fewer
			texts = filepath.Join(ownFixtures(t), "tokenizer", name+".jsonl")
		}
		for _, line := range readFixture(t, texts) {
			text := `"` + line.Text
			ids := p.Encode(text)
			var b []byte
			added := false
			for _, id := range ids {
				piece := p.Bytes(id)
				added = added || piece == nil
				b = append(b, piece...)
			}
			if added {
				continue // a mark of the model's
			}
			// SentencePiece begins texts with a space, and some of its decoders take it away again.
			if want := strings.TrimPrefix(p.Decode(ids, false), " "); strings.TrimPrefix(lossy(string(b)), " ") != want {
				t.Errorf("%s: %q are the bytes of %q", name, b, want)
			}
			n++
		}
		if n < 20 {
			t.Errorf("%s: only %d texts without marks", name, n)
		}
	}
}

// Half a character is its bytes; words of a vocabulary that decodes with spaces between pieces have them; marks have none.
func TestBytesOfPieces(t *testing.T) {
	gpt2, gemma := loadFixture(t, "gpt2"), loadFixture(t, "gemma_bpe")
	for _, test := range []struct {
		p     *Pipeline
		piece string
		want  string
	}{{gpt2, "Ã", "\xc3"}, {gpt2, "Ġthe", " the"}, {gpt2, "<|endoftext|>", ""}, {gemma, "<0xC3>", "\xc3"}, {gemma, "<0x41>", "A"}, {gemma, "▁", " "}, {gemma, "<eos>", ""}} {
		id, ok := test.p.Token(test.piece)
		if !ok {
			t.Errorf("no piece %q", test.piece)
			continue
		}
		if got := test.p.Bytes(id); string(got) != test.want {
			t.Errorf("%q adds %q, want %q", test.piece, got, test.want)
		}
	}
	if gpt2.Bytes(-1) != nil || gpt2.Bytes(1<<30) != nil {
		t.Error("ids that are none have bytes")
	}
}
