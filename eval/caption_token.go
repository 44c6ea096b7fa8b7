package eval

import (
	"regexp"
	"strings"
)

// CaptionWords splits a caption into small-letter words as the scores of captions count them: by the conventions of the
// Penn Treebank ("isn't" is two words, "is" and "n't"), punctuation left out, brackets spelt -lrb- and -rrb-.
//
// The reference, coco-caption, runs Stanford's PTBTokenizer 3.4.1 and drops its marks. This follows its rules as far as
// captions and questions in English need them; see testdata/README.md for how often the two agree.
func CaptionWords(caption string) []string {
	var t ptb
	for _, chunk := range strings.FieldsFunc(ptbMarks.Replace(caption), isSpace) {
		t.chunk(strings.ToLower(chunk))
	}
	return t.words
}

// ptbMarks brings typographic marks to those of a typewriter.
var ptbMarks = strings.NewReplacer("’", "'", "‘", "'", "“", `"`, "”", `"`, "«", `"`, "»", `"`, "–", " -- ", "—", " -- ", "…", " ... ",
	"\u00ad", "")

// ptb collects words.
type ptb struct{ words []string }

var (
	ptbURL      = regexp.MustCompile(`^(?:https?://\S+|www\.[^\s"'()<>,]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|net|org|edu|gov)\b)`)
	ptbTag      = regexp.MustCompile(`^<[/!a-z][^<>\s]*>`)
	ptbAcronym  = regexp.MustCompile(`^(?:ph\.d\.|(?:\pL\.)+(?:\pL\.|\pL\b)?)`)
	ptbDecade   = regexp.MustCompile(`^'\d\ds\b`)
	ptbBracket  = regexp.MustCompile(`^-[lr][rsc]b-`)
	ptbClitic   = regexp.MustCompile(`^'(?:s|m|d|re|ve|ll)\b`)
	ptbElision  = regexp.MustCompile(`^'(?:em|til|till|n'|n|cause|bout|round|tis|twas)(?:\b|$)`)
	ptbNumber   = regexp.MustCompile(`^[-+]?(?:\d+(?:[.,:/]\d+)+|\d+)`)
	ptbWord     = regexp.MustCompile(`^[\pL\pM\pN_]+(?:(?:[-/&_]|\.|')[\pL\pM\pN_]+)*`)
	ptbSuffix   = regexp.MustCompile(`^(.+?)(n't|'s|'m|'d|'re|'ve|'ll)\b`)
	ptbRepeated = regexp.MustCompile(`^[!?]{2,}`)
)

var ptbBrackets = map[byte]string{'(': "-lrb-", ')': "-rrb-", '[': "-lsb-", ']': "-rsb-", '{': "-lcb-", '}': "-rcb-"}

var ptbSymbols = map[string]string{"¢": "cents", "€": "$", "£": "#"}

// ptbAbbreviations keep their full stop.
var ptbAbbreviations = set(`mr mrs ms dr prof st ave blvd rd jr sr inc co corp ltd vs etc no vol fig gen col sgt capt lt gov sen rep
	rev hon mt ft jan feb mar apr jun jul aug sep sept oct nov dec`)

// ptbPairs are words that are two.
var ptbPairs = map[string][2]string{"cannot": {"can", "not"}, "gonna": {"gon", "na"}, "wanna": {"wan", "na"}, "gotta": {"got", "ta"},
	"gimme": {"gim", "me"}, "lemme": {"lem", "me"}, "'tis": {"'t", "is"}, "'twas": {"'t", "was"}, "y'all": {"y'", "all"}}

func set(words string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(words) {
		out[w] = true
	}
	return out
}

func (t *ptb) add(w string) { t.words = append(t.words, w) }

// chunk takes words off the front of a stretch without spaces.
func (t *ptb) chunk(s string) {
	if len(s) > 1000 { // no word of a language, and each look at the rest of it costs
		t.add(s)
		return
	}
	for s != "" {
		s = s[t.next(s):]
	}
}

// next adds the words at the front of s, if any, and returns how many bytes they and their marks take.
func (t *ptb) next(s string) int {
	for _, whole := range []*regexp.Regexp{ptbURL, ptbTag, ptbDecade, ptbRepeated, ptbBracket, ptbClitic} {
		if m := whole.FindString(s); m != "" {
			t.add(m)
			return len(m)
		}
	}
	if m := ptbElision.FindString(s); m != "" {
		if p, ok := ptbPairs[m]; ok {
			t.add(p[0])
			t.add(p[1])
		} else {
			t.add(m)
		}
		return len(m)
	}
	if m := ptbAcronym.FindString(s); len(m) > 2 {
		t.add(m)
		return len(m)
	}
	if m := ptbWord.FindString(s); m != "" {
		return t.word(m, s[len(m):])
	}
	if w, ok := ptbBrackets[s[0]]; ok {
		t.add(w)
		return 1
	}
	r := []rune(s)[0]
	switch {
	case strings.ContainsRune("\"'`.,;:!?-", r):
	case ptbSymbols[string(r)] != "":
		t.add(ptbSymbols[string(r)])
	default:
		t.add(string(r))
	}
	return len(string(r))
}

// word adds a run of letters, digits and inner marks, which rest follows, and returns how much of it it took.
func (t *ptb) word(w, rest string) int {
	if m := ptbNumber.FindString(w + rest); m != "" && len(m) > len(w) {
		t.add(m)
		return len(m)
	}
	if p, ok := ptbPairs[w]; ok {
		t.add(p[0])
		t.add(p[1])
		return len(w)
	}
	if i := strings.IndexByte(w, '\''); i > 0 {
		if m := ptbSuffix.FindStringSubmatch(w); m != nil {
			t.word(m[1], "")
			t.add(m[2])
			return len(m[0])
		}
	}
	if strings.HasPrefix(rest, ".") && ptbAbbreviations[w] {
		t.add(w + ".")
		return len(w) + 1
	}
	t.add(w)
	return len(w)
}
