// Package lite runs EfficientNet-Lite0 (Tan & Le 2019; Liu 2020), which names what is on a photograph: one of ImageNet's 1,000
// classes. It is the one family without attention: its convolutions are the eyes of the shipped model, and its names are what
// that model is taught on photographs that nobody has labelled (Data.Teacher of package recipe).
package lite

import (
	"errors"
	"fmt"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
	"fovea/task"
)

// Family is the folder that configs/lite0.py writes when it is given the names of the classes.
var Family = model.Family{Name: "efficientnet_lite", Architectures: []string{"EfficientNetLiteForImageClassification"}, New: New}

// width is the number of features that names are read off.
const width = 1280

// side is the picture's, pixels, that the published weights were trained with.
const side = 224

// Net is the network.
type Net struct {
	Maps *nn.Lite  `weight:"net"`
	Wide *nn.Dense `weight:"head"`       // [width, nn.Lite32], its batch norm folded in
	Head *nn.Dense `weight:"classifier"` // [classes, width]

	name   string
	labels model.Labels
	pixels *imageproc.Processor
}

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	var c struct {
		Labels model.Labels `json:"id2label"`
	}
	if err := f.Config(&c); err != nil {
		return nil, err
	}
	if len(c.Labels) == 0 {
		return nil, errors.New("config.json: id2label names no classes")
	}
	p, err := f.Processor("CLIP")
	if err != nil {
		return nil, err
	}
	return &Net{
		Maps: nn.NewLite(nil), Wide: nn.BlankDense(nn.Lite32, width, true), Head: nn.BlankDense(width, len(c.Labels), true),
		name: f.Name, labels: c.Labels, pixels: p,
	}, nil
}

// Card implements model.Model.
func (n *Net) Card() model.Card {
	return model.Card{Name: n.name, Family: Family.Architectures[0], Parameters: model.Parameters(n), Size: side, Tasks: task.SetOf(task.Classify), Classes: n.labels}
}

// NewRunner implements model.Model.
func (n *Net) NewRunner(threads int) model.Runner {
	return model.NewLooker(n, threads, func(out model.Outputs, _ *imageproc.RGB) model.View { return model.Recognise(out, n.labels) })
}

// Process implements model.Network.
func (n *Net) Process(s model.Sample) (model.Inputs, error) {
	in := model.Inputs{}
	if _, err := in.PutPictures(n.pixels, s.Pictures, check); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return in, nil
}

// check says whether the convolutions take pictures of a size.
func check(h, w int) error {
	if h%32 != 0 || w%32 != 0 {
		return fmt.Errorf("pictures of %d × %d pixels: EfficientNet-Lite takes multiples of 32", w, h)
	}
	return nil
}

// Run implements model.Network: pixel_values [B, H, W, 3] give logits [B, classes].
func (n *Net) Run(t *autograd.Tape, in model.Inputs) model.Outputs {
	m := n.Maps.Forward(in.Value(t, "pixel_values"))
	x := ops.ReLU6(n.Wide.Forward(m.S32))
	places := x.Shape[1] * x.Shape[2]
	return model.Outputs{"s32": m.S32, "logits": n.Head.Forward(ops.MeanRows(t.View(x, x.Shape[0]*places, width), places))}
}
