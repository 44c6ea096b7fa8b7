package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

const (
	digestBlock  = 4 << 10
	digestBlocks = 256 // of a file of weights; smaller files are read as a whole
)

// Digest tells whether a folder holds the same model as another time: 16 hexadecimal digits of its configuration and weights (files
// *.json and *.safetensors of the folder itself). Training changes every weight, so of a large file a megabyte of blocks that lie
// evenly over it, and its length, are enough, and gigabytes cost no time.
func Digest(files fs.FS) (string, error) {
	sum := sha256.New()
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return "", fmt.Errorf("checkpoint: %w", err)
	}
	for _, e := range entries { // in the order of their names
		if name := e.Name(); strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".safetensors") {
			if err := digest(sum, files, name); err != nil {
				return "", fmt.Errorf("checkpoint: %s: %w", name, err)
			}
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

func digest(w io.Writer, files fs.FS, name string) error {
	f, err := files.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	fmt.Fprintf(w, "%s %d\n", name, size)
	r, ok := f.(io.ReaderAt)
	if !ok || size <= digestBlock*digestBlocks {
		_, err := io.Copy(w, f)
		return err
	}
	for i := range int64(digestBlocks) {
		at := (size - digestBlock) * i / (digestBlocks - 1)
		if _, err := io.Copy(w, io.NewSectionReader(r, at, digestBlock)); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}
