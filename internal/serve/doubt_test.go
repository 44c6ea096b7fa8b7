package serve

import (
	"encoding/json"
	"testing"

	"fovea"
)

// A result says what should not be told as a fact, and nothing else.
func TestDoubt(t *testing.T) {
	for want, r := range map[string]*fovea.Result{
		`{"caption":"guess","classes":"perhaps"}`: {Classes: []fovea.Class{{Label: "ball", Score: .2}}, Caption: &fovea.Caption{Text: "a ring", Score: .01}},
		`{"classes":"guess"}`:                     {Classes: []fovea.Class{{Label: "ball", Score: .05}}, Caption: &fovea.Caption{Text: "a ring", Score: .9}},
		"":                                        {Objects: []fovea.Object{}},
	} {
		b, err := json.Marshal(told{r})
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Model string
			Doubt json.RawMessage
		}
		if err := json.Unmarshal(b, &got); err != nil || string(got.Doubt) != want {
			t.Errorf("%s, %v: want %s", b, err, want)
		}
	}
}
