package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// DrawnEnding marks pictures that this program has drawn its answers into; they are no data.
const DrawnEnding = ".fovea.png"

// photos is a folder of pictures that nothing is said about: for a model to label, or as backgrounds. It is tried last, for the
// pictures of a part of a set look the same.
var photos = layout{"pictures", "nothing but pictures", photoSplits, readPhotos}

// photoSplits recognises a folder that holds pictures and, hidden files and drawn pictures aside, nothing else.
func photoSplits(root string) []string {
	entries, _ := os.ReadDir(root)
	found := false
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasPrefix(name, ".") || strings.HasSuffix(name, DrawnEnding):
		case e.IsDir() || !isPicture(name):
			return nil
		default:
			found = true
		}
	}
	if !found {
		return nil
	}
	return []string{""}
}

func readPhotos(b *builder) error {
	entries, err := os.ReadDir(b.root)
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	for _, e := range entries {
		if isPicture(e.Name()) && !strings.HasSuffix(e.Name(), DrawnEnding) {
			b.record(filepath.Join(b.root, e.Name()))
		}
	}
	return nil
}
