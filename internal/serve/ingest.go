package serve

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"image"
	"net/http"
	"net/url"
	"strings"

	"fovea/imageproc"
	"fovea/internal/fetch"
)

// MaxImages bounds the pictures of one request.
const MaxImages = 16

// picture is a picture as it came: a file's bytes, or pixels. Nothing is decoded before a worker takes it up, so that what
// waits costs no more than it did on the wire.
type picture struct {
	name   string // what results call it
	data   []byte
	rgb    *imageproc.RGB
	pixels int64
	key    [sha256.Size]byte // of the content
	parts  []*picture        // several, about all of which a question is; they have what stands above
}

// gather makes one of several pictures.
func gather(parts []*picture) *picture {
	p, sum := &picture{name: parts[0].name, parts: parts}, sha256.New()
	for _, part := range parts {
		p.pixels += part.pixels
		sum.Write(part.key[:])
	}
	sum.Sum(p.key[:0])
	return p
}

// count is how many pictures it is; nil, for work without one, is as much.
func (p *picture) count() int {
	if p == nil {
		return 1
	}
	return max(len(p.parts), 1)
}

// checkCount refuses requests with too many pictures, before any of them is looked at.
func checkCount(n int) error {
	if n > MaxImages {
		return bad("images", "%d pictures in one request, at most %d are taken", n, MaxImages)
	}
	return nil
}

// ingest makes a picture of what a client wrote: a data URL, bare base64, or, where the server allows it, a URL.
func (s *Server) ingest(ctx context.Context, ref string) (*picture, error) {
	ref = strings.TrimSpace(ref)
	scheme, _, _ := strings.Cut(ref[:min(len(ref), 12)], ":")
	switch strings.ToLower(scheme) {
	case "data":
		data, err := dataURL(ref)
		if err != nil {
			return nil, err
		}
		return s.ingestBytes("data", data)
	case "http", "https":
		if !s.cfg.AllowURL {
			return nil, faulty(http.StatusBadRequest, "url.forbidden", "pictures are not fetched from URLs unless the server runs with --allow-url; send the picture as a data URL")
		}
		data, err := s.fetch.Get(ctx, ref)
		if err != nil {
			return nil, fetchFault(err)
		}
		return s.ingestBytes(ref, data)
	}
	if len(ref) > len(scheme) && strings.HasPrefix(ref[len(scheme):], ":") {
		return nil, faulty(http.StatusBadRequest, "url.forbidden", "pictures of the scheme %q are not taken; send the picture as a data URL", scheme)
	}
	data, err := unbase64(ref)
	if err != nil {
		return nil, err
	}
	return s.ingestBytes("base64", data)
}

// ingestBytes makes a picture of a file's bytes. Its header is checked at once: what is no picture, or claims to be
// enormous, does not take a place in the queue.
func (s *Server) ingestBytes(name string, data []byte) (*picture, error) {
	info, err := imageproc.DecodeInfo(data, s.limits)
	if err != nil {
		return nil, err
	}
	return &picture{name: name, data: data, pixels: int64(info.W) * int64(info.H), key: sha256.Sum256(data)}, nil
}

// ingestPixels makes a picture of pixels, three bytes each, row by row.
func (s *Server) ingestPixels(name string, w, h int, pix []byte) (*picture, error) {
	if w < 1 || h < 1 || int64(w) > s.limits.MaxPixels/int64(h) || len(pix) != 3*w*h {
		return nil, bad("shape", "a picture of %d × %d pixels in %d bytes, want 3 bytes a pixel and at most %.3g megapixels", w, h, len(pix), float64(s.limits.MaxPixels)/1e6)
	}
	sum := sha256.New()
	var head [17]byte // no file of a picture begins with so many zeros: pixels and files have no key in common
	binary.BigEndian.PutUint64(head[9:], uint64(w))
	sum.Write(head[:])
	sum.Write(pix)
	p := &picture{name: name, rgb: &imageproc.RGB{W: w, H: h, Pix: pix}, pixels: int64(w) * int64(h)}
	sum.Sum(p.key[:0])
	return p, nil
}

// all decodes a picture, or those it is made of.
func (p *picture) all(lim imageproc.Limits) (out []image.Image, err error) {
	parts := p.parts
	if parts == nil {
		parts = []*picture{p}
	}
	for _, part := range parts {
		img, err := part.decode(lim)
		if err != nil {
			return nil, err
		}
		out = append(out, img)
	}
	return out, nil
}

// decode is the picture's pixels, upright.
func (p *picture) decode(lim imageproc.Limits) (*imageproc.RGB, error) {
	if p.rgb != nil {
		return p.rgb, nil
	}
	img, _, err := imageproc.DecodeBytes(p.data, lim)
	return img, err
}

// dataURL reads data:[type][;base64],content (RFC 2397).
func dataURL(ref string) ([]byte, error) {
	head, content, ok := strings.Cut(ref, ",")
	if !ok {
		return nil, faulty(http.StatusBadRequest, "image.base64", "the data URL has no comma; want data:image/jpeg;base64,…")
	}
	if strings.HasSuffix(strings.ToLower(strings.TrimSpace(head)), ";base64") {
		return unbase64(content)
	}
	text, err := url.PathUnescape(content)
	if err != nil {
		return nil, faulty(http.StatusBadRequest, "image.base64", "the data URL is malformed; want data:image/jpeg;base64,…")
	}
	return []byte(text), nil
}

// plain turns base64 of either alphabet, with line breaks or not, into the standard one without padding.
var plain = strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "", " ", "", "\t", "")

func unbase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "-_\n\r \t") {
		text = plain.Replace(text)
	}
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, faulty(http.StatusBadRequest, "image.base64", "the picture is no valid base64: %v", err)
	}
	return data, nil
}

func fetchFault(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	f := faulty(http.StatusBadRequest, "url.failed", "%s", strings.TrimPrefix(err.Error(), "fetch: "))
	if errors.Is(err, fetch.ErrForbidden) {
		f.code = "url.forbidden"
	}
	return f
}
