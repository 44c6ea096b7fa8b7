package train

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestConsoleContract: the lines of stdout that other programs read.
func TestConsoleContract(t *testing.T) {
	var out, notes bytes.Buffer
	l, _ := toyLoop("")
	l.Stdout, l.Stderr, l.EpochSteps, l.Quiet = &out, &notes, 15, false
	l.Eval = func(int) (map[string]float64, error) { return map[string]float64{"top1": .855, "AP": .25}, nil }
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[0], "Epoch [1/3] Training Loss: 0.") || !strings.HasPrefix(lines[2], "Epoch [3/3] ") ||
		lines[3] != "Test AP: 0.2500" || lines[4] != "Test top1: 0.8550" {
		t.Errorf("stdout:\n%s", out.String())
	}
	if !strings.HasPrefix(notes.String(), "step 40/40  loss ") {
		t.Errorf("stderr:\n%s", notes.String())
	}
	out.Reset()
	l, _ = toyLoop("")
	l.Stdout, l.Steps = &out, 1
	l.Results = func(map[string]float64) []string { return []string{"Test Accuracy: 85.5 %"} }
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(out.String(), "\nTest Accuracy: 85.5 %\n") {
		t.Errorf("stdout:\n%s", out.String())
	}
}

func TestMetricsLog(t *testing.T) {
	dir := t.TempDir()
	l, _ := toyLoop(dir)
	l.Steps, l.LogEvery, l.EvalEvery = 20, 8, 10
	l.Eval = func(int) (map[string]float64, error) { return map[string]float64{"AP": .5, "none": math.NaN()}, nil }
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, metricsName))
	if err != nil {
		t.Fatal(err)
	}
	var steps []int
	for _, line := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
		var m struct {
			Step      int
			Loss      float64
			Parts     map[string]float64
			LR        float64
			GradNorm  float64 `json:"grad_norm"`
			RSS       int     `json:"rss_mb"`
			Eval      map[string]*float64
			ImagesSec *float64 `json:"images_per_second"`
		}
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		steps = append(steps, m.Step)
		if m.Eval != nil {
			if m.Eval["AP"] == nil || *m.Eval["AP"] != .5 || m.Eval["none"] != nil {
				t.Errorf("%s", line)
			}
		} else if m.Loss <= 0 || math.Abs(m.Parts["l1"]-m.Loss) > 1e-9 || m.LR <= 0 || m.GradNorm <= 0 || m.RSS <= 0 || m.ImagesSec == nil {
			t.Errorf("%s", line)
		}
	}
	equal(t, "steps", steps, []int{8, 10, 16, 20, 20})
}

// TestMetricsAreCutOnResume: lines after the snapshot, and a torn one, disappear.
func TestMetricsAreCutOnResume(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, metricsName)
	text := "{\"step\":3}\n{\"step\":4,\"eval\":{}}\n{\"step\":5}\n{\"step\":1"
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	m, err := openMetrics(dir, 4)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.write([]byte("{\"step\":5}\n")); err != nil {
		t.Fatal(err)
	}
	m.file.Close()
	if b, _ := os.ReadFile(path); string(b) != "{\"step\":3}\n{\"step\":4,\"eval\":{}}\n{\"step\":5}\n" {
		t.Errorf("left %q", b)
	}
}

// TestTensorBoardFraming reads the records back. That TensorBoard itself reads the files was checked once with its Python
// package (event_accumulator: scalars, picture, purge after a restart).
func TestTensorBoardFraming(t *testing.T) {
	dir := t.TempDir()
	b, err := newTensorBoard(dir, 7)
	if err != nil {
		t.Fatal(err)
	}
	b.begin(time.Unix(1700000000, 500_000_000), 300)
	b.add("eval/", "AP", .25)
	if err := b.end(); err != nil {
		t.Fatal(err)
	}
	b.file.Close()
	data, err := os.ReadFile(b.file.Name())
	if err != nil {
		t.Fatal(err)
	}
	var events [][]byte
	for len(data) > 0 {
		n := binary.LittleEndian.Uint64(data)
		for _, c := range []struct {
			body []byte
			sum  uint32
		}{{data[:8], binary.LittleEndian.Uint32(data[8:])}, {data[12 : 12+n], binary.LittleEndian.Uint32(data[12+n:])}} {
			crc := crc32.Checksum(c.body, crc32.MakeTable(crc32.Castagnoli))
			if c.sum != (crc>>15|crc<<17)+0xa282ead8 {
				t.Fatal("wrong checksum")
			}
		}
		events = append(events, data[12:12+n])
		data = data[16+n:]
	}
	if len(events) != 3 || !bytes.Contains(events[0], []byte("brain.Event:2")) {
		t.Fatalf("%d events", len(events))
	}
	wall := binary.LittleEndian.AppendUint64([]byte{1<<3 | 1}, math.Float64bits(1700000000.5))
	value := append([]byte{1<<3 | 2, 7, 'e', 'v', 'a', 'l', '/', 'A', 'P', 2<<3 | 5}, binary.LittleEndian.AppendUint32(nil, math.Float32bits(.25))...)
	want := append(append(wall, 2<<3, 0xac, 0x02, 5<<3|2, byte(len(value)+2), 1<<3|2, byte(len(value))), value...)
	if !bytes.Equal(events[2], want) {
		t.Errorf("event is % x, want % x", events[2], want)
	}
	if !bytes.HasSuffix(events[1], []byte{2 << 3, 8, 7<<3 | 2, 2, 1 << 3, 1}) { // step 8, session_log{status: START}
		t.Errorf("restart is % x", events[1])
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{8400 * time.Millisecond: "8s", 190 * time.Second: "3m10s", 2*time.Hour + 5*time.Minute: "2h05m"} {
		if got := duration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestRateOverWindow(t *testing.T) {
	var r rate
	now := time.Unix(0, 0)
	for i := range 100 {
		got := r.add(now.Add(time.Duration(i)*time.Second/2), 16)
		if want := 32.; i > 0 && math.Abs(got-want) > 1e-9 || i == 0 && got != 0 {
			t.Fatalf("note %d: %g", i, got)
		}
	}
}
