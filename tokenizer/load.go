package tokenizer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// File names of the vocabularies from before tokenizer.json.
const (
	fileJSON = "tokenizer.json"
	fileCLIP = "bpe_simple_vocab_16e6.txt.gz"
)

// pairs are the two files of a byte-level vocabulary: ids, and merges.
var pairs = [...][2]string{{"vocab.json", "merges.txt"}, {"encoder.json", "vocab.bpe"}}

// Load reads a tokenizer from a file or a folder. In a folder it takes the first that exists of
//
//	tokenizer.json
//	vocab.json and merges.txt      GPT-2, BART, RoBERTa or CLIP, told apart by their pieces
//	encoder.json and vocab.bpe     GPT-2 as OpenAI published it
//	bpe_simple_vocab_16e6.txt.gz   CLIP as OpenAI published it
//
// A file is a tokenizer.json or, by its name, the last of these.
func Load(path string) (*Pipeline, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: load: %w", err)
	}
	if !info.IsDir() {
		return loadFile(path)
	}
	if p, err := loadFile(filepath.Join(path, fileJSON)); !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	for _, names := range pairs {
		p, err := loadPair(filepath.Join(path, names[0]), filepath.Join(path, names[1]))
		if !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
	}
	p, err := loadFile(filepath.Join(path, fileCLIP))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tokenizer: load %s: it holds no %s, vocab.json with merges.txt, encoder.json with vocab.bpe, or %s",
			path, fileJSON, fileCLIP)
	}
	return p, err
}

func loadFile(path string) (*Pipeline, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	var p *Pipeline
	if strings.HasSuffix(path, ".gz") {
		p, err = ReadCLIP(bytes.NewReader(data))
	} else {
		p, err = Parse(data)
	}
	if err != nil {
		return nil, fmt.Errorf("%w (in %s)", err, path)
	}
	return p, nil
}

func loadPair(vocab, merges string) (*Pipeline, error) {
	v, err := read(vocab)
	if err != nil {
		return nil, err
	}
	m, err := read(merges)
	if err != nil {
		return nil, err
	}
	p, err := ReadGPT2(bytes.NewReader(v), bytes.NewReader(m))
	if err != nil {
		return nil, fmt.Errorf("%w (in %s and %s)", err, vocab, merges)
	}
	return p, nil
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: load: %w", err)
	}
	defer f.Close()
	data, err := readLimited(f)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: load %s: %w", path, err)
	}
	return data, nil
}

// readLimited reads all of r, up to maxFile.
func readLimited(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return data, err
}

// ReadGPT2 reads a byte-level vocabulary in two files: a JSON object of ids, and merges a line each, best first. The
// pieces tell the family:
//
//	a</w>               CLIP: its clean-up, words end in </w>, <|startoftext|> … <|endoftext|> around a text
//	<s> and </s>        BART, RoBERTa: these around a text; <mask> takes the space before it
//	<|endoftext|>       GPT-2: a special piece, nothing around a text
func ReadGPT2(vocab, merges io.Reader) (*Pipeline, error) {
	data, err := readLimited(vocab)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: read vocabulary: %w", err)
	}
	var ids map[string]ID
	if err := json.Unmarshal(data, &ids); err != nil {
		return nil, fmt.Errorf("tokenizer: vocabulary is not an object of ids: %w", err)
	}
	if data, err = readLimited(merges); err != nil {
		return nil, fmt.Errorf("tokenizer: read merges: %w", err)
	}
	pairs, err := mergeLines(data)
	if err != nil {
		return nil, err
	}
	if _, ok := ids["a</w>"]; ok {
		return newCLIP(ids, pairs)
	}
	f := file{
		PreTokenizer: json.RawMessage(`{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}`),
		Decoder:      json.RawMessage(`{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}`),
	}
	for _, piece := range [...]string{"<s>", "<pad>", "</s>", "<unk>", "<mask>", "<|endoftext|>"} {
		if id, ok := ids[piece]; ok {
			f.AddedTokens = append(f.AddedTokens, AddedToken{ID: id, Content: piece, Special: true, LStrip: piece == "<mask>"})
		}
	}
	begin, okBegin := ids["<s>"]
	end, okEnd := ids["</s>"]
	if okBegin && okEnd {
		f.PostProcessor = fmt.Appendf(nil,
			`{"type":"RobertaProcessing","sep":["</s>",%d],"cls":["<s>",%d],"trim_offsets":true,"add_prefix_space":false}`, end, begin)
	}
	m, err := newBPE(ids, pairs, bpeOptions{})
	if err != nil {
		return nil, err
	}
	return assemble(f, m)
}

