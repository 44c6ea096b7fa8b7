package train

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fovea/checkpoint"
	"fovea/checkpoint/checkpointtest"
)

// crashEnv makes the test binary train into the folder that it names instead of running tests.
const crashEnv = "FOVEA_TEST_TRAIN_INTO"

func TestMain(m *testing.M) {
	if out := os.Getenv(crashEnv); out != "" {
		if err := crashLoop(out, os.Getenv(crashEnv+"_PAUSE")).Run(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func crashLoop(out, pause string) *Loop[sample] {
	l, _ := toyLoop(out)
	l.Steps, l.SnapshotSteps, l.Resume = 500, 3, true
	d, _ := time.ParseDuration(pause)
	l.Hooks.Step = func(p Progress) {
		fmt.Println(p.Step)
		time.Sleep(d)
	}
	return l
}

// TestKill kills a training process 20 times at random moments. Each time a snapshot of at most one interval ago must be
// loadable, and in the end curve and weights are those of a run that was never disturbed.
func TestKill(t *testing.T) {
	whole, out := t.TempDir(), t.TempDir()
	l := crashLoop(whole, "")
	l.Resume, l.Hooks.Step = false, nil
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for range 20 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashEnv+"="+out, crashEnv+"_PAUSE=1ms")
		cmd.Stderr = os.Stderr
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var steps string // the last step that the child reported
		sc := bufio.NewScanner(pipe)
		if sc.Scan() {
			steps = sc.Text()
		}
		time.AfterFunc(time.Duration(rng.IntN(40_000))*time.Microsecond, func() { cmd.Process.Kill() })
		for sc.Scan() {
			steps = sc.Text()
		}
		if err := cmd.Wait(); err == nil {
			t.Logf("a child finished before it was killed")
			break
		}
		checkSurvivor(t, out, steps)
	}
	l = crashLoop(out, "")
	l.Hooks.Step = nil
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	equal(t, "curve", curve(t, out), curve(t, whole))
	equal(t, "last snapshot", snapshotBits(t, out, 500), snapshotBits(t, whole, 500))
}

func checkSurvivor(t *testing.T, out, lastStep string) {
	t.Helper()
	var done int
	fmt.Sscan(lastStep, &done)
	s := snapshots{dir: filepath.Join(out, snapshotFolder)}
	paths, err := s.list()
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		if done > 3 {
			t.Fatalf("no snapshot after %d steps", done)
		}
		return
	}
	f, err := checkpoint.Open(paths[0])
	if err != nil {
		t.Fatalf("after kill -9 the newest snapshot: %v", err)
	}
	defer f.Close()
	if err := f.Verify(); err != nil {
		t.Fatal(err)
	}
	var saved int
	fmt.Sscanf(filepath.Base(paths[0]), "step-%d", &saved)
	if done-saved > 3 {
		t.Fatalf("killed after step %d, newest snapshot is of step %d", done, saved)
	}
}

func snapshotBits(t *testing.T, out string, step int) []string {
	t.Helper()
	f, err := checkpoint.Open(filepath.Join(out, snapshotFolder, fmt.Sprintf("step-%08d.safetensors", step)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b []string
	for _, n := range f.Names() {
		x, err := f.Tensor(n)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, n, string(x.Raw))
	}
	return b
}

// TestFullDisk: saves that fail at any point leave older snapshots loadable and do not stop the training.
func TestFullDisk(t *testing.T) {
	l, want := toyLoop("")
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for name, fault := range map[string]error{"ENOSPC": syscall.ENOSPC, "EIO": syscall.EIO, "short write": nil} {
		for _, share := range []float64{0, .01, .3, .9, .9999} { // of a snapshot's bytes
			out := t.TempDir()
			l, o := toyLoop(out)
			fs := &switchFS{FS: checkpoint.OS}
			fault := &checkpointtest.FaultFS{Err: fault}
			var notes strings.Builder
			l.FS, l.Stderr = fs, &notes
			first := filepath.Join(out, snapshotFolder, "step-00000007.safetensors")
			l.Hooks.Step = func(p Progress) {
				switch p.Step {
				case 13: // the second snapshot fails, the third succeeds
					st, err := os.Stat(first)
					if err != nil {
						t.Fatal(err)
					}
					// The second snapshot may be some bytes smaller than the first, and must not fit in what is left of the disk.
					fault.Budget = min(int(share*float64(st.Size())), int(st.Size())-100)
					fs.FS = fault
				case 20:
					if !fault.Failed || !strings.Contains(notes.String(), first) {
						t.Errorf("%s after %d bytes: said %q", name, fault.Budget, notes.String())
					}
					if f, err := checkpoint.Open(first); err != nil || f.Verify() != nil {
						t.Errorf("%s: the older snapshot is gone or damaged: %v", name, err)
					} else {
						f.Close()
					}
					fs.FS = checkpoint.OS
				}
			}
			if err := l.Run(context.Background()); err != nil {
				t.Fatalf("%s at %g: %v", name, share, err)
			}
			equal(t, "parameters", bits(o.params), bits(want.params))
		}
	}

	// The last snapshot is the result: there failure is an error, and the one before stays.
	out := t.TempDir()
	l, _ = toyLoop(out)
	fs := &switchFS{FS: checkpoint.OS}
	l.FS = fs
	l.Hooks.Step = func(p Progress) {
		if p.Step == 40 {
			fs.FS = &checkpointtest.FaultFS{Budget: 50, Err: syscall.ENOSPC}
		}
	}
	if err := l.Run(context.Background()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	l, o := toyLoop(out)
	l.Resume, l.Stderr = true, io.Discard
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	equal(t, "parameters", bits(o.params), bits(want.params))
}

// switchFS passes on to a file system that can be exchanged.
type switchFS struct{ checkpoint.FS }
