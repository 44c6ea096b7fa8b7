package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"
)

// File is one file of a model.
type File struct {
	Path   string // in the repository, with slashes
	Size   int64
	Digest string // of its content: sha256 (64 digits) of large files, else git's sha1 (40 digits)
}

// listing is what the hub says about a model at a revision.
type listing struct {
	commit string
	files  map[string]File
}

// Bounds of what the hub may say.
const (
	maxListing = 32 << 20
	maxFiles   = 100_000
)

// list asks the hub for the commit of a revision and its files with their digests.
func (c *Client) list(ctx context.Context, r Ref) (*listing, error) {
	address := c.config.Endpoint + "/api/models/" + r.Repo + "/revision/" + url.PathEscape(r.Revision) + "?blobs=true"
	var body []byte
	err := c.patiently(ctx, func() int64 { return 0 }, func() error {
		res, err := c.get(ctx, address, 0)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		body, err = io.ReadAll(io.LimitReader(res.Body, maxListing+1))
		return err
	})
	if err != nil {
		return nil, c.explain(r, err)
	}
	if len(body) > maxListing {
		return nil, fail(ErrTooLarge, "", "%s: the list of its files has more than %d bytes", r, maxListing)
	}
	l, err := parseListing(body)
	if err != nil {
		return nil, fail(ErrUnsafe, hintMirror, "%s: the hub's list of files", r).because(err)
	}
	return l, nil
}

// parseListing checks everything in the hub's answer before any of it is used as a path.
func parseListing(body []byte) (*listing, error) {
	var raw struct {
		SHA      string `json:"sha"`
		Siblings []struct {
			Name string `json:"rfilename"`
			Size *int64 `json:"size"`
			Blob string `json:"blobId"`
			LFS  *struct {
				SHA256 string `json:"sha256"`
				Size   int64  `json:"size"`
			} `json:"lfs"`
		} `json:"siblings"`
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, err
	}
	if !commitForm.MatchString(raw.SHA) {
		return nil, fmt.Errorf("%q is no commit", cut(raw.SHA))
	}
	if len(raw.Siblings) > maxFiles {
		return nil, fmt.Errorf("%d files, at most %d are taken", len(raw.Siblings), maxFiles)
	}
	l := &listing{commit: raw.SHA, files: map[string]File{}}
	for _, s := range raw.Siblings {
		f := File{Path: s.Name, Digest: s.Blob}
		form := sha1Form
		if s.Size != nil {
			f.Size = *s.Size
		}
		if s.LFS != nil {
			f.Digest, f.Size, form = s.LFS.SHA256, s.LFS.Size, sha256Form
		}
		switch _, twice := l.files[f.Path]; {
		case !isPlain(f.Path):
			return nil, fmt.Errorf("the path %q leads out of the model's folder", cut(f.Path))
		case twice:
			return nil, fmt.Errorf("the file %q is listed twice", cut(f.Path))
		case !form.MatchString(f.Digest):
			return nil, fmt.Errorf("%s: %q is no digest", cut(f.Path), cut(f.Digest))
		case f.Size < 0 || s.Size == nil && s.LFS == nil:
			return nil, fmt.Errorf("%s: no size", cut(f.Path))
		}
		l.files[f.Path] = f
	}
	return l, nil
}

// isPlain reports that a path stays inside its folder on every system.
func isPlain(p string) bool {
	if p == "" || len(p) > 1000 || path.Clean(p) != p || path.IsAbs(p) || p == "." || p == ".." || strings.HasPrefix(p, "../") {
		return false
	}
	return !strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune(`\:*?"<>|`, r) })
}

// The files beside the weights that a model may need, and those that say what it is and what one may do with it.
var wanted = []string{
	"config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json",
	"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt",
	"encoder.json", "vocab.bpe", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "chat_template.json", "chat_template.jinja",
	"README.md", "LICENSE", "LICENSE.md", "LICENSE.txt", "NOTICE",
}

// maxSmall bounds a file that is not weights; the largest tokenizers have 35 MB.
const maxSmall = 128 << 20

const (
	singleWeights = "model.safetensors"
	indexFile     = "model.safetensors.index.json"
)

// small are the files of a model other than its weights.
func (l *listing) small() (out []File, err error) {
	if _, ok := l.files["config.json"]; !ok {
		return nil, fail(ErrNotFound, "this program runs models in the layout of transformers", "there is no config.json in it")
	}
	names := wanted
	if _, single := l.files[singleWeights]; !single {
		names = append(slices.Clone(names), indexFile)
	}
	for _, n := range names {
		f, ok := l.files[n]
		if !ok {
			continue
		}
		if f.Size > maxSmall {
			return nil, fail(ErrTooLarge, "", "%s has %d bytes, at most %d are taken", n, f.Size, maxSmall)
		}
		out = append(out, f)
	}
	return out, nil
}

// usable says why there is nothing to run, as far as the names of the files tell.
func (l *listing) usable() error {
	if _, err := l.small(); err != nil {
		return err
	}
	if _, sharded := l.files[indexFile]; sharded {
		return nil // which of them, the index says
	}
	_, err := l.weights(nil)
	return err
}

// weights are the files that hold the weights: one, or those that the index names.
func (l *listing) weights(index []byte) (out []File, err error) {
	if f, ok := l.files[singleWeights]; ok {
		return []File{f}, nil
	}
	if index != nil {
		names, err := shards(index)
		if err != nil {
			return nil, fail(ErrUnsafe, "", "%s", indexFile).because(err)
		}
		for _, n := range names {
			f, ok := l.files[n]
			if !ok {
				return nil, fail(ErrNotFound, "", "%s names %s, which is not there", indexFile, n)
			}
			out = append(out, f)
		}
		return out, nil
	}
	pickled := ""
	for _, f := range l.files {
		switch {
		case strings.Contains(f.Path, "/"):
		case strings.HasSuffix(f.Path, ".safetensors"):
			out = append(out, f)
		case isPickle(f.Path):
			pickled = f.Path
		}
	}
	switch {
	case len(out) == 1:
		return out, nil
	case pickled != "" && len(out) == 0:
		return nil, fail(ErrPickle, "look for a revision with safetensors, which the hub's conversion bot proposes as refs/pr/N, or ask its owner for one",
			"its weights are in %s, a pickle file: loading one can run any program, so they are refused", pickled)
	}
	return nil, fail(ErrNotFound, "", "there is no %s in it", singleWeights)
}

func isPickle(name string) bool {
	return slices.Contains([]string{".bin", ".pt", ".pth", ".ckpt", ".pkl"}, path.Ext(name))
}

// shards are the files that an index of weights names, which lie beside it, in their order.
func shards(index []byte) ([]string, error) {
	var raw struct {
		Map map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(index, &raw); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for tensor, file := range raw.Map {
		if !isPlain(file) || strings.Contains(file, "/") || !strings.HasSuffix(file, ".safetensors") {
			return nil, fmt.Errorf("tensor %q lies in %q, which is not the name of a .safetensors file beside the index", cut(tensor), cut(file))
		}
		seen[file] = true
	}
	if len(seen) == 0 {
		return nil, fmt.Errorf("no weight_map")
	}
	var out []string
	for f := range seen {
		out = append(out, f)
	}
	slices.Sort(out)
	return out, nil
}
