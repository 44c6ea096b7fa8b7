package task

import "strings"

// Names is the list of things that can be pointed at by name: labels of objects and pictures, joints. A name is embedded
// as the mean of its words' embeddings, so any words can be made a name at any time (an open vocabulary).
type Names struct {
	List  []string
	Words [][]int32 // word ids of each name
	index map[string]int32
	vocab *Vocabulary
}

// NewNames makes a list that starts with "nothing", the background.
func NewNames(v *Vocabulary) *Names {
	n := &Names{vocab: v, index: map[string]int32{}}
	n.List = []string{"nothing"}
	n.Words = [][]int32{{v.Special(NothingPiece)}}
	return n
}

// Nothing is the id of the background's name.
const Nothing int32 = 0

// Add gives the id of a name, making it if needed. "left_knee" and "left knee" are one name; case does not matter.
func (n *Names) Add(name string) int32 {
	key := strings.ToLower(strings.ReplaceAll(name, "_", " "))
	if id, ok := n.index[key]; ok {
		return id
	}
	id := int32(len(n.List))
	n.index[key] = id
	n.List = append(n.List, name)
	n.Words = append(n.Words, n.vocab.Text(key))
	return id
}

// Find is the id of a known name.
func (n *Names) Find(name string) (int32, bool) {
	id, ok := n.index[strings.ToLower(strings.ReplaceAll(name, "_", " "))]
	return id, ok
}

// AddAll adds names and returns their ids.
func (n *Names) AddAll(names []string) []int32 {
	ids := make([]int32, len(names))
	for i, s := range names {
		ids[i] = n.Add(s)
	}
	return ids
}
