package hub

import (
	"context"
	"crypto/sha1" //nolint:gosec // git's digests, which the hub gives for small files
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// newDigest makes the hash that a file's digest comes from: sha256 of its bytes, or of small files git's sha1, which puts a
// header before them.
func (f File) newDigest() hash.Hash {
	if len(f.Digest) == 64 {
		return sha256.New()
	}
	h := sha1.New() //nolint:gosec // see above
	fmt.Fprintf(h, "blob %d\x00", f.Size)
	return h
}

// download is a file on its way into the cache.
type download struct {
	c      *Client
	file   File
	url    string
	out    *os.File
	have   int64     // bytes in out, all of them in sum
	most   int64     // that it has had
	sum    hash.Hash // of out so far
	gained func(bytes int64)
}

// fetch brings a file's content to blobs/DIGEST. It goes on from what an earlier try has left, and the file gets its name
// only once its digest is right.
func (c *Client) fetch(ctx context.Context, s *store, url string, f File, gained func(int64)) error {
	unlock, err := s.lock(ctx, f)
	if err != nil {
		return err
	}
	defer unlock()
	if s.has(f) { // somebody else has just brought it
		gained(f.Size)
		return nil
	}
	// What has the digest's name and another size was damaged after it was checked.
	if err := s.root.Remove("blobs/" + f.Digest); err != nil && !errors.Is(err, os.ErrNotExist) {
		return s.failed(err)
	}
	partial := "blobs/" + f.Digest + ".incomplete"
	out, err := s.root.OpenFile(partial, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return s.failed(err)
	}
	defer out.Close()
	d := &download{c: c, file: f, url: url, out: out, gained: gained}
	resumed, err := d.recall()
	if err == nil {
		err = c.patiently(ctx, d.progress, func() error { return d.attempt(ctx) })
	}
	if err == nil && !d.right() && resumed { // what an earlier try had left was no part of this file
		if err = d.restart(); err == nil {
			err = c.patiently(ctx, d.progress, func() error { return d.attempt(ctx) })
		}
	}
	if err == nil && !d.right() {
		_ = s.root.Remove(partial)
		return fail(ErrDigest, "pull it again; if that fails again, the connection or the mirror changes what it transfers",
			"%s arrived with the digest %s, and the hub states %s: it was thrown away", f.Path, hex.EncodeToString(d.sum.Sum(nil)), f.Digest)
	}
	if err == nil {
		err = errors.Join(out.Sync(), out.Close())
	}
	if err == nil {
		err = s.root.Rename(partial, "blobs/"+f.Digest)
	}
	return s.failed(err)
}

func (d *download) right() bool { return hex.EncodeToString(d.sum.Sum(nil)) == d.file.Digest }

// recall takes up what an earlier try has left.
func (d *download) recall() (resumed bool, err error) {
	d.sum = d.file.newDigest()
	info, err := d.out.Stat()
	if err != nil {
		return false, err
	}
	if info.Size() > d.file.Size {
		return false, d.restart()
	}
	if d.have, err = io.Copy(d.sum, d.out); err != nil {
		return false, err
	}
	d.gained(d.have)
	return d.have > 0, nil
}

// restart throws away what has arrived.
func (d *download) restart() error {
	d.gained(-d.have)
	d.have, d.sum = 0, d.file.newDigest()
	_, err := d.out.Seek(0, io.SeekStart)
	if err = errors.Join(err, d.out.Truncate(0)); err != nil {
		return writeFailed(err)
	}
	return nil
}

// progress is how far the file ever was: to begin anew is none.
func (d *download) progress() int64 {
	d.most = max(d.most, d.have)
	return d.most
}

// errPart is a server that knows no ranges, or other ones.
var errPart = errors.New("the server sends another part than was asked for")

// attempt fetches the rest of the file over one connection.
func (d *download) attempt(ctx context.Context) error {
	if d.have == d.file.Size {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	res, err := d.c.get(ctx, d.url, d.have)
	if status := (*statusError)(nil); errors.As(err, &status) && status.status == http.StatusRequestedRangeNotSatisfiable {
		return errors.Join(d.restart(), errPart)
	}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if from, total := contentRange(res); from != d.have || total >= 0 && total != d.file.Size {
		if total >= 0 && total != d.file.Size {
			return fail(ErrDigest, "pull it again", "%s has %d bytes where it is stored, and the hub states %d", d.file.Path, total, d.file.Size)
		}
		if err := d.restart(); err != nil {
			return err
		}
		if from != 0 {
			return errPart
		}
	}
	// A connection that gives no byte for a while is given up.
	stalled := fmt.Errorf("no byte for %v", d.c.stall)
	watch := time.AfterFunc(d.c.stall, func() { cancel(stalled) })
	defer watch.Stop()
	buf := make([]byte, 256<<10)
	for {
		n, err := res.Body.Read(buf)
		watch.Reset(d.c.stall)
		if int64(n) > d.file.Size-d.have {
			return fail(ErrTooLarge, "", "%s has more than the %d bytes that the hub states", d.file.Path, d.file.Size)
		}
		if n > 0 {
			if err := d.write(buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF && d.have < d.file.Size:
			return io.ErrUnexpectedEOF
		case err == io.EOF:
			return nil
		case errors.Is(context.Cause(ctx), stalled):
			return stalled
		case err != nil:
			return err
		}
	}
}

func (d *download) write(b []byte) error {
	err := d.c.full(d.have + int64(len(b)))
	n := 0
	if err == nil {
		n, err = d.out.Write(b)
	}
	_, _ = d.sum.Write(b[:n])
	d.have += int64(n)
	d.gained(int64(n))
	if err != nil {
		return writeFailed(err)
	}
	return nil
}

// contentRange is where an answer begins in the file, and the file's size, −1 when it does not say.
func contentRange(res *http.Response) (from, total int64) {
	if res.StatusCode == http.StatusOK {
		return 0, res.ContentLength
	}
	text, ok := strings.CutPrefix(res.Header.Get("Content-Range"), "bytes ")
	span, size, ok2 := strings.Cut(text, "/")
	first, _, ok3 := strings.Cut(span, "-")
	from, err := strconv.ParseInt(first, 10, 64)
	if !ok || !ok2 || !ok3 || err != nil {
		return -1, -1
	}
	if total, err = strconv.ParseInt(size, 10, 64); err != nil {
		total = -1
	}
	return from, total
}

// writeFailed explains why a file could not be written.
func writeFailed(err error) error {
	if isFull(err) {
		return fail(ErrNoSpace, "free some room and pull again: what has arrived is kept, and the download goes on from there", "the disk is full").because(err)
	}
	return fail(ErrCache, "HF_HUB_CACHE names another folder", "write into the cache").because(err)
}
