package tokenizer

import (
	"encoding/json"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Clean says how text is tidied before anything else; the zero value leaves it as it is. The steps run in the order of
// the fields.
type Clean struct {
	Controls  bool // drop control characters (category Cc) that are not white space
	NFC       bool // compose characters: e + ◌́ becomes é
	Spaces    bool // make every run of white space one space, and trim the ends
	Lowercase bool // lower case, character by character
}

// CleanAll sets every step: what the native model reads.
func CleanAll() Clean { return Clean{Controls: true, NFC: true, Spaces: true, Lowercase: true} }

// Apply returns text tidied. Bytes that are not UTF-8 become U+FFFD.
func (c Clean) Apply(text string) string { return c.steps().normalize(lossy(text)) }

// steps is Clean as the normalizer that spec describes.
func (c Clean) steps() normalizers {
	var ns normalizers
	if c.Controls {
		ns = append(ns, replace{knownScanner(patternControl), ""})
	}
	if c.NFC {
		ns = append(ns, normalizeFunc(norm.NFC.String))
	}
	if c.Spaces {
		ns = append(ns, replace{knownScanner(patternSpace), " "}, strip{true, true})
	}
	if c.Lowercase {
		ns = append(ns, normalizeFunc(lower))
	}
	return ns
}

// spec is Clean as the normalizer section of a tokenizer.json.
func (c Clean) spec() json.RawMessage {
	var parts []string
	if c.Controls {
		parts = append(parts, `{"type":"Replace","pattern":{"Regex":`+quoted(patternControl)+`},"content":""}`)
	}
	if c.NFC {
		parts = append(parts, `{"type":"NFC"}`)
	}
	if c.Spaces {
		parts = append(parts, `{"type":"Replace","pattern":{"Regex":`+quoted(patternSpace)+`},"content":" "}`,
			`{"type":"Strip","strip_left":true,"strip_right":true}`)
	}
	if c.Lowercase {
		parts = append(parts, `{"type":"Lowercase"}`)
	}
	if parts == nil {
		return nil
	}
	return json.RawMessage(`{"type":"Sequence","normalizers":[` + strings.Join(parts, ",") + `]}`)
}

// quoted is an ASCII expression as a JSON string.
func quoted(expr string) string { return `"` + strings.ReplaceAll(expr, `\`, `\\`) + `"` }
