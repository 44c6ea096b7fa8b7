package tokenizer

import (
	"encoding/json"
	"fmt"
)

// template is what the model wants around a text: ids, and -1 for the text's own ids. Empty: the text alone.
type template []ID

func (t template) apply(text []ID) []ID {
	out := make([]ID, 0, len(text)+len(t))
	for _, id := range t {
		if id < 0 {
			out = append(out, text...)
		} else {
			out = append(out, id)
		}
	}
	return out
}

// namedID is ["[SEP]", 3].
type namedID struct{ id ID }

func (n *namedID) UnmarshalJSON(raw []byte) error {
	var name string
	parts := []any{&name, &n.id}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return err
	}
	if len(parts) != 2 {
		return fmt.Errorf("%.80s is not a piece and its id", raw)
	}
	return nil
}

// parseTemplate reads the post_processor section of a tokenizer.json, as far as it concerns single texts. Its ids must
// be below size.
func parseTemplate(raw json.RawMessage, size int) (template, error) {
	t, err := parseTemplateAt(raw, 0)
	if err != nil {
		return nil, err
	}
	if len(t) > maxPiece {
		return nil, fmt.Errorf("tokenizer: post-processors put more than %d pieces around a text", maxPiece)
	}
	for _, id := range t {
		if int(id) >= size {
			return nil, fmt.Errorf("tokenizer: post-processor names id %d, but the vocabulary has %d", id, size)
		}
	}
	return t, nil
}

func parseTemplateAt(raw json.RawMessage, depth int) (template, error) {
	if isNull(raw) {
		return nil, nil
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("tokenizer: post-processors are nested more than %d deep", maxDepth)
	}
	var c struct {
		Type       string            `json:"type"`
		Processors []json.RawMessage `json:"processors"`
		CLS        *namedID          `json:"cls"`
		SEP        *namedID          `json:"sep"`
		Single     []struct {
			Special  *struct{ ID string } `json:"SpecialToken"`
			Sequence *struct{ ID string } `json:"Sequence"`
		} `json:"single"`
		Specials map[string]struct{ IDs []ID } `json:"special_tokens"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("tokenizer: post-processor: %w", err)
	}
	switch c.Type {
	case "ByteLevel": // only moves offsets, which this package does not report
		return nil, nil
	case "BertProcessing", "RobertaProcessing":
		if c.CLS == nil || c.SEP == nil || c.CLS.id < 0 || c.SEP.id < 0 {
			return nil, fmt.Errorf("tokenizer: %s needs cls and sep", c.Type)
		}
		return template{c.CLS.id, -1, c.SEP.id}, nil
	case "TemplateProcessing":
		var t template
		texts := 0
		for _, part := range c.Single {
			switch {
			case part.Special != nil:
				special, ok := c.Specials[part.Special.ID]
				if !ok {
					return nil, fmt.Errorf("tokenizer: template names %q, which is not in its special_tokens", part.Special.ID)
				}
				for _, id := range special.IDs {
					if id < 0 {
						return nil, fmt.Errorf("tokenizer: template's %q has id %d", part.Special.ID, id)
					}
				}
				t = append(t, special.IDs...)
			case part.Sequence != nil && part.Sequence.ID == "A":
				t = append(t, -1)
				texts++
			default:
				return nil, fmt.Errorf("tokenizer: the template for a single text has a part that is neither a special token nor sequence A")
			}
		}
		if texts != 1 {
			return nil, fmt.Errorf("tokenizer: the template for a single text has the text %d times", texts)
		}
		return t, nil
	case "Sequence":
		t := template{-1}
		for _, r := range c.Processors {
			outer, err := parseTemplateAt(r, depth+1)
			if err != nil {
				return nil, err
			}
			if outer != nil {
				t = outer.apply(t)
			}
		}
		return t, nil
	}
	return nil, fmt.Errorf("tokenizer: post-processor type %q is not supported", c.Type)
}
