package tokenizer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// file is a tokenizer.json. Sections that this package only passes on stay raw.
type file struct {
	Version       string          `json:"version"`
	Truncation    json.RawMessage `json:"truncation"`
	Padding       json.RawMessage `json:"padding"`
	AddedTokens   []AddedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

// Parse reads a tokenizer.json. It fails on components that this package does not have and on tables that contradict
// themselves.
func Parse(data []byte) (*Pipeline, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("tokenizer: tokenizer.json has %d bytes, more than %d", len(data), maxFile)
	}
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("tokenizer: parse tokenizer.json: %w", err)
	}
	if f.Version != "" && f.Version != "1.0" {
		return nil, fmt.Errorf("tokenizer: tokenizer.json has version %q; this program reads 1.0", f.Version)
	}
	m, err := parseModel(f.Model)
	if err != nil {
		return nil, err
	}
	return assemble(f, m)
}

// parseModel reads the model section.
func parseModel(raw json.RawMessage) (model, error) {
	if isNull(raw) {
		return nil, errors.New("tokenizer: tokenizer.json has no model section")
	}
	var head struct {
		Type   string          `json:"type"`
		Merges json.RawMessage `json:"merges"`
		Scores *int            `json:"unk_id"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, fmt.Errorf("tokenizer: model: %w", err)
	}
	if head.Type == "" { // files from before the field existed
		head.Type = "WordPiece"
		if head.Merges != nil {
			head.Type = "BPE"
		} else if head.Scores != nil {
			head.Type = "Unigram"
		}
	}
	switch head.Type {
	case "BPE":
		return parseBPE(raw)
	case "Unigram":
		return parseUnigram(raw)
	case "WordPiece":
		return parseWordPiece(raw)
	}
	return nil, fmt.Errorf("tokenizer: model type %q is not one of BPE, Unigram, WordPiece", head.Type)
}

func parseBPE(raw json.RawMessage) (model, error) {
	var c struct {
		bpeOptions
		Vocab  map[string]ID   `json:"vocab"`
		Merges json.RawMessage `json:"merges"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("tokenizer: BPE model: %w", err)
	}
	if isNull(c.Merges) {
		return nil, errors.New("tokenizer: BPE model has no merges")
	}
	merges, err := parseMerges(c.Merges)
	if err != nil {
		return nil, err
	}
	return newBPE(c.Vocab, merges, c.bpeOptions)
}

// scoredPiece is ["▁the", -3.2].
type scoredPiece struct {
	piece string
	score float64
}

func (s *scoredPiece) UnmarshalJSON(raw []byte) error {
	parts := []any{&s.piece, &s.score}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return err
	}
	if len(parts) != 2 {
		return fmt.Errorf("%.80s is not a piece and its score", raw)
	}
	return nil
}

func parseUnigram(raw json.RawMessage) (model, error) {
	var c struct {
		Unk          *ID           `json:"unk_id"`
		Vocab        []scoredPiece `json:"vocab"`
		ByteFallback bool          `json:"byte_fallback"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("tokenizer: Unigram model: %w", err)
	}
	unk := ID(-1)
	if c.Unk != nil {
		if unk = *c.Unk; unk < 0 {
			return nil, fmt.Errorf("tokenizer: Unigram unk_id is %d", unk)
		}
	}
	pieces, scores := make([]string, len(c.Vocab)), make([]float64, len(c.Vocab))
	for i, p := range c.Vocab {
		pieces[i], scores[i] = p.piece, p.score
	}
	return newUnigram(pieces, scores, unk, c.ByteFallback)
}

func parseWordPiece(raw json.RawMessage) (model, error) {
	c := struct {
		Unk    string        `json:"unk_token"`
		Prefix string        `json:"continuing_subword_prefix"`
		Limit  int           `json:"max_input_chars_per_word"`
		Vocab  map[string]ID `json:"vocab"`
	}{Unk: "[UNK]", Prefix: "##", Limit: 100}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("tokenizer: WordPiece model: %w", err)
	}
	return newWordPiece(c.Vocab, c.Unk, c.Prefix, c.Limit)
}

// orderedVocab writes a vocabulary as a JSON object in ascending order of id.
type orderedVocab struct{ *vocabulary }

// MarshalJSON implements json.Marshaler.
func (v orderedVocab) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for id, piece := range v.pieces {
		if !v.has(ID(id)) {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		key, err := marshal(piece)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		fmt.Fprintf(&b, ":%d", id)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// rankOrder is the keys of merges, lowest rank first.
func rankOrder(merges map[uint64]merge) []uint64 {
	keys := make([]uint64, 0, len(merges))
	for k := range merges {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b uint64) int { return cmp.Compare(merges[a].rank, merges[b].rank) })
	return keys
}

// marshal is json.Marshal that leaves < and > readable.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// Write writes the tokenizer as a tokenizer.json, which Parse and the Hugging Face tokenizers library read.
func (p *Pipeline) Write(w io.Writer) error {
	f := p.file
	f.Version = "1.0"
	f.AddedTokens = p.Added()
	m, err := marshal(p.model.spec())
	if err != nil {
		return fmt.Errorf("tokenizer: write: %w", err)
	}
	f.Model = m
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(f); err != nil {
		return fmt.Errorf("tokenizer: write: %w", err)
	}
	return nil
}

// Save writes the tokenizer to path, whole or not at all.
func (p *Pipeline) Save(path string) error {
	t, err := os.CreateTemp(filepath.Dir(path), ".tokenizer-*")
	if err != nil {
		return fmt.Errorf("tokenizer: save %s: %w", path, err)
	}
	defer os.Remove(t.Name()) // fails after the rename, which is as it should be
	err = p.Write(t)
	err = errors.Join(err, t.Chmod(0o644), t.Sync(), t.Close())
	if err == nil {
		err = os.Rename(t.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("tokenizer: save %s: %w", path, err)
	}
	return nil
}
