package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"fovea/annotation"
	"fovea/checkpoint"
	"fovea/imageproc"
)

// tensor reads a tensor of io.safetensors; nil when it is not there.
func (f parityCase) tensor(name string) (data []float32, shape []int) {
	f.t.Helper()
	w, err := checkpoint.Open(filepath.Join(f.dir, "io.safetensors"))
	if err != nil {
		f.t.Fatal(err)
	}
	defer w.Close()
	if !slices.Contains(w.Names(), name) {
		return nil, nil
	}
	s, err := w.Tensor(name)
	if err == nil {
		data = make([]float32, s.Shape.Size())
		err = s.Float32(data)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return data, s.Shape
}

// pictures are the fixture's.
func (f parityCase) pictures() (files []string) {
	for _, name := range []string{"image.png", "image2.png"} {
		if _, err := os.Stat(filepath.Join(f.dir, name)); err == nil {
			files = append(files, filepath.Join(f.dir, name))
		}
	}
	return files
}

// matches weighs texts as names of the pictures. A command splits labels at commas, so texts with one are left out and the others
// weighed against each other; SigLIP's probabilities, which do not sum to 1, are so as p/(1−p).
func (f parityCase) matches() bool {
	var probs [][]float64
	var texts []string
	if !f.want("probs", &probs) || !f.want("texts", &texts) {
		return false
	}
	for i, want := range probs {
		sum, total := 0., 0.
		for _, w := range want {
			sum += w
		}
		args := []string{"classify", f.pictures()[i], "--model", f.dir, "--template", "{}"}
		odds := map[string]float64{}
		for j, text := range texts {
			if strings.Contains(text, ",") {
				continue
			}
			args, odds[text] = append(args, "--labels", text), want[j]
			if math.Abs(sum-1) > 1e-4 {
				odds[text] = want[j] / (1 - want[j])
			}
			total += odds[text]
		}
		var got []struct {
			Label string
			Score float64
		}
		f.decode(command(f.t, args...)["classes"], &got)
		if len(got) != len(odds) || len(got) < 2 {
			f.t.Fatalf("%v of %q", got, texts)
		}
		for _, c := range got {
			if w := odds[c.Label] / total; !sameScore(c.Score, w) {
				f.t.Errorf("%q: %g, want %g", c.Label, c.Score, w)
			}
		}
	}
	return true
}

// vectors compares the vectors of pictures and texts with the reference's, which may be of any length.
func (f parityCase) vectors() bool {
	var texts []string
	pictures, shape := f.tensor("image_embeds")
	if !f.want("texts", &texts) || pictures == nil {
		return false
	}
	d := shape[len(shape)-1]
	of, _ := f.tensor("text_embeds")
	if len(of) != d*len(texts) || len(pictures) != d*len(f.pictures()) {
		f.t.Fatalf("%d and %d numbers of %d pictures and %d texts", len(pictures), len(of), len(f.pictures()), len(texts))
	}
	compare := func(what string, line map[string]json.RawMessage, want []float32) {
		f.t.Helper()
		var got []float64
		f.decode(line["vector"], &got)
		length := 0.
		for _, w := range want {
			length += float64(w) * float64(w)
		}
		for i, w := range want {
			if len(got) != d || math.Abs(got[i]-float64(w)/math.Sqrt(length)) > 2e-5 {
				f.t.Fatalf("%s: %v, want %v", what, got, want)
			}
		}
	}
	for i, file := range f.pictures() {
		compare(file, command(f.t, "embed", file, "--model", f.dir), pictures[i*d:(i+1)*d])
	}
	for i, text := range texts {
		compare(text, command(f.t, "embed", "--text", text, "--model", f.dir), of[i*d:(i+1)*d])
	}
	return true
}

// masks outlines what texts name: the reference's map, resized to the picture.
func (f parityCase) masks() bool {
	var areas []int
	var queries []string
	if !f.want("area_over_half", &areas) || !f.want("queries", &queries) {
		return false
	}
	logits, shape := f.tensor("logits")
	h, w, size := shape[1], shape[2], f.size()
	for i, q := range queries {
		var got []cliObject
		f.decode(f.run("segment", "--query", q)["objects"], &got)
		want, over := 0, 0
		for _, l := range logits[i*h*w : (i+1)*h*w] {
			if l > 0 {
				over++
			}
		}
		for _, l := range imageproc.ResizePlanes(logits[i*h*w:(i+1)*h*w], 1, h, w, int(size[1]), int(size[0]), imageproc.Bilinear, false) {
			if l > 0 {
				want++
			}
		}
		if over != areas[i] || len(got) != 1 || got[0].Label != q || math.Abs(got[0].Area-float64(want)) > 3 {
			f.t.Errorf("%q: %v, want %d pixels", q, got, want)
		}
	}
	return true
}

// labels are the model's, by number.
func (f parityCase) labels() map[string]string {
	f.t.Helper()
	var config struct {
		Labels map[string]string `json:"id2label"`
	}
	b, err := os.ReadFile(filepath.Join(f.dir, "config.json"))
	if err != nil {
		f.t.Fatal(err)
	}
	f.decode(b, &config)
	return config.Labels
}

// division divides the picture among objects and by label; a few pixels of an edge may differ.
func (f parityCase) division() bool {
	var panoptic map[string]json.RawMessage
	if !f.want("panoptic", &panoptic) {
		return false
	}
	labels := f.labels()
	for key, of := range map[string]string{"segments_info": "panoptic_map", "with_stuff_classes_3_4_5": "panoptic_stuff_map"} {
		var want []struct {
			ID    int
			Label int `json:"label_id"`
			Score float64
		}
		f.decode(panoptic[key], &want)
		args := []string{"--panoptic", "--threshold", string(panoptic["threshold"])}
		if of == "panoptic_stuff_map" {
			args = append(args, "--stuff", strings.Join([]string{labels["3"], labels["4"], labels["5"]}, ","))
		}
		var got []cliObject
		f.decode(f.run("segment", args...)["objects"], &got)
		pixels, _ := f.tensor(of)
		if len(got) != len(want) || len(got) == 0 {
			f.t.Fatalf("%s: %d objects, want %d", key, len(got), len(want))
		}
		for _, w := range want {
			area := 0.
			for _, p := range pixels {
				if int(p) == w.ID {
					area++
				}
			}
			if !slices.ContainsFunc(got, func(o cliObject) bool {
				return o.Label == labels[fmt.Sprint(w.Label)] && sameScore(o.Score, w.Score) && math.Abs(o.Area-area) <= 3
			}) {
				f.t.Errorf("%s: no %s with %g and %g pixels among %v", key, labels[fmt.Sprint(w.Label)], w.Score, area, got)
			}
		}
	}
	var semantic struct {
		Pixels map[string]float64 `json:"class_pixels"`
	}
	if !f.want("semantic", &semantic) {
		return true
	}
	line := f.run("segment", "--semantic")
	var classes []string
	var maps struct {
		Size [2]int
		RLE  []string
	}
	f.decode(line["classes"], &classes)
	f.decode(line["map"], &maps)
	if len(classes) != len(semantic.Pixels) || len(maps.RLE) != len(classes) {
		f.t.Fatalf("%v, want %v", classes, semantic.Pixels)
	}
	for id, n := range semantic.Pixels {
		i := slices.Index(classes, labels[id])
		if i < 0 {
			f.t.Fatalf("no %s among %v", labels[id], classes)
		}
		mask, err := annotation.ParseRLE(maps.Size[0], maps.Size[1], maps.RLE[i])
		if err != nil || math.Abs(mask.Area()-n) > 3 {
			f.t.Errorf("%s: %g pixels, %v; want %g", labels[id], mask.Area(), err, n)
		}
	}
	return true
}

// words asks what the fixture asks, about all of its pictures together if the reference did, and reads what the reference wrote, as
// many pieces and without those that are marks.
func (f parityCase) words() bool {
	var question, text string
	var part struct {
		Text string  `json:"generated_text"`
		IDs  []int32 `json:"generated_ids"`
	}
	var beams struct {
		Text []string
		Max  int `json:"max_new_tokens"`
	}
	var limit []string
	switch {
	case f.want("task", &question) && f.want("beam3", &beams):
		text, limit = beams.Text[0], []string{"--max-tokens", fmt.Sprint(beams.Max)}
	case !f.want("question", &question) && !f.want("prompt", &question):
		return false
	case f.want("split", &part) || f.want("generated_text", &part.Text) && f.want("generated_ids", &part.IDs):
		text, limit = part.Text, []string{"--max-tokens", fmt.Sprint(len(part.IDs))}
	default:
		return false
	}
	var grids [][]int
	pictures := []string{f.image}
	if f.want("image_grid_thw", &grids) && len(grids) > 1 {
		pictures = append(f.pictures(), "--together")
	}
	first, _, _ := strings.Cut(text, " ")
	prefix := regexp.MustCompile(`^\[[A-Z]+\]$`).MatchString(first) // BLIP writes in one way; its fixture's text was cut off
	if prefix {
		limit = nil
	}
	want := strings.TrimSpace(f.unmarked(text))
	line := command(f.t, slices.Concat([]string{"ask"}, pictures, limit, []string{question, "--model", f.dir})...)
	var answer string
	var score float64
	f.decode(line["answer"], &answer)
	f.decode(line["score"], &score)
	if answer != want && !(prefix && strings.HasPrefix(answer, want)) || want == "" || !(score >= 0 && score <= 1) {
		f.t.Errorf("%q with %g, want %q", answer, score, want)
	}
	return true
}

// boxes looks for things with a model that writes where they are, which its fixture was taught to: they are the reference's text, taken
// apart, each with a probability.
func (f parityCase) boxes() bool {
	var want struct {
		Queries []string
		Objects []wanted
	}
	if !f.want("detect", &want) {
		return false
	}
	var args []string
	for _, q := range want.Queries {
		args = append(args, "--query", q)
	}
	var got []cliObject
	f.decode(f.run("detect", args...)["objects"], &got)
	if len(got) != len(want.Objects) || len(got) == 0 {
		f.t.Fatalf("%v, want %v", got, want.Objects)
	}
	for _, w := range want.Objects {
		if !slices.ContainsFunc(got, func(o cliObject) bool {
			return o.Label == w.Name && sameBox(o.Box, w.Box) && o.Score > .9 && o.Score <= 1
		}) {
			f.t.Errorf("no %v among %v", w, got)
		}
	}
	return true
}

// unmarked is a text without the pieces that mark things, which the tokenizer says are special.
func (f parityCase) unmarked(text string) string {
	var file struct {
		Added []struct {
			Content string
			Special bool
		} `json:"added_tokens"`
	}
	b, err := os.ReadFile(filepath.Join(f.dir, "tokenizer.json"))
	if err != nil {
		f.t.Fatal(err)
	}
	f.decode(b, &file)
	for _, a := range file.Added {
		if a.Special && !strings.HasPrefix(a.Content, "<loc_") { // Florence-2 leaves places in texts
			text = strings.ReplaceAll(text, a.Content, "")
		}
	}
	return regexp.MustCompile(`^\[[A-Z]+\]`).ReplaceAllString(text, "")
}
