package dataset

import (
	"fmt"
	"math/bits"
	"runtime"
	"sync"

	"fovea/imageproc"
)

// Kinds of repeated pictures. "In two parts" is a leak: what is measured has been trained on.
const (
	SameTwice  = "the same file twice"
	NearTwice  = "nearly the same picture twice"
	SameLeak   = "the same file in two parts"
	NearLeak   = "nearly the same picture in two parts"
	OtherClass = "the same file with another class"
)

// Repeats lists the pictures that occur more than once, in the order of prints, which are those of all parts of a data set one
// after the other. Each picture is compared with those before it and counted once within its part and once across parts.
// Files are compared by their bytes and, where they were read, by their fingerprints.
func Repeats(prints []Print) []Fault {
	var r Report
	type place struct {
		split string
		bytes [32]byte
	}
	own, all := map[place]int{}, map[[32]byte]int{}
	near := nearBefore(prints)
	for j := range prints {
		p := &prints[j]
		if p.Bytes == ([32]byte{}) {
			continue
		}
		at := place{p.Split, p.Bytes}
		i, twice := own[at]
		if !twice {
			own[at] = j
		}
		first, leak := all[p.Bytes]
		if leak = leak && prints[first].Split != p.Split; !leak && !twice {
			all[p.Bytes] = j
		}
		switch {
		case twice:
			r.add(SameTwice, "%s = %s", p.ID, prints[i].ID)
		case near[j].own >= 0:
			r.add(NearTwice, "%s ≈ %s", p.ID, prints[near[j].own].ID)
		}
		switch {
		case leak:
			r.add(SameLeak, "%s = %s", p.ID, prints[first].ID)
		case near[j].other >= 0:
			r.add(NearLeak, "%s ≈ %s", p.ID, prints[near[j].other].ID)
		}
		if leak || twice {
			if q := &prints[first]; leak && q.Class != p.Class {
				r.add(OtherClass, "%s", differ(p, q))
			} else if q := &prints[i]; twice && q.Class != p.Class {
				r.add(OtherClass, "%s", differ(p, q))
			}
		}
	}
	return append([]Fault{}, r.Faults()...)
}

func differ(p, q *Print) string {
	return fmt.Sprintf("%s (%s) = %s (%s)", p.ID, p.Class, q.ID, q.Class)
}

// nearest are the first pictures before one that look like it, in its own part and in others; −1 for none.
type nearest struct{ own, other int }

// nearBefore compares every picture with those before it. Most pairs differ in their hashes already, which takes a nanosecond,
// so that the square of some ten thousand pictures is done in a second.
func nearBefore(prints []Print) []nearest {
	out, hashes := make([]nearest, len(prints)), make([]uint64, len(prints))
	for i, p := range prints {
		if out[i] = (nearest{-1, -1}); p.Look != nil {
			hashes[i] = p.Look.Hash
		}
	}
	workers := max(runtime.GOMAXPROCS(0), 1)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for j := w; j < len(prints); j += workers {
				if prints[j].Look != nil {
					out[j] = nearTo(prints, hashes, j)
				}
			}
		})
	}
	wg.Wait()
	return out
}

func nearTo(prints []Print, hashes []uint64, j int) nearest {
	n, p := nearest{-1, -1}, &prints[j]
	for i, h := range hashes[:j] {
		if bits.OnesCount64(h^hashes[j]) > imageproc.NearBits {
			continue
		}
		q := &prints[i]
		if q.Look == nil || q.Bytes == p.Bytes || !q.Look.Near(p.Look) {
			continue
		}
		switch {
		case q.Split == p.Split && n.own < 0:
			n.own = i
		case q.Split != p.Split && n.other < 0:
			n.other = i
		}
		if n.own >= 0 && n.other >= 0 {
			break
		}
	}
	return n
}