// mergeLines reads a merges file: a line each, after an optional line with the version.
func mergeLines(data []byte) ([][2]string, error) {
	if text := string(data); text != lossy(text) {
		return nil, errors.New("tokenizer: merges are not UTF-8")
	}
	var lines []string
	for line := range strings.SplitSeq(string(data), "\n") {
		if line = strings.TrimSuffix(line, "\r"); line != "" && !strings.HasPrefix(line, "#version") {
			lines = append(lines, line)
		}
	}
	return splitMerges(lines)
}

// clipMerges is how many of the merges in CLIP's file its vocabulary uses: 49152 pieces less 256 bytes, 256 bytes that
// end a word, and two that OpenAI set aside.
const clipMerges = 49152 - 256 - 2

// ReadCLIP reads CLIP's published file of merges, gzipped: 256 bytes, the same with </w>, the merges and two special
// pieces are the vocabulary, in this order.
func ReadCLIP(r io.Reader) (*Pipeline, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: CLIP vocabulary: %w", err)
	}
	data, err := readLimited(bufio.NewReader(z))
	if err != nil {
		return nil, fmt.Errorf("tokenizer: CLIP vocabulary: %w", err)
	}
	_, data, ok := bytes.Cut(data, []byte("\n")) // the first line is a title
	if !ok {
		return nil, errors.New("tokenizer: CLIP vocabulary has no merges")
	}
	merges, err := mergeLines(data)
	if err != nil {
		return nil, err
	}
	merges = merges[:min(len(merges), clipMerges)]
	ids := make(map[string]ID, 512+len(merges)+2)
	add := func(piece string) { ids[piece] = ID(len(ids)) }
	for _, c := range alphabet() {
		add(c)
	}
	for _, c := range alphabet() {
		add(c + "</w>")
	}
	for i, m := range merges {
		piece := m[0] + m[1]
		if _, ok := ids[piece]; ok {
			return nil, fmt.Errorf("tokenizer: CLIP merge %d makes %q a second time", i, piece)
		}
		add(piece)
	}
	add("<|startoftext|>")
	add("<|endoftext|>")
	return newCLIP(ids, merges)
}

// newCLIP builds CLIP's tokenizer as the transformers library does: NFC, white space and case folded, no repair of
// broken Unicode and no HTML unescaping.
func newCLIP(ids map[string]ID, merges [][2]string) (*Pipeline, error) {
	begin, okBegin := ids["<|startoftext|>"]
	end, okEnd := ids["<|endoftext|>"]
	if !okBegin || !okEnd {
		return nil, errors.New("tokenizer: CLIP vocabulary lacks <|startoftext|> or <|endoftext|>")
	}
	unk, none, suffix := "<|endoftext|>", "", "</w>"
	m, err := newBPE(ids, merges, bpeOptions{UnkToken: &unk, Prefix: &none, Suffix: &suffix})
	if err != nil {
		return nil, err
	}
	return assemble(file{
		AddedTokens: []AddedToken{
			{ID: begin, Content: "<|startoftext|>", Special: true}, {ID: end, Content: "<|endoftext|>", Special: true},
		},
		Normalizer: json.RawMessage(`{"type":"Sequence","normalizers":[{"type":"NFC"},` +
			`{"type":"Replace","pattern":{"Regex":"\\s+"},"content":" "},{"type":"Lowercase"}]}`),
		PreTokenizer: fmt.Appendf(nil, `{"type":"Sequence","pretokenizers":[`+
			`{"type":"Split","pattern":{"Regex":%s},"behavior":"Removed","invert":true},`+
			`{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}]}`, quoted(patternCLIP)),
		PostProcessor: fmt.Appendf(nil, `{"type":"RobertaProcessing","sep":["<|endoftext|>",%d],"cls":["<|startoftext|>",%d],`+
			`"trim_offsets":false,"add_prefix_space":false}`, end, begin),
		Decoder: json.RawMessage(`{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}`),
	}, m)
}
