package augment

import (
	"math"
	"strings"
	"testing"

	"fovea/annotation"
)

func boxOf(x0, y0, x1, y1 float64) annotation.Box {
	return annotation.Box{X0: x0, Y0: y0, X1: x1, Y1: y1}
}

func TestCheckNamesTheValue(t *testing.T) {
	for _, c := range []struct {
		c    Config
		want string
	}{
		{Config{Flip: 1.5}, "flip is 1.5"},
		{Config{Flip: math.NaN()}, "flip is NaN"},
		{Config{Scale: [2]float64{2, 1}}, "scale is [2, 1]"},
		{Config{Scale: [2]float64{0, 1}}, "scale is [0, 1]"},
		{Config{Aspect: -1}, "aspect is -1"},
		{Config{Rotate: 200}, "rotate is 200"},
		{Config{Translate: 2}, "translate is 2"},
		{Config{MinVisible: 2}, "min_visible is 2"},
		{Config{Color: -1}, "color is -1"},
		{Config{Noise: 300}, "noise is 300"},
		{Config{Grey: 2}, "grey is 2"},
		{Config{Blur: 2}, "blur is 2"},
		{Config{JPEG: 2}, "jpeg is 2"},
		{Config{Flip: 2, Color: 3}, "color is 3"},
	} {
		if _, err := New(c.c); err == nil || !strings.Contains(err.Error(), "augment: "+c.want) {
			t.Errorf("%+v: %v, want %q", c.c, err, c.want)
		}
	}
	for _, c := range []Config{{}, Default()} {
		if _, err := New(c); err != nil {
			t.Error(err)
		}
	}
}
