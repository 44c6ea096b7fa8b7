package cli

import (
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"fovea/dataset/scenes"
	"fovea/imageproc"
	"fovea/internal/bench"
)

type benchImageOptions struct {
	seconds       float64
	width, height int
	size          int
	file          string
	worker        bool
}

func (a *app) benchImage() *cobra.Command {
	var o benchImageOptions
	c := &cobra.Command{
		Use: "image", Short: "Measure decoding and resizing of JPEG pictures",
		Long: `Measures how many JPEG pictures a second are decoded and resized (bicubic, with antialiasing) to a model's square, with one thread and with all of them. ` +
			`With --worker the program takes part in a comparison: it reads lines "KEY SECONDS MINREPS", whose key is decode, resize or decode+resize, and answers each with a line of JSON.`,
		Args: args(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error { return a.runBenchImage(c.Context(), &o) },
	}
	f := c.Flags()
	f.Float64Var(&o.seconds, "seconds", 2, "measure each figure for so long")
	f.IntVar(&o.width, "width", 640, "pixels of the drawn picture")
	f.IntVar(&o.height, "height", 480, "pixels")
	f.IntVar(&o.size, "size", 224, "side of the model's square, pixels")
	f.StringVarP(&o.file, "model", "m", "", "take the pictures of this .npz file instead of a drawn one")
	f.String("case", "jpeg", "what to measure: jpeg is all there is")
	f.BoolVar(&o.worker, "worker", false, "read what to measure from standard input")
	return c
}

func (a *app) runBenchImage(ctx context.Context, o *benchImageOptions) error {
	if !(o.seconds > 0 && o.seconds <= maxSeconds) || min(o.width, o.height, o.size) < 16 || max(o.width, o.height, o.size) > 8192 {
		return usage("", "--seconds %g, --width %d, --height %d or --size %d is out of range", o.seconds, o.width, o.height, o.size)
	}
	files, err := o.pictures()
	if err != nil {
		return err
	}
	if o.worker {
		b, err := bench.NewImages(files, o.size, a.threads)
		if err != nil {
			return err
		}
		return bench.ImageWorker(a.in, a.out, b)
	}
	var figures []benchFigure
	for _, threads := range []int{1, a.threads}[:min(a.threads, 2)] {
		b, err := bench.NewImages(slices.Repeat(files, threads), o.size, threads)
		if err != nil {
			return err
		}
		for _, item := range bench.ImageItems() {
			ms, err := medianOf(ctx, o.seconds, func() error { return b.Run(item) })
			if err != nil {
				return err
			}
			figures = append(figures, benchFigure{fmt.Sprintf("%s, %d thread%s", item, threads, plural(threads)), float64(b.Len()) / ms * 1000, "images/s"})
		}
	}
	return a.printBench("image", figures)
}

// pictures are those of the file, or a drawn one.
func (o *benchImageOptions) pictures() ([][]byte, error) {
	if o.file != "" {
		return bench.ReadJPEGs(o.file)
	}
	data, err := benchJPEG(o.width, o.height)
	return slices.Repeat([][]byte{data}, 8), err
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// rateOf calls f on so many goroutines for so long and returns the calls a second.
func rateOf(ctx context.Context, threads int, seconds float64, f func() error) (float64, error) {
	if err := f(); err != nil { // once for nothing, so that tables and buffers exist
		return 0, err
	}
	var calls atomic.Int64
	var failed atomic.Value
	var wg sync.WaitGroup
	start := time.Now()
	end := start.Add(time.Duration(seconds * float64(time.Second)))
	for range threads {
		wg.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				if err := f(); err != nil {
					failed.Store(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	wg.Wait()
	if err, ok := failed.Load().(error); ok {
		return 0, err
	}
	return float64(calls.Load()) / time.Since(start).Seconds(), ctx.Err()
}

// benchJPEG is a drawn scene as a JPEG of medium quality.
func benchJPEG(w, h int) ([]byte, error) {
	ex, err := scenes.New(scenes.Config{Seed: 1, N: 1, Size: min(max(w, h), 512)}).At(0, nil)
	if err != nil {
		return nil, err
	}
	img := imageproc.NewRGB(w, h)
	for y := range h {
		for x := range w {
			copy(img.Pix[3*(y*w+x):], ex.Image.Pix[3*((y*ex.Image.H/h)*ex.Image.W+x*ex.Image.W/w):][:3])
		}
	}
	var buf bytes.Buffer
	err = jpeg.Encode(&buf, img, &jpeg.Options{Quality: 85})
	return buf.Bytes(), err
}
