//go:build !race

package unified

const raced = false
