package grammar

// Places in an object. x is the property that comes next, or that is being written.
const (
	objectBefore = iota // {
	objectFirst         // a key, or }
	objectAfter         // after a value: a comma, or }
	objectNext          // after a comma: a space, or a key
	objectSpace         // after that space: a key
	objectKey           // in the key of property x, at byte y
	objectColon
	objectValue // after the colon: a space; the value has a thread of its own
)

func (t *thread) object(b byte, out *state) {
	next := *t
	switch t.at {
	case objectBefore:
		if b == '{' {
			next.at = objectFirst
			out.threads = append(out.threads, next)
		}
	case objectFirst, objectNext, objectSpace:
		switch {
		case b == '"':
			t.key(out)
		case b == ' ' && t.at == objectNext:
			next.at = objectSpace
			out.threads = append(out.threads, next)
		case b == '}' && t.at == objectFirst && !t.mandatory():
			out.leave(t.up)
		}
	case objectAfter:
		switch {
		case b == ',' && (t.n.open || int(t.x) < len(t.n.props)):
			next.at = objectNext
			out.threads = append(out.threads, next)
		case b == '}' && !t.mandatory():
			out.leave(t.up)
		}
	case objectKey:
		key := t.n.props[t.x].key
		if key[t.y] != b {
			return
		}
		if next.y++; int(next.y) == len(key) {
			next.at, next.y = objectColon, 0
		}
		out.threads = append(out.threads, next)
	case objectColon:
		if b == ':' {
			next.at = objectValue
			out.threads = append(out.threads, next)
			t.value(out)
		}
	case objectValue:
		if b == ' ' {
			t.value(out)
		}
	}
}

// key goes on after the opening quote of a key.
func (t *thread) key(out *state) {
	next := *t
	if t.n.open {
		next.at = objectColon
		out.threads = append(out.threads, thread{n: anyKey, at: textPlain, up: push(next)})
		return
	}
	next.at, next.y = objectKey, 1
	for end := t.candidates(); int(next.x) < end; next.x++ {
		out.threads = append(out.threads, next)
	}
}

// anyKey is a key of an object of any members.
var anyKey = &node{id: 1 << 30, kind: text}

// candidates is the end of the properties that may come next: up to the first that must.
func (t *thread) candidates() int {
	for i := int(t.x); i < len(t.n.props); i++ {
		if t.n.props[i].required {
			return i + 1
		}
	}
	return len(t.n.props)
}

// mandatory reports that a property is still required.
func (t *thread) mandatory() bool {
	end := t.candidates()
	return end > int(t.x) && t.n.props[end-1].required
}

// value enters the value of property x.
func (t *thread) value(out *state) {
	next, value := *t, t.n.item
	next.at = objectAfter
	if !t.n.open {
		value = t.n.props[t.x].value
		next.x++
	}
	out.enter(value, push(next))
}

// objectRest is the least number of bytes that close the object. Threads that only wait for a space count as if the value
// that has a thread of its own came after it.
func (t *thread) objectRest() int {
	n := t.n
	if n.open {
		return [...]int{objectBefore: 2, objectFirst: 1, objectAfter: 1, objectNext: 5, objectSpace: 5, objectColon: 3, objectValue: 3}[t.at]
	}
	switch t.at {
	case objectBefore:
		return n.least
	case objectAfter:
		return n.close[t.x]
	case objectFirst:
		if !t.mandatory() {
			return 1
		}
		return n.close[t.x] - 1 // no comma
	case objectNext, objectSpace:
		least := never
		for i := int(t.x); i < t.candidates(); i++ {
			least = min(least, plus(len(n.props[i].key), 1, n.props[i].value.least, n.close[i+1]))
		}
		return least
	}
	after := plus(n.props[t.x].value.least, n.close[t.x+1])
	switch t.at {
	case objectKey:
		return plus(len(n.props[t.x].key)-int(t.y), 1, after)
	case objectColon:
		return plus(1, after)
	}
	return plus(1, after) // the space
}

// Places in an array. x counts items, as far as that matters.
const (
	arrayBefore = iota // [
	arrayFirst         // ]; the first item has a thread of its own
	arrayAfter         // a comma, or ]
	arrayNext          // a space; the next item has a thread of its own
)

func (t *thread) array(b byte, out *state) {
	next := *t
	switch {
	case t.at == arrayBefore && b == '[':
		if t.n.min == 0 {
			next.at = arrayFirst
			out.threads = append(out.threads, next)
		}
		if t.n.max != 0 {
			t.items(out)
		}
	case (t.at == arrayFirst || t.at == arrayAfter && int(t.x) >= t.n.min) && b == ']':
		out.leave(t.up)
	case t.at == arrayAfter && b == ',' && (t.n.max < 0 || int(t.x) < t.n.max):
		next.at = arrayNext
		out.threads = append(out.threads, next)
		t.items(out)
	case t.at == arrayNext && b == ' ':
		t.items(out)
	}
}

// items enters the next item.
func (t *thread) items(out *state) {
	next := *t
	next.at = arrayAfter
	if int(next.x) < max(t.n.min, t.n.max) {
		next.x++
	}
	out.enter(t.n.item, push(next))
}

func (t *thread) arrayRest() int {
	n := t.n
	after := func(items int) int {
		missing := max(n.min-items, 0)
		return min(missing*plus(1, n.item.least)+1, never)
	}
	switch t.at {
	case arrayBefore:
		return n.least
	case arrayFirst:
		return 1
	case arrayAfter:
		return after(int(t.x))
	}
	return plus(1, n.item.least, after(int(t.x)+1)) // the space
}
