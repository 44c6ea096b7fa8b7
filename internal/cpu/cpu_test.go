package cpu

import (
	"slices"
	"testing"
)

func TestSelect(t *testing.T) {
	a, b, missing, other := true, true, false, true
	Register("x", "avx2", &a)
	Register("x", "avx512", &b)
	Register("x", "amx", &missing)
	Register("y", "avx2", &other)
	if got, want := Impls("x"), []string{"generic", "avx2", "avx512"}; !slices.Equal(got, want) {
		t.Fatalf("Impls = %q, want %q", got, want)
	}
	if got := Active("x"); got != "avx512" {
		t.Errorf("Active = %q, want the last one registered, avx512", got)
	}
	for _, c := range []struct {
		name   string
		avx2   bool
		avx512 bool
	}{{"generic", false, false}, {"avx2", true, false}, {"avx512", false, true}} {
		restore := Select("x", c.name)
		if a != c.avx2 || b != c.avx512 || missing || !other {
			t.Errorf("Select(%s): avx2=%v avx512=%v amx=%v, other package %v", c.name, a, b, missing, other)
		}
		if got := Active("x"); got != c.name {
			t.Errorf("after Select(%s) Active = %q", c.name, got)
		}
		restore()
		if !a || !b || missing || !other {
			t.Errorf("restore after %s: avx2=%v avx512=%v amx=%v other=%v", c.name, a, b, missing, other)
		}
	}
}

func TestSelectUnavailablePanics(t *testing.T) {
	on := false
	Register("z", "avx512", &on)
	defer func() {
		if recover() == nil {
			t.Error("Select of an implementation that the machine lacks must panic")
		}
		if on {
			t.Error("and must enable nothing")
		}
	}()
	Select("z", "avx512")
}

func TestAVX512ImpliesAVX2(t *testing.T) {
	if AVX512() && !AVX2() {
		t.Error("AVX512 without AVX2")
	}
}
