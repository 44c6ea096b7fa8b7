// Package all lists the published families of models that the program runs, and opens their folders.
package all

import (
	"slices"

	"fovea/model"
	"fovea/model/blip"
	"fovea/model/clip"
	"fovea/model/clipseg"
	"fovea/model/dinov2"
	"fovea/model/eomt"
	"fovea/model/florence2"
	"fovea/model/idefics3"
	"fovea/model/lite"
	"fovea/model/owlv2"
	"fovea/model/paligemma"
	"fovea/model/qwen"
	"fovea/model/rtdetr"
	"fovea/model/sam"
	"fovea/model/siglip"
	"fovea/model/vilt"
	"fovea/model/vit"
	"fovea/model/vitpose"
	"fovea/model/yolos"
)

// Families are all of them, in alphabetical order.
func Families() []model.Family {
	return []model.Family{blip.Family, clip.Family, clipseg.Family, dinov2.Family, dinov2.WithRegisters, eomt.Family, florence2.Family, idefics3.Family, idefics3.SmolVLM, lite.Family, owlv2.Family, paligemma.Family, qwen.Family, qwen.Three, rtdetr.Family, rtdetr.Fine, sam.Family, siglip.Family, siglip.NaFlex, vilt.Family, vit.Family, vitpose.Family, yolos.Family}
}

// Open opens a folder of any of the families, laid out as on the Hugging Face hub. See model.Load.
func Open(dir string) (model.Network, error) { return model.Load(dir, Families()) }

// OpenAs is Open with weights in a precision. See model.LoadAs.
func OpenAs(dir, precision string) (model.Network, error) {
	return model.LoadAs(dir, Families(), precision)
}

// Supports reports that one of the families loads the folder's architecture.
func Supports(f *model.Folder) bool {
	return slices.ContainsFunc(Families(), func(fam model.Family) bool { return fam.Loads(f) })
}
