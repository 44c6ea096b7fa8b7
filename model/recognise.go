package model

import (
	"fmt"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/nn"
	"fovea/task"
)

// Recogniser is a Network of one vision transformer, whose tokens name a picture's class or are its vector.
type Recogniser struct {
	Vision *nn.Vision `weight:"vision"`
	Head   *nn.Dense  `weight:"classifier"` // nil: it makes vectors
	Pooler *nn.Dense  `weight:"pooler"`     // of those that put another layer before the vector

	name, class string
	labels      Labels
	pixels      *imageproc.Processor
	read        func(r *Recogniser, h *autograd.Value, pictures int) *autograd.Value
}

// RecogniserConfig says what the network of a folder's class is.
type RecogniserConfig struct {
	Vision    nn.VisionConfig
	Labels    Labels
	Processor string // class of the processor that is meant when the folder does not say
	// Head is the number of features that names are read off, 0 for a class that makes vectors.
	Head int
	// Read gives, for each picture, what names or vectors are read off its tokens h [B·T, D], normed.
	Read func(r *Recogniser, h *autograd.Value, pictures int) *autograd.Value
}

// NewRecogniser makes a blank network.
func (f *Folder) NewRecogniser(c RecogniserConfig) (*Recogniser, error) {
	v, err := nn.NewVision(c.Vision)
	if err != nil {
		return nil, err
	}
	r := &Recogniser{Vision: v, name: f.Name, class: f.Class, labels: c.Labels, read: c.Read}
	if c.Head > 0 {
		r.Head = nn.BlankDense(c.Head, len(c.Labels), true)
	}
	r.pixels, err = f.Processor(c.Processor)
	return r, err
}

// Card implements Model.
func (r *Recogniser) Card() Card {
	v := &r.Vision.Config
	c := Card{Name: r.name, Family: r.class, Parameters: Parameters(r), Size: max(v.Image[0], v.Image[1])}
	if r.Head != nil {
		c.Tasks, c.Classes = task.SetOf(task.Classify), r.labels
	} else {
		c.Tasks, c.Embed, c.PicturesOnly = task.SetOf(task.Match), v.Width, true
	}
	return c
}

// NewRunner implements Model.
func (r *Recogniser) NewRunner(threads int) Runner {
	return NewLooker(r, threads, func(out Outputs, _ *imageproc.RGB) View { return Recognise(out, r.labels) })
}

// Trunk implements Encoder.
func (r *Recogniser) Trunk() (Trunk, error) { return Trunk{Vision: r.Vision, Pixels: r.pixels}, nil }

// Process implements Network.
func (r *Recogniser) Process(s Sample) (Inputs, error) {
	in := Inputs{}
	if _, err := in.PutPictures(r.pixels, s.Pictures, r.Vision.Config.CheckPicture); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return in, nil
}

// Run implements Network: pixel_values give logits or pooler_output.
func (r *Recogniser) Run(t *autograd.Tape, in Inputs) Outputs {
	out, x := Outputs{}, in.Value(t, "pixel_values")
	h := r.Vision.Forward(&nn.Pass{Tap: out.Tap("vision")}, x)
	out["vision.norm"] = h
	y := r.read(r, h, x.Shape[0])
	if r.Head != nil {
		out["logits"] = r.Head.Forward(y)
	} else {
		out["pooler_output"], out["vector"] = y, y
	}
	return out
}
