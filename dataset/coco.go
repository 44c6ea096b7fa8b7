package dataset

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"fovea/annotation"
)

// cocoFile is a file of COCO's data format while it is read: instances, person_keypoints or captions
// (https://cocodataset.org/#format-data). Annotations may stand before images and categories, so they wait until the end.
type cocoFile struct {
	b          *builder
	name       string // for faults
	images     map[string]*cocoImage
	order      []*cocoImage
	categories map[string]*cocoCategory
	labels     []string // of the categories, in order
	pending    []cocoObject
	captions   []cocoCaption
	sections   map[string]bool
	masks      bool // some object has one
	joints     bool
	merge      bool // another file of the split was read before: objects with a known id are the same
}

type cocoImage struct {
	id, file string
	w, h     int
	record   *record // nil when the picture is unusable
	objects  int
	lost     bool // an object of it could not be placed
}

type cocoCategory struct {
	name     string
	skeleton *annotation.Skeleton
}

type cocoObject struct {
	id, image, category string
	object
	keypoints []float64
	noBox     bool
}

type cocoCaption struct{ id, image, text string }

func newCOCO(b *builder, name string, merge bool) *cocoFile {
	return &cocoFile{b: b, name: name, images: map[string]*cocoImage{}, categories: map[string]*cocoCategory{}, sections: map[string]bool{}, merge: merge}
}

// readCOCO adds what one file says. It fails when the file as a whole is no COCO file; single faults are reported.
func (b *builder) readCOCO(path string, merge bool) error {
	doc, f, err := openJSON(path)
	if err != nil {
		return err
	}
	defer f.Close()
	c := newCOCO(b, filepath.Base(path), merge)
	if err := c.parse(doc); err != nil {
		return err
	}
	if !c.sections["images"] || !c.sections["annotations"] {
		return fmt.Errorf("dataset: %s: want the lists \"images\" and \"annotations\" of a COCO file", path)
	}
	return c.link(filepath.Dir(path))
}

// link joins annotations, categories and pictures when all is read.
func (c *cocoFile) link(beside string) error {
	if err := c.findPictures(beside); err != nil {
		return err
	}
	for _, l := range c.labels {
		c.b.class(l)
	}
	for i := range c.pending {
		c.linkObject(&c.pending[i])
	}
	for _, t := range c.captions {
		if im := c.image(t.image, "caption "+t.id); im != nil && im.record != nil {
			im.record.captions = append(im.record.captions, t.text)
			im.record.labels |= HasCaptions
		}
	}
	c.complete()
	return nil
}

func (c *cocoFile) parse(doc *jsonDoc) error {
	return doc.object(func(key string) error {
		var one func(*jsonDoc, int) error
		switch key {
		case "images":
			one = c.readImage
		case "categories":
			one = c.readCategory
		case "annotations":
			one = c.readAnnotation()
		default:
			return doc.skip()
		}
		c.sections[key] = true
		return doc.array(func(i int) error { return one(doc, i) })
	})
}

func (c *cocoFile) bad(kind, format string, args ...any) {
	c.b.report.add(kind, "%s: %s", c.name, fmt.Sprintf(format, args...))
}

func (c *cocoFile) readImage(doc *jsonDoc, i int) error {
	var e struct {
		ID       json.RawMessage `json:"id"`
		FileName string          `json:"file_name"`
		Width    float64         `json:"width"`
		Height   float64         `json:"height"`
	}
	wrong, err := doc.value(&e)
	if err != nil {
		return err
	}
	id, ok := ident(e.ID)
	switch {
	case wrong != nil:
		c.bad(BadEntry, "image %d: %v", i, wrong)
	case !ok:
		c.bad(BadEntry, "image %d: it has no id", i)
	case c.images[id] != nil:
		c.bad(DuplicateID, "image %s: %q and %q", id, c.images[id].file, e.FileName)
	case e.FileName == "":
		c.bad(BadEntry, "image %s: it has no file_name", id)
		c.images[id] = &cocoImage{id: id}
	case !(e.Width >= 0 && e.Width < 1<<31 && e.Height >= 0 && e.Height < 1<<31):
		c.bad(BadEntry, "image %s: size %v × %v", id, e.Width, e.Height)
		c.images[id] = &cocoImage{id: id}
	default:
		im := &cocoImage{id: id, file: e.FileName, w: int(e.Width), h: int(e.Height)}
		if im.w == 0 || im.h == 0 {
			im.w, im.h = 0, 0
		}
		c.images[id] = im
		c.order = append(c.order, im)
	}
	return nil
}

func (c *cocoFile) readCategory(doc *jsonDoc, i int) error {
	var e struct {
		ID        json.RawMessage `json:"id"`
		Name      string          `json:"name"`
		Keypoints []string        `json:"keypoints"`
		Skeleton  json.RawMessage `json:"skeleton"`
	}
	wrong, err := doc.value(&e)
	if err != nil {
		return err
	}
	id, ok := ident(e.ID)
	name := strings.TrimSpace(e.Name)
	switch {
	case wrong != nil:
		c.bad(BadEntry, "category %d: %v", i, wrong)
	case !ok || name == "":
		c.bad(BadEntry, "category %d: it has no id or no name", i)
	case c.categories[id] != nil:
		c.bad(DuplicateID, "category %s: %q and %q", id, c.categories[id].name, name)
	default:
		c.categories[id] = &cocoCategory{name, skeletonOf(name, e.Keypoints, e.Skeleton)}
		c.labels = append(c.labels, name)
	}
	return nil
}

