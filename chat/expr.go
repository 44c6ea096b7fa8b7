package chat

import (
	"slices"
	"strconv"
	"strings"
)

// tuple reads an expression, or several with commas between them.
func (p *parser) tuple() expr {
	first := p.expression()
	if t := p.peek(); t.kind != operator || t.text != "," {
		return first
	}
	list := []expr{first}
	for p.is(",") {
		list = append(list, p.expression())
	}
	return listOf(list)
}

func listOf(list []expr) expr {
	return func(s *state) any {
		out := make([]any, len(list))
		for i, e := range list {
			out[i] = e(s)
		}
		return out
	}
}

// expression reads VALUE [if CONDITION [else VALUE]].
func (p *parser) expression() expr {
	defer p.in()()
	e := p.or()
	if !p.is("if") {
		return e
	}
	cond := p.or()
	var otherwise expr = func(*state) any { return undefined("the other side of an if") }
	if p.is("else") {
		otherwise = p.expression()
	}
	return func(s *state) any {
		if truth(cond(s)) {
			return e(s)
		}
		return otherwise(s)
	}
}

func (p *parser) or() expr {
	a := p.and()
	for p.is("or") {
		l, r := a, p.and()
		a = func(s *state) any {
			if v := l(s); truth(v) {
				return v
			}
			return r(s)
		}
	}
	return a
}

func (p *parser) and() expr {
	a := p.not()
	for p.is("and") {
		l, r := a, p.not()
		a = func(s *state) any {
			if v := l(s); !truth(v) {
				return v
			}
			return r(s)
		}
	}
	return a
}

func (p *parser) not() expr {
	if p.is("not") {
		defer p.in()()
		e := p.not()
		return func(s *state) any { return !truth(e(s)) }
	}
	return p.compare()
}

// compare reads A < B, A in B, and chains of them, which all must hold.
func (p *parser) compare() expr {
	first := p.sum()
	type link struct {
		op string
		e  expr
	}
	var links []link
	for {
		t := p.peek()
		switch {
		case p.is("==", "!=", "<", ">", "<=", ">=", "in"):
			links = append(links, link{t.text, p.sum()})
			continue
		case t.kind == name && t.text == "not" && p.tokens[p.at+1].text == "in":
			p.at += 2
			links = append(links, link{"not in", p.sum()})
			continue
		}
		break
	}
	if links == nil {
		return first
	}
	return func(s *state) any {
		a := first(s)
		for _, l := range links {
			b := l.e(s)
			if !compare(s, l.op, a, b) {
				return false
			}
			a = b
		}
		return true
	}
}

// binary reads a chain of operators of one rank.
func (p *parser) binary(below func() expr, ops ...string) expr {
	a := below()
	for {
		t := p.peek()
		if t.kind != operator || !slices.Contains(ops, t.text) {
			return a
		}
		p.at++
		l, r, op := a, below(), t.text
		a = func(s *state) any { return arithmetic(s, op, l(s), r(s)) }
	}
}

func (p *parser) sum() expr     { return p.binary(p.joined, "+", "-") }
func (p *parser) joined() expr  { return p.binary(p.product, "~") }
func (p *parser) product() expr { return p.binary(p.unary, "*", "/", "//", "%") }

func (p *parser) unary() expr { return p.signed(true) }

// signed reads a value with signs before it; filters apply to the value with its signs.
func (p *parser) signed(filters bool) expr {
	defer p.in()()
	var e expr
	switch {
	case p.is("-"):
		of := p.signed(false)
		e = func(s *state) any { return arithmetic(s, "-", 0, of(s)) }
	case p.is("+"):
		e = p.signed(false)
	default:
		e = p.primary()
	}
	return p.postfix(e, filters)
}

// postfix reads what follows a value: .name, [index], (arguments), |filter, is test.
func (p *parser) postfix(e expr, filters bool) expr {
	for {
		of := e
		switch {
		case p.is("."):
			t := p.take()
			if t.kind != name && t.kind != number {
				p.fail("%s instead of a name", t.say())
			}
			e = func(s *state) any { return s.attribute(of(s), t.text) }
		case p.is("["):
			e = p.index(of)
		case p.is("("):
			args := p.arguments()
			e = func(s *state) any { return s.call(of(s), args) }
		case filters && p.is("|"):
			e = p.filter(of)
		case filters && p.is("is"):
			e = p.test(of)
		default:
			return e
		}
	}
}

