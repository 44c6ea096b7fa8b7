package dataset

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// Kinds of faults. What a fault costs stands after it.
const (
	MissingFile     = "missing file"            // the picture is left out
	UnreadableFile  = "unreadable picture"      // found by Check and At
	OutsidePath     = "path outside the set"    // the picture is left out
	BadEntry        = "unreadable entry"        // an element of the wrong type, or without what it needs: left out
	DuplicateID     = "duplicate id"            // the second is left out
	UnknownImage    = "unknown image id"        // the annotation is left out
	UnknownCategory = "unknown category id"     // the annotation is left out
	BoxClipped      = "box outside the picture" // cut to the picture
	BoxEmpty        = "empty box"               // the object is left out
	NotANumber      = "not a number"            // box: the object is left out; joint: taken as absent
	BadMask         = "bad mask"                // polygons or run lengths that draw nothing: the object keeps its box
	BadJoints       = "bad joints"              // wrong number or outside the picture
	EmptyText       = "empty text"              // a caption, question or answer without words: left out
	NoAnswer        = "question without answer" // left out
	NoPictures      = "class without pictures"
	NotAPicture     = "not a picture"   // a file among pictures: ignored
	NoAnnotations   = "no annotations"  // a picture that nothing is said about; it may well be meant so
	BadLabel        = "unknown label"   // label without a name
	SizeMismatch    = "different sizes" // the picture is not as large as its annotation says
)

// exampleLimit is how many examples of a kind of fault a report names.
const exampleLimit = 5

// Fault is what is wrong with a data set in one way.
type Fault struct {
	Kind     string   `json:"kind"`
	Count    int      `json:"count"`
	Examples []string `json:"examples"` // at most five, with names of files and ids
}

// Report says what a data set holds and what is wrong with it. It may be read while a Check writes.
type Report struct {
	mu     sync.Mutex
	faults []Fault // in the order of their first occurrence
	notes  []string
}

// add records one more fault of a kind.
func (r *Report) add(kind, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.faults, func(f Fault) bool { return f.Kind == kind })
	if i < 0 {
		i = len(r.faults)
		r.faults = append(r.faults, Fault{Kind: kind})
	}
	f := &r.faults[i]
	if f.Count++; len(f.Examples) < exampleLimit {
		f.Examples = append(f.Examples, short(fmt.Sprintf(format, args...), 300))
	}
}

// note records something that is no fault but should be known.
func (r *Report) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// Faults lists the kinds of faults.
func (r *Report) Faults() []Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.Clone(r.faults)
	for i := range out {
		out[i].Examples = slices.Clone(out[i].Examples)
	}
	return out
}

// Count is the number of faults of a kind.
func (r *Report) Count(kind string) int {
	for _, f := range r.Faults() {
		if f.Kind == kind {
			return f.Count
		}
	}
	return 0
}

// Notes lists decisions that were taken while reading, for example that a set labels one person a picture.
func (r *Report) Notes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.notes)
}

// WriteTo prints the notes and then a line for each kind of fault and each example; nothing when there are none.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	for _, n := range r.Notes() {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	for _, f := range r.Faults() {
		fmt.Fprintf(&b, "%s: %d\n", f.Kind, f.Count)
		for _, e := range f.Examples {
			fmt.Fprintf(&b, "  %s\n", e)
		}
		if more := f.Count - len(f.Examples); more > 0 {
			fmt.Fprintf(&b, "  and %d more\n", more)
		}
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// short cuts a text that quotes data to n bytes.
func short(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

// Reporter is a source that knows its faults; those that Open returns do.
type Reporter interface{ Report() *Report }

// Check reads every example of a source and adds those that fail to its report, which it returns. progress, which may be
// nil, is told how many are done. Sources without a report get a new one.
func Check(src Source, progress func(done int)) *Report {
	r := &Report{}
	if k, ok := src.(Reporter); ok {
		r = k.Report()
	}
	for i := range src.Len() {
		if _, err := src.At(i, RNG(0, i)); err != nil {
			r.add(UnreadableFile, "%v", err)
		}
		if progress != nil {
			progress(i + 1)
		}
	}
	return r
}
