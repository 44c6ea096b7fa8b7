package cli

import (
	"iter"
	"os"

	"fovea"
	"fovea/imageproc"
)

// animation lists every so many frames of a GIF. One that does not move is an ordinary picture.
func animation(name string, every int) iter.Seq[input] {
	return func(yield func(input) bool) {
		if _, err := imageproc.OpenInfo(name, imageproc.Limits{}); err != nil {
			yield(failing(name, fovea.PictureError(err)))
			return
		}
		data, err := os.ReadFile(name)
		if err != nil {
			yield(failing(name, &fovea.Error{Code: imageproc.CodeUnreadable, Err: err}))
			return
		}
		var first *imageproc.RGB // held back until it is known whether it is the only one
		n := 0
		for f, err := range imageproc.DecodeFrames(data, imageproc.Limits{}) {
			if n == 1 && !yield(loaded(name, 0, first)) {
				return
			}
			switch {
			case err != nil:
				yield(failing(name, fovea.PictureError(err)))
				return
			case n == 0:
				first = f.Image
			case n%every == 0 && !yield(loaded(name, n, f.Image)):
				return
			}
			n++
		}
		if n == 1 {
			still := loaded(name, 0, first)
			still.frame = nil
			yield(still)
		}
	}
}
