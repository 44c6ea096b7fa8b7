package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/model"
	"fovea/model/all"
)

// Family is a model of a published family whose passes are timed, from its folder.
type Family struct {
	net  model.Network
	work model.Worker
	img  *imageproc.RGB
	in   model.Inputs // the prepared picture
	dec  *Decoder     // of those that write on from a prompt
	run  model.Runner // of others that write
	err  error        // the first of a pass
}

// FamilyItems are what is timed, as far as a family has it: a prepared picture through the network (of those that write, only
// what sees it), reading prompts and writing on from one token (pp128, tg64, as of DecoderItems, of any number), and an answer of so
// many tokens, with the picture seen anew.
const FamilyItems = "image, ppN, tgN, answerN"

// OpenFamily opens a folder of a published family, with weights held as precision says. img is what it looks at.
func OpenFamily(dir, precision string, threads int, img *imageproc.RGB) (*Family, error) {
	net, err := all.OpenAs(dir, precision)
	if err != nil {
		return nil, err
	}
	f := &Family{net: net, work: model.NewWorker(threads), img: img}
	if s, ok := net.(model.Speaker); ok {
		f.dec = newTeller(s.Voice().Decoder, f.work.Tape)
	}
	pictures, whole := []*imageproc.RGB{img}, [][]annotation.Box{{{X1: float64(img.W), Y1: float64(img.H)}}}
	for _, s := range []model.Sample{{Pictures: pictures}, {Pictures: pictures, Boxes: whole}, {Pictures: pictures, Texts: []string{"a cat"}}} {
		if f.in, err = net.Process(s); err == nil && len(net.Run(f.work.Tape, f.in)) > 0 {
			break
		}
	}
	if err == nil {
		f.run = net.NewRunner(threads)
	}
	return f, err
}

// Close ends the threads.
func (f *Family) Close() {
	f.run.Close()
	f.work.Close()
}

// Item gives what an item does, and does it once.
func (f *Family) Item(key string) (func(), error) {
	do := f.item(key)
	if do == nil {
		return nil, fmt.Errorf("bench: %s has no item %q; there are %s, as far as it can do so", f.net.Card().Family, key, FamilyItems)
	}
	if err := do(); err != nil {
		return nil, err
	}
	return func() { f.err = errors.Join(f.err, do()) }, nil
}

func (f *Family) item(key string) func() error {
	switch {
	case key == "image" && f.dec != nil:
		return func() error {
			f.work.Tape.Reset()
			_, err := f.net.(model.Speaker).Look(f.work.Tape, []*imageproc.RGB{f.img})
			return err
		}
	case key == "image":
		return func() error {
			f.work.Tape.Reset()
			f.net.Run(f.work.Tape, f.in)
			return nil
		}
	case f.dec != nil && Tokens(key) > 0 && (strings.HasPrefix(key, "pp") || strings.HasPrefix(key, "tg")):
		return func() error { return f.dec.Run(key) }
	}
	n := 0
	if _, err := fmt.Sscanf(key, "answer%d", &n); err != nil || n < 1 || f.dec != nil {
		return nil
	}
	return func() error {
		view, err := f.run.Encode(f.img)
		if err != nil {
			return err
		}
		w, ok := view.(model.Writer)
		if !ok {
			return fmt.Errorf("bench: %s does not write", f.net.Card().Family)
		}
		w.Write(context.Background(), model.Writing{MaxTokens: n})
		w.Caption(nil)
		return w.Err()
	}
}

// FamilyWorker lets a published model take part in a comparison; keys are items.
func FamilyWorker(in io.Reader, out io.Writer, dir, precision string, threads int, img *imageproc.RGB) error {
	f, err := OpenFamily(dir, precision, threads, img)
	if err != nil {
		return err
	}
	defer f.Close()
	return errors.Join(answer(in, out, map[string]any{"ready": true}, f.Item), f.err)
}
