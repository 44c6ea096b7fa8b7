package all

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"fovea/annotation"
	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/model"
	"fovea/nn"
	"fovea/tensor"
)

// TestBatch: two pictures, or texts, at once give what each gives alone.
func TestBatch(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		net := x.load(t)
		samples := x.pairs(net)
		if len(samples) == 0 {
			t.Fatal("the network takes neither pictures nor texts")
		}
		for _, s := range samples {
			compared := 0
			both, first, second := run(t, net, s), run(t, net, half(s, 0)), run(t, net, half(s, 1))
			for name, got := range both {
				want := append(first[name], second[name]...)
				if len(got) != len(want) { // one of each with each of the other
					continue
				}
				if compared++; !(far(got, want) <= 1e-5) {
					t.Errorf("%s: %.3g of its range away", name, far(got, want))
				}
			}
			if compared == 0 {
				t.Errorf("%d pictures and %d texts: nothing to compare", len(s.Pictures), len(s.Texts))
			}
		}
	})
}

// pairs are samples of two that the network takes: pictures of one size, texts of two lengths, or both together.
func (x *fixture) pairs(net model.Network) (out []model.Sample) {
	a := x.pictures[0]
	b := a.Clone()
	slices.Reverse(b.Pix)
	p, q := []*rgb{a, b}, []string{"a cat", "two red dogs, on the road?"}
	boxes := [][]annotation.Box{{{X0: 3, Y0: 2, X1: 30, Y1: 40}}, {{X0: 9, Y0: -5, X1: 50, Y1: 60}}}
	for _, s := range []model.Sample{{Pictures: p}, {Texts: q}, {Pictures: p, Texts: q}, {Pictures: p, Boxes: boxes}} {
		if in, err := net.Process(s); err == nil && len(net.Run(newTape(), in)) > 0 {
			out = append(out, s)
		}
	}
	return out
}

func half(s model.Sample, i int) model.Sample {
	if s.Pictures != nil {
		s.Pictures = s.Pictures[i : i+1]
	}
	if s.Texts != nil {
		s.Texts = s.Texts[i : i+1]
	}
	if s.Boxes != nil {
		s.Boxes = s.Boxes[i : i+1]
	}
	return s
}

func run(t *testing.T, net model.Network, s model.Sample) map[string][]float32 {
	t.Helper()
	in, err := net.Process(s)
	if err != nil {
		t.Fatal(err)
	}
	out := net.Run(newTape(), in)
	copies := map[string][]float32{}
	for name := range out {
		if !strings.HasSuffix(name, ".mask") {
			copies[name] = out.Copy(name)
		}
	}
	return copies
}

// build makes the fixture's blank network.
func (x *fixture) build(t *testing.T) (model.Network, *model.Family) {
	t.Helper()
	net, fam, err := x.folder.Build(Families())
	if err != nil {
		t.Fatal(err)
	}
	return net, fam
}

// TestRenamesAreIdempotent: names that are right already stay.
func TestRenamesAreIdempotent(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		net, fam := x.build(t)
		for _, p := range nn.Params(net) {
			name := p.Name
			for _, r := range fam.Renames {
				if re := regexp.MustCompile(r.From); r.To != checkpoint.Drop {
					name = re.ReplaceAllString(name, r.To)
				} else if re.MatchString(name) {
					t.Errorf("%s is dropped", p.Name)
				}
			}
			if name != p.Name {
				t.Errorf("%s becomes %s", p.Name, name)
			}
		}
	})
}

// TestCurrentNames binds weights that are called as the modules of the reference's current version are.
func TestCurrentNames(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		b, err := os.ReadFile(filepath.Join(x.dir, "keys.json"))
		if errors.Is(err, os.ErrNotExist) {
			t.Skip("the fixture's names are current")
		}
		keys := map[string]*string{}
		if err == nil {
			err = json.Unmarshal(b, &keys)
		}
		if err != nil {
			t.Fatal(err)
		}
		current := source{}
		for name, w := range x.weights(t) {
			if to := keys[name]; to != nil { // null where a module splits or joins weights
				name = *to
			}
			current[name] = w
		}
		was, _ := x.build(t)
		net, fam := x.build(t)
		if err := errors.Join(checkpoint.Bind(nn.Params(was), x.weights(t), fam.Renames), checkpoint.Bind(nn.Params(net), current, fam.Renames)); err != nil {
			t.Fatal(err)
		}
		for i, p := range nn.Params(net) {
			if !slices.Equal(p.Data, nn.Params(was)[i].Data) {
				t.Errorf("%s differs", p.Name)
			}
		}
	})
}

