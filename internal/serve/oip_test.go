package serve

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"testing"

	"fovea/imageproc"
)

// binaryBody is a request whose tensors follow its JSON.
func binaryBody(head map[string]any, raw ...[]byte) (body []byte, header string) {
	h := mustJSON(head)
	return append(h, bytes.Join(raw, nil)...), strconv.Itoa(len(h))
}

func packed(texts ...[]byte) []byte {
	var b []byte
	for _, s := range texts {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}

func input(name, kind string, shape []int, data any, size int) map[string]any {
	v := map[string]any{"name": name, "datatype": kind, "shape": shape}
	if data != nil {
		v["data"] = data
	} else {
		v["parameters"] = map[string]any{"binary_data_size": size}
	}
	return v
}

func TestOIPMetadata(t *testing.T) {
	_, h := start(t, nil)
	get := func(path string) answer { return send(t, http.MethodGet, h.URL+path, "", nil) }
	get("/v2").want(t, 200, "extensions.0", "binary_tensor_data", "name", "fovea")
	get("/v2/health/live").want(t, 200)
	get("/v2/health/ready").want(t, 200)
	for _, base := range []string{"/v2/models/tiny", "/v2/models/tiny/versions/1"} {
		get(base).want(t, 200, "name", "tiny", "versions.0", "1", "inputs.0.name", "image", "outputs.0.datatype", "BYTES")
		get(base+"/ready").want(t, 200)
	}
	post(t, h.URL+"/v2/repository/index", map[string]any{}).want(t, 200, "0.state", "READY")
	get("/v2/models/resnet").want(t, 404, "error", `there is no model "resnet"; there are tiny`)
	get("/v2/models/tiny/versions/2/ready").want(t, 404)
	get("/v2/nothing").want(t, 404)
}

func TestOIPInfer(t *testing.T) {
	_, h := start(t, nil)
	jpg, _ := photo()
	u, img := h.URL+"/v2/models/tiny/infer", base64.StdEncoding.EncodeToString(jpg)
	a := post(t, u, map[string]any{"id": "7", "inputs": []any{input("image", "BYTES", []int{1}, []string{img}, 0)}, "parameters": map[string]any{"threshold": 0}})
	a.want(t, 200, "id", "7", "model_name", "tiny", "outputs.0.name", "result", "outputs.1.name", "boxes")
	n := at(a.get(t, "outputs.2.shape"), "0")
	if n == 0. || fmt.Sprint(a.get(t, "outputs.1.shape")) != fmt.Sprintf("[%v 4]", n) {
		t.Errorf("%.300s", a.body)
	}
	native := post(t, h.URL+"/v1/detect", map[string]any{"image": img, "threshold": 0})
	var result map[string]any
	if err := json.Unmarshal([]byte(a.get(t, "outputs.0.data.0").(string)), &result); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(result["objects"]) != fmt.Sprint(native.get(t, "objects")) {
		t.Error("the result is not the native one")
	}
	for task, want := range map[string]string{"classify": "labels", "ask": "answers", "caption": "answers", "embed": "vector", "pose": "joints", "segment": "labels"} {
		q := map[string]any{"inputs": []any{input("image", "BYTES", []int{1, 1}, [][]string{{img}}, 0), input("task", "BYTES", []int{1}, []string{task}, 0), input("text", "BYTES", []int{1}, []string{"what"}, 0)},
			"outputs": []any{map[string]any{"name": want}}}
		post(t, u, q).want(t, 200, "outputs.0.name", want, "outputs.1", nil)
	}
}

// Files and pixels as binary tensors, and binary answers, are the same as those in JSON.
func TestOIPBinary(t *testing.T) {
	_, h := start(t, nil)
	jpg, _ := photo()
	u := h.URL + "/v2/models/tiny/versions/1/infer"
	img, _, err := imageproc.DecodeBytes(jpg, imageproc.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := post(t, h.URL+"/v1/embed", map[string]any{"image": dataURLOf(jpg)}).get(t, "vector").([]any)
	file := packed(jpg)
	task := packed([]byte("embed"))
	for name, in := range map[string]struct {
		first map[string]any
		raw   []byte
		rows  int
	}{
		"file":   {input("image", "BYTES", []int{1}, nil, len(file)), file, 1},
		"pixels": {input("image", "UINT8", []int{96, 96, 3}, nil, len(img.Pix)), img.Pix, 1},
		"two":    {input("image", "UINT8", []int{2, 96, 96, 3}, nil, 2*len(img.Pix)), append(append([]byte{}, img.Pix...), img.Pix...), 2},
	} {
		t.Run(name, func(t *testing.T) {
			body, head := binaryBody(map[string]any{"inputs": []any{in.first, input("task", "BYTES", []int{1}, nil, len(task))},
				"outputs": []any{map[string]any{"name": "vector", "parameters": map[string]any{"binary_data": true}}}}, in.raw, task)
			a := send(t, http.MethodPost, u, "application/octet-stream", body, oipHeader, head)
			n, err := strconv.Atoi(a.header.Get(oipHeader))
			if a.status != 200 || err != nil {
				t.Fatalf("%d %v %.300s", a.status, a.header, a.body)
			}
			raw := a.body[n:]
			if len(raw) != in.rows*4*len(want) {
				t.Fatalf("%d bytes, want %d numbers", len(raw), in.rows*len(want))
			}
			for i := range in.rows * len(want) {
				if got := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])); float64(got) != float64(float32(want[i%len(want)].(float64))) {
					t.Fatalf("number %d is %v, want %v", i, got, want[i%len(want)])
				}
			}
		})
	}
}

