package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// engine is a program that takes part: a process that is built and warm before the first round and sleeps while others are
// timed.
type engine struct {
	Name    string
	Version string
	Error   float64 // see result

	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// start runs a worker and waits until it is ready: a line of JSON with "ready". What else it prints is skipped.
func start(name string, threads int, command []string) (*engine, error) {
	e := &engine{Name: name, cmd: exec.Command(command[0], command[1:]...)}
	e.cmd.Env = append(os.Environ(), fmt.Sprintf("OMP_NUM_THREADS=%d", threads), fmt.Sprintf("MKL_NUM_THREADS=%d", threads))
	e.cmd.Stderr = os.Stderr
	var err error
	if e.in, err = e.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	e.out = bufio.NewScanner(out)
	e.out.Buffer(nil, 1<<24)
	if err := e.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	var ready struct {
		Ready   bool    `json:"ready"`
		Version string  `json:"version"`
		Error   float64 `json:"error"`
	}
	if err := e.answer(&ready); err != nil || !ready.Ready {
		e.stop()
		return nil, fmt.Errorf("%s does not start: %w", name, err)
	}
	e.Version, e.Error = ready.Version, ready.Error
	return e, nil
}

// answer reads the next line of JSON.
func (e *engine) answer(to any) error {
	for e.out.Scan() {
		if line := e.out.Text(); strings.HasPrefix(line, "{") {
			return json.Unmarshal([]byte(line), to)
		}
	}
	if err := e.out.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

// time lets the engine repeat an item for at least so long and returns the seconds of every repetition.
func (e *engine) time(key string, seconds float64) ([]float64, error) {
	if _, err := fmt.Fprintf(e.in, "%s %g 1\n", key, seconds); err != nil {
		return nil, fmt.Errorf("%s: %w", e.Name, err)
	}
	var r struct {
		Times []float64 `json:"times_s"`
	}
	if err := e.answer(&r); err != nil || len(r.Times) == 0 {
		return nil, fmt.Errorf("%s gives no times for %s: %w", e.Name, key, err)
	}
	return r.Times, nil
}

// resident is the most memory in MB that the process has held, as Linux counts it, else 0.
func (e *engine) resident() (mb float64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", e.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	_, _ = fmt.Sscan(after, &mb) // of KiB
	return mb * 1024 / 1e6
}

// stop ends the process by ending its input.
func (e *engine) stop() {
	_ = e.in.Close()
	_ = e.cmd.Wait()
}
