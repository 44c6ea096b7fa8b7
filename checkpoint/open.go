package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

const (
	singleName = "model.safetensors"
	indexName  = "model.safetensors.index.json"
	maxIndex   = 64 << 20
)

// ErrNoWeights says that a folder has no weights that Open knows.
var ErrNoWeights = errors.New("no " + singleName + " or " + indexName + " in the folder")

// Open opens a .safetensors file, a model.safetensors.index.json with its shards, or a folder that holds either. Close the
// result. Pickle files are refused with a *PickleError; other malformed files with an error that wraps ErrFormat.
func Open(path string) (*File, error) {
	f, err := open(path)
	if err != nil {
		var pickle *PickleError
		if errors.As(err, &pickle) {
			return nil, pickle
		}
		return nil, fmt.Errorf("checkpoint: open %s: %w", path, err)
	}
	return f, nil
}

func open(path string) (*File, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		if path, err = inFolder(path); err != nil {
			return nil, err
		}
	}
	if strings.HasSuffix(path, ".index.json") {
		return openIndex(path)
	}
	s, err := openShard(path)
	if err != nil {
		if pickleName(path) {
			return nil, &PickleError{path, "file name"}
		}
		return nil, err
	}
	f, err := newFile(path, []*shard{s})
	if err == nil && st.IsDir() && filepath.Base(path) != singleName {
		f.instead = pickleIn(filepath.Dir(path))
	}
	return f, err
}

// inFolder finds the weights of a model's folder. A single file of any name counts: whether it is the model's is for Bind to
// say, which takes nothing that does not fit.
func inFolder(dir string) (string, error) {
	for _, name := range []string{singleName, indexName} {
		if p := filepath.Join(dir, name); exists(p) {
			return p, nil
		}
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	if err == nil && len(names) == 1 {
		return names[0], nil
	}
	if len(names) > 1 {
		return "", fmt.Errorf("%d .safetensors files but no %s; name one of %s", len(names), indexName, strings.Join(names, ", "))
	}
	if pickle := pickleIn(dir); pickle != "" {
		return "", &PickleError{pickle, "file name"}
	}
	return "", ErrNoWeights
}

// pickleIn is a file of a folder that PyTorch's weights have the name of, "" when there is none.
func pickleIn(dir string) string {
	for _, pattern := range []string{"pytorch_model*.bin", "*.pt", "*.pth", "*.bin"} {
		if names, _ := filepath.Glob(filepath.Join(dir, pattern)); len(names) > 0 {
			return names[0]
		}
	}
	return ""
}

// openIndex opens the shards that an index names. Shards lie beside the index; names that point elsewhere are refused.
func openIndex(path string) (*File, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Size() > maxIndex {
		return nil, malformed("index of %d bytes, at most %d", st.Size(), maxIndex)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(b, &index); err != nil {
		return nil, malformed("index: %v", err)
	}
	if len(index.WeightMap) == 0 {
		return nil, malformed("index without a weight_map")
	}
	files := map[string]bool{}
	for name, file := range index.WeightMap {
		if file == "" || file != filepath.Base(file) || strings.ContainsAny(file, `/\`) || file == "." || file == ".." {
			return nil, malformed("index: tensor %q lies in %q, which is not the name of a file beside the index", name, file)
		}
		files[file] = true
	}
	ordered := make([]string, 0, len(files))
	for file := range files {
		ordered = append(ordered, file)
	}
	sort.Strings(ordered)
	var shards []*shard
	closeAll := func() {
		for _, s := range shards {
			_ = s.free()
		}
	}
	for _, file := range ordered {
		s, err := openShard(filepath.Join(filepath.Dir(path), file))
		if err != nil {
			closeAll()
			return nil, fmt.Errorf("shard %s: %w", file, err)
		}
		shards = append(shards, s)
	}
	f, err := newFile(path, shards)
	if err == nil {
		for name, file := range index.WeightMap {
			if l, ok := f.where[name]; !ok || filepath.Base(l.shard.file) != file {
				err = malformed("index: tensor %q is not in %s", name, file)
				break
			}
		}
	}
	if err != nil {
		closeAll()
		return nil, err
	}
	return f, nil
}
