package cli

import (
	"fmt"
	"io"
	"strconv"
	"time"
)

// progress shows how far a long piece of work is, on one line of a terminal; elsewhere, and with --quiet, it is silent.
type progress struct {
	w     io.Writer // nil when silent
	st    style
	what  string
	total int
	start time.Time
	last  time.Time
	from  int                // what was done before it started
	show  func(n int) string // writes an amount; nil for plain numbers
}

func (a *app) progress(what string, total int) *progress {
	p := &progress{what: what, total: total, start: time.Now(), st: a.errStyle}
	if a.errStyle.term && !a.quiet && total > 0 {
		p.w = a.err
	}
	return p
}

// step says that so many are done.
func (p *progress) step(done int) {
	now := time.Now()
	if p.w == nil || done <= p.from || now.Sub(p.last) < 100*time.Millisecond {
		return
	}
	p.last = now
	rate := float64(done-p.from) / now.Sub(p.start).Seconds()
	left := time.Duration(float64(p.total-done) / rate * float64(time.Second)).Round(time.Second)
	share := float64(done) / float64(p.total)
	speed := p.amount(int(rate + .5))
	if p.show == nil && rate < 10 {
		speed = fmt.Sprintf("%.1f", rate)
	}
	fmt.Fprintf(p.w, "\r%s %s %3.0f%% %s\x1b[K", p.what, p.st.paint(cyan, pad(bar(share, 24), 24)), 100*share,
		p.st.paint(dim, fmt.Sprintf("%s of %s · %s/s · %s left", p.amount(done), p.amount(p.total), speed, left)))
}

func (p *progress) amount(n int) string {
	if p.show != nil {
		return p.show(n)
	}
	return strconv.Itoa(n)
}

// done takes the line away.
func (p *progress) done() {
	if p.w != nil && !p.last.IsZero() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
