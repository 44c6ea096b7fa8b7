package serve

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"fovea"
	"fovea/annotation"
	"fovea/dataset/scenes"
	"fovea/imageproc"
	"fovea/internal/testmodel"
	"fovea/model"
	"fovea/task"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := tinyFolder(); err == nil {
		os.RemoveAll(dir)
	}
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// tinyFolder is a folder with a small random model, made once.
var tinyFolder = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fovea-tiny")
	if err != nil {
		return "", err
	}
	return dir, testmodel.Write(dir)
})

func openTiny(ctx context.Context) (*fovea.Predictor, error) {
	dir, err := tinyFolder()
	if err != nil {
		return nil, err
	}
	return fovea.Open(ctx, dir, fovea.WithName("tiny"), fovea.WithThreads(1))
}

// slowModel answers every question after gate has let it go on, so that tests can fill the queue.
type slowModel struct{ gate chan struct{} }

func (m slowModel) Card() model.Card {
	return model.Card{Name: "slow", Tasks: task.SetOf(task.Caption, task.Ask), Parameters: 1}
}
func (m slowModel) NewRunner(int) model.Runner                    { return m }
func (m slowModel) Encode(*imageproc.RGB) (model.View, error)     { return m, nil }
func (m slowModel) TextVector(string) []float32                   { return nil }
func (m slowModel) Close()                                        {}
func (m slowModel) Classify([]string) []model.Class               { return nil }
func (m slowModel) Detect(model.DetectOptions) []model.Object     { return nil }
func (m slowModel) Pose([]annotation.Box) [][]annotation.Joint    { return nil }
func (m slowModel) Vector() []float32                             { return nil }
func (m slowModel) Ask(q []string, _ func(string)) []model.Answer { panic("a bug") }
func (m slowModel) Caption(step func(string)) model.Caption {
	text := ""
	for _, w := range strings.Fields("one two three four five") {
		<-m.gate
		text = strings.TrimSpace(text + " " + w)
		if step != nil {
			step(text)
		}
	}
	return model.Caption{Text: text, Score: .5}
}

// start makes a server with the tiny model, whose limits and settings edit may change.
func start(t *testing.T, edit func(*Config)) (*Server, *httptest.Server) {
	t.Helper()
	cfg := Config{Models: []Model{{"tiny", openTiny}}, Version: "test", DrainDelay: 1}
	if edit != nil {
		edit(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	h := httptest.NewUnstartedServer(s.Handler())
	h.Config = s.httpServer()
	h.Start()
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
		s.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return s, h
}

// photo is a drawn scene as JPEG and as PNG.
var photo = sync.OnceValues(func() (jpg, pic []byte) {
	ex, err := scenes.New(scenes.Config{Seed: 3, N: 1, Size: 96}).At(0, nil)
	if err != nil {
		panic(err)
	}
	var a, b bytes.Buffer
	if err := jpeg.Encode(&a, ex.Image, nil); err != nil {
		panic(err)
	}
	if err := png.Encode(&b, ex.Image); err != nil {
		panic(err)
	}
	return a.Bytes(), b.Bytes()
})

func dataURLOf(b []byte) string {
	return "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(b)
}

// scene is a drawn scene as PNG.
func scene(seed uint64) []byte {
	ex, err := scenes.New(scenes.Config{Seed: seed, N: 1, Size: 64}).At(0, nil)
	if err != nil {
		panic(err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, ex.Image); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// bomb is the header of an enormous PNG.
func bomb() []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR")
	b = binary.BigEndian.AppendUint32(b, 40000)
	b = binary.BigEndian.AppendUint32(b, 40000)
	b = append(b, 8, 2, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:]))
	return append(b, "\x00\x00\x00\x00IDAT"...)
}

// turned is the JPEG with an EXIF orientation of 6: it stands on its side.
func turned(jpg []byte) []byte {
	tiff := "II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00"
	seg := "Exif\x00\x00" + tiff
	head := append([]byte{0xff, 0xd8, 0xff, 0xe1}, binary.BigEndian.AppendUint16(nil, uint16(len(seg)+2))...)
	return append(append(head, seg...), jpg[2:]...)
}

// answer is what a server said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send sends a request and reads the whole answer.
func send(t *testing.T, method, url, kind string, body []byte, header ...string) answer {
	t.Helper()
	r, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		if header[i] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, b}
}

// post sends JSON.
func post(t *testing.T, url string, v any) answer {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, http.MethodPost, url, "application/json", b)
}

// want checks the status of an answer and finds values in its JSON: path is like "error.code" or "choices.0.message".
func (a answer) want(t *testing.T, status int, pairs ...any) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d: %.300s", a.status, status, a.body)
		return
	}
	var v any
	if err := json.Unmarshal(a.body, &v); err != nil && len(pairs) > 0 {
		t.Errorf("%v: %.300s", err, a.body)
		return
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if got := at(v, pairs[i].(string)); fmt.Sprint(got) != fmt.Sprint(pairs[i+1]) {
			t.Errorf("%s is %v, want %v: %.300s", pairs[i], got, pairs[i+1], a.body)
		}
	}
}

// get finds a value in the answer's JSON.
func (a answer) get(t *testing.T, path string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%v: %.300s", err, a.body)
	}
	return at(v, path)
}

func at(v any, path string) any {
	if path == "" {
		return v
	}
	for key := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			i := 0
			if _, err := fmt.Sscan(key, &i); err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// faults is how often the metrics have seen a code.
func faults(s *Server, surface, code string) float64 {
	return testutil.ToFloat64(s.metrics.faults.WithLabelValues(surface, code))
}

// event is one server-sent event.
type event struct {
	name, data string
	value      any // data as JSON, nil when it is none
}

func eventsOf(body []byte) (out []event) {
	for block := range strings.SplitSeq(strings.TrimSpace(string(body)), "\n\n") {
		var e event
		for line := range strings.SplitSeq(block, "\n") {
			if v, ok := strings.CutPrefix(line, "event: "); ok {
				e.name = v
			}
			if v, ok := strings.CutPrefix(line, "data: "); ok {
				e.data = v
				_ = json.Unmarshal([]byte(v), &e.value)
			}
		}
		out = append(out, e)
	}
	return out
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
