package chat

import (
	"fmt"
	"slices"
)

// stmt runs a statement, expr computes a value. Both fail by panicking with a *failure, which Execute catches.
type (
	stmt func(s *state)
	expr func(s *state) any
)

// failure is an error of a template that runs or is read.
type failure struct{ err error }

// Template is a template that has been read. It may be used by several goroutines at once.
type Template struct{ body stmt }

// Bounds of templates: maxDepth is how deep statements and expressions may be nested.
const (
	maxDepth  = 100
	maxSource = 1 << 20 // bytes of a template
	maxTag    = 1 << 13 // tokens of a tag: a chain of operators is as deep as it is long
)

// Parse reads a template. Its errors name the line.
func Parse(src string) (t *Template, err error) {
	if len(src) > maxSource {
		return nil, fmt.Errorf("chat: a template of %d bytes, at most %d are read", len(src), maxSource)
	}
	tokens, err := lex(src)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := recover(); e != nil {
			f, ok := e.(*failure)
			if !ok {
				panic(e)
			}
			t, err = nil, f.err
		}
	}()
	p := &parser{tokens: tokens}
	return &Template{p.body()}, nil
}

type parser struct {
	tokens []token
	at     int
	depth  int
	loops  int // for-loops around the place
}

func (p *parser) fail(format string, args ...any) {
	panic(&failure{fmt.Errorf("chat: template line %d: %s", p.peek().line, fmt.Sprintf(format, args...))})
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) take() token {
	t := p.tokens[p.at]
	if t.kind != end {
		p.at++
	}
	return t
}

// is reports that the next token is an operator or word of these, and takes it if so.
func (p *parser) is(words ...string) bool {
	t := p.peek()
	if (t.kind == operator || t.kind == name) && slices.Contains(words, t.text) {
		p.at++
		return true
	}
	return false
}

// want takes an operator, word or end of a tag that must come.
func (p *parser) want(text string) {
	if t := p.take(); t.kind == str || t.kind == plain || t.text != text {
		p.at--
		p.fail("%s instead of %q", t.say(), text)
	}
}

func (t token) say() string {
	switch t.kind {
	case end:
		return "the end"
	case plain:
		return "text"
	}
	return fmt.Sprintf("%q", t.text)
}

func (p *parser) word() string {
	t := p.take()
	if t.kind != name {
		p.at--
		p.fail("%s instead of a name", t.say())
	}
	return t.text
}

// in guards against nesting that would exhaust the stack.
func (p *parser) in() func() {
	if p.depth++; p.depth > maxDepth {
		p.fail("nested more than %d deep", maxDepth)
	}
	return func() { p.depth-- }
}

// body reads statements up to the end, or to a tag that begins with one of these words, which it leaves to be read.
func (p *parser) body(until ...string) stmt {
	defer p.in()()
	var list []stmt
	for {
		switch t := p.peek(); t.kind {
		case end:
			if until != nil {
				p.fail("%v is missing", until)
			}
			return sequence(list)
		case plain:
			p.at++
			list = append(list, func(s *state) { s.write(t.text) })
		default: // open
			p.at++
			if t.text == "{{" {
				e := p.expression()
				p.want("}}")
				list = append(list, func(s *state) { s.write(text(e(s))) })
				continue
			}
			word := p.word()
			if slices.Contains(until, word) {
				p.at--
				return sequence(list)
			}
			list = append(list, p.statement(word))
		}
	}
}

func sequence(list []stmt) stmt {
	return func(s *state) {
		for _, x := range list {
			if x(s); s.leave != onward {
				return
			}
		}
	}
}

// statement reads a statement whose first word has been read.
func (p *parser) statement(word string) stmt {
	switch word {
	case "if":
		return p.conditional()
	case "for":
		return p.loop()
	case "set":
		return p.set()
	case "macro":
		return p.macro()
	case "generation": // marks what was learnt; it does not change the text
		p.want("%}")
		body := p.body("endgeneration")
		p.close("endgeneration")
		return body
	case "break", "continue":
		if p.loops == 0 {
			p.fail("%s outside of a for", word)
		}
		p.want("%}")
		leave := map[string]exit{"break": breaking, "continue": continuing}[word]
		return func(s *state) { s.leave = leave }
	}
	p.at--
	p.fail("the statement %q is not supported", word)
	return nil
}

func (p *parser) close(word string) {
	p.want(word)
	p.want("%}")
}

func (p *parser) conditional() stmt {
	cond := p.expression()
	p.want("%}")
	then := p.body("elif", "else", "endif")
	otherwise := sequence(nil)
	switch p.word() {
	case "elif":
		defer p.in()()
		otherwise = p.conditional()
	case "else":
		p.want("%}")
		otherwise = p.body("endif")
		p.close("endif")
	default:
		p.want("%}")
	}
	return func(s *state) {
		s.step()
		if truth(cond(s)) {
			then(s)
		} else {
			otherwise(s)
		}
	}
}

// loop reads for NAME[, NAME] in LIST [if CONDITION].
func (p *parser) loop() stmt {
	names := []string{p.word()}
	for p.is(",") {
		names = append(names, p.word())
	}
	p.want("in")
	list := p.or()
	var cond expr
	if p.is("if") {
		cond = p.expression()
	}
	p.want("%}")
	p.loops++
	body := p.body("else", "endfor")
	p.loops--
	var otherwise stmt
	if p.is("else") {
		p.want("%}")
		otherwise = p.body("endfor")
	}
	p.close("endfor")
	return func(s *state) { s.loop(names, items(s, list(s)), cond, body, otherwise) }
}

// set reads set NAME = VALUE, set NAME.ATTRIBUTE = VALUE, and a block whose output is the value.
func (p *parser) set() stmt {
	to, field := p.word(), ""
	if p.is(".") {
		field = p.word()
	}
	var value expr
	if p.is("=") {
		value = p.tuple()
		p.want("%}")
	} else {
		p.want("%}")
		body := p.body("endset")
		p.close("endset")
		value = func(s *state) any { return s.capture(body) }
	}
	return func(s *state) {
		v := value(s)
		if field == "" {
			s.vars[len(s.vars)-1][to] = v
			return
		}
		space, ok := s.get(to).(*namespace)
		if !ok {
			s.fail("%s is no namespace, so %s.%s cannot be set", to, to, field)
		}
		space.fields[field] = v
	}
}

// macro reads macro NAME(ARGUMENT, ARGUMENT=DEFAULT).
func (p *parser) macro() stmt {
	m := &macro{name: p.word()}
	p.want("(")
	for !p.is(")") {
		m.args = append(m.args, p.word())
		var def expr
		if p.is("=") {
			def = p.expression()
		}
		m.defaults = append(m.defaults, def)
		if !p.is(",") {
			p.want(")")
			break
		}
	}
	p.want("%}")
	loops := p.loops
	p.loops = 0
	m.body = p.body("endmacro")
	p.loops = loops
	p.close("endmacro")
	return func(s *state) { s.vars[len(s.vars)-1][m.name] = m }
}
