package fovea

import (
	"os"
	"path/filepath"
	"testing"

	"fovea/annotation"
	"fovea/checkpoint"
	"fovea/internal/testmodel"
	"fovea/task"
)

// TestDividesPictures: a model with a read-out of pixels gives every pixel one of its classes; of a query, only what is asked
// for is told; without the read-out the masks of objects are laid over each other.
func TestDividesPictures(t *testing.T) {
	m, err := testmodel.New(1)
	if err != nil {
		t.Fatal(err)
	}
	c := m.Config
	c.Labels, c.Pixels = nil, []string{"Star", "ring", "moon"} // trained on label maps alone
	if m, err = m.Regrown(c, 3); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "divides")
	if err := m.Save(dir, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	p, err := Open(background, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	img := scene(t, 1, 90)
	divide := func(query ...string) *Semantic {
		r, err := p.Do(background, Request{Image: img, Tasks: task.SetOf(task.Segment), Semantic: true, Query: query})
		if err != nil {
			t.Fatal(err)
		}
		return r.Semantic
	}
	all := divide()
	total, labels := 0., map[string]annotation.RLE{}
	for i, m := range all.Map {
		if i > 0 && m.Area() > all.Map[i-1].Area() {
			t.Errorf("classes are not in the order of their pixels: %v", all.Classes)
		}
		total += m.Area()
		labels[all.Classes[i]] = m
	}
	if total != 90*90 {
		t.Errorf("%g of %d pixels have a class, %v", total, 90*90, all.Classes)
	}
	for name, mask := range labels {
		one := divide(name)
		if len(one.Classes) != 1 || one.Classes[0] != name || one.Map[0].Area() != mask.Area() {
			t.Errorf("asked for %s: %v", name, one.Classes)
		}
	}
	if r, err := p.Do(background, Request{Image: img, Tasks: task.SetOf(task.Segment), Panoptic: true, Query: []string{"star"}}); err != nil || r.Semantic != nil {
		t.Errorf("%+v, %v", r, err)
	}
}
