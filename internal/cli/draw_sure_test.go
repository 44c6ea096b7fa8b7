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
	if !bytes.Equal(nothing, drawn(fovea.Class{Label: "ball", Score: .29})) {
		t.Error("a guess is drawn")
	}
	if bytes.Equal(nothing, drawn(fovea.Class{Label: "ball", Score: .3})) {
		t.Error("what is likely is not drawn")
	}
}

// TestSureWords: a description whose words are likely on average is told with the other answers, a guess only by itself.
func TestSureWords(t *testing.T) {
	const text = "a cat on a mat"
	img := imageproc.NewRGB(256, 48)
	drawn := func(score float64, classes []fovea.Class) int {
		return render(&item{img: img, res: &fovea.Result{Width: 256, Height: 48, Caption: &fovea.Caption{Text: text, Score: score}, Classes: classes}}).H
	}
	cat := []fovea.Class{{Label: "cat", Score: .1}}
	if sure, guess, alone := drawn(.9, cat), drawn(.001, cat), drawn(.001, nil); guess >= sure || alone != sure {
		t.Errorf("heights %d, %d and %d with a likely description, a guess, and a guess by itself", sure, guess, alone)
	}
}
