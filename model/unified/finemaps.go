package unified

// fineMaps are the stride-4 maps of a batch. They are made when the first part of the loss reads them: pictures that are only named,
// asked about or matched with captions need none, and their forward and backward passes were a seventh of such a step.
type fineMaps struct {
	m                 *Model
	h                 Hidden
	pyramid, features *Value
}

// cells are what the pixels' classes are read from.
func (f *fineMaps) cells() *Value {
	if f.pyramid == nil {
		f.pyramid = f.m.pyramid(f.h.Tokens, f.h.S4)
	}
	return f.pyramid
}

// vectors are what masks and joints are retrieved from.
func (f *fineMaps) vectors() *Value {
	if f.features == nil {
		f.features = f.m.Readout.Out.Forward(f.cells())
	}
	return f.features
}
