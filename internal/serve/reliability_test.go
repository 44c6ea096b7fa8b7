package serve

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"fovea"
	"fovea/imageproc"
	"fovea/model"
)

// pacedModel takes so long to look at a picture.
type pacedModel struct {
	slowModel
	d time.Duration
}

func (m pacedModel) NewRunner(int) model.Runner { return m }
func (m pacedModel) Encode(*imageproc.RGB) (model.View, error) {
	time.Sleep(m.d)
	return m, nil
}
func (m pacedModel) Caption(func(string)) model.Caption {
	return model.Caption{Text: "a picture", Score: 1}
}

func paced(d time.Duration) []Model {
	return []Model{{"paced", func(context.Context) (*fovea.Predictor, error) { return fovea.New(pacedModel{d: d}), nil }}}
}

// uniquePhotos gives the photo again and again, each time as another file, so that no cache helps.
func uniquePhotos() func() []byte {
	jpg, _ := photo()
	var n atomic.Int64
	return func() []byte { return fmt.Appendf(bytes.Clone(jpg), "%d", n.Add(1)) }
}

// A file of 189 KB that claims 1.6 gigapixels costs its header.
func TestBombIsCheap(t *testing.T) {
	s, h := start(t, nil)
	file := append(bomb(), make([]byte, 189<<10)...)
	best := time.Hour
	for range 20 {
		at := time.Now()
		if _, err := s.ingestBytes("bomb", file); err == nil {
			t.Fatal("it was taken")
		}
		best = min(best, time.Since(at))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	send(t, http.MethodPost, h.URL+"/v1/detect", "", file).want(t, 400, "error.code", "image.too_large")
	runtime.ReadMemStats(&after)
	mb := float64(after.TotalAlloc-before.TotalAlloc) / (1 << 20)
	t.Logf("refused in %v, the whole request allocated %.1f MB", best, mb)
	if best > 5*time.Millisecond || mb > 16 {
		t.Errorf("refusing took %v, and the request %.1f MB", best, mb)
	}
}

// Numbers that cannot be meant are refused by every surface.
func TestNonsenseNumbers(t *testing.T) {
	_, h := start(t, nil)
	jpg, _ := photo()
	b64 := base64.StdEncoding.EncodeToString(jpg)
	chat := `{"messages":[{"role":"user","content":[{"type":"text","text":"what?"},{"type":"image_url","image_url":"data:image/jpeg;base64,` + b64 + `"}]}],%s}`
	for _, surface := range []struct {
		path, body string
		fields     []string
	}{
		{"/v1/detect", `{"image":"` + b64 + `",%s}`, []string{`"threshold":-1`, `"threshold":2`, `"threshold":1e999`, `"threshold":NaN`, `"overlap":-0.1`, `"overlap":1.5`, `"max":-1`, `"max":100000`, `"max":1e30`,
			`"max":9223372036854775808`, `"max":0.5`, `"threshold":"x"`}},
		{"/v1/classify", `{"image":"` + b64 + `",%s}`, []string{`"top":1e30`, `"top":0.5`, `"top":99999999999999999999`}},
		{"/v1/chat/completions", chat, []string{`"max_tokens":-1`, `"max_tokens":0`, `"max_tokens":1e30`, `"max_completion_tokens":-5`, `"temperature":-1`, `"temperature":1e9`, `"top_p":-0.1`, `"top_p":7`, `"n":-1`, `"n":1000000`}},
		{"/api/generate", `{"prompt":"what?","images":["` + b64 + `"],%s}`, []string{`"options":{"num_predict":-9}`, `"options":{"num_predict":1e30}`, `"options":{"temperature":-1}`, `"options":{"top_p":2}`}},
		{"/v1/query", `{"question":"what?","image_url":"data:image/jpeg;base64,` + b64 + `",%s}`, []string{`"settings":{"temperature":-1}`, `"settings":{"temperature":1e999}`, `"settings":{"top_p":7}`, `"settings":{"max_tokens":-1}`,
			`"settings":{"max_tokens":1e30}`, `"settings":{"temperature":NaN}`}},
		{"/v2/models/tiny/infer", `{"inputs":[{"name":"image","datatype":"BYTES","shape":[1],"data":["` + b64 + `"]}],%s}`, []string{`"parameters":{"threshold":-1}`, `"parameters":{"threshold":1e999}`, `"parameters":{"threshold":3}`}},
		{"/infer/object_detection", `{"model_id":"tiny","image":{"type":"base64","value":"` + b64 + `"},%s}`, []string{`"confidence":-1`, `"confidence":40`, `"confidence":1e999`, `"iou_threshold":-1`, `"iou_threshold":9`, `"max_detections":-1`}},
	} {
		for _, f := range surface.fields {
			if a := send(t, http.MethodPost, h.URL+surface.path, "application/json", []byte(strings.Replace(surface.body, "%s", f, 1))); a.status != 400 {
				t.Errorf("%s with %s: %d %.200s", surface.path, f, a.status, a.body)
			}
		}
	}
	for _, v := range []string{"NaN", "-Inf", "1e999", "-1", "0x", ""} {
		if a := send(t, http.MethodPost, h.URL+"/v1/detect?threshold="+v, "image/jpeg", jpg); a.status != 400 {
			t.Errorf("threshold=%s: %d %.200s", v, a.status, a.body)
		}
	}
}

// tally is what many requests came to.
type tally struct {
	mu      sync.Mutex
	took    map[int][]time.Duration // by status; 0 stands for no answer
	refused int                     // connections
	broken  []error
}

func (y *tally) ask(client *http.Client, url string, body []byte) {
	at, status, used := time.Now(), 0, false
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { used = i.Reused }}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	res, err := client.Do(r)
	if err == nil {
		status = res.StatusCode
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), !used && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)): // nobody accepted the connection
		y.refused++
	case err != nil:
		y.broken = append(y.broken, fmt.Errorf("%w (connection used before: %t, %v)", err, used, time.Now()))
	default:
		y.took[status] = append(y.took[status], time.Since(at))
	}
}

