//go:build !linux && !darwin && !freebsd

package hub

// Elsewhere the room is found out by running out of it.

func freeBytes(string) (int64, bool) { return 0, false }

func isFull(error) bool { return false }
