package chat

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// token is a piece of a template: a stretch of plain text, or a word of a tag.
type token struct {
	kind kind
	text string // of a string: its value
	line int
}

type kind uint8

const (
	end      kind = iota
	plain         // text outside tags
	name          // word
	str           // "…"
	number        // 1, 1.5
	operator      // ( ) [ ] { } , : . | ~ + - * / // % ** == != < > <= >= =
	open          // {% or {{, which text says
	shut          // %} or }}
)

// lexer cuts a template into tokens.
type lexer struct {
	src    string
	at     int
	line   int
	tokens []token
}

// lex cuts a whole template.
func lex(src string) ([]token, error) {
	src = strings.ReplaceAll(src, "\r\n", "\n")
	l := &lexer{src: strings.TrimSuffix(src, "\n"), line: 1}
	for l.at < len(l.src) {
		if err := l.next(); err != nil {
			return nil, err
		}
	}
	return append(l.tokens, token{end, "", l.line}), nil
}

func (l *lexer) fail(format string, args ...any) error {
	return fmt.Errorf("chat: template line %d: %s", l.line, fmt.Sprintf(format, args...))
}

func (l *lexer) skip(n int) {
	l.line += strings.Count(l.src[l.at:l.at+n], "\n")
	l.at += n
}

func (l *lexer) add(k kind, text string) { l.tokens = append(l.tokens, token{k, text, l.line}) }

// next reads plain text up to a tag, and the tag.
func (l *lexer) next() error {
	rest := l.src[l.at:]
	n := len(rest)
	for i := 0; i+1 < len(rest); i++ {
		if rest[i] == '{' && strings.IndexByte("{%#", rest[i+1]) >= 0 {
			n = i
			break
		}
	}
	text, tag := rest[:n], rest[n:]
	if tag != "" {
		text = before(text, tag, len(l.tokens) == 0 || l.at == 0)
	}
	if text != "" {
		l.add(plain, text)
	}
	l.skip(n)
	if tag == "" {
		return nil
	}
	if tag[1] == '#' {
		i := strings.Index(tag, "#}")
		if i < 0 {
			return l.fail("a comment does not end")
		}
		l.skip(i + 2)
		l.after(tag[i-1] == '-', true)
		return nil
	}
	return l.tag(tag[1])
}

// before cuts the white space at the end of text that the tag after it takes away: all of it for a tag with a minus, and the
// indentation of a tag that is a statement or comment and stands at the beginning of its line.
func before(text, tag string, first bool) string {
	switch {
	case len(tag) > 2 && tag[2] == '-':
		return strings.TrimRight(text, " \t\n")
	case tag[1] == '{' || len(tag) > 2 && tag[2] == '+':
		return text
	}
	cut := strings.TrimRight(text, " \t")
	if cut == "" && !first || cut != "" && cut[len(cut)-1] != '\n' {
		return text
	}
	return cut
}

// after skips the white space that the end of a tag takes away.
func (l *lexer) after(minus, statement bool) {
	rest := l.src[l.at:]
	switch {
	case minus:
		l.skip(len(rest) - len(strings.TrimLeft(rest, " \t\n")))
	case statement && strings.HasPrefix(rest, "\n"):
		l.skip(1)
	}
}

// tag reads {{ … }} or {% … %}.
func (l *lexer) tag(which byte) error {
	l.add(open, "{"+string(which))
	l.skip(2)
	if l.at < len(l.src) && (l.src[l.at] == '-' || l.src[l.at] == '+') {
		l.skip(1)
	}
	shutter := "}}"
	if which == '%' {
		shutter = "%}"
	}
	depth, first := 0, len(l.tokens)
	for l.at < len(l.src) {
		rest := l.src[l.at:]
		if len(l.tokens)-first > maxTag {
			return l.fail("a tag of more than %d words", maxTag)
		}
		if depth == 0 {
			sign := rest[0] == '-' || rest[0] == '+'
			if strings.HasPrefix(rest, shutter) || sign && strings.HasPrefix(rest[1:], shutter) {
				n := 2
				if sign {
					n = 3
				}
				l.add(shut, shutter)
				l.skip(n)
				l.after(rest[0] == '-', which == '%' && rest[0] != '+')
				return nil
			}
		}
		switch c := rest[0]; {
		case c == ' ' || c == '\t' || c == '\n':
			l.skip(1)
		case c == '"' || c == '\'':
			if err := l.quoted(c); err != nil {
				return err
			}
		case isDigit(c):
			n := digits(rest)
			if n+1 < len(rest) && rest[n] == '.' && isDigit(rest[n+1]) {
				n += 1 + digits(rest[n+1:])
			}
			l.add(number, rest[:n])
			l.skip(n)
		case isWord(c):
			n := 1
			for n < len(rest) && (isWord(rest[n]) || isDigit(rest[n])) {
				n++
			}
			l.add(name, rest[:n])
			l.skip(n)
		default:
			op := operatorAt(rest)
			if op == "" {
				r, _ := utf8.DecodeRuneInString(rest)
				return l.fail("unexpected %q", r)
			}
			switch op {
			case "{", "[", "(":
				depth++
			case "}", "]", ")":
				depth--
			}
			l.add(operator, op)
			l.skip(len(op))
		}
	}
	return l.fail("a tag does not end")
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isWord(c byte) bool  { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

var operators = []string{"==", "!=", "<=", ">=", "//", "**", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|", "~", "+", "-", "*", "/", "%", "<", ">", "="}

func operatorAt(s string) string {
	for _, op := range operators {
		if strings.HasPrefix(s, op) {
			return op
		}
	}
	return ""
}

// quoted reads a string in quotes, with Python's escapes.
func (l *lexer) quoted(quote byte) error {
	var b strings.Builder
	rest := l.src[l.at:]
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == quote:
			l.add(str, b.String())
			l.skip(i + 1)
			return nil
		case c == '\\' && i+1 < len(rest):
			i++
			if j := strings.IndexByte(`nrtbf\'"`, rest[i]); j >= 0 {
				b.WriteByte("\n\r\t\b\f\\'\""[j])
			} else {
				b.WriteByte('\\')
				b.WriteByte(rest[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return l.fail("a string does not end")
}
