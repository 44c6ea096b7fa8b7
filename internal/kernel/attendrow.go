package kernel

import "fmt"

// Stretch is keys and values of some tokens of a text as bfloat16, [N, Groups·K] each.
type Stretch struct{ K, V []uint16 }

// RowAttention is softmax(soft(Scale·q·kᵀ))·v for one query of each head, which sees all tokens of some stretches. Heads / Groups heads
// share keys and values (Ainslie et al. 2023). soft is Limit·tanh(·/Limit), or nothing when Limit is 0.
type RowAttention struct {
	Q, Y             []float32 // [Heads·K] each
	Heads, Groups, K int
	Scale, Limit     float32
}

// AttendsRow reports whether there are kernels for AttendRow with heads of k features, which must fill pairs of registers.
func AttendsRow(k int) bool { return fewLanes() > 1 && k > 0 && k%(2*fewLanes()) == 0 }

// AttendRow computes a RowAttention, with the groups spread over w's pool. Keys and values are read once, as they are. It panics when
// sizes disagree, or heads do not fill pairs of registers.
func AttendRow(w *Work, a RowAttention, text []Stretch) {
	g := &w.glance
	g.RowAttention, g.tokens, g.text = a, 0, append(g.text[:0], text...)
	d := a.Groups * a.K
	for _, s := range text {
		if len(s.K) != len(s.V) || len(s.K)%d != 0 {
			panic(fmt.Sprintf("kernel: AttendRow: %d keys and %d values in rows of %d", len(s.K), len(s.V), d))
		}
		g.tokens += len(s.K) / d
	}
	if len(a.Q) != a.Heads*a.K || len(a.Y) != len(a.Q) || a.Heads%a.Groups != 0 || a.K%(2*fewLanes()) != 0 || g.tokens == 0 {
		panic(fmt.Sprintf("kernel: AttendRow: %d and %d numbers of %d heads of %d in %d groups, %d tokens", len(a.Q), len(a.Y), a.Heads, a.K, a.Groups, g.tokens))
	}
	g.scores, g.q = room(g.scores, a.Heads*g.tokens), a.Q
	if lanes := fewLanes(); lanes > 1 {
		g.q = grow(&g.order, len(a.Q))
		evenOdd(g.q, a.Q, lanes)
	}
	w.fork(4*g.tokens*a.K, a.Groups, g)
	g.RowAttention = RowAttention{}
	g.q = nil
	clear(g.text)
}

// glance is a RowAttention under way.
type glance struct {
	RowAttention
	text   []Stretch
	tokens int
	scores []float32 // [Heads, tokens]
	q      []float32 // Q in the kernel's order, in order's memory where that is another one
	order  []float32
}

// part implements splitter: it does groups [from, to).
func (g *glance) part(from, to int) {
	share := g.Heads / g.Groups
	for ; from < to; from++ {
		for h := 0; h < share; h += fewPass {
			g.heads(from, from*share+h, min(fewPass, share-h))
		}
	}
}

// heads does m heads from h on, which belong to a group.
func (g *glance) heads(group, h, m int) {
	d, n := g.Groups*g.K, g.tokens
	scores, y := g.scores[h*n:(h+m)*n], g.Y[h*g.K:(h+m)*g.K]
	at := 0
	for _, s := range g.text {
		if rows := len(s.K) / d; rows > 0 {
			gemvBF16(m, scores[at:], g.q[h*g.K:], s.K[group*g.K:], rows, g.K, d, n, g.K)
			at += rows
		}
	}
	scale := g.Scale
	if g.Limit > 0 {
		Scale(scores, g.Scale/g.Limit)
		Tanh(scores, scores)
		scale = g.Limit
	}
	SoftmaxRows(scores, m, n, n, scale)
	clear(y)
	at = 0
	for _, s := range g.text {
		if rows := len(s.V) / d; rows > 0 {
			mixBF16(m, y, scores[at:], s.V[group*g.K:], rows, g.K, d, g.K, n)
			at += rows
		}
	}
}
