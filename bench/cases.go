package main

import (
	"fmt"
	"path/filepath"
)

// work is one thing that all engines do. Items are keys of the workers.
type work struct {
	Name  string
	Items []string
	Unit  map[string]string // what an item is, for the table

	fovea   []string // arguments of the program
	variant []string // more of them, each an engine of its own: "name=arguments"
	script  string   // of the peers
	peers   []string // their engines
	prepare bool     // the script writes what all engines read
	fixed   bool     // the program makes its weights itself
	apart   bool     // memory holds one engine at a time
}

// file is what the peers' script prepares for everyone.
func (w *work) file(dir string) string {
	return filepath.Join(dir, w.Name+map[string]string{"image": ".npz", "forward": ".safetensors"}[w.script]) // a folder of a family
}

var works = []work{
	{Name: "jpeg", Items: []string{"decode+resize", "decode", "resize"}, script: "image", prepare: true,
		Unit:  map[string]string{"decode+resize": "50 JPEGs of 640×480, decoded and resized to 224×224", "decode": "decoding alone", "resize": "resizing alone"},
		fovea: []string{"bench", "image", "--worker"}, peers: []string{"pillow", "opencv", "opencv-area"}},
	forward("vit_b16", "ViT-B/16", "1", "8"),
	forward("vit_tiny", "ViT of width 192", "1", "16"),
	forward("vit_small320", "width 256, 8 blocks, 320 tokens", "1", "8"),
	step("joint", "joint model, width 192, batch 8"),
	step("vit384", "ViT of width 384, 400 tokens, batch 4"),
	step("cct", "CCT-2/3×2, 32 pixels, batch 128"),
	decoder("lm256m", "language model of SmolVLM-256M", "pp512", "tg64"),
	decoder("lm1700m", "language model of 1.7 billion weights", "pp512", "tg64"),
	family("vit", "ViT-B/16", "image"),
	family("yolos_tiny", "YOLOS-tiny", "image"),
	family("yolos_small", "YOLOS-small", "image"),
	family("vitpose", "ViTPose-B", "image"),
	family("smolvlm", "SmolVLM-256M", "image", "pp128", "tg64"),
	family("florence2", "Florence-2-base", "image", "answer32"),
	large(family("qwen2_5_vl", "Qwen2.5-VL-3B", "image", "pp128", "tg16")),
}

// family is a published model with random weights of its true size, one picture at a time.
func family(name, what string, items ...string) work {
	w := work{Name: name, Items: items, Unit: map[string]string{}, script: "family", prepare: true,
		fovea: []string{"bench", "forward", "--worker"}, variant: []string{"bf16=--precision bf16", "int8=--precision int8"}, peers: []string{"torch", "torch-bf16"}}
	for _, i := range items {
		kind := map[string]string{"im": "a picture of 640×480", "pp": "reading a prompt", "tg": "writing", "an": "a picture and an answer of 32 tokens, 3 beams"}[i[:2]]
		w.Unit[i] = fmt.Sprintf("%s: %s, %s", what, kind, i)
	}
	return w
}

// large is a family of 16-bit weights that memory has no place for in several formats, or engines, at once.
func large(w work) work {
	w.fovea, w.variant, w.apart = append(w.fovea, "--precision", "bf16"), []string{"int8=--precision int8"}, true
	return w
}

func forward(name, what string, batches ...string) work {
	w := work{Name: name, Items: batches, Unit: map[string]string{}, script: "forward", prepare: true,
		fovea: []string{"bench", "forward", "--worker", "--case", name}, variant: []string{"bf16=--precision bf16", "int8=--precision int8"},
		peers: []string{"torch", "torch-bf16", "onnxruntime", "onnxruntime-int8", "openvino", "openvino-bf16"}}
	for _, b := range batches {
		w.Unit[b] = fmt.Sprintf("%s, batch %s", what, b)
	}
	return w
}

// decoder is a language model of random weights, in each format beside the other programs' of as many bits.
func decoder(name, what string, items ...string) work {
	w := work{Name: name, Items: items, Unit: map[string]string{}, script: "decode", prepare: true, fixed: true,
		fovea: []string{"bench", "decode", "--worker", "--case", name, "--precision", "bf16"}, variant: []string{"int8=--precision int8", "int4=--precision int4"},
		peers: []string{"torch-bf16", "llama.cpp-bf16", "llama.cpp-int8", "llama.cpp-int4"}}
	for _, i := range items {
		w.Unit[i] = fmt.Sprintf("%s: %s, %s", what, map[string]string{"pp": "reading a prompt", "tg": "writing"}[i[:2]], i)
	}
	return w
}

func step(name, what string) work {
	return work{Name: name, Items: []string{name}, Unit: map[string]string{name: "training step: " + what}, script: "train",
		fovea: []string{"bench", "train", "--worker", "--case", name}, variant: []string{"bf16=--precision bf16"}, peers: []string{"torch", "torch-bf16", "torch-compile", "torch-compile-bf16"}}
}
