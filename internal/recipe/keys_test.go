package recipe

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// TestReference: docs/reference/recipe.md has a row for every key, none for others, and the defaults that hold. A default that is no
// number is described in words.
func TestReference(t *testing.T) {
	b, err := os.ReadFile("../../docs/reference/recipe.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, section := map[string]string{}, ""
	for line := range strings.Lines(string(b)) {
		if m := regexp.MustCompile(`^## (\w+)`).FindStringSubmatch(line); m != nil {
			section = m[1] + "."
		}
		if m := regexp.MustCompile("^\\| `(\\w+)` \\| ([^|]*)\\|").FindStringSubmatch(line); m != nil {
			rows[section+m[1]] = strings.TrimSpace(m[2])
		}
	}
	d, means := Default(), map[string]bool{"data.weight": true, "augment.min_visible": true} // their zero means the default
	check := func(section string, v any) {
		s := reflect.ValueOf(v)
		for i := range s.NumField() {
			key, _, _ := strings.Cut(s.Type().Field(i).Tag.Get("yaml"), ",")
			if key == "" {
				continue
			}
			row, ok := rows[section+key]
			if !ok {
				t.Errorf("recipe.md does not name %s%s", section, key)
			}
			delete(rows, section+key)
			f := s.Field(i)
			want := fmt.Sprint(f)
			if f.Kind() == reflect.Array {
				want = strings.ReplaceAll(want, " ", ", ")
			}
			if number := regexp.MustCompile(`^[\[0-9]`).MatchString(row); number && f.Kind() != reflect.Pointer && row != want && !means[section+key] {
				t.Errorf("recipe.md says that %s%s is %s by default; it is %s", section, key, row, want)
			} else if !number && f.Kind() >= reflect.Int && f.Kind() <= reflect.Float64 && !f.IsZero() {
				t.Errorf("recipe.md says %q of the default of %s%s, %s", row, section, key, want)
			}
		}
	}
	check("", d)
	check("model.", d.Model)
	check("data.", Data{})
	check("train.", d.Train)
	check("augment.", d.Augment)
	for key := range rows {
		t.Errorf("recipe.md names %s, which there is not", key)
	}
}

// TestBackboneRate: a share of the rate, of a model that has pretrained convolutions; those of the shipped model can be kept as they are.
func TestBackboneRate(t *testing.T) {
	if _, err := Parse([]byte("model: {from: nano, backbone_rate: 2}\ndata: [{task: all, scenes: 4}]")); err == nil || !strings.Contains(err.Error(), "model.backbone_rate is a share") {
		t.Errorf("twice the rate: %v", err)
	}
	c, err := Parse([]byte("model: {variant: mini, backbone_rate: 0}\ndata: [{task: all, scenes: 4}]"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newModel(c); err == nil || !strings.Contains(err.Error(), "no backbone") {
		t.Errorf("without a backbone: %v", err)
	}
	c.Model.Variant, c.Model.From = "nano", "nano"
	m, err := newModel(c)
	if err != nil {
		t.Fatal(err)
	}
	frozen := 0
	for _, p := range m.Params() {
		if p.Frozen {
			frozen += len(p.Data)
		}
	}
	if frozen < 2_900_000 || frozen > 3_000_000 {
		t.Errorf("%d weights stay as they are", frozen)
	}
}
