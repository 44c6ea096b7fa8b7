package grammar

import "math"

// kind is a kind of value.
type kind uint8

const (
	literal kind = iota // one of several given texts
	text
	integer
	number
	object
	array
	choice // one of several nodes; a reference is a choice of one
)

// node is a value that a schema allows.
type node struct {
	id       int
	kind     kind
	literals []string // JSON, sorted
	props    []prop   // of an object, in order
	open     bool     // an object of any members, whose values are item
	item     *node    // of an array, or of an open object
	min, max int      // items of an array; max < 0: any number
	any      []*node

	least int   // bytes of the shortest value
	close []int // of an object: least bytes that close it once the properties before the i-th are settled and one is written
}

// prop is a property of an object.
type prop struct {
	key      string // as JSON, with its quotes
	value    *node
	required bool
}

// never is the rest of what cannot be completed. It is far from overflowing when some are added up.
const never = math.MaxInt32 / 4

func plus(a ...int) int {
	sum := 0
	for _, x := range a {
		sum = min(sum+x, never)
	}
	return sum
}

// settle computes least and close of all nodes, by going round until nothing changes, and takes out what can never be written.
func settle(nodes []*node) {
	for _, n := range nodes {
		n.least = never
	}
	for changed := true; changed; {
		changed = false
		for _, n := range nodes {
			if least := n.measure(); least < n.least {
				n.least, changed = least, true
			}
		}
	}
	for _, n := range nodes {
		n.prune()
	}
}

// measure is the least length by what is known so far of the nodes inside.
func (n *node) measure() int {
	switch n.kind {
	case literal:
		least := never
		for _, s := range n.literals {
			least = min(least, len(s))
		}
		return least
	case text:
		return 2
	case integer, number:
		return 1
	case object:
		if n.open {
			return 2
		}
		sum := 2
		for _, p := range n.props {
			if p.required {
				sum = plus(sum, len(p.key), 1, p.value.least, 1)
			}
		}
		if sum > 2 && sum < never {
			sum-- // no comma before the first
		}
		return sum
	case array:
		sum := 2
		if n.min > 0 {
			for range n.min {
				if sum = plus(sum, n.item.least, 1); sum == never {
					return never
				}
			}
			sum--
		}
		return sum
	}
	least := never
	for _, o := range n.any {
		least = min(least, o.least)
	}
	return least
}

// prune takes out optional properties, items and alternatives that can never be completed, and fills in close.
func (n *node) prune() {
	switch n.kind {
	case object:
		kept := n.props[:0]
		for _, p := range n.props {
			if p.required || p.value.least < never {
				kept = append(kept, p)
			}
		}
		n.props = kept
		n.close = make([]int, len(kept)+1)
		n.close[len(kept)] = 1
		for i := len(kept) - 1; i >= 0; i-- {
			n.close[i] = n.close[i+1]
			if kept[i].required {
				n.close[i] = plus(n.close[i], 1, len(kept[i].key), 1, kept[i].value.least)
			}
		}
	case array:
		if n.item.least == never {
			n.max = 0
		}
	}
}

// alternatives are the nodes that a node stands for, without choices.
func (n *node) alternatives() []*node {
	var out []*node
	seen := map[*node]bool{}
	var add func(n *node)
	add = func(n *node) {
		if seen[n] || n.least == never {
			return
		}
		seen[n] = true
		if n.kind != choice {
			out = append(out, n)
			return
		}
		for _, o := range n.any {
			add(o)
		}
	}
	add(n)
	return out
}

// flatten makes every choice one of nodes that are none themselves.
func flatten(nodes []*node) {
	flat := make([][]*node, len(nodes))
	for i, n := range nodes {
		if n.kind == choice {
			flat[i] = n.alternatives()
		}
	}
	for i, n := range nodes {
		if n.kind == choice {
			n.any = flat[i]
		}
	}
}
