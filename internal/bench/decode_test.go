package bench

import (
	"bytes"
	"strings"
	"testing"

	"fovea/nn"
)

// TestDecoder: every precision reads and writes, from fewer bytes the fewer bits a weight has.
func TestDecoder(t *testing.T) {
	c := nn.DecoderConfig{Width: 64, Layers: 2, Heads: 4, KVHeads: 2, Inner: 128, Vocab: 300, MaxLen: 256}
	last := 1 << 30
	for _, precision := range []string{"f32", "bf16", "int8", "int4"} {
		d, err := newDecoder(c, precision, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range DecoderItems[:1] {
			if err := d.Run(item); err != nil {
				t.Fatal(err)
			}
		}
		d.tell.Weigh = true
		if err := d.Run("tg64"); err != nil {
			t.Fatal(err)
		}
		if len(d.tell.Chances) != 64 {
			t.Errorf("%s: wrote %d tokens", precision, len(d.tell.Chances))
		}
		if d.Bytes >= last {
			t.Errorf("%s: %d bytes after %d", precision, d.Bytes, last)
		}
		last = d.Bytes
		d.Close()
	}
	if err := (&repeated{make([]float32, 7), 3}).Rows(make([]float32, 30), 5, 15); err != nil {
		t.Error(err)
	}
	if _, err := NewDecoder("lm1", "bf16", 1); err == nil || !strings.Contains(err.Error(), "lm256m") {
		t.Errorf("got %v", err)
	}
	if _, err := newDecoder(c, "int3", 1); err == nil {
		t.Error("int3 is known")
	}
}

// TestDecoderFigures: the shapes are those that peers_decode.py counts.
func TestDecoderFigures(t *testing.T) {
	d := &Decoder{Net: &nn.Decoder{Config: decoders["lm256m"]}}
	d.Net.Config.Vocab = 49280
	for item, want := range map[string]float64{"pp512": 108.72, "tg64": 17.22} {
		if got := d.GFLOP(item); !(got > .99*want && got < 1.01*want) {
			t.Errorf("%s: %g GFLOP, want %g", item, got, want)
		}
	}
	if Tokens("pp128") != 128 || Tokens("tg64") != 64 || Tokens("x") != 0 {
		t.Error("other numbers of tokens")
	}
	var out, log bytes.Buffer
	if err := DecoderWorker(strings.NewReader(""), &out, &log, "lm", "bf16", 1); err == nil || out.Len() != 0 {
		t.Errorf("a case that there is not: %v, %q", err, &out)
	}
}
