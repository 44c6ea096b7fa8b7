package bench

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/nn"
)

// Decoder is a language model of random weights that reads prompts and writes on.
type Decoder struct {
	Net   *nn.Decoder `weight:"text"`
	Bytes int         // of the weights that a word is computed with

	pool *kernel.Pool
	tell *nn.Teller
	read []float32 // memory for Bandwidth
}

// decoders are cases by name: the language models of SmolVLM-256M and SmolVLM (2.2B).
var decoders = map[string]nn.DecoderConfig{
	"lm256m":  {Width: 576, Layers: 30, Heads: 9, KVHeads: 3, Inner: 1536},
	"lm1700m": {Width: 2048, Layers: 24, Heads: 32, KVHeads: 32, Inner: 8192},
}

// DecoderCases lists the cases that NewDecoder knows.
func DecoderCases() []string { return slices.Sorted(maps.Keys(decoders)) }

// DecoderItems are what is timed: reading prompts of so many tokens, and writing so many tokens one by one.
var DecoderItems = []string{"pp128", "pp512", "tg64"}

// NewDecoder makes a case with weights held as precision says: f32, or one that nn.Lower knows.
func NewDecoder(name, precision string, threads int) (*Decoder, error) {
	c, ok := decoders[name]
	if !ok {
		return nil, fmt.Errorf("bench: unknown decoding case %q; there are %v", name, DecoderCases())
	}
	c.Vocab, c.MaxLen = 49280, 2048
	return newDecoder(c, precision, threads)
}

func newDecoder(c nn.DecoderConfig, precision string, threads int) (*Decoder, error) {
	c.Act, c.Eps, c.Theta, c.Tied = "silu", 1e-5, 1e5, true
	net, err := nn.NewDecoder(c)
	if err != nil {
		return nil, err
	}
	d := &Decoder{Net: net}
	pool := noise(rand.New(rand.NewPCG(0, 0)), 1<<22, .02)
	for _, p := range nn.Params(d) {
		if p.Stored = (repeated{pool, p.Shape.Size() / p.Shape[0]}); len(p.Shape) == 1 {
			p.Stored = ones{}
		}
		d.Bytes += 4 * p.Shape.Size()
	}
	if precision == "f32" {
		err = nn.Load(d)
	} else {
		var now, was int
		now, was, err = nn.Lower(d, precision)
		d.Bytes += now - was
	}
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	nn.Fix(nn.Params(d))
	if threads > 1 {
		d.pool = kernel.NewPool(threads)
	}
	d.tell = nn.NewTeller(net, autograd.NewTape(kernel.NewWork(d.pool), 0, false))
	return d, nil
}

// newTeller is a language model that somebody else has opened.
func newTeller(net *nn.Decoder, t *autograd.Tape) *Decoder {
	return &Decoder{Net: net, tell: nn.NewTeller(net, t)}
}

// Close ends the threads.
func (d *Decoder) Close() { d.pool.Close() }

// Reads is how many of the weights' bytes are read to write a word: less than Bytes once there are copies in 12 bits.
func (d *Decoder) Reads() int { return d.Bytes - nn.Spared(d) }

// GFLOP is what the matrix products of an item take.
func (d *Decoder) GFLOP(item string) float64 {
	c := &d.Net.Config
	kv := c.Width / c.Heads * c.KVHeads
	n := float64(c.Layers) * float64(2*c.Width*c.Width+2*c.Width*kv+3*c.Width*c.Inner)
	tokens := Tokens(item)
	if item[0] == 't' {
		return 2e-9 * float64(tokens) * (n + float64(c.Vocab*c.Width))
	}
	return 2e-9 * float64(tokens) * n
}

// Tokens is how many an item reads or writes.
func Tokens(item string) (n int) {
	_, _ = fmt.Sscanf(item[min(2, len(item)):], "%d", &n)
	return n
}

// Run does an item.
func (d *Decoder) Run(item string) error {
	d.tell.Forget()
	n, prompt := Tokens(item), 1
	if item[0] == 'p' {
		prompt = n
	}
	p := &nn.Prompt{IDs: make([]int32, prompt), Places: nn.Line(0, prompt), Next: prompt, Image: -1}
	for i := range p.IDs {
		p.IDs[i] = int32(i * 7919 % d.Net.Config.Vocab)
	}
	logits, err := d.tell.Read(p)
	if err != nil || item[0] == 'p' {
		return err
	}
	var last [1]int32
	for range n {
		last[0] = largest(logits)
		if logits, err = d.tell.Step(last[:]); err != nil {
			return err
		}
	}
	return nil
}

func largest(x []float32) (at int32) {
	for i, v := range x {
		if v > x[at] {
			at = int32(i)
		}
	}
	return at
}

// Bandwidth is how many bytes a second the decoder's threads read from memory at best, in several passes over more of it
// than caches hold.
func (d *Decoder) Bandwidth() float64 {
	if d.read == nil {
		d.read = bulk()
	}
	return bandwidth(d.pool, d.read)
}

// DecoderWorker lets a decoder take part in a comparison; keys are items. What memory gives is written to log beside each
// answer, as bytes a second.
func DecoderWorker(in io.Reader, out, log io.Writer, name, precision string, threads int) error {
	d, err := NewDecoder(name, precision, threads)
	if err != nil {
		return err
	}
	defer d.Close()
	for _, item := range DecoderItems {
		if err := d.Run(item); err != nil {
			return err
		}
	}
	return answer(in, out, map[string]any{"ready": true, "weights_mb": d.Bytes / 1e6}, func(key string) (func(), error) {
		if !slices.Contains(DecoderItems, key) {
			return nil, fmt.Errorf("bench: item %q; there are %v", key, DecoderItems)
		}
		fmt.Fprintf(log, "%s bandwidth %.4g\n", key, d.Bandwidth())
		return func() { _ = d.Run(key) }, nil // it ran before
	})
}

// repeated are weights that repeat a list of numbers, which takes no memory of its own.
type repeated struct {
	pool []float32
	cols int
}

func (r repeated) Float32(dst []float32) error { return r.Rows(dst, 0, len(dst)/r.cols) }

func (r repeated) Rows(dst []float32, from, to int) error {
	for at := from * r.cols; len(dst) > 0; {
		n := copy(dst, r.pool[at%len(r.pool):])
		dst, at = dst[n:], at+n
	}
	return nil
}

func (r repeated) BF16() []uint16 { return nil }
func (r repeated) F16() []uint16  { return nil }
func (r repeated) Owner() any     { return nil }
func (r repeated) Done()          {}

// ones are gains.
type ones struct{ repeated }

func (ones) Float32(dst []float32) error {
	for i := range dst {
		dst[i] = 1
	}
	return nil
}
