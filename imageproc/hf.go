package imageproc

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// Processor is how a published model wants its pictures: what the preprocessor_config.json of a Hugging Face repository
// says, with the defaults of the class that it names. Apply gives the pixels that the class gives with its Pillow back end.
type Processor struct {
	Class string // "ViT", "CLIP", "Yolos", …: the class without ImageProcessor, FeatureExtractor, Fast

	// At most one of these says how a picture is resized; with neither it keeps its size.
	Height, Width     int // to exactly this, whatever its shape
	Shortest, Longest int // its shorter side to Shortest, its longer side to no more than Longest (0: no bound)
	Multiple          int // both sides are then rounded down to a multiple, 0 or 1: of anything

	CropHeight, CropWidth int     // then the middle is cut out, 0: all of it stays
	Filter                Filter  // of the resizing
	Rescale               float64 // what bytes are multiplied by
	Mean, Std             [3]float32

	Patch, MaxPatches int // Siglip2: as large as so many patches allow, in the picture's shape

	Split bool // Eomt: windows are cut out of the resized picture, which Apply leaves to the caller
}

// maxInput bounds the pixels of a model's input, maxSide its sides.
const (
	maxInput = 1 << 24
	maxSide  = 1 << 13
)

// Means and deviations of the data that published models were trained on.
var (
	halfMean     = [3]float32{.5, .5, .5}
	imagenetMean = [3]float32{.485, .456, .406}
	imagenetStd  = [3]float32{.229, .224, .225}
	clipMean     = [3]float32{.48145466, .4578275, .40821073}
	clipStd      = [3]float32{.26862954, .26130258, .27577711}
)

// processors holds the defaults of the classes.
var processors = map[string]Processor{
	"ViT":      {Height: 224, Width: 224, Mean: halfMean, Std: halfMean},
	"Bit":      {Shortest: 224, CropHeight: 224, CropWidth: 224, Filter: Bicubic, Mean: clipMean, Std: clipStd},
	"CLIP":     {Shortest: 224, CropHeight: 224, CropWidth: 224, Filter: Bicubic, Mean: clipMean, Std: clipStd},
	"Siglip":   {Height: 224, Width: 224, Filter: Bicubic, Mean: halfMean, Std: halfMean},
	"Idefics3": {Filter: Lanczos, Mean: halfMean, Std: halfMean},
	"Siglip2":  {Patch: 16, MaxPatches: 256, Mean: halfMean, Std: halfMean},
	"RTDetr":   {Height: 640, Width: 640, Std: [3]float32{1, 1, 1}},
	"Yolos":    {Shortest: 800, Longest: 1333, Multiple: 16, Mean: imagenetMean, Std: imagenetStd},
	"Owlv2":    {Height: 960, Width: 960, Mean: clipMean, Std: clipStd},
	"Blip":     {Height: 384, Width: 384, Filter: Bicubic, Mean: clipMean, Std: clipStd},
	"Eomt":     {Shortest: 640, Longest: 640, Mean: imagenetMean, Std: imagenetStd},
	"Vilt":     {Shortest: 384, Multiple: 32, Filter: Bicubic, Mean: halfMean, Std: halfMean},
	"VitPose":  {Height: 256, Width: 192, Mean: imagenetMean, Std: imagenetStd},
}

// hfConfig is a preprocessor_config.json.
type hfConfig struct {
	Type        string   `json:"image_processor_type"`
	OldType     string   `json:"feature_extractor_type"`
	DoResize    *bool    `json:"do_resize"`
	DoCrop      *bool    `json:"do_center_crop"`
	DoRescale   *bool    `json:"do_rescale"`
	DoNormalize *bool    `json:"do_normalize"`
	Size        *hfSize  `json:"size"`
	Crop        *hfSize  `json:"crop_size"`
	Resample    *int     `json:"resample"`
	Factor      *float64 `json:"rescale_factor"`
	Mean        hfColour `json:"image_mean"`
	Std         hfColour `json:"image_std"`
	Divisor     *int     `json:"size_divisor"`
	Longest     *int     `json:"max_size"` // beside an older plain size
	Patch       *int     `json:"patch_size"`
	MaxPatches  *int     `json:"max_num_patches"`
	Split       bool     `json:"do_split_image"`
}

// hfSize is a size in any of the published spellings: 224, [256, 192], {"height": …, "width": …}, {"shortest_edge": …}.
type hfSize struct{ Number, Height, Width, Shortest, Longest int }

