package hub

import (
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Progress says how far a pull is.
type Progress struct {
	File        string // that is on its way
	Done, Total int64  // bytes of what the hub has to send or the cache holds already; Total grows once the weights are known
	Finished    bool   // File is there
	Cached      bool   // File was there before
}

// PullOptions are the wishes of a caller of Pull.
type PullOptions struct {
	// Check, when not nil, sees the folder with everything but the weights and may say that the weights are not wanted.
	Check func(dir string) error
	// Progress, when not nil, is told often. It must not block for long.
	Progress func(Progress)
}

// Pull downloads what is needed to run a model, unless it is in the cache: the configuration, the tokenizer, the card, and
// the weights in safetensors format. What is interrupted goes on from there the next time. Errors are *Error, unless they come
// from the context or from Check. Offline, it is Find.
func (c *Client) Pull(ctx context.Context, r Ref, o PullOptions) (*Snapshot, error) {
	if c.config.Offline {
		s, err := c.config.Cache.Find(r)
		if known := (*Error)(nil); errors.As(err, &known) {
			known.Msg += ", and HF_HUB_OFFLINE forbids to fetch it"
			known.Hint = "unset HF_HUB_OFFLINE"
		}
		return s, err
	}
	l, err := c.list(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := l.usable(); err != nil { // nothing of it goes into the cache
		return nil, named(r, err)
	}
	s, err := c.config.Cache.open(r.Repo)
	if err != nil {
		return nil, err
	}
	defer s.close()
	s.noLinks = c.config.NoLinks
	p := &pull{c: c, ref: r, list: l, store: s, tell: o.Progress}
	if err := p.run(ctx, o.Check); err != nil {
		return nil, named(r, err)
	}
	return c.config.Cache.snapshot(r.Repo, l.commit)
}

// named puts a model's name before what is wrong with it.
func named(r Ref, err error) error {
	var known *Error
	if errors.As(err, &known) && !strings.Contains(known.Msg, r.Repo) {
		e := *known
		e.Msg = r.String() + ": " + e.Msg
		return &e
	}
	return err
}

// pull is one call of Pull.
type pull struct {
	c     *Client
	ref   Ref
	list  *listing
	store *store
	tell  func(Progress)
	at    Progress
}

func (p *pull) run(ctx context.Context, check func(string) error) error {
	small, err := p.list.small()
	if err != nil {
		return err
	}
	if err := p.files(ctx, small); err != nil {
		return err
	}
	dir := filepath.Join(p.store.dir, "snapshots", p.list.commit)
	if check != nil {
		if err := check(dir); err != nil {
			return err
		}
	}
	var index []byte
	if _, single := p.list.files[singleWeights]; !single {
		if index, err = readSmall(filepath.Join(dir, indexFile)); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	if err != nil {
		return p.store.failed(err)
	}
	weights, err := p.list.weights(index)
	if err != nil {
		return err
	}
	if err := p.files(ctx, weights); err != nil {
		return err
	}
	// Last, so that a branch never stands for half a model.
	return p.store.refer(p.ref.Revision, p.list.commit)
}

// readSmall reads a file that is not weights.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err == nil && len(b) > maxSmall {
		err = fail(ErrTooLarge, "", "%s has more than %d bytes", filepath.Base(name), maxSmall)
	}
	return b, err
}

// files brings files into the snapshot.
func (p *pull) files(ctx context.Context, files []File) error {
	var missing int64
	for _, f := range files {
		if f.Size > p.c.config.MaxBytes-p.at.Total {
			return fail(ErrTooLarge, "", "with %s it has more than %d bytes, which is the limit", f.Path, p.c.config.MaxBytes)
		}
		p.at.Total += f.Size
		if !p.there(f) {
			missing += f.Size - p.begun(f)
		}
	}
	if free, known := p.c.free(p.store.dir); known && free < missing {
		return fail(ErrNoSpace, "free some room, or set HF_HUB_CACHE to a folder on another disk", "%d MB are to be downloaded, and there is room for %d MB", missing>>20, free>>20)
	}
	for _, f := range files {
		if err := p.file(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// there reports that a file need not be fetched.
func (p *pull) there(f File) bool { return p.store.has(f) || p.store.placed(p.list.commit, f) }

// begun is how much of a file an earlier try has left.
func (p *pull) begun(f File) int64 {
	info, err := p.store.root.Lstat("blobs/" + f.Digest + ".incomplete")
	if err != nil || info.Size() > f.Size {
		return 0
	}
	return info.Size()
}

func (p *pull) file(ctx context.Context, f File) error {
	cached := p.there(f)
	p.at.File, p.at.Finished, p.at.Cached = f.Path, false, cached
	if cached {
		p.gained(f.Size)
	} else {
		segments := strings.Split(f.Path, "/")
		for i := range segments {
			segments[i] = url.PathEscape(segments[i])
		}
		address := p.c.config.Endpoint + "/" + p.ref.Repo + "/resolve/" + p.list.commit + "/" + strings.Join(segments, "/")
		if err := p.c.fetch(ctx, p.store, address, f, p.gained); err != nil {
			return p.c.explain(p.ref, err)
		}
	}
	if err := p.store.link(p.list.commit, f); err != nil {
		return err
	}
	p.at.Finished = true
	p.gained(0)
	return nil
}

func (p *pull) gained(n int64) {
	p.at.Done += n
	if p.tell != nil {
		p.tell(p.at)
	}
}
