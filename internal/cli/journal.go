package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"time"

	"fovea/checkpoint"
	"fovea/internal/filelock"
)

// batchSettings are what the results of a batch depend on; a folder holds those of one kind.
type batchSettings struct {
	Model     string   `json:"model"`
	Weights   string   `json:"weights"` // checkpoint.Digest of it
	Tasks     string   `json:"tasks"`
	Query     []string `json:"query"`
	Labels    []string `json:"labels"`
	Questions []string `json:"questions"`
	Threshold float64  `json:"threshold"`
	Max       int      `json:"max"`
	Precision string   `json:"precision"`
	Every     int      `json:"every"`
	Zoom      bool     `json:"zoom"`
}

const settingsName = "batch.json"

// difference names the first setting that two batches do not share, "" when there is none.
func (s batchSettings) difference(other batchSettings) string {
	if s.Model == other.Model && s.Weights != other.Weights && s.Weights != "" { // "" of a folder from before it was noted
		return fmt.Sprintf("the model %s has other weights now", s.Model)
	}
	s.Weights = other.Weights
	v, w := reflect.ValueOf(s), reflect.ValueOf(other)
	for i := range v.NumField() {
		if x, y := fmt.Sprint(v.Field(i)), fmt.Sprint(w.Field(i)); x != y {
			return fmt.Sprintf("%s is %s there and %s here", strings.Split(v.Type().Field(i).Tag.Get("json"), ",")[0], x, y)
		}
	}
	return ""
}

// keep writes the settings into a folder, or compares them with those that are there.
func (s batchSettings) keep(dir string) error {
	path := filepath.Join(dir, settingsName)
	raw, err := os.ReadFile(path)
	switch {
	case err == nil:
		var old batchSettings
		if err := json.Unmarshal(raw, &old); err != nil {
			return bad("name another folder with --out", "%s is no longer what fovea batch wrote: %w", path, err)
		}
		if d := old.difference(s); d != "" {
			return usage("name another folder with --out", "%s holds results of other settings: %s", dir, d)
		}
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if raw, err = json.Marshal(s); err != nil {
		return err
	}
	return checkpoint.AtomicWrite(checkpoint.OS, path, func(w io.Writer) error { _, err := w.Write(append(raw, '\n')); return err })
}

// journal is a file of results that grows by a line at a time and survives a crash: a line that was not finished is taken out when
// the file is opened again, and so are those of failures, whose pictures are tried again.
type journal struct {
	path   string
	f      *os.File
	synced time.Time
	seed   maphash.Seed
	done   map[uint64]struct{} // pictures with a result in any file of the folder; 64 bits of a name tell millions apart
	known  int                 // their number when the file was opened
}

// syncEvery bounds what is lost with the machine's power.
const syncEvery = 5 * time.Second

// openJournal opens the file of results in a folder and reads what it and the files of other machines hold.
func openJournal(dir, file string, s batchSettings) (*journal, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, usage("name another folder with --out", "--out: %w", err)
	}
	if err := s.keep(dir); err != nil {
		return nil, err
	}
	j := &journal{path: filepath.Join(dir, file), synced: time.Now(), seed: maphash.MakeSeed(), done: map[uint64]struct{}{}}
	if err := j.lock(); err != nil {
		return nil, err
	}
	clean, err := j.read(j.path, nil)
	if err == nil && !clean {
		err = j.mend()
	}
	entries, others := os.ReadDir(dir)
	for _, e := range entries {
		if name := e.Name(); err == nil && name != file && strings.HasPrefix(name, "results") && strings.HasSuffix(name, ".jsonl") {
			_, err = j.read(filepath.Join(dir, name), nil)
		}
	}
	if err := errors.Join(err, others); err != nil {
		return nil, errors.Join(err, j.close())
	}
	j.known = len(j.done)
	return j, nil
}

// lock opens the file to be added to, alone.
func (j *journal) lock() error {
	for {
		f, err := os.OpenFile(j.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
		if err != nil {
			return err
		}
		if !filelock.Try(f) {
			_ = f.Close()
			return &failure{exitFailed, fmt.Errorf("another fovea batch writes %s", j.path), "wait for it, or share the work: --shard 1/2 and --shard 2/2"}
		}
		mine, err := f.Stat()
		now, gone := os.Stat(j.path)
		if err == nil && gone == nil && os.SameFile(mine, now) {
			if j.f != nil {
				_ = j.f.Close()
			}
			j.f = f
			return nil
		}
		_ = f.Close() // it was mended by another in the meantime
		if err != nil {
			return err
		}
	}
}

// mend writes the file again with its results alone.
func (j *journal) mend() error {
	if err := checkpoint.AtomicWrite(checkpoint.OS, j.path, func(w io.Writer) error { _, err := j.read(j.path, w); return err }); err != nil {
		return err
	}
	return j.lock()
}

// read notes which pictures have a result in a file, and copies their lines to w, which may be nil. clean is false when the file
// holds other lines: failures, or an unfinished one at the end.
func (j *journal) read(path string, w io.Writer) (clean bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	clean = true
	r := bufio.NewReaderSize(f, 1<<20)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return clean && len(line) == 0, nil
		}
		if err != nil {
			return false, err
		}
		var l struct {
			Image *string
			Frame *int
			Error json.RawMessage
		}
		if err := json.Unmarshal(line, &l); err != nil || l.Image == nil {
			return false, bad("name another folder with --out, or take the line out", "%s, line %d is no result of fovea batch", path, n)
		}
		if l.Error != nil {
			clean = false
			continue
		}
		j.done[j.key(*l.Image, l.Frame)] = struct{}{}
		if w != nil {
			if _, err := w.Write(line); err != nil {
				return false, err
			}
		}
	}
}

func (j *journal) key(image string, frame *int) uint64 {
	if frame == nil {
		return maphash.Comparable(j.seed, image)
	}
	return maphash.Comparable(j.seed, fmt.Sprint(image, "\x00", *frame))
}

// has says that a picture has a result.
func (j *journal) has(image string, frame *int) bool {
	_, ok := j.done[j.key(image, frame)]
	return ok
}

// add appends a line.
func (j *journal) add(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := j.f.Write(b.Bytes())
	if err == nil && time.Since(j.synced) > syncEvery {
		err = j.f.Sync()
		j.synced = time.Now()
	}
	if errors.Is(err, syscall.ENOSPC) {
		return &failure{exitFailed, fmt.Errorf("no space is left for %s: %w", j.path, err), "make room, and start the same command again: it goes on where it stopped"}
	}
	return err
}

// close makes what was added durable. It may be called twice.
func (j *journal) close() error {
	if j.f == nil {
		return nil
	}
	err := errors.Join(j.f.Sync(), j.f.Close())
	j.f = nil
	return err
}
