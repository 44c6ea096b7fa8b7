//go:build !unix

package checkpoint

import "os"

// load reads a whole file.
func load(path string) (b []byte, free func() error, err error) {
	b, err = os.ReadFile(path)
	return b, func() error { return nil }, err
}
