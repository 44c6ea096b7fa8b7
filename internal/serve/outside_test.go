package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Whoever is refused is so before the body has come: none is sent here, and the answer comes all the same.
func TestRefusedUnread(t *testing.T) {
	s, h := start(t, nil)
	d := s.models[0].queue.door
	d.mu.Lock()
	d.cost, d.strained = time.Hour, time.Now().Add(time.Hour)
	d.pending = 2 * d.workers
	d.mu.Unlock()
	c, err := net.Dial("tcp", strings.TrimPrefix(h.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(c, "POST /v1/caption HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", s.cfg.MaxBody)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("%s, %v", res.Status, res.Header)
	}
	if n := d.occupied(); n != 0 {
		t.Errorf("%d places are taken", n)
	}
}

// Many stand before the doors of two models at the same time, each of which turns them away by itself: all are refused, in time.
func TestOutsideOfTwo(t *testing.T) {
	doors := make([]*door, 2)
	for i := range doors {
		d := newDoor(1, 1, 0)
		d.cost, d.pending, d.strained = time.Second, 2, time.Now().Add(time.Hour)
		doors[i] = d
	}
	refused := make(chan error)
	const clients = 40
	for i := range clients {
		go func() {
			time.Sleep(time.Duration(i) * time.Millisecond)
			refused <- outside(withVisit(t.Context()), doors)
		}()
	}
	for range clients {
		var f *fault
		if err := <-refused; !errors.As(err, &f) || f.status != http.StatusTooManyRequests {
			t.Errorf("%v, want a refusal", err)
		}
	}
	for _, d := range doors {
		if len(d.knocking) > 0 {
			t.Errorf("%d are still at a door", len(d.knocking))
		}
	}
}

// Of several models it is enough that one would let a request in, and a request is held at doors only once.
func TestOutside(t *testing.T) {
	now := time.Unix(0, 0)
	made := func(places int, busy bool) *door {
		d := newDoor(places, 1, 0)
		d.now = func() time.Time { return now }
		d.cost = time.Second
		if busy {
			d.pending, d.strained = 2, now.Add(time.Hour)
		}
		return d
	}
	full := made(0, false)
	for name, test := range map[string]struct {
		doors   []*door
		refused bool
		held    bool // for a while
	}{
		"nobody is there":   {[]*door{made(1, false)}, false, false},
		"no place":          {[]*door{full}, true, false},
		"one of two":        {[]*door{full, made(1, false)}, false, false},
		"no place, a queue": {[]*door{full, made(1, true)}, true, true},
		"a queue":           {[]*door{made(1, true)}, true, true},
	} {
		ctx := withVisit(t.Context())
		err := outside(ctx, test.doors)
		var f *fault
		if refused := errors.As(err, &f) && f.status == http.StatusTooManyRequests; refused != test.refused || err != nil && f == nil {
			t.Errorf("%s: %v", name, err)
		}
		v := visitOf(ctx)
		if held := v.held >= v.most; held != test.held {
			t.Errorf("%s: held for %v", name, v.held)
		}
		for _, d := range test.doors {
			if len(d.knocking) > 0 {
				t.Errorf("%s: somebody is still at a door", name)
			}
		}
		if !test.held {
			continue
		}
		// What has been held before is not held again.
		d := made(1, true)
		if in, _ := d.look(&knocker{most: v.most}, v.held); in != goesAway {
			t.Errorf("%s: the next door says %d", name, in)
		}
		if err := d.enter(ctx, nil); err == nil || d.occupied() != 0 {
			t.Errorf("%s: the next door says %v, and %d places are taken", name, err, d.occupied())
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := outside(ctx, []*door{made(1, true)}); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that has gone: %v", err)
	}
}
