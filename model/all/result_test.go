package all

import (
	"math"
	"testing"

	"fovea/model"
)

// view encodes the fixture's first picture.
func (x *fixture) view(t *testing.T, net model.Network) model.View {
	t.Helper()
	run := net.NewRunner(1)
	t.Cleanup(run.Close)
	v, err := run.Encode(x.pictures[0])
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// near reports that two probabilities or coordinates agree.
func near(a, b, tol float64) bool { return math.Abs(a-b) <= tol }

// TestParityClasses names the fixtures' picture as the reference does.
func TestParityClasses(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		var want struct {
			Top []struct {
				Label string
				Score float64
			}
		}
		if !x.want(t, "result", &want) || want.Top == nil {
			t.Skip("the fixture names nothing")
		}
		v := x.view(t, x.load(t))
		got := v.Classify(nil)
		sum := 0.
		for _, c := range got {
			sum += c.Score
		}
		for i, w := range want.Top {
			if got[i].Label != w.Label || !near(got[i].Score, w.Score, 1e-5) {
				t.Errorf("place %d: %v, want %v", i, got[i], w)
			}
		}
		if !near(sum, 1, 1e-5) {
			t.Errorf("probabilities sum to %g", sum)
		}
		two := v.Classify([]string{want.Top[1].Label, "no such class", want.Top[0].Label})
		if len(two) != 2 || two[0].Label != want.Top[0].Label || !near(two[0].Score/two[1].Score, want.Top[0].Score/want.Top[1].Score, 1e-3) {
			t.Errorf("among two classes: %v", two)
		}
	})
}
