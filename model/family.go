package model

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/nn"
)

// Family is a published architecture: how its configuration becomes a network, and how its weights are called.
type Family struct {
	Name          string   // "clip": the model_type of its config.json
	Architectures []string // the classes that it can load, as config.json names them
	// New reads the folder's configuration and makes the network, its parameters blank: everything is checked before
	// memory is taken.
	New func(f *Folder) (Network, error)
	// Renames lead from every published spelling of the weights' names to those of the network. They leave names that are
	// right already as they are.
	Renames []checkpoint.Rename
}

// Network is a Model whose forward pass can be looked into. It is a pointer to a struct whose weight tags name its
// parameters.
type Network interface {
	Model
	// Process turns pictures and texts into inputs, as the processor of the reference implementation does.
	Process(s Sample) (Inputs, error)
	// Run is the forward pass of the reference's class, by its names: it takes what Process makes, and gives every output
	// that the inputs allow, and the hidden states on the way.
	Run(t *autograd.Tape, in Inputs) Outputs
}

// Load opens a folder as the Hugging Face hub has them: config.json says which of the families it is, and what else the
// family needs lies beside it. The weights may be in one file or several, of any number format; they become float32. Weights
// that are missing, unexpected or misshapen are a *checkpoint.BindError; an architecture that no family has is an
// *UnknownError.
func Load(dir string, families []Family) (Network, error) { return LoadAs(dir, families, "f32") }

// LoadAs is Load for answering with weights in a precision that nn.Lower knows, or "f32", or "", which is "bf16" for large
// files of 16-bit weights and else "f32". Weights of fewer bits are made of the mapped file row by row, and those of 16 bits
// stay there: see checkpoint.File.Leave for what that asks of the file.
func LoadAs(dir string, families []Family, precision string) (Network, error) {
	f, err := OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	net, fam, err := f.Build(families)
	if err != nil {
		return nil, err
	}
	w, err := checkpoint.Open(dir)
	if err != nil {
		return nil, err
	}
	if precision == "" {
		if precision = "f32"; w.Halves() > manyHalves {
			precision = "bf16"
		}
	}
	if precision == "f32" {
		err = errors.Join(checkpoint.Bind(nn.Params(net), w, fam.Renames), w.Close())
	} else {
		if err = checkpoint.Attach(nn.Params(net), w, fam.Renames); err == nil {
			_, _, err = nn.Lower(net, precision)
		}
		w.Leave()
	}
	if err != nil {
		return nil, fmt.Errorf("model: open %s: %w", dir, err)
	}
	nn.Fix(nn.Params(net))
	return net, nil
}

// manyHalves is how many bytes of 16-bit weights a file has from which they stay as they are: 1 GiB. As float32 they would take
// twice the memory and twice the time to read, which is what writing a word costs, and say the same. Products of
// few rows are exactly those of float32; taller ones round what comes in to bfloat16, as the models' own makers do.
const manyHalves = 1 << 30

// Build makes the blank network of a folder, for weights from anywhere, and says of which family it is.
func (f *Folder) Build(families []Family) (Network, *Family, error) {
	fam, err := f.family(families)
	if err != nil {
		return nil, nil, err
	}
	net, err := fam.New(f)
	if err != nil {
		return nil, nil, fmt.Errorf("model: open %s: %w", f.Dir, err)
	}
	return net, fam, nil
}

// Loads reports that the folder's class is one of the family's, or its model_type when it names no class.
func (fam *Family) Loads(f *Folder) bool {
	return slices.Contains(fam.Architectures, f.Class) || f.Class == "" && fam.Name == f.Type
}

// family finds the family that loads the folder.
func (f *Folder) family(families []Family) (*Family, error) {
	for i := range families {
		if families[i].Loads(f) {
			return &families[i], nil
		}
	}
	e := &UnknownError{Class: f.Class, Type: f.Type}
	best := 1 << 30
	for _, fam := range families {
		for _, class := range fam.Architectures {
			d := distance(f.Class, class)
			if f.Type == fam.Name {
				d = min(d, len(class)/4) // the same family, another head
			}
			if d < best {
				best, e.Nearest = d, class
			}
		}
	}
	return nil, e
}

// UnknownError says that no family loads an architecture.
type UnknownError struct {
	Class, Type string // as config.json states them
	Nearest     string // the class most like it that can be loaded
}

func (e *UnknownError) Error() string {
	what := fmt.Sprintf("architecture %q", e.Class)
	if e.Class == "" {
		what = fmt.Sprintf("model_type %q", e.Type)
	}
	return fmt.Sprintf("model: %s is not supported; the nearest that is: %s", what, e.Nearest)
}

// distance is the number of letters to insert, delete or replace to make b of a (Levenshtein 1966).
func distance(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	a = a[:min(len(a), 100)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := left
			if a[i] != b[j] {
				cost++
			}
			left = row[j+1]
			row[j+1] = min(cost, row[j]+1, left+1)
		}
	}
	return row[len(b)]
}

// Parameters counts the weights of a network, once they are bound.
func Parameters(net any) int { return nn.Count(nn.Params(net)) }