// skeletonOf finds or makes the skeleton of a category; nil without joints. l_ and r_ at the start of a name are read as
// left_ and right_. Bones count joints from 1.
func skeletonOf(category string, names []string, raw json.RawMessage) *annotation.Skeleton {
	if len(names) == 0 {
		return nil
	}
	clean := make([]string, len(names))
	for i, n := range names {
		n = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(n)), " ", "_")
		if rest, ok := strings.CutPrefix(n, "l_"); ok {
			n = "left_" + rest
		} else if rest, ok := strings.CutPrefix(n, "r_"); ok {
			n = "right_" + rest
		}
		clean[i] = n
	}
	if s := annotation.SkeletonOf(clean); s != nil {
		return s
	}
	var bones [][]int
	var good [][2]int
	if json.Unmarshal(raw, &bones) == nil {
		for _, p := range bones {
			if len(p) == 2 && min(p[0], p[1]) >= 1 && max(p[0], p[1]) <= len(names) {
				good = append(good, [2]int{p[0] - 1, p[1] - 1})
			}
		}
	}
	return annotation.NewSkeleton(category, clean, good)
}

// findPictures gives each image its record.
func (c *cocoFile) findPictures(beside string) error {
	var probe []string
	for i := 0; i < len(c.order); i += max(len(c.order)/50, 1) {
		probe = append(probe, filepath.FromSlash(c.order[i].file))
	}
	dir, tried := c.b.pictureFolder(beside, probe)
	found := 0
	owner := map[*record]string{}
	for _, im := range c.order {
		name := filepath.FromSlash(im.file)
		switch path := filepath.Join(dir, name); {
		case !filepath.IsLocal(name):
			c.bad(OutsidePath, "image %s: %q", im.id, im.file)
		case !c.b.folders.has(path):
			c.bad(MissingFile, "image %s: %s", im.id, path)
		default:
			r := c.b.record(path)
			if first, twice := owner[r]; twice {
				c.bad(DuplicateID, "images %s and %s are both %q", first, im.id, im.file)
				continue
			}
			owner[r] = im.id
			found++
			im.record = r
			if im.w != 0 {
				r.w, r.h = im.w, im.h
			}
		}
	}
	if found == 0 && len(c.order) > 0 {
		return fmt.Errorf("dataset: %s names %d pictures, %q is the first, but none of them is in %s", c.name, len(c.order), c.order[0].file,
			strings.Join(tried, ", "))
	}
	return nil
}

// image looks up an annotation's picture; nil, reported, when there is none. A picture that is itself at fault has no
// record.
func (c *cocoFile) image(id, what string) *cocoImage {
	im := c.images[id]
	if im == nil {
		c.bad(UnknownImage, "%s: image id %q", what, id)
	}
	return im
}

// complete sets the labels of all pictures that the file lists.
func (c *cocoFile) complete() {
	if len(c.pending) == 0 && !c.sections["categories"] {
		return // captions alone
	}
	labels := HasBoxes
	if c.masks {
		labels |= HasMasks
	}
	if c.joints {
		labels |= HasJoints
	}
	if c.onePersonEach() {
		labels = labels&^HasBoxes | SomeBoxes
	}
	for _, im := range c.order {
		r := im.record
		if r == nil {
			continue
		}
		had := labels
		for _, o := range r.objects {
			if o.mask.empty() && !o.Crowd {
				had &^= HasMasks
			}
		}
		if im.lost {
			had &^= HasBoxes | SomeBoxes | HasMasks
		}
		if c.b.boxed[r] {
			had &= HasJoints // the first file decided on the rest
		}
		c.b.boxed[r] = true
		r.labels |= had
		if len(r.objects) == 0 && !im.lost && !c.merge {
			c.bad(NoAnnotations, "image %s: %s", im.id, im.file)
		}
	}
}

// fewPictures is the size up to which one person in each picture may be chance.
const fewPictures = 8

// onePersonEach detects a file of joints whose authors labelled one person in each picture and left out the others, as
// sets of single poses do. Learning from it that the rest is background would be wrong.
func (c *cocoFile) onePersonEach() bool {
	if c.b.opt.CompleteBoxes != nil {
		return !*c.b.opt.CompleteBoxes
	}
	if !c.joints || c.merge || len(c.order) < fewPictures {
		return false
	}
	for _, im := range c.order {
		if im.objects != 1 && im.record != nil {
			return false
		}
	}
	c.b.report.note("%s labels exactly one person in each of %d pictures, so others are taken as not labelled: it teaches what "+
		"people are, not what is none; complete_boxes: true says that the boxes are complete", c.name, len(c.order))
	return true
}
