// Package grammar constrains decoding to JSON of a schema: for every place of a text it says which tokens may come next, so
// that the text always ends as a value that the schema accepts, however the model's logits lie and however few tokens it has
// (Willard and Louf 2023; Koo et al. 2024).
//
//	schema ──Parse──► Schema: a pushdown automaton over bytes
//	tokens ──NewVocabulary──► Vocabulary: a trie of the tokens' bytes
//	schema.Text(vocabulary, …) ──Allow──► generate.Config.Allow
//
// A state is a set of threads, one for each way to read what has been written; each is a place in a value and a stack of the
// values around it. The tokens that a state allows are found by walking the trie with the automaton, and remembered.
//
// What keeps a text finite is its rest: the least number of bytes that complete it. A token is allowed only if the rest after
// it fits into the tokens that are left; as every byte of the shortest way is a token by itself, there always is one.
//
// Texts are compact, with at most one space behind a comma or a colon. Objects have the properties of the schema, in its
// order, and no others. Numbers have at most 15 digits on each side of the point, and no exponent.
package grammar
