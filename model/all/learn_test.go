package all

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/internal/kernel"
	"fovea/model"
	"fovea/nn"
	"fovea/task"
)

// learner opens the fixture's network for training; it skips those that cannot be trained.
func (x *fixture) learner(t *testing.T) *model.Tuned {
	t.Helper()
	net, err := model.LoadLearner(x.dir, Families())
	if err != nil {
		if net, _ := x.build(t); net != nil {
			if _, ok := net.(model.Learner); !ok && strings.Contains(err.Error(), "cannot be trained") {
				t.Skip(err)
			}
		}
		t.Fatal(err)
	}
	return net
}

// lessons are two of the tasks that the network can be taught.
func (x *fixture) lessons(t *testing.T, net model.Learner) (out []*model.Prepared) {
	t.Helper()
	flipped := x.pictures[0].Clone()
	slices.Reverse(flipped.Pix)
	all := []model.Lesson{
		{Task: task.Ask, Picture: x.pictures[0], ID: "a", Question: "What color is the cat?", Answer: "a red car"},
		{Task: task.Caption, Picture: flipped, ID: "b", Answer: "dog"},
	}
	if net.Teaches() == task.SetOf(task.Match) {
		all[0] = model.Lesson{Task: task.Match, Picture: x.pictures[0], ID: "a", Answer: "a red car"}
	}
	for _, l := range all {
		p, err := net.Prepare(l)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// TestLearnGradients compares the gradient of a lesson's loss with finite differences, along itself, weight by weight: a path
// that has no gradient, or a wrong one, changes its length.
func TestLearnGradients(t *testing.T) {
	const most = 50 // weights of each network, evenly spread; that there is a gradient is checked of all
	forEach(t, func(t *testing.T, x *fixture) {
		net := x.learner(t)
		batch, params := x.lessons(t, net), nn.Params(net.Learner)
		tape := autograd.NewTape(kernel.NewWork(nil), 0, true)
		loss := func() float64 {
			tape.Reset()
			return float64(net.Loss(tape, batch).Data[0])
		}
		for _, p := range params {
			p.Replicate(1)
			clear(p.Grads[0])
		}
		tape.Reset()
		tape.Backward(net.Loss(tape, batch), 1)
		checked, worst := 0, 0.
		for i, p := range params {
			if p.Kind == autograd.Buffer {
				continue
			}
			g := slices.Clone(p.Grads[0])
			size := math.Sqrt(float64(kernel.SumSq(g)))
			if size == 0 {
				t.Errorf("%s has no gradient", p.Name)
				continue
			}
			if len(params) > most && i%(len(params)/most) != 0 {
				continue
			}
			was := slices.Clone(p.Data)
			step := min(2e-2, .05*math.Sqrt(float64(kernel.SumSq(was)))+1e-2)
			at := func(e float64) float64 {
				for i, v := range g {
					p.Data[i] = was[i] + float32(e/size)*v
				}
				return loss()
			}
			// two steps: what is not linear in the loss cancels to the fourth order
			slope := (8*(at(step/2)-at(-step/2)) - (at(step) - at(-step))) / (6 * step)
			copy(p.Data, was)
			// A loss in single precision says nothing about smaller slopes, such as that of the keys' bias, which is 0.
			far := max(math.Abs(slope-size)-2e-4, 0) / size
			if worst = max(worst, far); !(far <= .03) {
				t.Errorf("%s: the gradient has length %.4g, the loss rises by %.4g along it", p.Name, size, slope)
			}
			checked++
		}
		t.Logf("%d weights, worst %.2g", checked, worst)
		if checked < 20 {
			t.Errorf("only %d weights", checked)
		}
	})
}

// TestLearnMasked: what is given takes no part in the loss. It depends on each token of the answer, and neither changes when the
// batch holds the lesson twice nor when it is computed without a gradient.
func TestLearnMasked(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		net := x.learner(t)
		// Others read prompt and answer in different ways, so that the one cannot be moved to the other.
		whole := []string{"Idefics3ForConditionalGeneration", "SmolVLMForConditionalGeneration"}
		if net.Teaches().Has(task.Match) {
			t.Skip("the network writes nothing")
		}
		p := x.lessons(t, net)[0]
		loss := func(batch ...*model.Prepared) float64 { return float64(net.Loss(newTape(), batch).Data[0]) }
		once := loss(p)
		if twice := loss(p, p); !near(twice, once, 1e-5) {
			t.Errorf("twice %g, once %g", twice, once)
		}
		if !slices.Contains(whole, net.Card().Family) {
			return
		}
		sum := 0.
		for i := range p.Answer { // a token at a time, those before it given
			one := *p
			one.Prompt, one.Answer = slices.Concat(p.Prompt, p.Answer[:i]), p.Answer[i:i+1]
			sum += loss(&one)
		}
		if want := sum / float64(len(p.Answer)); !near(once, want, 1e-4) {
			t.Errorf("%g, token by token %g", once, want)
		}
	})
}

