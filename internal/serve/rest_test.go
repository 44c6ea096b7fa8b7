package serve

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A server rests once, when nobody has asked it for anything for some time, but for probes; not while it answers.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{Models: paced(0)})
		if err != nil {
			t.Fatal(err)
		}
		s.rest.stop()
		var rests atomic.Int64
		s.rest = newRest(restAfter, func() { rests.Add(1) })
		defer s.rest.stop()
		get := func(path string) {
			t.Helper()
			rec := httptest.NewRecorder()
			s.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil))
			if rec.Code != http.StatusOK {
				t.Fatalf("%s answered %d", path, rec.Code)
			}
		}
		wait := func(d time.Duration, want int64) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if n := rests.Load(); n != want {
				t.Fatalf("rested %d times, want %d", n, want)
			}
		}
		wait(restAfter-time.Second, 0)
		get("/healthz")
		get("/metrics")
		wait(time.Second, 1) // probes are no work
		wait(time.Hour, 1)
		get("/api/tags")
		wait(restAfter-time.Second, 1)
		get("/api/tags") // work is
		wait(restAfter-time.Second, 1)
		wait(time.Second, 2)

		s.rest.begin() // a long request, while shorter ones come and go
		get("/api/tags")
		wait(time.Hour, 2)
		s.rest.end()
		wait(restAfter, 3)
	})
}
