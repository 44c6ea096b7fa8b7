package cli

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/internal/bench"
)

type benchDecodeOptions struct {
	name, precision, model string
	seconds                float64
	worker                 bool
}

func (a *app) benchDecode() *cobra.Command {
	var o benchDecodeOptions
	c := &cobra.Command{
		Use: "decode", Short: "Measure reading prompts and writing texts",
		Long: `Measures a language model of random weights: tokens a second of reading a prompt of 512 and of writing 64 one by one, and what share of the memory's ` +
			`bandwidth, measured in the same run, the weights take while writing. With --model it measures a published model once: opening, the first word after a ` +
			`text, a 640×480 picture, and memory. With --worker the program takes part in a comparison: ` +
			`it reads lines "KEY SECONDS MINREPS", the key pp128, pp512 or tg64, and answers each with a line of JSON.`,
		Args: args(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error { return a.runBenchDecode(c.Context(), &o) },
	}
	f := c.Flags()
	f.StringVar(&o.name, "case", "lm256m", "the language model of SmolVLM-256M (lm256m), or that of SmolVLM (lm1700m)")
	f.StringVar(&o.precision, "precision", string(fovea.BF16), "hold its weights as f32, bf16, int8 or int4")
	f.Float64Var(&o.seconds, "seconds", 3, "measure each figure for so long")
	f.BoolVar(&o.worker, "worker", false, "read what to measure from standard input")
	f.StringVarP(&o.model, "model", "m", "", "measure this published model that writes, a folder, from opening it to an answer about a picture")
	_ = c.RegisterFlagCompletionFunc("case", cobra.FixedCompletions(bench.DecoderCases(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) runBenchDecode(ctx context.Context, o *benchDecodeOptions) error {
	if !slices.Contains(bench.DecoderCases(), o.name) {
		return usage(didYouMean(o.name, bench.DecoderCases(), "--case "), "unknown case %q", o.name)
	}
	if !(o.seconds > 0 && o.seconds <= maxSeconds) {
		return usage("", "--seconds is %g, want 0 … %g", o.seconds, float64(maxSeconds))
	}
	if err := checkPrecision(o.precision); err != nil {
		return err
	}
	if o.worker {
		return bench.DecoderWorker(a.in, a.out, a.err, o.name, o.precision, a.threads)
	}
	if o.model != "" {
		return a.runBenchSpeaker(o)
	}
	d, err := bench.NewDecoder(o.name, o.precision, a.threads)
	if err != nil {
		return err
	}
	defer d.Close()
	figures := []benchFigure{{"weights", float64(d.Bytes) / 1e6, "MB"}}
	for _, item := range bench.DecoderItems[1:] {
		memory := d.Bandwidth()
		ms, err := medianOf(ctx, o.seconds, func() error { return d.Run(item) })
		if err != nil {
			return err
		}
		rate := float64(bench.Tokens(item)) / ms * 1000
		figures = append(figures, benchFigure{fmt.Sprintf("%s, %s, median", item, o.precision), rate, "tokens/s"})
		if item[0] == 'p' {
			figures = append(figures, benchFigure{"matrix products", d.GFLOP(item) / ms * 1000, "GFLOP/s"})
			continue
		}
		memory = max(memory, d.Bandwidth())
		figures = append(figures, benchFigure{"memory", memory / 1e9, "GB/s"}, benchFigure{"share of it", 100 * rate * float64(d.Reads()) / memory, "%"})
	}
	return a.printBench("decode", figures)
}

// runBenchSpeaker measures a published model that writes.
func (a *app) runBenchSpeaker(o *benchDecodeOptions) error {
	data, err := benchJPEG(640, 480)
	if err != nil {
		return err
	}
	img, err := fovea.Decode(bytes.NewReader(data))
	if err != nil {
		return err
	}
	s, err := bench.MeasureSpeaker(o.model, o.precision, a.threads, img)
	if err != nil {
		return err
	}
	return a.printBench("decode", []benchFigure{
		{"file of weights", float64(s.File) / 1e6, "MB"}, {"opening it", s.Load, "s"}, {"first word after 16 tokens", s.First, "s"}, {"together", s.Load + s.First, "s"},
		{"seeing a picture", s.Look, "s"}, {fmt.Sprintf("reading a prompt of %d tokens", s.Prompt), s.Asked, "s"}, {"writing", s.Rate, "tokens/s"},
		{"activations at most", float64(s.Activations) / 1e6, "MB"}, {"resident at most", float64(s.Resident) / 1e6, "MB"},
	})
}
