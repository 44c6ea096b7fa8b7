package imageproc

import (
	"testing"

	"fovea/internal/cpu"
)

func BenchmarkJPEG(b *testing.B) {
	data := encoded(b, 640, 480)["jpeg"]
	img, _, err := DecodeBytes(data, Limits{})
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range cpu.Impls("pixel") {
		b.Run("decode/"+name, func(b *testing.B) {
			defer cpu.Select("pixel", name)()
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = DecodeBytes(data, Limits{})
			}
		})
		b.Run("resize/"+name, func(b *testing.B) {
			defer cpu.Select("pixel", name)()
			b.ReportAllocs()
			for b.Loop() {
				Resize(img, 224, 224, Bicubic)
			}
		})
	}
}
