package all

import (
	"slices"
	"strings"
	"testing"

	"fovea/model"
	"fovea/nn"
)

// TestLowPrecision: with weights of few bits every network computes about the same, from a fraction of the memory.
func TestLowPrecision(t *testing.T) {
	for precision, bound := range map[string]float64{"bf16": .04, "int8": .1, "int4": .3} {
		t.Run(precision, func(t *testing.T) {
			forEach(t, func(t *testing.T, x *fixture) {
				net, same := x.load(t), x.load(t)
				count := same.Card().Parameters
				now, was, err := nn.Lower(net, precision)
				if err != nil || 4*now > 3*was || now == 0 {
					t.Fatalf("%d bytes of %d, %v", now, was, err)
				}
				if n := net.Card().Parameters; n != count {
					t.Errorf("%d parameters, want %d", n, count)
				}
				var drift []float64
				for _, affix := range x.variants() {
					want := same.Run(newTape(), x.inputs(affix))
					got := net.Run(newTape(), withChoice(x.inputs(affix), want))
					for name := range want {
						if (strings.Contains(name, "hidden.") || strings.HasPrefix(name, "encoder_out.")) && got[name] != nil && len(got[name].Data) == len(want[name].Data) {
							drift = append(drift, far(got[name].Data, want[name].Data))
						}
					}
				}
				if slices.Sort(drift); len(drift) == 0 {
					t.Fatal("nothing to compare")
				}
				middle, worst := drift[len(drift)/2], drift[len(drift)-1]
				t.Logf("%d states, %.2g of their range away, at most %.2g; %d bytes of %d", len(drift), middle, worst, now, was)
				if !(middle > 0 && worst <= bound) {
					t.Errorf("%d states, %.3g of their range away, want at most %g", len(drift), worst, bound)
				}
			})
		})
	}
	if _, _, err := nn.Lower(struct{}{}, "int3"); err == nil {
		t.Error("int3 is known")
	}
}

// withChoice has a network go on with the places that another chose: rounded, it might choose others, as their scores are close, and
// states of different places cannot be compared.
func withChoice(in model.Inputs, other model.Outputs) model.Inputs {
	if chosen := other["enc_topk_ind"]; chosen != nil {
		in.Put("enc_topk_ind", chosen.Data, chosen.Shape...)
	}
	return in
}