// TestLearnParity compares a lesson's loss with the reference's, computed by its class from the same tokens.
func TestLearnParity(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		labels, logits := x.io["suffix.labels"], x.io["suffix.logits.last16"]
		if labels == nil {
			t.Skip("the fixture has no labels")
		}
		net := x.learner(t)
		var suffix struct{ Text string }
		var prompt string
		x.want(t, "suffix", &suffix)
		x.want(t, "prompt", &prompt)
		p, err := net.Prepare(model.Lesson{Task: task.Ask, Picture: x.pictures[0], Question: prompt, Answer: suffix.Text})
		if err != nil {
			t.Fatal(err)
		}
		want, n, v := 0., 0, logits.Shape.Last()
		var ids []int32
		for i, l := range labels.Data {
			if l < 0 {
				continue
			}
			ids = append(ids, int32(l))
			row := logits.Data[(i-1-len(labels.Data)+16)*v:][:v]
			want, n = want+float64(kernel.LogSumExp(row)-row[int(l)]), n+1
		}
		if !slices.Equal(p.Answer, ids) {
			t.Fatalf("answer %v, want %v", p.Answer, ids)
		}
		if got := float64(net.Loss(newTape(), []*model.Prepared{p}).Data[0]); !near(got, want/float64(n), 1e-4) {
			t.Errorf("loss %g, want %g", got, want/float64(n))
		}
	})
}

// TestLearnAdapters: adapters change nothing at first, nothing else is trained, and merged into the weights they compute what they
// did beside them. The network is then saved under the names that its folder has, and opens again.
func TestLearnAdapters(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		net := x.learner(t)
		batch := x.lessons(t, net)
		loss := func(l model.Learner) float64 { return float64(l.Loss(newTape(), batch).Data[0]) }
		plain := loss(net)
		net.Adapt(2, 1)
		if got := loss(net); got != plain {
			t.Errorf("new adapters change the loss from %g to %g", plain, got)
		}
		rng, trained := rand.New(rand.NewPCG(1, 2)), 0
		for _, p := range nn.Params(net.Learner) {
			adapter := strings.Contains(p.Name, ".lora_")
			if p.Kind != autograd.Buffer && p.Frozen == adapter {
				t.Errorf("%s is frozen: %v", p.Name, p.Frozen)
			}
			if adapter {
				nn.Normal(rng, p, .1)
				trained++
			}
		}
		adapted := loss(net)
		if trained < 20 || math.Abs(adapted-plain) < 1e-3 {
			t.Errorf("%d adapters change the loss from %g to %g", trained, plain, adapted)
		}
		net.Merge()
		if got := loss(net); !near(got, adapted, 1e-4*(1+adapted)) {
			t.Errorf("merged %g, beside %g", got, adapted)
		}
		dir := filepath.Join(t.TempDir(), "tuned")
		if err := net.Save(dir); err != nil {
			t.Fatal(err)
		}
		again, err := model.LoadLearner(dir, Families())
		if err != nil {
			t.Fatal(err)
		}
		if got := loss(again); got != loss(net) {
			t.Errorf("opened again %g, saved %g", got, loss(net))
		}
		w, err := checkpoint.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		for _, n := range w.Names() {
			if x.weights(t)[n] == nil {
				t.Errorf("%s is no name of the folder's", n)
			}
		}
		if err := net.Save(x.dir); err == nil {
			t.Error("the network was saved over the one that it came from")
		}
	})
}

// TestUnbind: weights that are bound and unbound are those of the file, name by name, whatever was split on the way.
func TestUnbind(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		net, fam := x.build(t)
		w := x.weights(t)
		if err := checkpoint.Bind(nn.Params(net), w, fam.Renames); err != nil {
			t.Fatal(err)
		}
		items, err := checkpoint.Unbind(nn.Params(net), w, fam.Renames)
		if err != nil {
			t.Fatal(err)
		}
		if len(items) < len(w)/2 {
			t.Errorf("%d tensors of %d", len(items), len(w))
		}
		for _, it := range items {
			want := make([]float32, w[it.Name].Shape.Size())
			if err := w[it.Name].Float32(want); err != nil {
				t.Fatal(err)
			}
			if !it.Shape.Equal(w[it.Name].Shape) || !slices.Equal(it.Data, want) {
				t.Errorf("%s differs", it.Name)
			}
		}
		if _, err := checkpoint.Unbind(nn.Params(net)[1:], w, fam.Renames); err == nil {
			t.Error(fmt.Sprint("a weight too few fits ", x.folder.Class))
		}
	})
}
