//go:build !linux && !darwin && !freebsd

package filelock

import "os"

// Try reports true: nobody is locked out here.
func Try(*os.File) bool { return true }
