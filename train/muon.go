package train

import (
	"cmp"
	"math"
	"slices"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// Muon takes steps of equal size in all directions of a weight matrix: the momentum is replaced by (nearly) the orthogonal
// matrix closest to it, found by Newton–Schulz iterations (Jordan et al. 2024, "Muon: an optimizer for hidden layers"). It
// moves parameters of Kind Matrix, whose first axis is their rows and the other axes together their columns (a convolution
// kernel is out × rest); an AdamW moves all others. Make it with NewMuon; the fields may be changed before the first step.
type Muon struct {
	Momentum   float32 // of the gradient's running mean; the update looks ahead as Nesterov's does
	Iterations int     // of Newton–Schulz
	Decay      float32 // decoupled weight decay of the matrices
	Inner      *AdamW  // for every other Kind
	InnerRatio float32 // Inner's learning rate as a share of Step's

	momentum map[*autograd.Param][]float32
	crew     *crew
	scratch  []*muonScratch // one a worker
	todo     []*autograd.Param
	lr       float32
	job      func(worker, i int)
}

// NewMuon returns Muon with momentum .95, 5 iterations, decay .01, and AdamW at a tenth of the learning rate for the rest
// (meant for lr ≈ .02). workers goroutines share a step; their number does not change its result.
func NewMuon(workers int) *Muon {
	m := &Muon{Momentum: .95, Iterations: 5, Decay: .01, Inner: NewAdamW(1), InnerRatio: .1,
		momentum: map[*autograd.Param][]float32{}, crew: newCrew(workers)}
	for range m.crew.bodies {
		m.scratch = append(m.scratch, &muonScratch{work: kernel.NewWork(nil)})
	}
	m.job = func(worker, i int) {
		if p := m.todo[i]; p.Kind == autograd.Matrix {
			m.update(m.scratch[worker], p)
		} else {
			m.Inner.update(p)
		}
	}
	return m
}

// RoundBF16 makes Newton–Schulz's products round their operands to bfloat16, as Jordan et al. do. Momentum, update and weights stay
// float32.
func (m *Muon) RoundBF16() {
	for _, s := range m.scratch {
		s.work.RoundBF16()
	}
}

// Step implements Optimizer.
func (m *Muon) Step(params []*autograd.Param, lr float32) {
	m.todo = m.todo[:0]
	for _, p := range params {
		if trained(p) {
			m.remember(p)
			m.todo = append(m.todo, p)
		}
	}
	slices.SortStableFunc(m.todo, byCost)
	m.lr = lr
	m.Inner.begin(lr * m.InnerRatio)
	m.crew.must(len(m.todo), m.job)
}

// byCost puts the most expensive updates first, so that the workers finish together.
func byCost(a, b *autograd.Param) int { return cmp.Compare(cost(b), cost(a)) }

func cost(p *autograd.Param) int {
	if p.Kind != autograd.Matrix {
		return len(p.Data)
	}
	r, c := matrixSize(p)
	return 20 * len(p.Data) * min(r, c)
}

// matrixSize is a parameter seen as a matrix: the first axis by all others.
func matrixSize(p *autograd.Param) (rows, cols int) {
	rows = p.Shape[0]
	return rows, len(p.Data) / max(rows, 1)
}

func (m *Muon) remember(p *autograd.Param) {
	if p.Kind != autograd.Matrix {
		m.Inner.remember(p)
	} else if m.momentum[p] == nil {
		m.momentum[p] = make([]float32, len(p.Data))
	}
}

// muonScratch is one worker's memory: the update x and its successor, and two matrices of the smaller side.
type muonScratch struct {
	work       *kernel.Work
	x, y, a, b []float32
}

func (s *muonScratch) grow(n, side int) {
	if len(s.x) < n {
		s.x, s.y = make([]float32, n), make([]float32, n)
	}
	if len(s.a) < side*side {
		s.a, s.b = make([]float32, side*side), make([]float32, side*side)
	}
}

func (m *Muon) update(s *muonScratch, p *autograd.Param) {
	g, mom := p.Grads[0], m.momentum[p]
	rows, cols := matrixSize(p)
	s.grow(len(g), min(rows, cols))
	kernel.Lerp(mom, g, 1-m.Momentum)
	x := s.x[:len(g)]
	copy(x, g)
	kernel.Lerp(x, mom, m.Momentum)
	x = s.orthogonalize(rows, cols, m.Iterations)
	lr := m.lr * share(p)
	kernel.Scale(p.Data, 1-lr*m.Decay)
	kernel.Axpy(-lr*float32(math.Sqrt(max(1, float64(rows)/float64(cols)))), x, p.Data)
}

// The quintic x ↦ a·x + b·x³ + c·x⁵ that Jordan et al. tuned to bring singular values from anywhere in (0, 1] to about 1
// (.7 to 1.2) in five rounds.
const schulzA, schulzB, schulzC = 3.4445, -4.7750, 2.0315

// orthogonalize moves the singular values of s.x [rows, cols] to about 1 and returns the result, which is s.x or s.y. Each
// round is X ← (a·I + b·A + c·A²)·X with A = X·Xᵀ; where rows > cols the products are taken from the other side, so that A
// always has the smaller size.
func (s *muonScratch) orthogonalize(rows, cols, rounds int) []float32 {
	n, side := rows*cols, min(rows, cols)
	x, y := kernel.M(s.x[:n], rows, cols), kernel.M(s.y[:n], rows, cols)
	a, b := kernel.M(s.a[:side*side], side, side), kernel.M(s.b[:side*side], side, side)
	kernel.Scale(x.Data, 1/(float32(math.Sqrt(float64(kernel.SumSq(x.Data))))+1e-7))
	for range rounds {
		if rows <= cols {
			s.symmetric(a, x, x.T())
		} else {
			s.symmetric(a, x.T(), x)
		}
		s.symmetric(b, a, a)
		kernel.Scale(b.Data, schulzC)
		kernel.Axpy(schulzB, a.Data, b.Data)
		for i := range side {
			b.Data[i*side+i] += schulzA
		}
		if rows <= cols {
			kernel.Gemm(s.work, y, b, x, kernel.Epilogue{})
		} else {
			kernel.Gemm(s.work, y, x, b, kernel.Epilogue{})
		}
		x, y = y, x
	}
	return x.Data
}

// symmetric sets c = a·b, which the caller knows to be symmetric: blocks on and above the diagonal are computed, the others
// copied.
func (s *muonScratch) symmetric(c, a, b kernel.Mat) {
	const block = 48 // rows; a multiple of the kernels' tile
	n := c.Rows
	for i := 0; i < n; i += block {
		end := min(i+block, n)
		kernel.Gemm(s.work, c.Slice(i, end, i, n), a.Slice(i, end, 0, a.Cols), b.Slice(0, b.Rows, i, n), kernel.Epilogue{})
		for r := i; r < end; r++ {
			row := c.Data[r*c.RS : r*c.RS+n]
			for k := end; k < n; k++ {
				c.Data[k*c.RS+r] = row[k]
			}
		}
	}
}

// Settings implements Optimizer.
func (m *Muon) Settings() map[string]any {
	return map[string]any{"name": "muon", "momentum": m.Momentum, "iterations": m.Iterations, "decay": m.Decay,
		"inner_ratio": m.InnerRatio, "inner": m.Inner.Settings()}
}

// State implements Optimizer.
func (m *Muon) State(params []*autograd.Param) State {
	s := State{Steps: m.Inner.steps}
	for _, p := range params {
		if !trained(p) {
			continue
		}
		m.remember(p)
		if p.Kind == autograd.Matrix {
			s.Slots = append(s.Slots, Slot{"momentum/" + p.Name, m.momentum[p]})
		} else {
			q := m.Inner.moments[p]
			s.Slots = append(s.Slots, Slot{"m/" + p.Name, q.m}, Slot{"v/" + p.Name, q.v})
		}
	}
	return s
}

// Load implements Optimizer.
func (m *Muon) Load(params []*autograd.Param, steps int, read func(name string, dst []float32) error) error {
	m.Inner.steps = steps
	return loadSlots(m.State(params).Slots, read)
}
