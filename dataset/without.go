package dataset

import (
	"context"
	"fmt"
)

// Without is a set on disk less the pictures whose files another one has too, byte for byte: it reads the files of both. Of
// other sources nothing is taken.
func Without(ctx context.Context, src, other Source, workers int) (Source, error) {
	s, ok := src.(*set)
	if !ok {
		return src, nil
	}
	theirs, err := Prints(ctx, other, PrintOptions{Workers: workers})
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", other.Name(), err)
	}
	own, err := Prints(ctx, src, PrintOptions{Workers: workers})
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", src.Name(), err)
	}
	taken := map[[32]byte]bool{}
	for _, p := range theirs {
		taken[p.Bytes] = p.Err == nil
	}
	rest := *s
	rest.records = nil
	for i, r := range s.records {
		if !taken[own[i].Bytes] {
			rest.records = append(rest.records, r)
		}
	}
	if len(rest.records) == 0 {
		return nil, fmt.Errorf("dataset: %s: all its pictures are in %s, too", src.Name(), other.Name())
	}
	return &rest, nil
}