// UnmarshalJSON implements json.Unmarshaler.
func (s *hfSize) UnmarshalJSON(b []byte) error {
	var n int
	if json.Unmarshal(b, &n) == nil {
		s.Number = n
		return positive(n)
	}
	var pair [2]int
	if json.Unmarshal(b, &pair) == nil {
		s.Height, s.Width = pair[0], pair[1]
		return positive(pair[0], pair[1])
	}
	d := struct {
		Height   int `json:"height"`
		Width    int `json:"width"`
		Shortest int `json:"shortest_edge"`
		Longest  int `json:"longest_edge"`
	}{-1, -1, -1, -1}
	if err := json.Unmarshal(b, &d); err != nil {
		return fmt.Errorf("imageproc: size %.80s is neither a number nor height and width nor shortest_edge", b)
	}
	for _, f := range []struct {
		to   *int
		from int
	}{{&s.Height, d.Height}, {&s.Width, d.Width}, {&s.Shortest, d.Shortest}, {&s.Longest, d.Longest}} {
		if f.from != -1 {
			if err := positive(f.from); err != nil {
				return err
			}
			*f.to = f.from
		}
	}
	if (s.Height > 0) != (s.Width > 0) || (s.Height > 0) == (s.Shortest > 0) {
		return fmt.Errorf("imageproc: size %.80s needs height and width, or shortest_edge", b)
	}
	return nil
}

func positive(ns ...int) error {
	for _, n := range ns {
		if n < 1 || n > maxSide {
			return fmt.Errorf("imageproc: size %d is not within 1 … %d", n, maxSide)
		}
	}
	return nil
}

// hfColour is a number for each channel, or one for all of them.
type hfColour []float32

// UnmarshalJSON implements json.Unmarshaler.
func (c *hfColour) UnmarshalJSON(b []byte) error {
	var v float32
	if json.Unmarshal(b, &v) == nil {
		*c = hfColour{v, v, v}
		return nil
	}
	var list []float32
	if err := json.Unmarshal(b, &list); err != nil || len(list) != 3 && list != nil {
		return fmt.Errorf("imageproc: %.80s is not a number for each of three channels", b)
	}
	*c = list
	return nil
}

// ParseProcessor reads a preprocessor_config.json. class is what it is taken for when it does not say ("CLIP"); a file that
// names a class which is not known here is an error.
func ParseProcessor(data []byte, class string) (*Processor, error) {
	var c hfConfig
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("imageproc: preprocessor_config.json: %w", err)
	}
	for _, name := range []string{c.Type, c.OldType} {
		for _, end := range []string{"Fast", "Pil", "ImageProcessor", "FeatureExtractor"} {
			name = strings.TrimSuffix(name, end)
		}
		if name != "" {
			class = name
			break
		}
	}
	p, ok := processors[class]
	if !ok {
		return nil, fmt.Errorf("imageproc: preprocessor_config.json: the class %q is not supported", class)
	}
	p.Class, p.Rescale, p.Split = class, 1./255, c.Split
	if err := c.apply(&p); err != nil {
		return nil, fmt.Errorf("imageproc: preprocessor_config.json: %w", err)
	}
	return &p, nil
}

// apply puts what the file says over the class's defaults.
func (c *hfConfig) apply(p *Processor) (err error) {
	if s := c.Size; s != nil {
		square := p.Shortest == 0 // what a plain number means to the class
		switch {
		case s.Number == 0:
			p.Height, p.Width, p.Shortest, p.Longest = s.Height, s.Width, s.Shortest, s.Longest
		case square:
			p.Height, p.Width = s.Number, s.Number
		default:
			p.Shortest = s.Number
		}
	}
	if s := c.Crop; s != nil {
		p.CropHeight, p.CropWidth = max(s.Height, s.Number, s.Shortest), max(s.Width, s.Number, s.Shortest)
	}
	if no(c.DoResize) {
		p.Height, p.Width, p.Shortest, p.Longest = 0, 0, 0, 0
	}
	if no(c.DoCrop) {
		p.CropHeight, p.CropWidth = 0, 0
	}
	if c.Resample != nil {
		if p.Filter, err = PILFilter(*c.Resample); err != nil {
			return err
		}
	}
	if c.Factor != nil {
		p.Rescale = *c.Factor
	}
	if no(c.DoRescale) {
		p.Rescale = 1
	}
	if c.Mean != nil {
		p.Mean = [3]float32(c.Mean)
	}
	if c.Std != nil {
		p.Std = [3]float32(c.Std)
	}
	if no(c.DoNormalize) {
		p.Mean, p.Std = [3]float32{}, [3]float32{1, 1, 1}
	}
	for i, s := range p.Std {
		if !(s > 0) || math.IsInf(float64(s), 0) || p.Mean[i]-p.Mean[i] != 0 {
			return fmt.Errorf("image_mean %v and image_std %v are not finite, or not above 0", p.Mean, p.Std)
		}
	}
	for _, f := range []struct{ to, from *int }{{&p.Multiple, c.Divisor}, {&p.Longest, c.Longest}, {&p.Patch, c.Patch}, {&p.MaxPatches, c.MaxPatches}} {
		if f.from != nil {
			if err := positive(*f.from); err != nil {
				return err
			}
			*f.to = *f.from
		}
	}
	if p.Height*p.Width > maxInput || p.CropHeight*p.CropWidth > maxInput || p.MaxPatches*p.Patch*p.Patch > maxInput {
		return fmt.Errorf("inputs of more than %d pixels", maxInput)
	}
	return nil
}

func no(b *bool) bool { return b != nil && !*b }