func TestOIPBad(t *testing.T) {
	s, h := start(t, nil)
	jpg, _ := photo()
	img := base64.StdEncoding.EncodeToString(jpg)
	u := h.URL + "/v2/models/tiny/infer"
	ok := input("image", "BYTES", []int{1}, []string{img}, 0)
	for name, q := range map[string]map[string]any{
		"nothing":     {"inputs": []any{}},
		"shape":       {"inputs": []any{input("image", "BYTES", []int{2}, []string{img}, 0)}},
		"negative":    {"inputs": []any{input("image", "BYTES", []int{-1}, []string{img}, 0)}},
		"enormous":    {"inputs": []any{input("image", "BYTES", []int{1 << 40, 1 << 40}, []string{img}, 0)}},
		"datatype":    {"inputs": []any{input("image", "FP64", []int{1}, []float64{1}, 0)}},
		"numbers":     {"inputs": []any{input("image", "BYTES", []int{1}, []int{1}, 0)}},
		"texts":       {"inputs": []any{ok, input("threshold", "FP32", []int{1}, []string{"x"}, 0)}},
		"thresholds":  {"inputs": []any{ok, input("threshold", "FP32", []int{2}, []float64{.1, .2}, 0)}},
		"above one":   {"inputs": []any{ok, input("threshold", "FP32", []int{1}, []float64{7}, 0)}},
		"twice":       {"inputs": []any{ok, ok}},
		"task":        {"inputs": []any{ok}, "parameters": map[string]any{"task": "fly"}},
		"output":      {"inputs": []any{ok}, "outputs": []any{map[string]any{"name": "x"}}},
		"17":          {"inputs": []any{input("image", "BYTES", []int{17}, make([]string, 17), 0)}},
		"no picture":  {"inputs": []any{input("image", "BYTES", []int{0}, []string{}, 0)}},
		"bomb":        {"inputs": []any{input("image", "BYTES", []int{1}, [][]byte{bomb()}, 0)}},
		"truncated":   {"inputs": []any{input("image", "BYTES", []int{1}, [][]byte{jpg[:99]}, 0)}},
		"base64":      {"inputs": []any{input("image", "BYTES", []int{1}, []string{"*"}, 0)}},
		"few bytes":   {"inputs": []any{input("image", "BYTES", []int{1}, nil, 99)}},
		"pixel":       {"inputs": []any{input("image", "UINT8", []int{1, 1, 3}, []int{1, 2, 256}, 0)}},
		"two colours": {"inputs": []any{input("image", "UINT8", []int{1, 1, 2}, []int{1, 2}, 0)}},
	} {
		a := post(t, u, q)
		if e, _ := a.get(t, "error").(string); a.status != 400 || e == "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	nan := binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN())))
	for name, raw := range map[string][]byte{"NaN": nan, "a byte more": append(nan, 0), "a byte less": nan[:3]} {
		body, head := binaryBody(map[string]any{"inputs": []any{ok, input("threshold", "FP32", []int{1}, nil, 4)}}, raw)
		send(t, http.MethodPost, u, "", body, oipHeader, head).want(t, 400)
		_ = name
	}
	for _, head := range []string{"x", "-1", "99999999"} {
		send(t, http.MethodPost, u, "", []byte(`{}`), oipHeader, head).want(t, 400)
	}
	cut := packed(jpg)
	body, head := binaryBody(map[string]any{"inputs": []any{input("image", "BYTES", []int{1}, nil, 9)}}, cut[:9])
	send(t, http.MethodPost, u, "", body, oipHeader, head).want(t, 400)
	send(t, http.MethodPost, u, "", []byte(`{}`), "Content-Encoding", "gzip").want(t, 415)
	if n := faults(s, "oip", "image.too_large"); n != 1 {
		t.Errorf("%v bombs counted", n)
	}
}

// Whatever bytes come, reading them ends without a panic, and what was read has the shape that it claims.
func FuzzOIPRead(f *testing.F) {
	jpg := []byte("not read")
	body, head := binaryBody(map[string]any{"inputs": []any{input("image", "BYTES", []int{1}, nil, 12), input("x", "FP32", []int{1, 2}, []float64{1, 2}, 0)}}, packed(jpg))
	f.Add(body, head)
	f.Add([]byte(`{"inputs":[{"name":"a","datatype":"UINT8","shape":[2],"data":[[1],[2]]}]}`), "")
	f.Fuzz(func(t *testing.T, body []byte, head string) {
		r, err := http.NewRequest(http.MethodPost, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(oipHeader, head)
		_, tensors, err := (&call{r: r}).oipRead(body)
		if err != nil {
			return
		}
		for _, v := range tensors {
			n := 1
			for _, d := range v.shape {
				n *= int(d)
			}
			if got := len(v.texts) + len(v.floats) + len(v.bytes); got != n {
				t.Errorf("%d elements, the shape says %v", got, v.shape)
			}
		}
	})
}
