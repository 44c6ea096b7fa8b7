// Package eval scores predictions: classification, detection, masks, joints, semantic maps, answers, captions and
// retrieval, by the figures that people publish. It knows annotations, not models.
//
// Each metric is a small accumulator: make it, Add one picture after the other, read Result at any time. Result maps the
// metric's usual names to figures; unless a doc says otherwise they are fractions in [0, 1]. The accumulators are not
// safe for use by several goroutines at once.
//
//	Classification   top1, top5, confusion matrix
//	Detection        COCO's AP and AR over boxes, masks or joints, equal to pycocotools
//	PCK              the share of joints within a distance
//	Segmentation     mIoU, pixel_accuracy
//	VQA              vqa_accuracy, exact
//	Captions         BLEU1 … BLEU4, CIDEr
//	Retrieval        R@1, R@5, R@10 both ways
//
// Score reads predictions from the files that other tools write, COCO results and VQA results, and scores them against
// the data set's annotation file, with no code between; see Report.
package eval
