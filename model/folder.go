package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"fovea/imageproc"
	"fovea/tokenizer"
)

// Folder is a model's folder, laid out as on the Hugging Face hub.
type Folder struct {
	Dir   string
	Name  string // of the folder
	Class string // the first of config.json's architectures, "" without one
	Type  string // config.json's model_type

	config []byte
}

// maxConfig bounds the files of a configuration.
const maxConfig = 16 << 20

// OpenFolder reads config.json and what it says about the architecture.
func OpenFolder(dir string) (*Folder, error) {
	f := &Folder{Dir: dir, Name: filepath.Base(dir)}
	if abs, err := filepath.Abs(dir); err == nil {
		f.Name = filepath.Base(abs)
	}
	var err error
	if f.config, err = f.Read("config.json"); err != nil {
		return nil, fmt.Errorf("model: %s is no model's folder: %w", dir, err)
	}
	var head struct {
		Architectures []string `json:"architectures"`
		Type          string   `json:"model_type"`
	}
	if err := json.Unmarshal(f.config, &head); err != nil {
		return nil, fmt.Errorf("model: %s: config.json: %w", dir, err)
	}
	if f.Type = head.Type; len(head.Architectures) > 0 {
		f.Class = head.Architectures[0]
	}
	return f, nil
}

// Read reads a small file of the folder.
func (f *Folder) Read(name string) ([]byte, error) {
	r, err := os.Open(filepath.Join(f.Dir, name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(io.LimitReader(r, maxConfig+1))
	if err == nil && len(b) > maxConfig {
		err = fmt.Errorf("%s has more than %d bytes", name, maxConfig)
	}
	return b, err
}

// Config decodes config.json over the defaults that c holds.
func (f *Folder) Config(c any) error {
	if err := json.Unmarshal(f.config, c); err != nil {
		return fmt.Errorf("config.json: %w", err)
	}
	return nil
}

// Processor reads how pictures are prepared, from preprocessor_config.json or, in newer repositories, processor_config.json.
// class is what it is taken for when it does not say.
func (f *Folder) Processor(class string) (*imageproc.Processor, error) {
	b, err := f.processor()
	if err != nil {
		return nil, err
	}
	return imageproc.ParseProcessor(b, class)
}

// processor is the text of that configuration.
func (f *Folder) processor() ([]byte, error) {
	b, err := f.Read("preprocessor_config.json")
	if errors.Is(err, fs.ErrNotExist) {
		var c struct {
			Image json.RawMessage `json:"image_processor"`
		}
		if p, e := f.Read("processor_config.json"); e == nil && json.Unmarshal(p, &c) == nil && c.Image != nil {
			b, err = c.Image, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("no image processor: %w", err)
	}
	return b, nil
}

// Colours reads the part of that configuration that is about numbers and the filter, for families that cut their pictures up
// in ways of their own, with the defaults of class; the rest is decoded over the defaults that c holds.
func (f *Folder) Colours(class string, c any) (*imageproc.Processor, error) {
	b, err := f.processor()
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	for _, to := range []any{c, &all} {
		if err := json.Unmarshal(b, to); err != nil {
			return nil, fmt.Errorf("preprocessor_config.json: %w", err)
		}
	}
	part := map[string]json.RawMessage{}
	for _, k := range []string{"do_rescale", "do_normalize", "rescale_factor", "image_mean", "image_std", "resample"} {
		if v, ok := all[k]; ok {
			part[k] = v
		}
	}
	if b, err = json.Marshal(part); err != nil {
		return nil, err
	}
	return imageproc.ParseProcessor(b, class)
}

// Tokenizer reads the folder's tokenizer and checks that a table of vocab rows holds all of its pieces.
func (f *Folder) Tokenizer(vocab int) (*tokenizer.Pipeline, error) {
	tok, err := tokenizer.Load(f.Dir)
	if err != nil {
		return nil, err
	}
	if tok.Size() > vocab {
		return nil, fmt.Errorf("the tokenizer has %d pieces, config.json says vocab_size %d", tok.Size(), vocab)
	}
	return tok, nil
}

// Labels is the id2label of a config.json: names by number.
type Labels []string

// UnmarshalJSON implements json.Unmarshaler. Numbers that are left out get the name that the reference gives, "LABEL_7".
func (l *Labels) UnmarshalJSON(b []byte) error {
	var m map[string]string
	if err := json.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("model: id2label: %w", err)
	}
	if m == nil {
		return nil
	}
	n := 0
	for k := range m {
		i, err := strconv.Atoi(k)
		if err != nil || i < 0 || i >= 1<<17 {
			return fmt.Errorf("model: id2label: %q is not a number of a class within 0 … %d", k, 1<<17-1)
		}
		n = max(n, i+1)
	}
	*l = make(Labels, n)
	for i := range *l {
		name, ok := m[strconv.Itoa(i)]
		if !ok {
			name = "LABEL_" + strconv.Itoa(i)
		}
		(*l)[i] = name
	}
	return nil
}
