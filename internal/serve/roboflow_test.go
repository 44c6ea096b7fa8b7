package serve

import (
	"encoding/base64"
	"net/http"
	"testing"
)

func TestRoboflow(t *testing.T) {
	_, h := start(t, nil)
	jpg, _ := photo()
	img := map[string]any{"type": "base64", "value": base64.StdEncoding.EncodeToString(jpg)}
	infer := func(path string, extra map[string]any) answer {
		q := map[string]any{"model_id": "tiny/3", "api_key": "any", "image": img, "source": "x"}
		for k, v := range extra {
			q[k] = v
		}
		return post(t, h.URL+"/infer/"+path, q)
	}
	native := post(t, h.URL+"/v1/detect", map[string]any{"image": img["value"], "threshold": 0, "max": 3})
	a := infer("object_detection", map[string]any{"confidence": 0, "max_detections": 3, "iou_threshold": 0})
	a.want(t, 200, "image.width", 96, "predictions.0.class", native.get(t, "objects.0.label"), "predictions.3", nil)
	box, p := native.get(t, "objects.0.box").([]any), a.get(t, "predictions.0")
	if x, w := at(p, "x").(float64), at(p, "width").(float64); x-w/2-box[0].(float64) > .01 || x+w/2-box[2].(float64) > .01 {
		t.Errorf("%v, the box is %v", p, box)
	}
	infer("object_detection", map[string]any{"image": []any{img, img}, "confidence": "default"}).want(t, 200, "1.image.height", 96)
	infer("object_detection", map[string]any{"class_filter": []string{"circle"}, "confidence": 1}).want(t, 200, "predictions", "[]")
	infer("instance_segmentation", map[string]any{"confidence": 0, "max_detections": 2}).want(t, 200, "image.width", 96)
	c := infer("classification", nil)
	c.want(t, 200, "predictions.0.class", c.get(t, "top"), "predictions.0.confidence", c.get(t, "confidence"))
	infer("keypoints_detection", nil).want(t, 200, "image.width", 96)
	send(t, http.MethodGet, h.URL+"/model/registry", "", nil).want(t, 200, "models.0.model_id", "tiny", "models.0.task_type", "object-detection")
	post(t, h.URL+"/model/add", map[string]any{"model_id": "tiny/segment"}).want(t, 200, "models.0.model_id", "tiny")

	for name, extra := range map[string]map[string]any{
		"numpy": {"image": map[string]any{"type": "numpy", "value": "gASV"}}, "none": {"image": nil}, "number": {"image": 7}, "URL": {"image": map[string]any{"type": "url", "value": "http://x/y.jpg"}},
		"bomb": {"image": base64.StdEncoding.EncodeToString(bomb())}, "truncated": {"image": base64.StdEncoding.EncodeToString(jpg[:99])}, "base64": {"image": "*"}, "empty": {"image": ""},
		"17": {"image": make([]string, 17)}, "confidence": {"confidence": 7}, "negative": {"max_detections": -1}, "wrong": {"confidence": []int{}},
	} {
		a := infer("object_detection", extra)
		if m, _ := a.get(t, "message").(string); a.status != 400 || m == "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	infer("object_detection", map[string]any{"model_id": "coco/3"}).want(t, 404, "code", "model.missing")
	post(t, h.URL+"/model/add", map[string]any{"model_id": "coco/3"}).want(t, 404)
}

// The token may be in the body.
func TestRoboflowKey(t *testing.T) {
	_, h := start(t, func(c *Config) { c.Tokens = []string{"secretive"} })
	jpg, _ := photo()
	for key, status := range map[string]int{"secretive": 200, "other": 401, "": 401} {
		q := map[string]any{"model_id": "tiny", "api_key": key, "image": base64.StdEncoding.EncodeToString(jpg)}
		if a := post(t, h.URL+"/infer/object_detection", q); a.status != status {
			t.Errorf("%q: %d %s", key, a.status, a.body)
		}
		if a := send(t, http.MethodGet, h.URL+"/model/registry?api_key="+key, "", nil); a.status != status {
			t.Errorf("%q: %d %s", key, a.status, a.body)
		}
	}
}
