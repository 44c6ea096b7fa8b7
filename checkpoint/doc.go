// Package checkpoint reads and writes weights: safetensors files, the sharded repositories of the Hugging Face hub, and 8-bit
// and bfloat16 storage of our own models. It binds them to parameters by name, strictly: everything that is missing,
// unexpected or misshapen is reported at once.
//
// Reading trusts nothing. A header is checked completely (sizes, offsets, duplicate keys, tensors that overlap, leave holes
// or reach past the end) before anything in proportion to what it claims is allocated. Files are mapped into memory on Unix,
// so opening a large one is cheap and its pages are shared between processes.
//
// Writing is atomic: a file under its final name is always complete. See AtomicWrite.
//
// Pickle files (.bin, .pt, .pth, .ckpt) are refused: loading one runs whatever program it contains.
package checkpoint
