//go:build !linux && !darwin && !freebsd

package hub

import "os"

// Elsewhere the room is found out by running out of it, and nobody is locked out: a damaged file is found by its digest.

func freeBytes(string) (int64, bool) { return 0, false }

func isFull(error) bool { return false }

func tryLock(*os.File) bool { return true }
