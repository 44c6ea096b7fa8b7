package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fovea"
	"fovea/imageproc"
)

// drawnEndings are the formats that pictures are drawn in.
var drawnEndings = []string{".png", ".jpg", ".jpeg"}

// drawer draws answers into picture files. A nil drawer draws nothing.
type drawer struct {
	path   string
	folder bool
	used   map[string]bool // file names of this run, so that pictures of one name from two folders both stay
}

// newDrawer makes sense of --out: a picture file, or a folder, which several pictures need.
func newDrawer(out string, several bool) (*drawer, error) {
	if out == "" {
		return nil, nil
	}
	info, err := os.Stat(out)
	folder := err == nil && info.IsDir() || strings.HasSuffix(out, string(filepath.Separator)) || strings.HasSuffix(out, "/")
	switch {
	case !folder && several && err == nil:
		return nil, usage("", "--out %s is a file, and there may be several pictures; name a folder", out)
	case !folder && !several && !ends(out, drawnEndings):
		return nil, usage("end it in .png or .jpg, or in / for a folder", "--out %s is no kind of picture that can be drawn", out)
	}
	d := &drawer{path: out, folder: folder || several, used: map[string]bool{}}
	if d.folder {
		if err := os.MkdirAll(out, 0o777); err != nil {
			return nil, usage("", "--out: %w", err)
		}
	}
	return d, nil
}

// draw draws an answer over its picture and says where.
func (d *drawer) draw(it *item) (string, error) {
	if d == nil {
		return "", nil
	}
	return d.save(it, render(it))
}

// save writes what was drawn over a picture and says where.
func (d *drawer) save(it *item, drawn *imageproc.RGB) (string, error) {
	path := d.path
	if d.folder {
		path = filepath.Join(d.path, d.name(it))
	}
	if err := imageproc.Save(path, drawn); err != nil {
		return "", err
	}
	return path, nil
}

// name is a file name for a picture that is not taken yet.
func (d *drawer) name(it *item) string {
	base := strings.TrimSuffix(drawnName(it.name), drawnEnding)
	if it.frame != nil {
		base += fmt.Sprintf("-%06d", *it.frame)
	}
	name := base
	for n := 2; d.used[name]; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	d.used[name] = true
	return name + drawnEnding
}

// render draws an answer over its picture. Labels have the colours that the text shows.
func render(it *item) *imageproc.RGB {
	p := it.res.Annotation()
	if it.res.ClassDoubt() != fovea.Sure {
		p.Class = ""
	}
	if it.res.Classes != nil && it.res.CaptionDoubt() != fovea.Sure { // among other answers; by itself it was asked for
		p.Captions = nil
	}
	o := imageproc.DrawOptions{Labels: it.palette}
	if it.res.Semantic != nil {
		o.Classes = it.res.Semantic.Classes
	}
	return imageproc.Draw(it.img, *p, o)
}

// dot is a mark in the colour that a label has in drawings.
func (a *app) dot(it *item, label string) string {
	i := slices.Index(it.palette, label)
	if i < 0 || !a.outStyle.on {
		return ""
	}
	c := imageproc.Color(i)
	return a.outStyle.paint(rgb(c[0], c[1], c[2]), "●") + " "
}
