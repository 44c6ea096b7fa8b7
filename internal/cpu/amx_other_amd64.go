//go:build amd64 && !linux && !noasm

package cpu

// permitTiles reports false: it is not known how this system is asked.
func permitTiles() bool { return false }
