package serve

import (
	"slices"
	"time"
)

// Under strain there are mostly several at the door, and more will come before a runner is free. To let one in long before that gains nothing,
// as the runners have work until then, and costs that one the wait. So the more there are at the door, the later the next one is let in, up to
// the moment from which on a runner would have to wait for its picture; and the one who came last, who has waited least, is the first.
// Facebook's servers take the newest first when they have too much to do, for the same reason (Maurer, "Fail at scale", 2015).

const slack = 10 * time.Millisecond // of the clock, and of processors that have other work

// lead is how long before a runner is free the next request has to be let in, so that its picture is decoded by then.
func (d *door) lead() time.Duration { return 2*d.decoding + slack }

// most is the longest wait of those who are let in under strain.
func (d *door) most() time.Duration {
	few := d.short()
	many := few * time.Duration(d.workers) / time.Duration(d.workers+len(d.knocking))
	return max(many, min(d.lead(), few))
}

// ring rings for one of those at the door who may come in now: for the one who came last when the door is strained, and else for the first.
// When there is none yet because the wait is long, it rings again when it is not.
func (d *door) ring() {
	if len(d.knocking) == 0 {
		return
	}
	now := d.now()
	wait := d.expected(now)
	for n := range d.knocking {
		i := n
		if d.isLong(now) {
			i = len(d.knocking) - 1 - n
		}
		if k := d.knocking[i]; d.fits(now, wait, now.Sub(k.came)) {
			k.ring()
			d.knocking = slices.Delete(d.knocking, i, i+1)
			return
		}
	}
	d.watch(now, wait)
}

// watch sees to it that the door rings when the wait, which is so long now, is no longer too long for those at a strained door.
func (d *door) watch(now time.Time, wait time.Duration) {
	most := d.most()
	if d.maxWait > 0 || wait <= most || !d.isLong(now) {
		return
	}
	at := now.Add(wait - most)
	if d.alarm.After(now) && !d.alarm.After(at) {
		return // it rings before that, and looks again
	}
	d.alarm = at
	d.after(wait-most, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.alarm.Equal(at) {
			d.alarm = time.Time{}
			d.ring()
		}
	})
}

// decoded notes how long a batch's pictures took to be decoded.
func (d *door) decoded(took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	average(&d.decoding, took)
}
