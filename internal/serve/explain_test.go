package serve

import (
	"net/http"
	"testing"
)

// An explanation covers the picture, as the document says, however the fields come; what cannot be explained is refused.
func TestExplain(t *testing.T) {
	s, h := start(t, nil)
	jpg, _ := photo()
	url := h.URL + "/v1/explain"
	for name, a := range map[string]answer{
		"classify": send(t, http.MethodPost, url, "image/jpeg", jpg),
		"ask":      post(t, url, map[string]any{"image": dataURLOf(jpg), "task": "ask", "question": "how many circles are there?"}),
		"detect":   send(t, http.MethodPost, url+"?task=detect&target=circle&box=1,2,30,40", "image/jpeg", jpg),
		"auc":      send(t, http.MethodPost, url+"?task=classify&target=circle&auc=true", "image/jpeg", jpg),
	} {
		a.want(t, 200, "task", "explain", "width", 96, "regions.grid", "[4 4]")
		if err := document(t).Components.Schemas["Explanation"].Value.VisitJSON(a.get(t, "")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, _ := a.get(t, "deletion_auc").(float64); (got > 0) != (name == "auc") {
			t.Errorf("%s: deletion %v", name, a.get(t, "deletion_auc"))
		}
	}
	for query, code := range map[string]string{
		"?task=pose": "request.task", "?task=nonsense": "request.task", "?task=ask": "request.question", "?box=1,2,x,4": "request.box", "?box=1,2,3": "request.box", "?auc=perhaps": "request.auc",
		"?task=detect&box=5,5,5,5": "request.boxes", "?model=none": "model.missing", "?max=1001": "request.max", "?threshold=2": "request.threshold",
	} {
		a := send(t, http.MethodPost, url+query, "image/jpeg", jpg)
		if got := a.get(t, "error.code"); got != code || a.status/100 != 4 {
			t.Errorf("%s: %d %v, want %s", query, a.status, got, code)
		}
	}
	send(t, http.MethodPost, url, "image/jpeg", jpg[:200]).want(t, 400, "error.code", "image.truncated")
	if n := s.models[0].queue.occupied(); n != 0 {
		t.Errorf("%d places are still taken", n)
	}
}
