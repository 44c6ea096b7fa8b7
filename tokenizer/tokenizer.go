package tokenizer

// ID is the number of a piece: a row of the model's embedding table.
type ID = int32

// Tokenizer is what models and codecs need of a vocabulary. Every method is safe for concurrent use.
type Tokenizer interface {
	// Encode returns the ids of text. Added pieces such as <end> that stand in text become their own id; nothing is
	// put around the text.
	Encode(text string) []ID

	// EncodeSpecial is Encode with the pieces around it that the model's template asks for: [CLS] … [SEP], <s> … </s>.
	// Without a template it equals Encode.
	EncodeSpecial(text string) []ID

	// EncodeLiteral is Encode for text that must not speak to the model: special pieces that stand in text are
	// ordinary characters.
	EncodeLiteral(text string) []ID

	// Decode returns the text of ids. Ids outside the vocabulary are left out, and so are special pieces if
	// skipSpecial. Bytes that do not form UTF-8 come out as U+FFFD.
	Decode(ids []ID, skipSpecial bool) string

	// Token returns the id of a piece as it is spelled in the vocabulary ("Ġcat", "##ing", "<end>").
	Token(piece string) (ID, bool)

	// Piece returns the spelling of an id, "" for an id outside the vocabulary.
	Piece(id ID) string

	// Special reports whether id is a special piece: one that Decode can skip.
	Special(id ID) bool

	// Size is one more than the largest id: the rows that an embedding table needs.
	Size() int
}

var _ Tokenizer = (*Pipeline)(nil)
