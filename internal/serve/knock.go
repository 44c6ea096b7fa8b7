package serve

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// visit is what a request has spent at doors, and may spend. Its context carries it from one to the next, so that it is held once.
type visit struct{ held, most time.Duration }

// newVisit draws how long a request may stand at doors, see holdLeast.
func newVisit() *visit { return &visit{most: holdLeast + rand.N(holdMost-holdLeast)} }

type visitKey struct{}

func withVisit(ctx context.Context) context.Context {
	return context.WithValue(ctx, visitKey{}, newVisit())
}

// visitOf is the visit of a request, or a new one.
func visitOf(ctx context.Context) *visit {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok {
		return v
	}
	return newVisit()
}

// knocker is a request at a door.
type knocker struct {
	came time.Time
	most time.Duration // that it may stand there
	ring func()        // tells it to knock again, with the door locked
}

// bell is what rings for a knocker.
type bell chan struct{}

func (b bell) ring() {
	select {
	case b <- struct{}{}:
	default: // it has rung
	}
}

// wait waits until the bell rings, or for so long.
func (b bell) wait(ctx context.Context, most time.Duration) error {
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-b:
	case <-t.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// arrive makes the request of a visit a knocker.
func (v *visit) arrive(now time.Time) (*knocker, bell) {
	b := make(bell, 1)
	return &knocker{came: now.Add(-v.held), most: v.most, ring: b.ring}, b
}

// outside waits before several doors, without a place, until one of them would let a request in: which of them it wants is not known
// before its body has been read, and a body that need not be read costs nothing.
func outside(ctx context.Context, doors []*door) error {
	v := visitOf(ctx)
	k, bell := v.arrive(time.Now())
	defer func() {
		for _, d := range doors {
			d.forget(k)
		}
	}()
	for {
		last, most := (*door)(nil), time.Duration(0)
		for _, d := range doors {
			switch in, again := d.look(k, v.held); in {
			case comesIn:
				return nil
			case waitsOn:
				most = max(most, again)
			case goesAway:
				last = d
			}
		}
		if most == 0 && last != nil {
			return last.turnAway()
		}
		err := bell.wait(ctx, most)
		if v.held = time.Since(k.came); err != nil {
			return err
		}
	}
}

// enter takes a place for a request about some pictures, of which nil stands for work without one, or says when to come back;
// leave gives it back. A picture that others ask about already costs nothing more.
func (d *door) enter(ctx context.Context, pictures ...*picture) error {
	v := visitOf(ctx)
	k, bell := v.arrive(d.now())
	if err := d.come(); err != nil {
		return err
	}
	for {
		in, again, err := d.knock(k, pictures...)
		v.held = d.now().Sub(k.came)
		switch {
		case err != nil:
			return err
		case in:
			return nil
		}
		if err := bell.wait(ctx, again); err != nil {
			d.forget(k)
			d.leave()
			return err
		}
	}
}

// come takes a place at the door.
func (d *door) come() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.taken >= d.places {
		return d.refuse(d.now())
	}
	d.taken++
	return nil
}

// knock lets a request in, turns it away, or does neither: it may knock again when it is rung for or after some time.
func (d *door) knock(k *knocker, pictures ...*picture) (in bool, again time.Duration, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	d.remove(k)
	verdict, again := d.judge(k, now, now.Sub(k.came))
	switch verdict {
	case comesIn:
		for _, p := range pictures {
			d.count(p, 1)
		}
		d.ring() // there may be room for one more
		return true, 0, nil
	case goesAway:
		d.taken--
		return false, 0, d.refuse(now)
	}
	d.stay(k)
	return false, again, nil
}

// stay puts a knocker among those at the door.
func (d *door) stay(k *knocker) {
	i, _ := slices.BinarySearchFunc(d.knocking, k, func(a, b *knocker) int { return a.came.Compare(b.came) })
	d.knocking = slices.Insert(d.knocking, i, k)
	now := d.now()
	d.watch(now, d.expected(now))
}

// forget takes a knocker away from the door.
func (d *door) forget(k *knocker) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(k)
}

func (d *door) remove(k *knocker) {
	if i := slices.Index(d.knocking, k); i >= 0 {
		d.knocking = slices.Delete(d.knocking, i, i+1)
	}
}
