package scenes

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// jsonFile is an object that is written as it grows: {"annotations":[…,…],"images":…}.
type jsonFile struct {
	f *os.File
	b *bufio.Writer
	n int
}

func createJSON(path, list string) (*jsonFile, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	j := &jsonFile{f: f, b: bufio.NewWriterSize(f, 1<<16)}
	fmt.Fprintf(j.b, "{%q:[", list)
	return j, nil
}

// add appends an element to the list.
func (j *jsonFile) add(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if j.n++; j.n > 1 {
		j.b.WriteString(",\n")
	}
	_, err = j.b.Write(b)
	return err
}

// finish ends the list and adds further fields.
func (j *jsonFile) finish(fields map[string]any) error {
	b, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	j.b.WriteString("],\n")
	j.b.Write(b[1:]) // without its brace
	return errors.Join(j.b.Flush(), j.f.Sync(), j.close())
}

func (j *jsonFile) close() error {
	if j.f == nil {
		return nil
	}
	err := j.f.Close()
	j.f = nil
	return err
}
