package train

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"time"
)

// tensorBoard writes an event file that TensorBoard reads: TFRecord framing around protocol buffers, both simple enough to
// write by hand. Each record is
//
//	length uint64 │ masked CRC-32C of length uint32 │ Event │ masked CRC-32C of Event uint32
//
// (tensorflow/core/lib/io/record_writer.h), and an Event (tensorflow/core/util/event.proto) has the fields
//
//	1 wall_time double │ 2 step int64 │ 3 file_version string │ 5 summary Summary │ 7 session_log SessionLog
//	Summary: 1 value Value…         Value: 1 tag string │ 2 simple_value float │ 4 image Image
//	SessionLog: 1 status enum       Image: 1 height │ 2 width │ 3 colorspace │ 4 encoded_image_string
type tensorBoard struct {
	file                  *os.File
	event, summary, value []byte // reused
	record                []byte
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// newTensorBoard starts a file for a run that has done steps steps: points that an earlier run of the same folder wrote
// for later ones are purged by TensorBoard.
func newTensorBoard(dir string, steps int) (*tensorBoard, error) {
	now := time.Now()
	var f *os.File
	var err error
	for n := 0; ; n++ { // two runs may start within a second
		name := fmt.Sprintf("events.out.tfevents.%010d.fovea.%d.%d", now.Unix(), os.Getpid(), n)
		f, err = os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o666)
		if err == nil || !os.IsExist(err) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("train: tensorboard: %w", err)
	}
	t := &tensorBoard{file: f}
	t.begin(now, 0)
	t.event = appendBytes(t.event, 3, "brain.Event:2")
	if err := t.end(); err != nil {
		return nil, err
	}
	if steps > 0 {
		const start = 1
		t.begin(now, steps+1)
		t.event = appendBytes(t.event, 7, appendVarint(nil, 1, start))
		return t, t.end()
	}
	return t, nil
}

// begin starts an event; add puts values in it, end writes it.
func (t *tensorBoard) begin(now time.Time, step int) {
	t.event = append(t.event[:0], 1<<3|1)
	t.event = binary.LittleEndian.AppendUint64(t.event, math.Float64bits(float64(now.UnixMicro())/1e6))
	t.event = appendVarint(t.event, 2, uint64(step))
	t.summary = t.summary[:0]
}

// add puts a number into the event under the tag prefix+name.
func (t *tensorBoard) add(prefix, name string, v float64) {
	t.value = appendKey(t.value[:0], 1, 2)
	t.value = binary.AppendUvarint(t.value, uint64(len(prefix)+len(name)))
	t.value = append(append(t.value, prefix...), name...)
	t.value = appendKey(t.value, 2, 5)
	t.value = binary.LittleEndian.AppendUint32(t.value, math.Float32bits(float32(v)))
	t.summary = appendBytes(t.summary, 1, t.value)
}

// step writes the event of a line of metrics.jsonl.
func (t *tensorBoard) step(now time.Time, p *Progress, parts *tally, rss int64) error {
	t.begin(now, p.Step)
	t.add("train/", "loss", parts.mean())
	for i, n := range parts.Counts {
		if n > 0 {
			t.add("loss/", parts.Names[i], parts.Sums[i]/float64(n))
		}
	}
	t.add("train/", "lr", p.LR)
	t.add("train/", "grad_norm", p.GradNorm)
	t.add("system/", "images_per_second", p.ImagesPerSecond)
	t.add("system/", "rss_mb", float64(rss>>20))
	return t.end()
}

// addImage puts a PNG picture into the event.
func (t *tensorBoard) addImage(tag string, width, height int, png []byte) {
	img := appendVarint(nil, 1, uint64(height))
	img = appendVarint(img, 2, uint64(width))
	img = appendVarint(img, 3, 3) // RGB
	img = appendBytes(img, 4, png)
	t.value = appendBytes(t.value[:0], 1, tag)
	t.value = appendBytes(t.value, 4, img)
	t.summary = appendBytes(t.summary, 1, t.value)
}

func (t *tensorBoard) end() error {
	if len(t.summary) > 0 {
		t.event = appendBytes(t.event, 5, t.summary)
	}
	r := binary.LittleEndian.AppendUint64(t.record[:0], uint64(len(t.event)))
	r = binary.LittleEndian.AppendUint32(r, maskedCRC(r[:8]))
	r = append(r, t.event...)
	t.record = binary.LittleEndian.AppendUint32(r, maskedCRC(t.event))
	if _, err := t.file.Write(t.record); err != nil {
		return fmt.Errorf("train: tensorboard: %w", err)
	}
	return nil
}

// maskedCRC is TFRecord's checksum: rotated and shifted, so that a record that itself holds checksums gets a useful one.
func maskedCRC(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

func appendKey(b []byte, field, wire uint64) []byte { return binary.AppendUvarint(b, field<<3|wire) }

func appendVarint(b []byte, field, v uint64) []byte {
	return binary.AppendUvarint(appendKey(b, field, 0), v)
}

func appendBytes[T string | []byte](b []byte, field uint64, v T) []byte {
	b = binary.AppendUvarint(appendKey(b, field, 2), uint64(len(v)))
	return append(b, v...)
}
