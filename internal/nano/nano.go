// Package nano carries the shipped model inside the program: configuration, vocabulary and weights.
package nano

import (
	"embed"
	"io/fs"
)

//go:embed config.json tokenizer.json model.safetensors
var files embed.FS

// FS holds config.json, tokenizer.json and model.safetensors.
func FS() fs.FS { return files }
