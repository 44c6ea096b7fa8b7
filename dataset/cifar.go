package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fovea/imageproc"
)

// The binary version of CIFAR-10 and CIFAR-100 (Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html): records of
// one label (CIFAR-100: a coarse and a fine one) and 32 × 32 pixels, the reds, then the greens, then the blues.
const (
	cifarSide  = 32
	cifarPlane = cifarSide * cifarSide
)

type cifarFiles struct {
	files  []string
	labels int    // bytes before the pixels; the last is the label
	names  string // file of the classes' names
	count  int    // of classes
}

// cifarLayout lists the files of each split, nil when the folder is no CIFAR.
func cifarLayout(root string) map[string]cifarFiles {
	has := func(n string) bool {
		st, err := os.Stat(filepath.Join(root, n))
		return err == nil && !st.IsDir()
	}
	out := map[string]cifarFiles{}
	add := func(split string, labels int, names string, count int, files ...string) {
		var found []string
		for _, f := range files {
			if has(f) {
				found = append(found, f)
			}
		}
		if found != nil {
			out[split] = cifarFiles{found, labels, names, count}
		}
	}
	if has("batches.meta.txt") || has("data_batch_1.bin") || has("test_batch.bin") {
		add("train", 1, "batches.meta.txt", 10, "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin")
		add("test", 1, "batches.meta.txt", 10, "test_batch.bin")
	} else if has("fine_label_names.txt") {
		add("train", 2, "fine_label_names.txt", 100, "train.bin")
		add("test", 2, "fine_label_names.txt", 100, "test.bin")
	}
	return out
}

func cifarSplits(root string) []string {
	var out []string
	for s := range cifarLayout(root) {
		out = append(out, s)
	}
	return out
}

func readCIFAR(b *builder) error {
	c := cifarLayout(b.root)[b.split]
	names, err := os.ReadFile(filepath.Join(b.root, c.names))
	if err != nil {
		return fmt.Errorf("dataset: CIFAR: the names of the classes: %w", err)
	}
	var classes []string
	for line := range strings.Lines(string(names)) {
		if line = strings.TrimSpace(line); line != "" {
			classes = append(classes, strings.ReplaceAll(line, "_", " "))
			b.class(classes[len(classes)-1])
		}
	}
	if len(b.classes) != c.count || len(classes) != c.count {
		return fmt.Errorf("dataset: %s: %d names of classes, want %d different ones", filepath.Join(b.root, c.names), len(classes), c.count)
	}
	for _, file := range c.files {
		path := filepath.Join(b.root, file)
		raw, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("dataset: %w", err)
		}
		size := c.labels + 3*cifarPlane
		if rest := len(raw) % size; rest != 0 {
			b.report.add(UnreadableFile, "%s ends %d bytes into a record; it is cut off", path, rest)
		}
		for i := range len(raw) / size {
			rec := raw[i*size : (i+1)*size]
			id := fmt.Sprintf("%s#%d", file, i)
			label := int(rec[c.labels-1])
			if label >= len(classes) {
				b.report.add(BadLabel, "%s: label %d of %d", id, label, len(classes))
				continue
			}
			b.records = append(b.records, &record{id: id, class: classes[label], labels: HasClass, w: cifarSide, h: cifarSide,
				raw: func() (*imageproc.RGB, error) { return planes(rec[c.labels:]), nil }})
		}
	}
	return nil
}

// planes interleaves three planes of 32 × 32 bytes.
func planes(p []byte) *imageproc.RGB {
	m := imageproc.NewRGB(cifarSide, cifarSide)
	for i := range cifarPlane {
		m.Pix[3*i], m.Pix[3*i+1], m.Pix[3*i+2] = p[i], p[cifarPlane+i], p[2*cifarPlane+i]
	}
	return m
}
