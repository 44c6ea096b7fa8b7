package nn

import "testing"

// TestWindows: every row is in one window, and comes back to its place.
func TestWindows(t *testing.T) {
	into, back, n := windows(2, 5, 5, 3)
	if n != 2*4 || len(into) != 2*4*9 || len(back) != 50 {
		t.Fatalf("%d rows in windows, %d back", len(into), len(back))
	}
	for i, r := range back {
		if at := into[r.Row]; at.Table != 0 || int(at.Row) != i {
			t.Errorf("row %d comes back as %v", i, at)
		}
	}
	if into[0].Row != 0 || into[3].Row != 5 || into[9].Row != 3 || into[11].Table != 1 {
		t.Error("windows do not go row by row")
	}
}
