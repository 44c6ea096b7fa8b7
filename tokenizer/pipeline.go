package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Pipeline is a tokenizer made of the stages that a tokenizer.json describes; see the package comment. It implements
// Tokenizer.
type Pipeline struct {
	model model
	added *added
	norm  normalizer // nil: text stays as it is
	pre   splitter   // nil: the text between added pieces is one word
	post  template
	dec   []decoder
	plain bool // no decoder: pieces are joined with spaces
	file  file // the description, without the model's tables
	size  int
	pool  *sync.Pool
}

// assemble builds the stages that f describes around m.
func assemble(f file, m model) (*Pipeline, error) {
	p := &Pipeline{model: m, pool: &sync.Pool{New: func() any { return newScratch() }}}
	var err error
	if p.norm, err = newNormalizer(f.Normalizer); err != nil {
		return nil, err
	}
	if p.pre, err = newSplitter(f.PreTokenizer); err != nil {
		return nil, err
	}
	if p.added, err = newAdded(f.AddedTokens, m.vocab(), p.norm); err != nil {
		return nil, err
	}
	p.size = len(m.vocab().pieces)
	if n := len(p.added.list); n > 0 {
		p.size = max(p.size, int(p.added.list[n-1].ID)+1)
	}
	if p.post, err = parseTemplate(f.PostProcessor, p.size); err != nil {
		return nil, err
	}
	if p.dec, err = newDecoder(f.Decoder); err != nil {
		return nil, err
	}
	p.plain = isNull(f.Decoder)
	if b, ok := m.(*bpe); ok {
		p.dec = wordEnds(p.dec, deref(b.opt.Suffix))
		if id, ok := p.added.ids[deref(b.opt.UnkToken)]; ok && b.unk < 0 {
			c := *b // Extend shares the model
			c.unk = id
			p.model = &c
		}
	}
	f.Model, f.AddedTokens = nil, nil
	p.file = f
	return p, nil
}

// Encode implements Tokenizer.
func (p *Pipeline) Encode(text string) []ID { return p.append(nil, text, false) }

// EncodeLiteral implements Tokenizer.
func (p *Pipeline) EncodeLiteral(text string) []ID { return p.append(nil, text, true) }

// EncodeSpecial implements Tokenizer.
func (p *Pipeline) EncodeSpecial(text string) []ID {
	ids := p.Encode(text)
	if len(p.post) == 0 {
		return ids
	}
	return p.post.apply(ids)
}

// append appends the ids of text to dst.
func (p *Pipeline) append(dst []ID, text string, literal bool) []ID {
	s := p.pool.Get().(*scratch)
	text = lossy(text)
	for _, seg := range p.added.split(nil, text, p.added.raw, literal) {
		if seg.id >= 0 {
			dst = append(dst, seg.id)
			continue
		}
		normal := seg.text
		if p.norm != nil {
			normal = p.norm.normalize(normal)
		}
		for _, part := range p.added.split(nil, normal, p.added.norm, literal) {
			if part.id >= 0 {
				dst = append(dst, part.id)
				continue
			}
			dst = p.encodePart(dst, word{part.text, seg.start == 0 && part.start == 0}, s)
		}
	}
	s.release()
	p.pool.Put(s)
	return dst
}

// encodePart appends the ids of text without added pieces.
func (p *Pipeline) encodePart(dst []ID, w word, s *scratch) []ID {
	words := append(s.words[:0], w)
	if p.pre != nil {
		words = p.pre.split(s.words[:0], w)
	}
	for _, w := range words {
		if w.text != "" {
			dst = s.encodeWord(dst, p.model, w.text)
		}
	}
	clear(words) // they would pin the text
	s.words = words
	return dst
}

// Decode implements Tokenizer.
func (p *Pipeline) Decode(ids []ID, skipSpecial bool) string {
	pieces := make([]string, 0, len(ids))
	for _, id := range ids {
		piece, ok := p.spelling(id)
		if ok && !(skipSpecial && p.added.specials[piece]) {
			pieces = append(pieces, piece)
		}
	}
	if p.plain {
		return strings.Join(pieces, " ")
	}
	for _, d := range p.dec {
		pieces = d.decode(pieces)
	}
	return strings.Join(pieces, "")
}

// spelling is what stands for id before decoding.
func (p *Pipeline) spelling(id ID) (string, bool) {
	if s, ok := p.added.spelling[id]; ok {
		return s, true
	}
	if i, ok := p.added.byID[id]; ok {
		return p.added.list[i].Content, true
	}
	v := p.model.vocab()
	return v.piece(id), v.has(id)
}

// Token implements Tokenizer.
func (p *Pipeline) Token(piece string) (ID, bool) {
	if id, ok := p.added.ids[piece]; ok {
		return id, true
	}
	id, ok := p.model.vocab().ids[piece]
	return id, ok
}

// Piece implements Tokenizer.
func (p *Pipeline) Piece(id ID) string {
	if i, ok := p.added.byID[id]; ok {
		return p.added.list[i].Content
	}
	return p.model.vocab().piece(id)
}

// Special implements Tokenizer.
func (p *Pipeline) Special(id ID) bool {
	i, ok := p.added.byID[id]
	return ok && p.added.list[i].Special
}

// Size implements Tokenizer.
func (p *Pipeline) Size() int { return p.size }

// Added returns the added pieces in ascending order of id; the caller owns the slice.
func (p *Pipeline) Added() []AddedToken { return slices.Clone(p.added.list) }

// Extend returns a tokenizer with pieces appended as special pieces, in order, from id Size() on. A piece that the
// vocabulary has already becomes special and keeps its id. p stays as it is; the two share their tables.
func (p *Pipeline) Extend(pieces ...string) (*Pipeline, error) {
	tokens, next := p.Added(), ID(p.size)
	for i, piece := range pieces {
		if piece == "" || piece != lossy(piece) {
			return nil, fmt.Errorf("tokenizer: extend: piece %d, %q, is empty or not UTF-8", i, piece)
		}
		id, ok := p.Token(piece)
		if !ok {
			if slices.Contains(pieces[:i], piece) {
				continue
			}
			id = next
			next++
		}
		tokens = append(tokens, AddedToken{ID: id, Content: piece, Special: true})
	}
	f := p.file
	f.AddedTokens = tokens
	return assemble(f, p.model)
}

// isNull reports a section that is absent or null.
func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }
