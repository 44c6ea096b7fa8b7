//go:build !amd64 || noasm

package kernel

func withoutPairs() (restore func()) { return func() {} }

func withoutTiles() (restore func(), ok bool) { return func() {}, false }

func withoutQuads() (restore func()) { return func() {} }