// TestWeightsThatDoNotFit: every difference between file and model is listed.
func TestWeightsThatDoNotFit(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		net, fam := x.build(t)
		params, w := nn.Params(net), x.weights(t)
		var names []string // of tensors that are used and stand for one parameter each
		for _, n := range w.Names() {
			bad := &checkpoint.BindError{}
			if err := checkpoint.Bind(params, source{n: w[n]}, fam.Renames); errors.As(err, &bad) && len(bad.Missing) == len(params)-1 && len(bad.Unexpected) == 0 {
				names = append(names, n)
			}
		}
		if len(names) < 10 {
			t.Fatalf("only %d tensors are used", len(names))
		}
		missing, misshapen := w[names[3]], *w[names[5]]
		misshapen.Shape = append(tensor.Shape{1, 1}, misshapen.Shape...)
		delete(w, names[3])
		w[names[5]] = &misshapen
		w["decoder.block.7.weight"] = missing
		var bad *checkpoint.BindError
		err := checkpoint.Bind(params, w, fam.Renames)
		if !errors.As(err, &bad) || len(bad.Missing) != 1 || len(bad.Misshapen) != 1 || !slices.Equal(bad.Unexpected, []string{"decoder.block.7.weight"}) {
			t.Fatalf("got %v", err)
		}
		for _, p := range params {
			if p.Data != nil {
				t.Fatal("a failed Bind took memory")
			}
		}
	})
}

// TestHostileFiles puts absurd values everywhere in the configuration: each gives an error or a model that works, never a
// panic or much memory.
func TestHostileFiles(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		w, tape := x.weights(t), newTape()
		for _, file := range []string{"config.json", "preprocessor_config.json"} {
			raw, err := os.ReadFile(filepath.Join(x.dir, file))
			if err != nil {
				t.Fatal(err)
			}
			var tree any
			if err := json.Unmarshal(raw, &tree); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(x.dir)); err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, uint64(len(raw))))
			settings := 0
			each(tree, "", func(string, any, func(any)) { settings++ })
			each(tree, "", func(path string, was any, set func(any)) {
				for _, v := range absurd(was) {
					if rng.IntN(settings) >= tries { // all of them take long
						continue
					}
					set(v)
					b, err := json.Marshal(tree)
					if err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(filepath.Join(dir, file), b, 0o644); err != nil {
						t.Fatal(err)
					}
					x.survive(t, tape, dir, w, fmt.Sprintf("%s: %s = %v", file, path, v))
				}
			})
		}
	})
}

// tries is how many settings are tried with each absurd value, about.
const tries = 6

// absurd are values that a setting should not have.
func absurd(was any) []any {
	switch was.(type) {
	case float64:
		return []any{0, -1, 1 << 30, 1e300, "x", []any{1 << 20, 3}}
	case string, bool:
		return []any{"x", 7}
	}
	return []any{nil, -1, []any{-1, 0}, map[string]any{}}
}

// survive opens a changed folder and, if that works, looks at the picture.
func (x *fixture) survive(t *testing.T, tape *autograd.Tape, dir string, w source, what string) {
	t.Helper()
	defer func() {
		if e := recover(); e != nil {
			t.Errorf("%s: panic: %v", what, e)
		}
	}()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if folder, err := model.OpenFolder(dir); err == nil {
		if net, fam, err := folder.Build(Families()); err == nil && checkpoint.Bind(nn.Params(net), w, fam.Renames) == nil {
			if in, err := net.Process(model.Sample{Pictures: x.pictures[:1], Texts: []string{"what is it?"}, Boxes: x.boxes(t)}); err == nil {
				tape.Reset()
				net.Run(tape, in)
			}
		}
	}
	runtime.ReadMemStats(&after)
	if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 300 {
		t.Errorf("%s: %d MB", what, mb)
	}
}

// each calls f for every value in a JSON tree with its path and a way to change it; f's changes are undone.
func each(v any, path string, f func(path string, was any, set func(any))) {
	switch v := v.(type) {
	case map[string]any:
		for k, was := range v {
			f(path+"/"+k, was, func(to any) { v[k] = to })
			v[k] = was
			each(was, path+"/"+k, f)
		}
	case []any:
		for i, was := range v {
			f(fmt.Sprintf("%s/%d", path, i), was, func(to any) { v[i] = to })
			v[i] = was
			each(was, fmt.Sprintf("%s/%d", path, i), f)
		}
	}
}
