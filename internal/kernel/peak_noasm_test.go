//go:build !amd64 || noasm

package kernel

func withoutPairs() (restore func()) { return func() {} }

func withoutQuads() (restore func()) { return func() {} }
