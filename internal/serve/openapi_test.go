package serve

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func document(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// The document is valid, and its paths are those that the server has.
func TestOpenAPI(t *testing.T) {
	doc := document(t)
	if err := doc.Validate(context.Background()); err != nil {
		t.Error(err)
	}
	s, _ := start(t, nil)
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			if _, ok := s.routes[path][method]; !ok {
				t.Errorf("%s %s is described and not served", method, path)
			}
		}
	}
	for path, methods := range s.routes {
		for method, r := range methods {
			if item := doc.Paths.Value(path); r.surface == native && (item == nil || item.GetOperation(method) == nil) {
				t.Errorf("%s %s is served and not described", method, path)
			}
		}
	}
}

// What the server answers is what the document says.
func TestAnswersFitDocument(t *testing.T) {
	doc := document(t)
	_, h := start(t, nil)
	jpg, _ := photo()
	result, failed := doc.Components.Schemas["Result"].Value, doc.Components.Schemas["Failed"].Value
	for name := range nativeTasks {
		a := post(t, h.URL+"/v1/"+name+"?threshold=0&max=3&question=what", map[string]any{"image": dataURLOf(jpg), "polygons": true})
		if a.status != http.StatusOK {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if err := result.VisitJSON(a.get(t, "")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		a = post(t, h.URL+"/v1/"+name, map[string]any{"image": "?"})
		if err := failed.VisitJSON(a.get(t, "")); err != nil || a.status != 400 {
			t.Errorf("%s: %d %v", name, a.status, err)
		}
	}
}

// The page of documentation asks no one else for anything.
func TestDocsPageIsAlone(t *testing.T) {
	for _, s := range []string{"<script", "<link", "<img", "@import", "url("} {
		if bytes.Contains(docsPage, []byte(s)) {
			t.Errorf("the page contains %s", s)
		}
	}
	for name := range nativeTasks {
		if !strings.Contains(string(docsPage), "/v1/"+name) {
			t.Errorf("the page does not mention /v1/%s", name)
		}
	}
}
