// Package train fits a model to samples: optimisers (AdamW, Muon), a data-parallel loop with gradient accumulation, clipping,
// warm-up, cosine decay and averaged weights, snapshots that survive a kill at any moment, and the record of a run (console,
// metrics.jsonl, TensorBoard events, report.html).
//
// # Determinism
//
// A run is a function of its Config, its Objective and its Next: the batch is split in order over Config.Replicas tapes, each
// replica fills its own gradient slot, slots are added in replica order, and random numbers are derived from (seed, step,
// micro-batch, replica). The number of cores and the order in which goroutines are scheduled change nothing, and a run that
// was interrupted and resumed gives the same bits as one that was not (on the same kernel implementation; see internal/cpu).
//
// # Files
//
// Config.Out receives snapshots/step-00001000.safetensors (the format is described at Loop.Run), metrics.jsonl,
// events.out.tfevents.*, and at the end curves.png and report.html.
package train
