package scenes

import (
	"reflect"
	"strings"
	"sync"
	"testing"

	"fovea/annotation"
	"fovea/dataset"
	"fovea/imageproc"
)

var _ dataset.Source = (*Source)(nil)

// sample draws n pictures of a seed.
func sample(t testing.TB, cfg Config) []*dataset.Example {
	t.Helper()
	s := New(cfg)
	out := make([]*dataset.Example, cfg.N)
	for i := range out {
		ex, err := s.At(i, nil)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = ex
	}
	return out
}

func TestSamePictureFromSeedAndIndex(t *testing.T) {
	cfg := Config{Seed: 7, N: 24}
	want := sample(t, cfg)
	s := New(cfg)
	var wg sync.WaitGroup
	for w := range 3 { // backwards, by several goroutines that reuse each other's buffers
		wg.Go(func() {
			for i := cfg.N - 1 - w; i >= 0; i -= 3 {
				got, err := s.At(i, nil)
				if err != nil {
					t.Error(err)
				} else if !reflect.DeepEqual(got, want[i]) {
					t.Errorf("picture %d differs when drawn again", i)
				}
			}
		})
	}
	wg.Wait()
	other := sample(t, Config{Seed: 8, N: 2})
	for i := range other {
		if reflect.DeepEqual(other[i].Image, want[i].Image) {
			t.Errorf("picture %d is the same under another seed", i)
		}
	}
	if reflect.DeepEqual(want[0].Image, want[1].Image) {
		t.Error("pictures 0 and 1 are the same")
	}
}

func TestIndexOutOfRange(t *testing.T) {
	s := New(Config{N: 2})
	for _, i := range []int{-1, 2} {
		if _, err := s.At(i, nil); err == nil {
			t.Errorf("At(%d) of 2 gave no error", i)
		}
	}
}

// photo is a noisy test background.
func photo(w, h int) *imageproc.RGB {
	m := imageproc.NewRGB(w, h)
	for i := range m.Pix {
		m.Pix[i] = uint8(i * 2654435761 >> 7)
	}
	return m
}

func TestObjects(t *testing.T) {
	photos := []*imageproc.RGB{photo(640, 480), photo(50, 70), photo(1, 1), nil}
	for _, cfg := range []Config{{Seed: 1, N: 150}, {Seed: 2, N: 40, Size: 64}, {Seed: 3, N: 8, Size: 257}, {Seed: 4, N: 60, Backgrounds: photos}} {
		size := max(cfg.Size, 0)
		if size == 0 {
			size = 128
		}
		for _, ex := range sample(t, cfg) {
			if ex.Image.W != size || ex.Image.H != size || ex.W != size || ex.H != size || len(ex.Image.Pix) != 3*size*size {
				t.Fatalf("%s: picture of %d × %d, want side %d", ex.ID, ex.W, ex.H, size)
			}
			if n := len(ex.Objects); n < 1 || n > 6 {
				t.Errorf("%s: %d objects", ex.ID, n)
			}
			checkObjects(t, ex)
			one := len(ex.Objects) == 1
			if one != (ex.Labels&dataset.HasClass != 0) || one && ex.Class != ex.Objects[0].Label || !one && ex.Class != "" {
				t.Errorf("%s: class %q with %d objects", ex.ID, ex.Class, len(ex.Objects))
			}
		}
	}
}

func checkObjects(t *testing.T, ex *dataset.Example) {
	owner := make([]int, ex.W*ex.H)
	scale := float64(ex.W*ex.H) / (128 * 128)
	people := 0
	for k, o := range ex.Objects {
		if o.Mask.W != ex.W || o.Mask.H != ex.H || o.Mask.Bounds() != o.Box || float64(o.Mask.Area()) != o.Area {
			t.Errorf("%s: object %d: box %v, area %v; its mask has %v, %d", ex.ID, k, o.Box, o.Area, o.Mask.Bounds(), o.Mask.Area())
		}
		if o.Area < 30*scale {
			t.Errorf("%s: object %d shows only %v pixels", ex.ID, k, o.Area)
		}
		for i, v := range o.Mask.Pix {
			if v != 0 && owner[i] != 0 {
				t.Fatalf("%s: pixel %d belongs to objects %d and %d", ex.ID, i, owner[i]-1, k)
			} else if v != 0 {
				owner[i] = k + 1
			}
		}
	}
	for k, o := range ex.Objects {
		if (o.Label == Person) != (o.Joints != nil) {
			t.Errorf("%s: %s with %d joints", ex.ID, o.Label, len(o.Joints))
		}
		if o.Joints == nil {
			continue
		}
		people++
		if o.Skeleton != annotation.COCO17 || len(o.Joints) != 17 {
			t.Fatalf("%s: skeleton %v with %d joints", ex.ID, o.Skeleton, len(o.Joints))
		}
		for i, j := range o.Joints {
			inside := j.X >= 0 && j.Y >= 0 && j.X < float64(ex.W) && j.Y < float64(ex.H)
			if j.V == annotation.Absent {
				if j != (annotation.Joint{}) {
					t.Errorf("%s: absent joint %d has a place: %v", ex.ID, i, j)
				}
				continue
			}
			if !inside {
				t.Errorf("%s: joint %d at %v, %v is outside but not absent", ex.ID, i, j.X, j.Y)
			} else if own := owner[int(j.Y)*ex.W+int(j.X)]; j.V == annotation.Visible && own != k+1 && own != 0 {
				t.Errorf("%s: joint %d of object %d is visible through object %d", ex.ID, i, k, own-1)
			}
		}
	}
	if people > 3 {
		t.Errorf("%s: %d people", ex.ID, people)
	}
}