// At ten times the capacity the excess is turned away at once, and those who are let in wait little. With FOVEA_LONG, which wants an
// idle machine, the times are those that the server promises; else the machine may be busy with other tests, and only what was answered
// and what was refused counts. door_test.go has the times exactly, without a machine.
func TestOverload(t *testing.T) {
	const service, requests = 200 * time.Millisecond, 150
	s, h := start(t, func(c *Config) { c.Models, c.Queue = paced(service), 1 })
	next, client := uniquePhotos(), &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	alone, flood := &tally{took: map[int][]time.Duration{}}, &tally{took: map[int][]time.Duration{}}
	for range 5 {
		alone.ask(client, h.URL+"/v1/caption", next())
	}
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range requests {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * service / 10)))
		wg.Go(func() { flood.ask(client, h.URL+"/v1/caption", next()) })
	}
	wg.Wait()
	length := time.Since(begin)
	ok, no := flood.took[200], flood.took[429]
	if len(ok)+len(no) != requests || len(flood.broken) > 0 {
		t.Fatalf("%d answers, %d refusals, %v", len(ok), len(no), flood.broken)
	}
	one, p99, refusal := percentile(alone.took[200], .99), percentile(ok, .99), percentile(no, .99)
	used := float64(len(ok)) * float64(service) / float64(length)
	t.Logf("alone p99 %v; at 10 times the capacity: %d answered, p99 %v; %d refused, p99 %v; the model was busy for %.0f %%", one, len(ok), p99, len(no), refusal, 100*used)
	if os.Getenv("FOVEA_LONG") != "" && (p99 > 2*one || refusal > 50*time.Millisecond || used < .9) {
		t.Error("that is too slow")
	}
	until(t, "all places are free", func() bool { return s.models[0].queue.occupied() == 0 })
}

