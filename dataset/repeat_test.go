package dataset

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"reflect"
	"testing"

	"fovea/imageproc"
)

// encoded is a JPEG of random patches.
func encoded(t testing.TB, seed uint64, quality int) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	m := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for range 10 {
		x, y, c := rng.IntN(50), rng.IntN(40), color.RGBA{uint8(rng.Uint32()), uint8(rng.Uint32()), uint8(rng.Uint32()), 255}
		for dy := range 24 {
			for dx := range 24 {
				m.Set(x+dx, y+dy, c)
			}
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// prints identifies all pictures of a set's parts.
func prints(t testing.TB, dir string, look bool, splits ...string) []Print {
	t.Helper()
	var out []Print
	for _, s := range splits {
		p, err := Prints(context.Background(), open(t, dir, OpenOptions{Split: s}), PrintOptions{Split: s, Look: look, Workers: 3})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p...)
	}
	return out
}

func TestRepeats(t *testing.T) {
	fs := files{
		"train/cat/a.jpg": encoded(t, 1, 90), "train/cat/b.jpg": encoded(t, 1, 90), "train/cat/c.jpg": encoded(t, 1, 50), "train/dog/d.jpg": encoded(t, 2, 90),
		"train/dog/e.jpg": encoded(t, 3, 90), "val/cat/f.jpg": encoded(t, 2, 90), "val/cat/g.jpg": encoded(t, 3, 50), "val/dog/h.jpg": encoded(t, 4, 90),
		"val/dog/i.jpg": encoded(t, 4, 90), "val/dog/j.jpg": "no picture",
	}
	dir := fs.write(t)
	got := map[string][]string{}
	for _, f := range Repeats(prints(t, dir, true, "train", "val")) {
		if got[f.Kind] = f.Examples; f.Count != len(f.Examples) {
			t.Errorf("%+v", f)
		}
	}
	exact := map[string][]string{
		SameTwice:  {"train/cat/b.jpg = train/cat/a.jpg", "val/dog/i.jpg = val/dog/h.jpg"},
		SameLeak:   {"val/cat/f.jpg = train/dog/d.jpg"},
		OtherClass: {"val/cat/f.jpg (cat) = train/dog/d.jpg (dog)"},
	}
	want := map[string][]string{NearTwice: {"train/cat/c.jpg ≈ train/cat/a.jpg"}, NearLeak: {"val/cat/g.jpg ≈ train/dog/e.jpg"}}
	for k, v := range exact {
		want[k] = v
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	all := prints(t, dir, true, "val")
	if all[4].Err == nil || all[0].Err != nil {
		t.Errorf("%v, %v", all[4].Err, all[0].Err)
	}
	// Without reading the pictures, files only.
	clear(got)
	for _, f := range Repeats(prints(t, dir, false, "train", "val")) {
		got[f.Kind] = f.Examples
	}
	if !reflect.DeepEqual(got, exact) {
		t.Errorf("%q", got)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := Prints(ctx, open(t, dir, OpenOptions{Split: "val"}), PrintOptions{}); err == nil {
		t.Error("an ended context is no error")
	}
}

// BenchmarkRepeats compares ten thousand pictures with each other.
func BenchmarkRepeats(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	prints := make([]Print, 10000)
	for i := range prints {
		f := imageproc.Fingerprint{Hash: rng.Uint64()}
		prints[i] = Print{Look: &f, Bytes: [32]byte{byte(i), byte(i >> 8), 1}}
	}
	for b.Loop() {
		Repeats(prints)
	}
}

func TestWithout(t *testing.T) {
	dir := files{"train/cat/a.jpg": encoded(t, 1, 90), "train/dog/b.jpg": encoded(t, 2, 90), "val/dog/c.jpg": encoded(t, 1, 90), "test/cat/d.jpg": encoded(t, 2, 50)}.write(t)
	part := func(split string) *set { return open(t, dir, OpenOptions{Split: split}) }
	for other, want := range map[string]int{"val": 1, "test": 2} {
		src, err := Without(context.Background(), part("train"), part(other), 2)
		if err != nil || src.Len() != want || at(t, src, want-1).ID != "train/dog/b.jpg" {
			t.Errorf("without %s: %v, %v", other, src, err)
		}
	}
	if src, err := Without(context.Background(), part("train"), part("train"), 2); err == nil {
		t.Errorf("%d pictures are left of a set without itself", src.Len())
	}
}
