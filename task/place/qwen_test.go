package place

import (
	"testing"

	"fovea/annotation"
)

func TestQwen(t *testing.T) {
	cat := annotation.Box{X0: 20, Y0: 60, X1: 60, Y1: 120}
	for text, want := range map[string]int{
		"```json\n[\n\t{\"bbox_2d\": [10, 20, 30, 40], \"label\": \"cat\"}\n]\n```":         1,
		`[{"bbox_2d":[30,40,10,20],"label":"cat"},{"bbox_2d":[10,20,30,40],"label":"cat"}]`: 2,
		`[{"bbox_2d":[10,20,30,40],"label":"cat"},{"bbox_2d":[1,2`:                          1,
		`{"bbox_2d":[10,20,30],"label":"cat"}`:                                              0,
		`{"bbox_2d":[10,20,10,40],"label":"cat"}`:                                           0,
		`{"point_2d":[10,20],"label":"cat"}`:                                                0,
		`{"bbox_2d":"x","label":"cat"}`:                                                     0,
		"There is none.":                                                                    0,
	} {
		got := Qwen(text, .5, 2, 3, 1000, 1000)
		if len(got) != want {
			t.Errorf("%s: %v, want %d", text, got, want)
		}
		for _, o := range got {
			if o.Label != "cat" || o.Box != cat || o.Score != .5 {
				t.Errorf("%s: %v", text, o)
			}
		}
	}
}

func TestQwenPoints(t *testing.T) {
	for text, want := range map[string]int{
		"```json\n[\n\t{\"point_2d\": [10, 20], \"label\": \"cat\"}\n]\n```":                                              1,
		`{"point_2d": [10, 20], "label": "cat"}{"point_2d": [10, 20], "label": "cat", "role": "keeper"}, {"point_2d": [1`: 2,
		`{"point_2d": [10, 20, 30], "label": "cat"}`:                                                                      0,
		`{"point_2d": [10, 2000], "label": "cat"}`:                                                                        0,
		`{"point_2d": [-1, 20], "label": "cat"}`:                                                                          0,
		`{"point_2d": [10, 20]}`:                                                                                          0,
		`{"bbox_2d": [10, 20, 30, 40], "label": "cat"}`:                                                                   0,
		`{"point_2d": [1e400, 20], "label": "cat"}`:                                                                       0,
		"There is none.": 0,
	} {
		got := QwenPoints(text, .5, 2, 3, 1000, 1000)
		if len(got) != want {
			t.Errorf("%s: %v, want %d", text, got, want)
		}
		for _, s := range got {
			if s.Label != "cat" || s.Score != .5 || s.Box != (annotation.Box{X0: 20, Y0: 60, X1: 20, Y1: 60}) {
				t.Errorf("%s: %v", text, s)
			}
		}
	}
}

// FuzzQwen: whatever a model writes, places are within the picture.
func FuzzQwen(f *testing.F) {
	f.Add(`[{"bbox_2d":[10,20,30,40],"label":"cat"},{"point_2d":[1,2],"label":"a"}]`, 1000, 1000)
	f.Add(`{"bbox_2d":[1e308,-1e308,1e308,0],"label":"cat"}{`, 7, 3)
	f.Fuzz(func(t *testing.T, text string, w, h int) {
		w, h = 1+int(uint16(w)), 1+int(uint16(h))
		for _, r := range append(Qwen(text, .5, 2, 3, w, h), QwenPoints(text, .5, 2, 3, w, h)...) {
			if b := r.Box; r.Label == "" || !b.Finite() || b.X0 < 0 || b.Y0 < 0 || b.X1 > float64(w) || b.Y1 > float64(h) {
				t.Fatalf("%+v leaves a picture of %d × %d pixels", r, w, h)
			}
		}
	})
}
