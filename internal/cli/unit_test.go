package cli

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"fovea"
	"fovea/model"
)

func TestNearest(t *testing.T) {
	commands := []string{"look", "classify", "detect", "segment", "pose", "ask", "caption", "embed", "train", "eval"}
	for word, want := range map[string]string{"lok": "look", "detcet": "detect", "class": "classify", "seg": "segment", "Detect": "detect", "trian": "train",
		"eva": "eval", "xyzzy": "", "zzz": "", "": ""} {
		if got := nearest(word, commands); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestBar(t *testing.T) {
	for share, want := range map[float64]string{0: "", 1: "████", .5: "██", .53: "██▏", 2: "████", -1: ""} {
		if got := bar(share, 4); got != want {
			t.Errorf("bar(%g) = %q, want %q", share, got, want)
		}
	}
}

func TestPadAndPrintable(t *testing.T) {
	for _, c := range [][3]string{{"abc", "5", "abc  "}, {"abcdef", "5", "abcd…"}, {"äöü", "5", "äöü  "}} {
		if got := pad(c[0], 5); got != c[2] {
			t.Errorf("pad(%q) = %q", c[0], got)
		}
	}
	if got := printable("a\x1b[31m\nb\u009bc"); got != "a\uFFFD[31m\uFFFDb\uFFFDc" {
		t.Errorf("printable: %q", got)
	}
}

func TestWrap(t *testing.T) {
	if got := wrap("one two three  four", 9); !reflect.DeepEqual(got, []string{"one two", "three", "four"}) {
		t.Errorf("%q", got)
	}
	if got := wrap("extraordinarily", 5); !reflect.DeepEqual(got, []string{"extraordinarily"}) {
		t.Errorf("%q", got)
	}
}

func TestStyleColoursOnlyTerminals(t *testing.T) {
	if st := styleOf(&bytes.Buffer{}); st.on || st.term || st.paint(red, "x") != "x" {
		t.Errorf("%+v", st)
	}
	if got := (style{on: true}).paint(bold+red, "x"); got != "\x1b[1;31mx\x1b[0m" {
		t.Errorf("%q", got)
	}
}

// Whatever the texts on the way, the screen ends with the last one.
func TestStream(t *testing.T) {
	for _, texts := range [][]string{
		{"a", "a cat", "a cat on"},
		{"a �", "a ü", "a üb"},
		{"a cat .", "a cat."},
		{"", "x"},
		{"short", "sheep", "she"},
	} {
		var s stream
		screen := []rune{}
		for _, text := range texts {
			for _, r := range strings.ReplaceAll(s.next(text), "\x1b[K", "") {
				if r == '\b' {
					screen = screen[:len(screen)-1]
				} else {
					screen = append(screen, r)
				}
			}
		}
		if want := texts[len(texts)-1]; string(screen) != want {
			t.Errorf("%q leave %q on the screen", texts, string(screen))
		}
	}
}

func TestReadPPM(t *testing.T) {
	pix := "\n\n  ab\x00\xff\n012"
	r := bufio.NewReader(strings.NewReader("P6\n2 2\n255\n" + pix + "P6 1 1 255\nabc"))
	img, err := readPPM(r)
	if err != nil || img.W != 2 || img.H != 2 || string(img.Pix) != pix {
		t.Fatalf("%+v, %v", img, err)
	}
	if img, err = readPPM(r); err != nil || string(img.Pix) != "abc" {
		t.Errorf("second frame: %+v, %v", img, err)
	}
	if _, err = readPPM(r); !errors.Is(err, io.EOF) {
		t.Errorf("end: %v", err)
	}
	for _, bad := range []string{"P5\n2 2\n255\n", "P6\n0 2\n255\n", "P6\n2 -2\n255\n", "P6\n99999999 99999999\n255\n", "P6\n2 2\n65535\n", "P6\n2 2\n255\nab", "P6",
		"P6\n2222222222222\n"} {
		if img, err := readPPM(bufio.NewReader(strings.NewReader(bad))); err == nil || err == io.EOF { //nolint:errorlint // only a plain EOF is a clean end
			t.Errorf("%q: %v, %v", bad, img, err)
		}
	}
}

func TestResults(t *testing.T) {
	got := results(map[string]float64{"a class top1": .855, "b box AP": .5, "a box AP": .25, "a answers vqa_accuracy": 1, "a answers count": 1})
	want := []string{"Test Accuracy: 85.5 %", "Test Box AP (a): 25.0 %", "Test Box AP (b): 50.0 %", "Test VQA Accuracy: 100.0 %"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
}

func TestExitCodes(t *testing.T) {
	for code, err := range map[int]error{exitDone: nil, exitFailed: errors.New("x"), exitUsage: usage("", "x"), exitBad: bad("", "x"), exitSome: errShown{exitSome}} {
		if got := exitCode(err); got != code {
			t.Errorf("%v: %d, want %d", err, got, code)
		}
	}
}

func TestClosedVocabulary(t *testing.T) {
	a := &app{err: io.Discard}
	card := model.Card{Name: "m", Labels: []string{"cat", "Traffic light"}}
	if err := a.checkWords(&fovea.Request{Query: []string{"traffic_light", "CAT"}}, card); err != nil {
		t.Errorf("known labels: %v", err)
	}
	err := a.checkWords(&fovea.Request{Query: []string{"cta"}}, card)
	if f := (*failure)(nil); !errors.As(err, &f) || f.code != exitUsage || f.hint != "did you mean cat?" {
		t.Errorf("unknown label: %v", err)
	}
}
