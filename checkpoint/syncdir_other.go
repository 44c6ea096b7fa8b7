//go:build !unix

package checkpoint

// syncDir does nothing: directories cannot be synchronised here, renames are journalled.
func syncDir(string) error { return nil }
