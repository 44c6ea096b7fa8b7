package serve

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc/codes"

	"fovea/internal/serve/oippb"
)

// speakers are the surfaces that take a picture in JSON: where it goes (base64 or a data URL), and where an error's message is.
var speakers = []struct {
	surface, path, body string
	url                 bool
	message             string
}{
	{"native", "/v1/detect", `{"image":"%s"}`, false, "error.message"},
	{"openai", "/v1/chat/completions", `{"messages":[{"role":"user","content":[{"type":"text","text":"what?"},{"type":"image_url","image_url":{"url":"%s"}}]}]}`, true, "error.message"},
	{"ollama", "/api/generate", `{"prompt":"what?","stream":false,"images":["%s"]}`, false, "error"},
	{"moondream", "/v1/query", `{"question":"what?","image_url":"%s"}`, true, "error.message"},
	{"oip", "/v2/models/tiny/infer", `{"inputs":[{"name":"image","datatype":"BYTES","shape":[1],"data":["%s"]}]}`, false, "error"},
	{"roboflow", "/infer/object_detection", `{"model_id":"tiny","image":{"type":"base64","value":"%s"}}`, false, "message"},
}

// encoded is a picture as PNG.
func encoded(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Pictures of every kind that files have are looked at by every surface; what is no picture, or no longer one, is refused in the
// surface's own form and counted.
func TestPicturesOfAllKinds(t *testing.T) {
	s, h := start(t, nil)
	grpc := dial(t, h.URL)
	jpg, pic := photo()
	cmyk, err := os.ReadFile(filepath.Join("..", "..", "imageproc", "testdata", "jpeg", "cmyk.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	r := image.Rect(0, 0, 40, 30)
	frame := image.NewPaletted(r, color.Palette{color.Black, color.White})
	var animated bytes.Buffer
	if err := gif.EncodeAll(&animated, &gif.GIF{Image: []*image.Paletted{frame, frame}, Delay: []int{1, 1}}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file []byte
		code string // "": it is looked at
	}{
		"JPEG": {jpg, ""}, "PNG": {pic, ""}, "CMYK": {cmyk, ""}, "16 bits": {encoded(t, image.NewRGBA64(r)), ""}, "a palette": {encoded(t, frame), ""}, "grey": {encoded(t, image.NewGray(r)), ""},
		"animated": {animated.Bytes(), ""}, "turned": {turned(jpg), ""}, "one pixel": {encoded(t, image.NewGray(image.Rect(0, 0, 1, 1))), ""},
		"no picture": {[]byte("hello, this is a text"), "image.unsupported"}, "a page": {[]byte("<!doctype html><svg/>"), "image.unsupported"}, "truncated": {pic[:len(pic)/2], "image.truncated"},
		"40000 × 40000": {bomb(), "image.too_large"},
	} {
		before := faults(s, "grpc", c.code)
		_, err := grpc.ModelInfer(t.Context(), &oippb.ModelInferRequest{ModelName: "tiny", Inputs: []*oippb.ModelInferRequest_InferInputTensor{grpcTexts("image", string(c.file))}})
		if c.code == "" {
			wantCode(t, name, err, codes.OK)
		} else if wantCode(t, name, err, codes.InvalidArgument); faults(s, "grpc", c.code) != before+1 {
			t.Errorf("grpc, %s: not counted as %s", name, c.code)
		}
		for _, p := range speakers {
			data := base64.StdEncoding.EncodeToString(c.file)
			if p.url {
				data = "data:image/png;base64," + data
			}
			before := faults(s, p.surface, c.code)
			a := send(t, http.MethodPost, h.URL+p.path, "application/json", []byte(strings.Replace(p.body, "%s", data, 1)))
			if c.code == "" {
				if a.status != http.StatusOK {
					t.Errorf("%s, %s: %d %.200s", p.surface, name, a.status, a.body)
				}
				continue
			}
			if a.status != http.StatusBadRequest {
				t.Errorf("%s, %s: %d, want 400", p.surface, name, a.status)
			} else if m, ok := a.get(t, p.message).(string); !ok || m == "" {
				t.Errorf("%s, %s: no message at %s of %.200s", p.surface, name, p.message, a.body)
			}
			if n := faults(s, p.surface, c.code) - before; n != 1 {
				t.Errorf("%s, %s: counted %v times as %s", p.surface, name, n, c.code)
			}
		}
	}
	if n := testutil.ToFloat64(s.metrics.panics); n != 0 || s.held.Load() != 0 {
		t.Errorf("%v panics, %d bytes held", n, s.held.Load())
	}
}
