package train

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Config says how to train. Fields with a JSON name decide the result, bit for bit: they are stored in snapshots, and a
// snapshot of a run with other values is not resumed unless Override names the differing keys. Zero means the default that
// a field's comment states.
type Config struct {
	Steps       int      `json:"steps"`        // optimiser steps of the whole run
	Batch       int      `json:"batch"`        // samples a step, a multiple of Replicas·Accumulate
	Accumulate  int      `json:"accumulate"`   // micro-batches whose gradients are added up for one step; 1
	Replicas    int      `json:"replicas"`     // tapes that share a micro-batch side by side; 1. More than there are cores does no good
	Optimizer   string   `json:"optimizer"`    // "muon" (default) or "adamw"; used when Loop.Optimizer is nil
	LR          float64  `json:"lr"`           // peak learning rate: about .02 for Muon, 1e-3 for AdamW
	Warmup      int      `json:"warmup"`       // steps over which the rate rises from LR/Warmup to LR
	MinLR       float64  `json:"min_lr"`       // where the cosine ends, as a share of LR; 0
	Clip        float64  `json:"clip"`         // largest norm of the whole gradient; 0: any
	EMA         float64  `json:"ema"`          // decay of the averaged weights (.999), which evaluation and the result use; 0: none
	WeightDecay *float64 `json:"weight_decay"` // nil: the optimiser's own; used when Loop.Optimizer is nil
	Seed        uint64   `json:"seed"`
	// Precision is "f32", or "bf16" for products of operands rounded to bfloat16 with sums, weights and all else in float32.
	Precision string `json:"precision,omitempty"`
	// Extra is anything else that decides the result (the model's configuration, the mixture of data), marshalled to JSON.
	Extra any `json:"extra"`

	Out           string        `json:"-"` // folder of the run's files, made if needed; "" writes none and takes no snapshots
	Resume        bool          `json:"-"` // go on from Out's newest snapshot; without any, start from the beginning
	Override      []string      `json:"-"` // keys that may differ from the snapshot's: "lr", or "extra" for all keys below it
	SnapshotEvery time.Duration `json:"-"` // 5 minutes; negative: not by time
	SnapshotSteps int           `json:"-"` // also every so many steps; 0: not by steps
	Keep          int           `json:"-"` // snapshots kept; 2
	EvalEvery     int           `json:"-"` // steps between evaluations; the last step is always evaluated. 0: only that
	EpochSteps    int           `json:"-"` // steps that the console calls an epoch; a tenth of Steps
	LogEvery      int           `json:"-"` // steps between lines of metrics.jsonl; 1
	Readers       int           `json:"-"` // goroutines that call Next; 1
	Ahead         int           `json:"-"` // samples read ahead; 2·Batch
}

// checked fills in defaults and names everything that is wrong.
func (c Config) checked() (Config, error) {
	for _, d := range []struct {
		v *int
		n int
	}{{&c.Accumulate, 1}, {&c.Replicas, 1}, {&c.Keep, 2}, {&c.LogEvery, 1}, {&c.Readers, 1}, {&c.Ahead, 2 * c.Batch}, {&c.EpochSteps, max(1, (c.Steps+9)/10)}} {
		if *d.v == 0 {
			*d.v = d.n
		}
	}
	if c.Precision == "f32" {
		c.Precision = ""
	}
	if c.SnapshotEvery == 0 {
		c.SnapshotEvery = 5 * time.Minute
	}
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf("train: config: "+format, args...))
		}
	}
	outside := func(v, lo, hi float64) bool { return !(v >= lo && v <= hi) } // NaN is outside
	bad(c.Steps < 1, "steps is %d, want at least 1", c.Steps)
	bad(c.Precision != "" && c.Precision != "bf16", "precision %q, want f32 or bf16", c.Precision)
	bad(c.Accumulate < 1 || c.Replicas < 1 || c.Replicas > 1024, "accumulate is %d and replicas %d, want at least 1 each", c.Accumulate, c.Replicas)
	if c.Accumulate >= 1 && c.Replicas >= 1 {
		bad(c.Batch < 1 || c.Batch%(c.Replicas*c.Accumulate) != 0, "batch is %d, want a multiple of replicas × accumulate = %d", c.Batch, c.Replicas*c.Accumulate)
	}
	bad(outside(c.LR, 0, 100) || c.LR == 0, "lr is %g, want a number in (0, 100]", c.LR)
	bad(outside(c.MinLR, 0, 1), "min_lr is %g, want a share of lr in [0, 1]", c.MinLR)
	bad(c.Warmup < 0, "warmup is %d, want a number of steps", c.Warmup)
	bad(outside(c.Clip, 0, math.MaxFloat32), "clip is %g, want a positive norm or 0", c.Clip)
	bad(outside(c.EMA, 0, 1) || c.EMA == 1, "ema is %g, want a decay in [0, 1)", c.EMA)
	bad(c.WeightDecay != nil && outside(*c.WeightDecay, 0, 10), "weight_decay is out of range")
	bad(c.SnapshotSteps < 0 || c.Keep < 1 || c.EvalEvery < 0 || c.EpochSteps < 1 || c.LogEvery < 1 || c.Readers < 1 || c.Ahead < 1,
		"snapshot, keep, eval, epoch, log, readers and ahead must not be negative")
	return c, errors.Join(errs...)
}

// Rate is the learning rate of a step counted from 0: a linear rise over Warmup steps, then a cosine from LR to MinLR·LR at
// the last step (Loshchilov and Hutter 2016).
func (c Config) Rate(step int) float64 {
	if step < c.Warmup {
		return c.LR * float64(step+1) / float64(c.Warmup)
	}
	t := 1.0
	if n := c.Steps - 1 - c.Warmup; n > 0 {
		t = min(1, float64(step-c.Warmup)/float64(n))
	}
	return c.LR * (c.MinLR + (1-c.MinLR)*(1+math.Cos(math.Pi*t))/2)
}
