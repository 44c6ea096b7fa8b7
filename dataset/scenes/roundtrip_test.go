package scenes

import (
	"path/filepath"
	"slices"
	"testing"

	"fovea/annotation"
	"fovea/dataset"
)

// TestExportReadsBack opens an exported set with the readers of published sets and compares it with what was drawn.
func TestExportReadsBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "set")
	src := New(Config{Seed: 31, N: 25})
	if err := Export(dir, src, 25, nil); err != nil {
		t.Fatal(err)
	}
	back, err := dataset.Open(dir, dataset.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r := back.(dataset.Reporter).Report(); len(r.Faults()) > 0 || back.Len() != 25 || !slices.Equal(back.Classes(), Classes()) {
		t.Fatalf("%d pictures, classes %q, faults %+v", back.Len(), back.Classes(), r.Faults())
	}
	for i := range 25 {
		want, _ := src.At(i, nil)
		got, err := back.At(i, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Image.Pix, want.Image.Pix) || !slices.Equal(got.Captions, want.Captions) || len(got.Objects) != len(want.Objects) ||
			len(got.Questions) != len(want.Questions) || got.Labels != want.Labels&^dataset.HasClass {
			t.Fatalf("picture %d changed: labels %b, %b", i, got.Labels, want.Labels)
		}
		for k, w := range want.Objects {
			o := got.Objects[k]
			if o.Label != w.Label || o.Box != w.Box || o.Color != w.Color || o.Area != w.Area || !slices.Equal(o.Mask.Pix, w.Mask.Pix) || o.Skeleton != w.Skeleton {
				t.Errorf("picture %d: object %+v, want %+v", i, o, w)
			}
			sameJoints(t, o.Joints, w.Joints)
		}
		for k, w := range want.Questions {
			if q := got.Questions[k]; q.Text != w.Text || q.Answers[0] != w.Answers[0] || len(q.Answers) != 10 || q.Type != w.Type {
				t.Errorf("picture %d: question %+v, want %+v", i, q, w)
			}
		}
	}
}

// sameJoints allows the hundredth of a pixel that files keep. A body of absent joints alone reads as one without joints.
func sameJoints(t *testing.T, got, want []annotation.Joint) {
	t.Helper()
	for i, w := range want {
		if got == nil && w.V == annotation.Absent {
			continue
		}
		if g := got[i]; g.V != w.V || w.X-g.X < 0 || w.X-g.X > .0101 || w.Y-g.Y < 0 || w.Y-g.Y > .0101 {
			t.Errorf("joint %d is %+v, want %+v", i, g, w)
		}
	}
}
