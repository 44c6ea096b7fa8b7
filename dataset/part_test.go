package dataset

import "testing"

func TestPart(t *testing.T) {
	dir := files{"train/cat/a.png": "1×1", "train/cat/b.png": "1×1", "train/dog/c.png": "1×1", "train/dog/d.png": "1×1"}.write(t)
	s := open(t, dir, OpenOptions{})
	for _, c := range []struct {
		skip, limit, n int
		first          string
	}{{0, 0, 4, "train/cat/a.png"}, {1, 0, 3, "train/cat/b.png"}, {1, 2, 2, "train/cat/b.png"}, {3, 9, 1, "train/dog/d.png"}, {0, 1, 1, "train/cat/a.png"}} {
		p, err := Part(s, c.skip, c.limit)
		if err != nil || p.Len() != c.n || at(t, p, 0).ID != c.first || len(Files(p)) != c.n {
			t.Errorf("%+v: %v, %v", c, p, err)
		}
		if _, err := p.At(c.n, nil); err == nil {
			t.Errorf("%+v: example %d can be read", c, c.n)
		}
	}
	for _, bad := range [][2]int{{4, 0}, {-1, 0}, {0, -1}} {
		if _, err := Part(s, bad[0], bad[1]); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
	if p, err := Part(Cached(s, 1), 0, 2); err != nil || p.Len() != 2 {
		t.Errorf("%v, %v", p, err)
	}
	if _, err := Part(Cached(s, 1), 1, 2); err == nil {
		t.Error("the end of what is no set on disk was taken")
	}
}
