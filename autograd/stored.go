package autograd

// Stored is a tensor where a file holds it, in the file's number format. What it gives stays valid for as long as Owner is
// reachable, and is not to be changed.
type Stored interface {
	Float32(dst []float32) error            // all elements
	Rows(dst []float32, from, to int) error // those of rows [from, to) of the first axis
	BF16() []uint16                         // all elements as bfloat16 without a copy; nil: they are no such, or lie unaligned
	F16() []uint16                          // likewise as IEEE 754 binary16
	Owner() any                             // what the memory belongs to
	Done()                                  // the elements are not needed soon: their memory may go back to the file
}