func (p *parser) filter(of expr) expr {
	id := p.word()
	f, ok := filters[id]
	if !ok {
		p.fail("the filter %q is not supported", id)
	}
	var args arguments
	if p.is("(") {
		args = p.arguments()
	}
	return func(s *state) any {
		list, named := args.values(s)
		s.step()
		return f(s, of(s), list, named)
	}
}

func (p *parser) test(of expr) expr {
	negate := p.is("not")
	id := p.word()
	f, ok := tests[id]
	if !ok {
		p.fail("the test %q is not supported", id)
	}
	var args arguments
	if p.is("(") {
		args = p.arguments()
	} else if t := p.peek(); t.kind == str || t.kind == number || t.kind == name && !slices.Contains([]string{"else", "or", "and", "is", "not", "if"}, t.text) {
		args.list = []expr{p.postfix(p.primary(), false)}
	}
	return func(s *state) any {
		list, _ := args.values(s)
		return f(s, of(s), list) != negate
	}
}

// index reads [i] or [from:to:step].
func (p *parser) index(of expr) expr {
	var parts [3]expr
	n, colon := 0, false
	for !p.is("]") {
		if p.is(":") {
			if n++; n > 2 {
				p.fail("a slice has three parts at most")
			}
			colon = true
			continue
		}
		if parts[n] != nil {
			p.want("]")
		}
		parts[n] = p.expression()
	}
	if !colon {
		if parts[0] == nil {
			p.fail("an index is missing")
		}
		return func(s *state) any { return s.item(of(s), parts[0](s)) }
	}
	return func(s *state) any {
		var v [3]any
		for i, e := range parts {
			if e != nil {
				v[i] = e(s)
			}
		}
		return s.slice(of(s), v)
	}
}

type arguments struct {
	list  []expr
	names []string
	named []expr
}

func (p *parser) arguments() (a arguments) {
	for !p.is(")") {
		if t := p.peek(); t.kind == name && p.tokens[p.at+1].kind == operator && p.tokens[p.at+1].text == "=" {
			p.at += 2
			a.names, a.named = append(a.names, t.text), append(a.named, p.expression())
		} else {
			a.list = append(a.list, p.expression())
		}
		if !p.is(",") {
			p.want(")")
			break
		}
	}
	return a
}

func (a *arguments) values(s *state) ([]any, map[string]any) {
	list := make([]any, len(a.list))
	for i, e := range a.list {
		list[i] = e(s)
	}
	named := map[string]any{}
	for i, e := range a.named {
		named[a.names[i]] = e(s)
	}
	return list, named
}

func constant(v any) expr { return func(*state) any { return v } }

// primary reads a value by itself.
func (p *parser) primary() expr {
	t := p.take()
	switch {
	case t.kind == str:
		v := t.text
		for p.peek().kind == str { // neighbours are one string
			v += p.take().text
		}
		return constant(v)
	case t.kind == number:
		if strings.Contains(t.text, ".") {
			f, _ := strconv.ParseFloat(t.text, 64)
			return constant(f)
		}
		i, err := strconv.Atoi(t.text)
		if err != nil {
			p.at--
			p.fail("the number %s is too large", t.text)
		}
		return constant(i)
	case t.kind == name:
		switch t.text {
		case "true", "True":
			return constant(true)
		case "false", "False":
			return constant(false)
		case "none", "None":
			return constant(nil)
		case "not", "in", "is", "if", "else", "and", "or":
			p.at--
			p.fail("%q instead of a value", t.text)
		}
		return func(s *state) any { return s.get(t.text) }
	case t.kind == operator && t.text == "(":
		e := p.series(")")
		return e
	case t.kind == operator && t.text == "[":
		return p.series("]")
	case t.kind == operator && t.text == "{":
		return p.dictionary()
	}
	if t.kind != end {
		p.at--
	}
	p.fail("%s instead of a value", t.say())
	return nil
}

// series reads values up to a bracket. One value in round brackets is that value.
func (p *parser) series(closing string) expr {
	var list []expr
	comma := closing == "]"
	for !p.is(closing) {
		list = append(list, p.expression())
		if !p.is(",") {
			p.want(closing)
			break
		}
		comma = true
	}
	if len(list) == 1 && !comma {
		return list[0]
	}
	return listOf(list)
}

func (p *parser) dictionary() expr {
	var keys, values []expr
	for !p.is("}") {
		keys = append(keys, p.expression())
		p.want(":")
		values = append(values, p.expression())
		if !p.is(",") {
			p.want("}")
			break
		}
	}
	return func(s *state) any {
		m := map[string]any{}
		for i, k := range keys {
			m[text(k(s))] = values[i](s)
		}
		return m
	}
}
