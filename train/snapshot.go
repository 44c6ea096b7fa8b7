package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/internal/cpu"
)

const (
	snapshotFormat = "fovea-snapshot-1"
	snapshotFolder = "snapshots"
)

// snapshotState is everything about a run that is not an array.
type snapshotState struct {
	Step           int     `json:"step"`     // steps done
	Position       int     `json:"position"` // samples consumed
	Seed           uint64  `json:"seed"`
	OptimizerSteps int     `json:"optimizer_steps"`
	Seconds        float64 `json:"seconds"` // spent training so far
	Kernel         string  `json:"kernel"`  // implementation that computed it
	Interval       tally   `json:"interval"`
	Epoch          tally   `json:"epoch"`
}

// snapshots writes and finds the snapshots of one run.
type snapshots struct {
	dir      string
	keep     int
	fs       checkpoint.FS
	identity []byte // canonical JSON of everything that decides the run's result
	override []string
}

// items lists every array of a run under the name that it has in a snapshot: "param/…", "ema/…", "optimizer/…".
func items(params []*autograd.Param, avg *average, opt Optimizer) []checkpoint.Item {
	var out []checkpoint.Item
	for _, p := range params {
		out = append(out, checkpoint.Item{Name: "param/" + p.Name, Shape: p.Shape, Data: p.Data})
	}
	for i, p := range avg.params {
		out = append(out, checkpoint.Item{Name: "ema/" + p.Name, Shape: p.Shape, Data: avg.data[i]})
	}
	for _, s := range opt.State(params).Slots {
		out = append(out, checkpoint.Item{Name: "optimizer/" + s.Name, Shape: []int{len(s.Data)}, Data: s.Data})
	}
	return out
}

// save writes a snapshot, durably, and then removes all but the newest ones.
func (s *snapshots) save(st snapshotState, arrays []checkpoint.Item) (path string, err error) {
	st.Kernel = cpu.Active("kernel")
	state, err := json.Marshal(st)
	if err != nil {
		return "", fmt.Errorf("train: snapshot: %w", err)
	}
	path = filepath.Join(s.dir, fmt.Sprintf("step-%08d.safetensors", st.Step))
	err = checkpoint.WriteItems(path, arrays, map[string]string{"format": snapshotFormat, "state": string(state),
		"config": string(s.identity), "written": time.Now().UTC().Format(time.RFC3339)}, s.fs)
	if err != nil {
		return "", fmt.Errorf("train: snapshot: %w", err)
	}
	return path, s.prune()
}

func (s *snapshots) prune() error {
	paths, err := s.list()
	if err != nil {
		return err
	}
	for _, p := range paths[min(s.keep, len(paths)):] {
		if err := os.Remove(p); err != nil {
			return fmt.Errorf("train: remove an old snapshot: %w", err)
		}
	}
	return nil
}

// list returns the snapshots' paths, newest first.
func (s *snapshots) list() ([]string, error) {
	es, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("train: snapshots: %w", err)
	}
	var out []string
	for _, e := range es {
		if n := e.Name(); strings.HasPrefix(n, "step-") && strings.HasSuffix(n, ".safetensors") {
			out = append(out, filepath.Join(s.dir, n))
		}
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out, nil
}

// restore loads the newest snapshot that is whole into arrays and opt. One that is damaged is passed over, which say
// reports. path is "" when there are none. A snapshot of a run with another configuration is an error that names the keys.
func (s *snapshots) restore(params []*autograd.Param, avg *average, opt Optimizer, say func(format string, args ...any)) (st snapshotState, path string, err error) {
	paths, err := s.list()
	if err != nil || len(paths) == 0 {
		return st, "", err
	}
	var damage []error
	for _, path := range paths {
		st, err := s.load(path, params, avg, opt)
		var other *OtherConfig
		if err == nil || errors.As(err, &other) {
			return st, path, err
		}
		damage = append(damage, err)
		say("snapshot %s cannot be used (%v); trying the one before", path, err)
	}
	return st, "", fmt.Errorf("train: none of the %d snapshots in %s can be used; move the folder away to start again: %w", len(paths), s.dir, errors.Join(damage...))
}

func (s *snapshots) load(path string, params []*autograd.Param, avg *average, opt Optimizer) (st snapshotState, err error) {
	f, err := checkpoint.Open(path)
	if err != nil {
		return st, err
	}
	defer func() { _ = f.Close() }()
	if err := f.Verify(); err != nil {
		return st, err
	}
	meta := f.Metadata()
	if meta["format"] != snapshotFormat {
		return st, fmt.Errorf("train: %s: format %q, want %q", path, meta["format"], snapshotFormat)
	}
	if err := json.Unmarshal([]byte(meta["state"]), &st); err != nil {
		return st, fmt.Errorf("train: %s: state: %w", path, err)
	}
	if keys := differing([]byte(meta["config"]), s.identity, s.override); len(keys) > 0 {
		return st, &OtherConfig{path, keys}
	}
	read := func(name string, dst []float32) error {
		t, err := f.Tensor(name)
		if err != nil {
			return err
		}
		return t.Float32(dst)
	}
	want := items(params, avg, opt)
	if n := len(f.Names()); n != len(want) {
		return st, fmt.Errorf("train: %s holds %d arrays, this run has %d", path, n, len(want))
	}
	for _, it := range want {
		if !strings.HasPrefix(it.Name, "optimizer/") {
			if err := read(it.Name, it.Data); err != nil {
				return st, err
			}
		}
	}
	return st, opt.Load(params, st.OptimizerSteps, func(name string, dst []float32) error { return read("optimizer/"+name, dst) })
}
