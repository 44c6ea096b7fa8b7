package augment

import (
	"errors"
	"fmt"
)

// Config is the `augment` section of a training configuration. Its zero value only letterboxes.
//
//	augment: {flip: 0.5, scale: [0.5, 2], color: 0.4}
type Config struct {
	Flip       float64    `yaml:"flip" json:"flip"`               // probability of mirroring left and right
	Scale      [2]float64 `yaml:"scale" json:"scale"`             // range of sizes relative to the largest that fits; above 1 crops
	Aspect     float64    `yaml:"aspect" json:"aspect"`           // width : height changes by a factor of up to 1 + aspect
	Rotate     float64    `yaml:"rotate" json:"rotate"`           // degrees, at most
	Translate  float64    `yaml:"translate" json:"translate"`     // 0: centred, 1: anywhere
	Shift      int        `yaml:"shift" json:"shift,omitempty"`   // whole pixels of the square that it moves besides, at most; 0
	MinVisible float64    `yaml:"min_visible" json:"min_visible"` // objects of which less is in view are dropped; default 0.3

	Color float64 `yaml:"color" json:"color"` // strength of the change of brightness, contrast, saturation and hue
	Grey  float64 `yaml:"grey" json:"grey"`   // probability of a black and white picture
	Noise float64 `yaml:"noise" json:"noise"` // standard deviation at most, 0 … 255
	Blur  float64 `yaml:"blur" json:"blur"`   // probability of a slight blur
	JPEG  float64 `yaml:"jpeg" json:"jpeg"`   // probability of compression artefacts

	RandAugment float64 `yaml:"randaugment" json:"randaugment"` // strength of two random operations, 0 … 10
	Erase       float64 `yaml:"erase" json:"erase"`             // probability of covering a rectangle; never with texts

	Words float64 `yaml:"words" json:"words,omitempty"`                   // share of the words that a caption loses before it is matched with pictures
	Asked float64 `yaml:"question_words" json:"question_words,omitempty"` // share of the words that a question loses before it is asked

	// Probabilities of joining a picture with others of its data set. Mosaics and pasted objects need pictures without a
	// class and texts; mixing needs pictures that have a class only.
	Mosaic    float64 `yaml:"mosaic" json:"mosaic"`
	CopyPaste float64 `yaml:"copy_paste" json:"copy_paste"`
	MixUp     float64 `yaml:"mixup" json:"mixup"`
	CutMix    float64 `yaml:"cutmix" json:"cutmix"`
}

// Default is what a training run uses unless told otherwise.
func Default() Config {
	return Config{Flip: .5, Scale: [2]float64{.7, 1.8}, Aspect: .1, Translate: 1, Color: .4, Grey: .05, Noise: 8, Blur: .1}
}

// Check names every value that is out of range.
func (c Config) Check() error {
	var errs []error
	within := func(key string, v, lo, hi float64, what string) {
		if !(v >= lo && v <= hi) {
			errs = append(errs, fmt.Errorf("augment: %s is %g, want %s", key, v, what))
		}
	}
	for _, p := range []struct {
		key string
		v   float64
	}{{"flip", c.Flip}, {"grey", c.Grey}, {"blur", c.Blur}, {"jpeg", c.JPEG}, {"erase", c.Erase}, {"words", c.Words}, {"question_words", c.Asked}, {"mosaic", c.Mosaic},
		{"copy_paste", c.CopyPaste}, {"mixup", c.MixUp}, {"cutmix", c.CutMix}} {
		within(p.key, p.v, 0, 1, "a probability in [0, 1]")
	}
	if s := c.Scale; s != [2]float64{} && !(s[0] >= .05 && s[0] <= s[1] && s[1] <= 20) {
		errs = append(errs, fmt.Errorf("augment: scale is [%g, %g], want the smallest and the largest size, such as [0.5, 2], within [0.05, 20]", s[0], s[1]))
	}
	within("aspect", c.Aspect, 0, 4, "a number in [0, 4]: width to height changes by a factor of up to 1 + aspect")
	within("rotate", c.Rotate, 0, 180, "degrees in [0, 180]")
	within("translate", c.Translate, 0, 1, "a share in [0, 1]")
	within("shift", float64(c.Shift), 0, 64, "pixels in [0, 64]")
	within("min_visible", c.MinVisible, 0, 1, "a share in [0, 1]")
	within("color", c.Color, 0, 1, "a strength in [0, 1]")
	within("noise", c.Noise, 0, 255, "a standard deviation in [0, 255]")
	within("randaugment", c.RandAugment, 0, 10, "a strength in [0, 10]")
	if c.MixUp <= 1 && c.CutMix <= 1 && c.MixUp+c.CutMix > 1 {
		errs = append(errs, fmt.Errorf("augment: mixup is %g and cutmix is %g, want a sum of at most 1: a picture is mixed in one way", c.MixUp, c.CutMix))
	}
	return errors.Join(errs...)
}
