package dataset

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"fovea/imageproc"
)

// Print identifies a picture of a data set: by the bytes of its file, and by what it looks like.
type Print struct {
	ID    string
	Split string
	Class string                 // of the whole picture, or ""
	Bytes [sha256.Size]byte      // of the file or, of pictures that are packed in one, of the pixels
	Look  *imageproc.Fingerprint // nil when the picture was not read
	Err   error                  // why it cannot be read
}

// PrintOptions says how pictures are identified.
type PrintOptions struct {
	Split   string // to be written into the prints
	Look    bool   // read the pictures, not only the bytes of their files
	Workers int    // that read side by side; 0 means 1
	// Step is told how many are done, by one goroutine at a time.
	Step func(done int)
}

// Prints identifies all pictures of a set on disk, in their order; nil for sets that are drawn. The error is the context's.
func Prints(ctx context.Context, src Source, o PrintOptions) ([]Print, error) {
	s, ok := unwrap(src).(*set)
	if !ok {
		return nil, nil
	}
	out := make([]Print, len(s.records))
	var next atomic.Int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	done := 0
	for range max(o.Workers, 1) {
		wg.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				if i >= len(out) || ctx.Err() != nil {
					return
				}
				out[i] = s.print(i, o.Look)
				out[i].Split = o.Split
				mu.Lock()
				if done++; o.Step != nil {
					o.Step(done)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return out, ctx.Err()
}

// print identifies one picture. With look, all that belongs to it is read, its label map too.
func (s *set) print(i int, look bool) Print {
	r := s.records[i]
	p := Print{ID: r.id, Class: r.class}
	if r.raw == nil {
		raw, err := os.ReadFile(r.file)
		if err != nil {
			p.Err = fmt.Errorf("dataset: %s: %s: %w", s.name, r.id, err)
			return p
		}
		p.Bytes = sha256.Sum256(raw)
	}
	if r.raw == nil && !look {
		return p
	}
	ex, err := s.At(i, nil)
	if err != nil {
		p.Err = err
		return p
	}
	if r.raw != nil {
		p.Bytes = sha256.Sum256(ex.Image.Pix)
	}
	if look {
		f := imageproc.NewFingerprint(ex.Image)
		p.Look = &f
	}
	return p
}