// TestShares keeps what a training run relies on: enough people, all classes and colours, joints of all three kinds.
func TestShares(t *testing.T) {
	const n = 600
	class, color, joints := map[string]int{}, map[string]int{}, map[annotation.Visibility]int{}
	people, single := 0, 0
	for _, ex := range sample(t, Config{Seed: 5, N: n}) {
		has := false
		for _, o := range ex.Objects {
			class[o.Label]++
			color[o.Color]++
			has = has || o.Label == Person
			for _, j := range o.Joints {
				joints[j.V]++
			}
		}
		if has {
			people++
		}
		if len(ex.Objects) == 1 {
			single++
		}
	}
	if people < n/2 || people > n*9/10 {
		t.Errorf("%d of %d pictures hold people", people, n)
	}
	if single < n/7 || single > n*2/5 {
		t.Errorf("%d of %d pictures hold one object", single, n)
	}
	for _, c := range Shapes {
		if class[c] < n/14 {
			t.Errorf("only %d of %s", class[c], c)
		}
	}
	for _, c := range Colors {
		if color[c] < n/6 {
			t.Errorf("only %d objects are %s", color[c], c)
		}
	}
	total := float64(joints[0] + joints[1] + joints[2])
	for v, least := range map[annotation.Visibility]float64{annotation.Absent: .01, annotation.Occluded: .08, annotation.Visible: .6} {
		if share := float64(joints[v]) / total; share < least {
			t.Errorf("%.3f of the joints have visibility %d, want at least %.2f", share, v, least)
		}
	}
}

func TestWords(t *testing.T) {
	known := map[string]bool{}
	for i, w := range Words() {
		if w == "" || known[w] || w != strings.ToLower(w) || i > 0 && Words()[i-1] >= w {
			t.Errorf("word %q is empty, repeated, out of order or not in lower case", w)
		}
		known[w] = true
	}
	check := func(id, text string) {
		for _, w := range strings.Split(text, " ") {
			if !known[w] {
				t.Errorf("%s: %q has %q, which Words does not list", id, text, w)
			}
		}
	}
	used := map[string]bool{}
	for _, ex := range sample(t, Config{Seed: 6, N: 400, Lessons: 1, Backgrounds: []*imageproc.RGB{photo(300, 200)}}) {
		texts := append([]string{ex.Class}, ex.Captions...)
		for _, q := range ex.Questions {
			texts = append(texts, q.Text, q.Answers[0])
		}
		for _, o := range ex.Objects {
			texts = append(texts, o.Label, o.Color)
		}
		for _, s := range texts {
			if s != "" {
				check(ex.ID, s)
			}
			for _, w := range strings.Fields(s) {
				used[w] = true
			}
		}
	}
	for w := range known {
		if !used[w] {
			t.Errorf("%q is listed but does not occur in 400 pictures", w)
		}
	}
}

func TestCaptions(t *testing.T) {
	for _, ex := range sample(t, Config{Seed: 9, N: 200}) {
		if n := len(ex.Captions); n < 1 || n > 2 {
			t.Errorf("%s: %d captions", ex.ID, n)
		}
		for _, c := range ex.Captions {
			if n := len(strings.Fields(c)); n > 24 || c != strings.Join(strings.Fields(c), " ") {
				t.Errorf("%s: caption of %d words: %q", ex.ID, n, c)
			}
		}
		for _, o := range ex.Objects { // every class is named
			c := ex.Captions[0]
			if !strings.Contains(c, o.Label) && !(o.Label == Person && strings.Contains(c, "people")) {
				t.Errorf("%s: %q does not name the %s", ex.ID, c, o.Label)
			}
		}
		if len(ex.Captions) == 2 && !spatialHolds(ex, ex.Captions[1]) {
			t.Errorf("%s: %q does not hold", ex.ID, ex.Captions[1])
		}
	}
}

func BenchmarkScenes(b *testing.B) {
	for _, bench := range []struct {
		name string
		cfg  Config
	}{{"plain", Config{N: 1 << 30}}, {"photos", Config{N: 1 << 30, Backgrounds: []*imageproc.RGB{photo(640, 480)}}}} {
		b.Run(bench.name, func(b *testing.B) {
			s := New(bench.cfg)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, err := s.At(i, nil); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "pictures/s")
		})
	}
}
