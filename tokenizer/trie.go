package tokenizer

import (
	"slices"
	"sort"
)

// trie finds which of a set of keys begin a text, byte by byte. Node 0 is the root.
type trie struct {
	nodes   []trieNode
	labels  []byte  // labels[i] leads to node targets[i]; a node's labels ascend
	targets []int32 // parallel to labels
	root    [256]int32
}

type trieNode struct {
	first int32 // index of the node's first label
	count int32 // number of labels
	value ID    // the key's value; -1 where no key ends
}

// newTrie stores keys with their values. Keys are at most maxPiece bytes, which bounds the depth.
func newTrie(keys map[string]ID) *trie {
	sorted := make([]string, 0, len(keys))
	for k := range keys {
		if k != "" {
			sorted = append(sorted, k)
		}
	}
	slices.Sort(sorted)
	t := &trie{}
	t.build(sorted, 0, keys)
	for i := range t.root {
		t.root[i] = -1
	}
	for i := range t.nodes[0].count {
		t.root[t.labels[i]] = t.targets[i]
	}
	return t
}

// build adds the node for keys, which share their first depth bytes, and returns its index.
func (t *trie) build(keys []string, depth int, values map[string]ID) int32 {
	me := int32(len(t.nodes))
	node := trieNode{first: int32(len(t.labels)), value: -1}
	if len(keys) > 0 && len(keys[0]) == depth && depth > 0 {
		node.value = values[keys[0]]
		keys = keys[1:]
	}
	var groups []int // the end of each run of keys with the same next byte
	for lo := 0; lo < len(keys); {
		b := keys[lo][depth]
		hi := lo + sort.Search(len(keys)-lo, func(i int) bool { return keys[lo+i][depth] > b })
		t.labels = append(t.labels, b)
		t.targets = append(t.targets, 0)
		groups = append(groups, hi)
		lo = hi
	}
	node.count = int32(len(groups))
	t.nodes = append(t.nodes, node)
	lo := 0
	for i, hi := range groups {
		child := t.build(keys[lo:hi], depth+1, values)
		t.targets[int(node.first)+i] = child
		lo = hi
	}
	return me
}

// next is the node that byte b leads to from node, or -1.
func (t *trie) next(node int32, b byte) int32 {
	if node == 0 {
		return t.root[b]
	}
	n := t.nodes[node]
	labels := t.labels[n.first : n.first+n.count]
	if len(labels) <= 8 {
		for i, l := range labels {
			if l == b {
				return t.targets[int(n.first)+i]
			}
		}
		return -1
	}
	if i, ok := slices.BinarySearch(labels, b); ok {
		return t.targets[int(n.first)+i]
	}
	return -1
}

// walk is the node that prefix leads to from the root, or -1.
func (t *trie) walk(prefix string) int32 {
	node := int32(0)
	for i := 0; i < len(prefix) && node >= 0; i++ {
		node = t.next(node, prefix[i])
	}
	return node
}

// longest is the longest key that begins text when the search starts at node; length 0 means that there is none.
func (t *trie) longest(node int32, text string) (value ID, length int) {
	value = -1
	for i := 0; i < len(text); i++ {
		if node = t.next(node, text[i]); node < 0 {
			break
		}
		if v := t.nodes[node].value; v >= 0 {
			value, length = v, i+1
		}
	}
	return value, length
}

// find is the leftmost, then longest, key in text at or after byte from; start is -1 if there is none.
func (t *trie) find(text string, from int) (value ID, start, end int) {
	for i := from; i < len(text); i++ {
		if t.root[text[i]] < 0 {
			continue
		}
		if v, n := t.longest(0, text[i:]); n > 0 {
			return v, i, i + n
		}
	}
	return -1, -1, -1
}
