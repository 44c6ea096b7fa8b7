//go:build !amd64 || noasm

package kernel

// MultiplyAdds returns 0: the most that a core can do is not known here.
func MultiplyAdds(_, _ int) float64 { return 0 }