// SIGTERM, which ends Run's context, under load: whoever was let in gets an answer, others are told, and no connection breaks.
func TestDrainUnderLoad(t *testing.T) {
	s, err := New(Config{Models: paced(5 * time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, nil, l) }()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	until(t, "ready", func() bool {
		res, err := client.Get(url + "/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == 200
	})
	next, y := uniquePhotos(), &tally{took: map[int][]time.Duration{}}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				y.mu.Lock()
				over := y.refused > 0
				y.mu.Unlock()
				if over {
					return
				}
				y.ask(client, url+"/v1/caption", next())
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	at := time.Now()
	stop()
	until(t, "not ready", func() bool {
		res, err := client.Get(url + "/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == 503
	})
	notReady := time.Since(at)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	took := time.Since(at)
	wg.Wait()
	for status, answers := range y.took {
		if n := testutil.ToFloat64(s.metrics.requests.WithLabelValues("native", strconv.Itoa(status))); status != 200 && status != 503 && status != 429 || int(n) != len(answers) {
			t.Errorf("%d clients have the answer %d, the server sent %v", len(answers), status, n)
		}
	}
	if n := testutil.ToFloat64(s.metrics.requests.WithLabelValues("native", "499")); n != 0 {
		t.Errorf("%v requests were dropped", n)
	}
	t.Logf("%d answered, %d told that the server ends; not ready after %v, ended after %v", len(y.took[200]), len(y.took[503]), notReady, took)
	if len(y.broken) > 0 || len(y.took[200]) == 0 || notReady > time.Second || took > 25*time.Second {
		t.Errorf("broken: %v", y.broken)
	}
}

// Requests of all kinds, good and bad, leave nothing behind.
func TestSoak(t *testing.T) {
	s, h := start(t, func(c *Config) { c.Models, c.Cache = paced(0), 1<<20 })
	next, client := uniquePhotos(), &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	round := func(n int) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for i := range n {
					ctx, cancel := context.WithCancel(context.Background())
					body, path := next(), "/v1/caption"
					switch i % 5 {
					case 1:
						body = body[:99]
					case 2:
						path = "/v1/embed" // it cannot
					case 3:
						path = "/v1/ask?question=what" // it panics
					case 4:
						time.AfterFunc(time.Millisecond, cancel)
					}
					r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL+path, bytes.NewReader(body))
					if err != nil {
						panic(err)
					}
					if res, err := client.Do(r); err == nil {
						_, _ = io.Copy(io.Discard, res.Body) // the client may have gone
						res.Body.Close()
					}
					cancel()
				}
			})
		}
		wg.Wait()
	}
	measure := func() (mb float64, goroutines int) {
		client.CloseIdleConnections()
		until(t, "nothing is at work", func() bool { return s.held.Load() == 0 && s.models[0].queue.occupied() == 0 })
		time.Sleep(50 * time.Millisecond)
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / (1 << 20), runtime.NumGoroutine()
	}
	round(50)
	mb, goroutines := measure()
	round(200)
	mb2, goroutines2 := measure()
	bytes, pictures := s.cache.usage()
	t.Logf("after 200 requests %.1f MB and %d goroutines, after 800 more %.1f MB and %d; %d pictures of %d bytes are remembered", mb, goroutines, mb2, goroutines2, pictures, bytes)
	if mb2 > mb+4 || goroutines2 > goroutines+4 || bytes > 1<<20 {
		t.Error("that grows")
	}
	if os.Getenv("FOVEA_LONG") == "" {
		return
	}
	// The slope of a line through the heap as it is every few seconds, for ten minutes.
	var hours, heap []float64
	for begin := time.Now(); time.Since(begin) < 10*time.Minute; {
		round(50)
		mb, goroutines2 = measure()
		hours, heap = append(hours, time.Since(begin).Hours()), append(heap, mb)
	}
	slope := slopeOf(hours, heap)
	t.Logf("%d requests in ten minutes: %.2f … %.2f MB, slope %.2f MB an hour, %d goroutines", 200*len(heap), heap[0], heap[len(heap)-1], slope, goroutines2)
	if slope > 1 || goroutines2 > goroutines+4 {
		t.Error("that grows")
	}
}

// slopeOf is that of the line through points with the least squares.
func slopeOf(x, y []float64) float64 {
	mx, my := 0., 0.
	for i := range x {
		mx, my = mx+x[i]/float64(len(x)), my+y[i]/float64(len(y))
	}
	xy, xx := 0., 0.
	for i := range x {
		xy, xx = xy+(x[i]-mx)*(y[i]-my), xx+(x[i]-mx)*(x[i]-mx)
	}
	return xy / xx
}
