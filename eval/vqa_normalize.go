package eval

import (
	"strings"
	"unicode"
)

// NormalizeAnswer brings an answer to the form in which VQA compares answers (visualqa.org/evaluation.html): punctuation
// goes, number words up to ten become digits, articles go, contractions get their apostrophes, letters become small.
func NormalizeAnswer(s string) string { return vqaWords(vqaPunctuation(vqaTrim(s))) }

// vqaTrim puts an answer on one line.
func vqaTrim(s string) string {
	return strings.TrimFunc(strings.NewReplacer("\n", " ", "\t", " ").Replace(s), isSpace)
}

// vqaPunctuation deletes each mark that stands beside a space somewhere in the answer, and turns others into spaces; if
// the answer has a comma between digits, all marks are deleted. A full stop goes unless a digit follows, the first 32 of
// them: the official tool hands a flag to the parameter that limits the number of replacements.
func vqaPunctuation(s string) string {
	const marks = ";/[]\"{}()=+\\_-><@`,?!"
	out := s
	deleteAll := hasDigitComma(s)
	for _, m := range marks {
		p, with := string(m), " "
		if deleteAll || strings.Contains(s, p+" ") || strings.Contains(s, " "+p) {
			with = ""
		}
		out = strings.ReplaceAll(out, p, with)
	}
	var b strings.Builder
	stops := 0
	r := []rune(out)
	for i, c := range r {
		if c == '.' && stops < 32 && !(i+1 < len(r) && unicode.IsDigit(r[i+1])) {
			stops++
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}

func hasDigitComma(s string) bool {
	r := []rune(s)
	for i := 1; i+1 < len(r); i++ {
		if r[i] == ',' && unicode.IsDigit(r[i-1]) && unicode.IsDigit(r[i+1]) {
			return true
		}
	}
	return false
}

var numberWords = map[string]string{"none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5",
	"six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10"}

func vqaWords(s string) string {
	var out []string
	for _, w := range strings.FieldsFunc(strings.ToLower(s), isSpace) {
		if n, ok := numberWords[w]; ok {
			w = n
		}
		if w == "a" || w == "an" || w == "the" {
			continue
		}
		if c, ok := contractions[w]; ok {
			w = c
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

// isSpace is Python's str.isspace, which counts four control characters more than unicode.IsSpace.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// contractions maps a contraction with one apostrophe missing to the whole: couldnt and, of those with two,
// couldn'tve and couldnt've.
var contractions = spellings(`
	ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's
	how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock
	oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd
	someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's
	they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's where'd
	where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've y'all
	y'all'll y'all'd've you'd you'd've you'll you're you've`)

func spellings(words string) map[string]string {
	out := map[string]string{"somebody'd": "somebodyd"} // as the official table has it
	for _, w := range strings.Fields(words) {
		for i, c := range w {
			if c == '\'' {
				out[w[:i]+w[i+1:]] = w
			}
		}
	}
	return out
}
