// Package tokenizer turns text into token ids and back.
//
// # Which function to use
//
//   - Load reads the tokenizer of a published checkpoint: a tokenizer.json, or a folder with one, or a folder with the
//     older vocabulary files of GPT-2, BART, RoBERTa and CLIP. Parse does the same from memory.
//   - Train learns a byte-level byte-pair vocabulary from text, Pipeline.Extend appends special pieces to one, and
//     Pipeline.Save writes the same tokenizer.json that the Hugging Face tokenizers library reads.
//   - Clean normalises text by itself, for comparing answers or preparing captions.
//
// # How a Pipeline works
//
// A text passes the stages of the Hugging Face tokenizers library, whose file format and behaviour this package
// follows to the last id:
//
//	"A cat.<end>"  ──added pieces──►  "A cat." │ <end>
//	               ──normalizer────►  "a cat."
//	               ──pre-tokenizer─►  "a" "Ġcat" "."
//	               ──model─────────►  64  743  13 │ 7
//	               ──template──────►  1  64  743  13  7  2     (EncodeSpecial only)
//
// Added pieces are found in the raw text, before it is normalised. The model is one of byte-pair encoding (Sennrich et
// al. 2016), over characters or over bytes (Radford et al. 2019), a Unigram language model (Kudo 2018) or WordPiece
// (Schuster & Nakajima 2012).
//
// Regular expressions: Go's have no look-ahead, so the published patterns are scanners written by hand (pattern.go) and
// others are accepted if they stay within a subset that means the same here as in the reference (regex.go).
//
// # Promises
//
// A Pipeline is immutable and safe for concurrent use. Text may be anything: bytes that are not UTF-8 are read as
// U+FFFD. A hostile tokenizer.json gives an error, and memory in proportion to its size. The truncation and padding
// sections of a tokenizer.json are kept but not applied: a model's batch decides the length.
//
// Ids equal those of the reference implementation, except for text with characters that Go's Unicode tables (version
// 15) and the reference's, which are partly older and partly newer, put in different categories.
package tokenizer
