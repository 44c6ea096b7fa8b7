// Package nano carries the shipped model inside the program: configuration, vocabulary and weights.
package nano

import (
	"embed"
	"io/fs"
	"unsafe"
)

const weightsFile = "model.safetensors"

//go:embed config.json tokenizer.json model.safetensors
var files embed.FS

//go:embed model.safetensors
var weights string // the same bytes: the linker keeps them once

// FS holds config.json, tokenizer.json and model.safetensors. fs.ReadFile of the last gives the program's own bytes rather than
// a copy, so that a start reads what it needs: they must not be changed, and cannot be.
func FS() fs.FS { return model{files} }

type model struct{ embed.FS }

// ReadFile implements fs.ReadFileFS.
func (m model) ReadFile(name string) ([]byte, error) {
	if name == weightsFile {
		return unsafe.Slice(unsafe.StringData(weights), len(weights)), nil
	}
	return m.FS.ReadFile(name)
}
