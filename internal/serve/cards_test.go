package serve

import (
	"net/http"
	"strings"
	"testing"

	"fovea/internal/web"
)

// The page can find out what the models are able to do, and the document says what it gets.
func TestCards(t *testing.T) {
	_, h := start(t, nil)
	a := send(t, http.MethodGet, h.URL+"/v1/cards", "", nil)
	a.want(t, 200, "version", "test", "models.0.name", "tiny", "models.0.tasks.0", "classify", "models.0.skeleton.joints.0", "nose", "models.0.open_vocabulary", true)
	if err := document(t).Components.Schemas["Cards"].Value.VisitJSON(a.get(t, "")); err != nil {
		t.Error(err)
	}
}

// The playground is there without being asked for, with the policy that it is written for, and lists no folder.
func TestPlayground(t *testing.T) {
	_, h := start(t, nil)
	for path, want := range map[string]string{"/": "<title>Fovea</title>", "/app/main.js": "Ties the page together", "/style.css": ":root"} {
		a := send(t, http.MethodGet, h.URL+path, "", nil, "Accept", "text/html,*/*")
		if a.status != 200 || !strings.Contains(string(a.body), want) {
			t.Errorf("%s: %d %.100s", path, a.status, a.body)
		}
		if got := a.header.Get("Content-Security-Policy"); got != web.Policy {
			t.Errorf("%s comes with the policy %q", path, got)
		}
	}
	send(t, http.MethodGet, h.URL+"/app/", "", nil).want(t, 404, "error.code", "request.path")
}
