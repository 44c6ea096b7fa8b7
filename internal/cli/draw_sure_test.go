package cli

import (
	"bytes"
	"testing"

	"fovea"
	"fovea/imageproc"
)

// TestSureClass: the drawing says what the whole picture shows when that is likely, and leaves a guess out.
func TestSureClass(t *testing.T) {
	img := imageproc.NewRGB(64, 48)
	drawn := func(classes ...fovea.Class) []byte {
		return render(&item{img: img, res: &fovea.Result{Width: 64, Height: 48, Classes: classes}}).Pix
	}
	nothing := drawn()
	if !bytes.Equal(nothing, drawn(fovea.Class{Label: "ball", Score: sureClass - .01})) {
		t.Error("a guess is drawn")
	}
	if bytes.Equal(nothing, drawn(fovea.Class{Label: "ball", Score: sureClass})) {
		t.Error("what is likely is not drawn")
	}
}
