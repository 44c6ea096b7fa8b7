package imageproc

import (
	"bytes"
	"testing"
)

// TestView: views are the picture and its mirror image, moved by whole pixels about the middle, no two of them alike.
func TestView(t *testing.T) {
	m := NewRGB(32, 48)
	for i := range m.Pix {
		m.Pix[i] = byte(i * 31 / 7)
	}
	at := func(p *RGB, x, y int) [3]byte { return [3]byte(p.Pix[3*(y*p.W+x):]) }
	if m.View(0) != m {
		t.Error("the first view is a copy")
	}
	sum := [2]int{}
	for i := range MaxViews {
		v := m.View(i)
		for j := range i {
			if bytes.Equal(v.Pix, m.View(j).Pix) {
				t.Errorf("views %d and %d are alike", i, j)
			}
		}
		move := [][2]int{{0, 0}, {2, 3}, {-2, -3}, {-2, 3}, {2, -3}}[i/2]
		sum[0], sum[1] = sum[0]+move[0], sum[1]+move[1]
		for y := range 48 {
			for x := range 32 {
				u := x
				if i%2 == 1 {
					u = 31 - x
				}
				if got, want := at(v, u, y), at(m, min(max(x-move[0], 0), 31), min(max(y-move[1], 0), 47)); got != want {
					t.Fatalf("view %d at (%d, %d) is %v, want %v", i, x, y, got, want)
				}
			}
		}
	}
	if sum != [2]int{} {
		t.Errorf("the views lie about %v", sum)
	}
}
