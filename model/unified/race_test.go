//go:build race

package unified

// raced says that the race detector watches, under which what is allocated otherwise is not.
const raced = true
