package cli

import (
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"fovea/dataset/scenes"
	"fovea/imageproc"
)

type benchImageOptions struct {
	seconds       float64
	width, height int
	size          int
}

func (a *app) benchImage() *cobra.Command {
	var o benchImageOptions
	c := &cobra.Command{
		Use: "image", Short: "Measure decoding and fitting of JPEG pictures",
		Long: `Measures how many JPEG pictures a second are decoded and fitted to a model's square, with one thread and with all of them.`,
		Args: args(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error { return a.runBenchImage(c.Context(), &o) },
	}
	f := c.Flags()
	f.Float64Var(&o.seconds, "seconds", 2, "measure each figure for so long")
	f.IntVar(&o.width, "width", 640, "pixels")
	f.IntVar(&o.height, "height", 480, "pixels")
	f.IntVar(&o.size, "size", 224, "side of the model's square, pixels")
	return c
}

func (a *app) runBenchImage(ctx context.Context, o *benchImageOptions) error {
	if !(o.seconds > 0 && o.seconds <= maxSeconds) || min(o.width, o.height, o.size) < 16 || max(o.width, o.height, o.size) > 8192 {
		return usage("", "--seconds %g, --width %d, --height %d or --size %d is out of range", o.seconds, o.width, o.height, o.size)
	}
	data, err := benchJPEG(o.width, o.height)
	if err != nil {
		return err
	}
	var figures []benchFigure
	for _, threads := range []int{1, a.threads}[:min(a.threads, 2)] {
		rate, err := rateOf(ctx, threads, o.seconds, func() error {
			img, _, err := imageproc.DecodeBytes(data, imageproc.Limits{})
			if err == nil {
				imageproc.Config{Size: o.size}.Apply(img)
			}
			return err
		})
		if err != nil {
			return err
		}
		figures = append(figures, benchFigure{fmt.Sprintf("JPEG %d×%d → %d, %d thread%s", o.width, o.height, o.size, threads, plural(threads)), rate, "images/s"})
	}
	return a.printBench("image", figures)
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
