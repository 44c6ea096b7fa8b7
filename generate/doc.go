// Package generate writes text with a model that predicts the next token: greedy, by sampling, or by beam search, under
// rules about which tokens may come where.
//
// A model takes part as a Decoder, which keeps its own cache; this package keeps the tokens. With equal settings the tokens
// are those that the generate method of Hugging Face transformers writes (greedy, beam search; sampling draws from the same
// distribution with another generator).
//
// Dimension letters: N sequences that are being written side by side, V vocabulary.
package generate
