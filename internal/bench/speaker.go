package bench

import (
	"fmt"
	"os"
	"strings"
	"time"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/model"
	"fovea/model/all"
	"fovea/nn"
	"fovea/train"
)

// Speaker is what a published model that writes takes, from its folder to a picture's answer.
type Speaker struct {
	Load   float64 // seconds until it is open
	First  float64 // seconds from then to the first word after a text of 16 tokens
	Look   float64 // seconds of seeing a picture
	Asked  float64 // seconds of reading a prompt about it, which has
	Prompt int     // so many tokens
	Rate   float64 // words a second after it
	// Bytes of the model's file, of what the passes had for their values, the picture's features and the text's keys and values,
	// and of the process when it was largest (0: the system does not tell).
	File, Activations, Resident int64
}

// wordsAfter is how many words a Speaker writes for its rate.
const wordsAfter = 32

// MeasureSpeaker opens the folder of a published model that answers in words and has it read and write.
func MeasureSpeaker(dir, precision string, threads int, img *imageproc.RGB) (*Speaker, error) {
	start := time.Now()
	net, err := all.OpenAs(dir, precision)
	if err != nil {
		return nil, err
	}
	m, ok := net.(model.Speaker)
	if !ok {
		return nil, fmt.Errorf("bench: %s does not write texts with a causal decoder", net.Card().Family)
	}
	s := &Speaker{Load: lap(&start)}
	if s.File, err = weightBytes(dir); err != nil {
		return nil, err
	}
	var pool *kernel.Pool
	if threads > 1 {
		pool = kernel.NewPool(threads)
	}
	defer pool.Close()
	t := autograd.NewTape(kernel.NewWork(pool), 0, false)
	tell := nn.NewTeller(m.Voice().Decoder, t)
	const short = 16
	if _, err := tell.Read(&nn.Prompt{IDs: make([]int32, short), Places: nn.Line(0, short), Next: short, Image: -1}); err != nil {
		return nil, err
	}
	s.First = lap(&start)
	sight, err := m.Look(t, []*imageproc.RGB{img})
	if err != nil {
		return nil, err
	}
	s.Look = lap(&start)
	prompt, err := m.Prompt(sight, nil, "What is in the picture?")
	if err != nil {
		return nil, err
	}
	tell.Forget()
	logits, err := tell.Read(prompt)
	if err != nil {
		return nil, err
	}
	s.Prompt, s.Asked = len(prompt.IDs), lap(&start)
	for range wordsAfter {
		if logits, err = tell.Step([]int32{largest(logits)}); err != nil {
			return nil, err
		}
	}
	s.Rate = wordsAfter / lap(&start)
	s.Activations, s.Resident = int64(t.Held()+4*len(sight.Features)+tell.Bytes()), train.PeakMemory()
	return s, nil
}

// lap is how long ago start was, in seconds; start becomes now.
func lap(start *time.Time) float64 {
	now := time.Now()
	d := now.Sub(*start).Seconds()
	*start = now
	return d
}

// weightBytes is the size of a folder's weights.
func weightBytes(dir string) (n int64, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".safetensors") {
			st, err := os.Stat(dir + "/" + f.Name()) // of what a link leads to
			if err != nil {
				return 0, err
			}
			n += st.Size()
		}
	}
	return n, nil
}
