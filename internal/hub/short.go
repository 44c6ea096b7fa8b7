package hub

import "cmp"

// Model is a published model that has a short name, because it is a good default for its task.
type Model struct {
	Name     string // short
	Repo     string
	Revision string // that holds safetensors, where the main branch has pickle files only; "" is the main branch
	Class    string // of its config.json
	Task     string // as the command is called
	Licence  string
	MB       int    // to download
	Score    string // as published, with what was measured and by whom
}

// Ref is what the name stands for.
func (m Model) Ref() Ref { return Ref{m.Repo, cmp.Or(m.Revision, DefaultRevision)} }

// Short lists the short names. docs/reference/models.md says where the figures come from.
func Short() []Model {
	return []Model{
		{"deit", "facebook/deit-base-patch16-224", "refs/pr/3", "ViTForImageClassification", "classify", "Apache-2.0", 346, "ImageNet-1k top-1 81.8 % (Touvron et al. 2021)"},
		{"deit-tiny", "facebook/deit-tiny-patch16-224", "refs/pr/3", "ViTForImageClassification", "classify", "Apache-2.0", 23, "ImageNet-1k top-1 72.2 % (Touvron et al. 2021)"},
		{"vit", "google/vit-base-patch16-224", "", "ViTForImageClassification", "classify", "Apache-2.0", 346, ""},
		{"dinov2", "facebook/dinov2-base-imagenet1k-1-layer", "refs/pr/1", "Dinov2ForImageClassification", "classify", "Apache-2.0", 352, "ImageNet-1k top-1 84.5 % (Oquab et al. 2024, linear)"},
		{"clip", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "", "CLIPModel", "embed", "MIT", 605, "ImageNet-1k zero-shot top-1 66.6 % (OpenCLIP)"},
		{"siglip2", "google/siglip2-base-patch16-224", "", "SiglipModel", "embed", "Apache-2.0", 1501, "ImageNet-1k zero-shot top-1 78.2 % (Tschannen et al. 2025)"},
		{"yolos", "hustvl/yolos-small", "", "YolosForObjectDetection", "detect", "Apache-2.0", 123, "COCO val2017 AP 36.1 (Fang et al. 2021)"},
		{"yolos-tiny", "hustvl/yolos-tiny", "", "YolosForObjectDetection", "detect", "Apache-2.0", 26, "COCO val2017 AP 28.7 (Fang et al. 2021)"},
		{"dfine", "ustc-community/dfine-small-coco", "", "DFineForObjectDetection", "detect", "Apache-2.0", 41, "COCO val2017 AP 48.5 (Peng et al. 2025)"},
		{"owlv2", "google/owlv2-base-patch16-ensemble", "", "Owlv2ForObjectDetection", "detect", "Apache-2.0", 620, ""},
		{"clipseg", "CIDAS/clipseg-rd64-refined", "", "CLIPSegForImageSegmentation", "segment", "Apache-2.0", 603, ""},
		{"eomt", "tue-mps/coco_panoptic_eomt_large_640", "", "EomtForUniversalSegmentation", "segment", "MIT", 1277, "COCO val2017 PQ 56.0 (Kerssies et al. 2025)"},
		{"vitpose", "usyd-community/vitpose-base-simple", "", "VitPoseForPoseEstimation", "pose", "Apache-2.0", 344, "COCO val2017 AP 75.5 (Xu et al. 2022)"},
		{"florence2", "florence-community/Florence-2-base-ft", "", "Florence2ForConditionalGeneration", "caption", "MIT", 464, "COCO captions CIDEr 140.0 (Xiao et al. 2024)"},
		{"smolvlm", "HuggingFaceTB/SmolVLM-256M-Instruct", "", "Idefics3ForConditionalGeneration", "ask", "Apache-2.0", 516, "DocVQA val 58.3, TextVQA val 49.9 (its card)"},
		{"vilt", "dandelin/vilt-b32-finetuned-vqa", "refs/pr/9", "ViltForQuestionAnswering", "ask", "Apache-2.0", 470, "VQA v2 test-dev 71.3 % (Kim et al. 2021)"},
		{"blip", "Salesforce/blip-vqa-base", "", "BlipForQuestionAnswering", "ask", "BSD-3-Clause", 1539, "VQA v2 test-dev 78.25 % (Li et al. 2022)"},
	}
}
