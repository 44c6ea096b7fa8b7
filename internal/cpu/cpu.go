// Package cpu says which instruction sets the assembly of this program may use, and lets a test or a benchmark pick one.
//
// A package with assembly keeps one boolean per implementation ("avx2", "avx512") that its dispatch reads, sets it from
// this package's AVX2 and AVX512 in an init function, and registers its address. "generic" is portable Go, is always
// there and needs no registration: it runs when no other implementation is enabled. The idea is that of Go's own
// crypto/internal/impl.
//
// With the build tag noasm, and on every processor other than amd64, AVX2 and AVX512 report false. On arm64 there is nothing to ask
// for: NEON ("neon") belongs to the architecture.
package cpu

import "fmt"

// Generic is the name of the portable implementation that every package has.
const Generic = "generic"

type impl struct {
	pkg, name string
	available bool
	on        *bool
}

// impls is written by init functions alone, in the order in which they run; Select changes only what on points to.
var impls []impl

// Register records that *on enables the implementation name of package pkg. The value of *on at this moment says
// whether the machine can run it. Call it from an init function, the simplest instruction set first.
func Register(pkg, name string, on *bool) {
	impls = append(impls, impl{pkg, name, *on, on})
}

// Impls lists the implementations of pkg that this machine can run: Generic first, then in the order of registration.
func Impls(pkg string) []string {
	out := []string{Generic}
	for _, i := range impls {
		if i.pkg == pkg && i.available {
			out = append(out, i.name)
		}
	}
	return out
}

// Active returns the name of the implementation of pkg that runs now: the last enabled one, else Generic.
func Active(pkg string) string {
	name := Generic
	for _, i := range impls {
		if i.pkg == pkg && *i.on {
			name = i.name
		}
	}
	return name
}

// Select leaves only the named implementation of pkg enabled and returns a function that puts back what was. It is for
// tests and benchmarks: it must not run while another goroutine uses pkg. It panics when the machine lacks name, so that
// a test never measures another implementation than it says.
func Select(pkg, name string) (restore func()) {
	known := name == Generic
	for _, i := range impls {
		known = known || i.pkg == pkg && i.name == name && i.available
	}
	if !known {
		panic(fmt.Sprintf("cpu: %s has no implementation %q on this machine; it has %q", pkg, name, Impls(pkg)))
	}
	var undo []func()
	for _, i := range impls {
		if i.pkg != pkg {
			continue
		}
		on, was := i.on, *i.on
		undo = append(undo, func() { *on = was })
		*on = i.name == name
	}
	return func() {
		for _, f := range undo {
			f()
		}
	}
}
