package cli

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"fovea/internal/hub"
	"fovea/internal/hub/hubtest"
	"fovea/internal/testmodel"
	"fovea/model"
	"fovea/model/all"
)

const vitFixture = "../../testdata/fixtures/parity/vit"

// cli runs a command line and returns its exit code, and what it printed.
func cli(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Run(context.Background(), args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

// readFolder reads the files of a folder that a hub would have.
func readFolder(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() && e.Name() != "image.png" && e.Name() != "io.safetensors" && !strings.HasPrefix(e.Name(), "expected") {
			if out[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	return out
}

// with copies files and changes one; nil removes it.
func with(files map[string][]byte, name string, b []byte) map[string][]byte {
	out := map[string][]byte{}
	for n, f := range files {
		out[n] = f
	}
	if out[name] = b; b == nil {
		delete(out, name)
	}
	return out
}

// sharded splits the weights of a model into two files with an index.
func sharded(t *testing.T, files map[string][]byte) map[string][]byte {
	t.Helper()
	b := files["model.safetensors"]
	n := binary.LittleEndian.Uint64(b)
	var header map[string]struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	raw := map[string]json.RawMessage{}
	if err := json.Unmarshal(b[8:8+n], &raw); err != nil {
		t.Fatal(err)
	}
	delete(raw, "__metadata__")
	head, _ := json.Marshal(raw)
	if err := json.Unmarshal(head, &header); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	out := with(files, "model.safetensors", nil)
	where := map[string]string{}
	for k, file := range []string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"} {
		part, data := map[string]any{}, []byte{}
		for i, name := range names {
			if i%2 != k {
				continue
			}
			h := header[name]
			part[name] = map[string]any{"dtype": h.DType, "shape": h.Shape, "data_offsets": [2]int{len(data), len(data) + h.Offsets[1] - h.Offsets[0]}}
			data = append(data, b[8+int(n)+h.Offsets[0]:8+int(n)+h.Offsets[1]]...)
			where[name] = file
		}
		head, _ := json.Marshal(part)
		out[file] = append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...), data...)
	}
	out["model.safetensors.index.json"], _ = json.Marshal(map[string]any{"weight_map": where})
	return out
}

// startHub starts a hub with models that are good and bad, whose store breaks every file off once, and an empty cache.
func startHub(t *testing.T) *hubtest.Server {
	t.Helper()
	s := hubtest.New()
	t.Cleanup(s.Close)
	for k, v := range map[string]string{"HF_ENDPOINT": s.URL, "HF_HUB_CACHE": t.TempDir(), "HF_HOME": t.TempDir(), "HF_TOKEN": "", "HF_HUB_OFFLINE": "", "TRANSFORMERS_OFFLINE": "", "HF_TOKEN_PATH": ""} {
		t.Setenv(k, v)
	}
	vit := with(readFolder(t, vitFixture), "README.md", []byte("---\nlicense: apache-2.0\n---\n# A small model\n"))
	s.Add("acme/vit", "main", vit)
	s.Add("acme/sharded", "main", sharded(t, vit))
	s.Add("acme/pickled", "main", with(with(vit, "model.safetensors", nil), "pytorch_model.bin", []byte("\x80\x02}q\x00.")))
	s.Add("acme/strange", "main", with(vit, "config.json", []byte(`{"architectures":["ViTForMaskedImageModeling"],"model_type":"vit"}`)))
	s.Add("acme/gated", "main", vit)
	s.Gated = []string{"acme/gated"}
	tiny := t.TempDir()
	if err := testmodel.Write(tiny); err != nil {
		t.Fatal(err)
	}
	s.Add("acme/own", "main", readFolder(t, tiny))
	broken := map[string]bool{}
	s.Cut = func(path string, size int) int {
		if size < hubtest.Large || broken[path] {
			return -1
		}
		broken[path] = true
		return size / 3
	}
	return s
}

// objects decodes lines of JSON.
func objects(t *testing.T, lines string) (out []map[string]any) {
	t.Helper()
	for line := range strings.Lines(lines) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		out = append(out, v)
	}
	return out
}

// classes are what a model says about the fixture's picture.
func classes(t *testing.T, name string) any {
	t.Helper()
	code, out, errs := cli(t, "classify", filepath.Join(vitFixture, "image.png"), "--model", name, "--json")
	if code != 0 {
		t.Fatalf("%s: exit code %d: %s", name, code, errs)
	}
	got := objects(t, out)
	if got[0]["model"] != filepath.Base(name) && got[0]["model"] != name {
		t.Errorf("the model is called %q", got[0]["model"])
	}
	return got[0]["classes"]
}

func TestPullAndUse(t *testing.T) {
	s := startHub(t)
	code, out, errs := cli(t, "pull", "acme/vit")
	if code != 0 || !strings.Contains(errs, "fetched    model.safetensors") || !strings.Contains(errs, "apache-2.0") || !strings.Contains(errs, "try fovea classify PHOTO --model acme/vit") {
		t.Fatalf("%d: %s", code, errs)
	}
	if _, err := os.Stat(filepath.Join(strings.TrimSpace(out), "config.json")); err != nil {
		t.Error(err)
	}
	want := classes(t, vitFixture)
	if got := classes(t, "acme/vit"); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if code, _, errs := cli(t, "pull", "acme/sharded"); code != 0 {
		t.Fatalf("%d: %s", code, errs)
	}
	if got := classes(t, "acme/sharded"); !reflect.DeepEqual(got, want) {
		t.Errorf("in two files: %v, want %v", got, want)
	}
	if code, _, errs := cli(t, "pull", "acme/own"); code != 0 {
		t.Fatalf("%d: %s", code, errs)
	}
	if code, _, errs := cli(t, "caption", filepath.Join(vitFixture, "image.png"), "--model", "acme/own"); code != 0 {
		t.Errorf("one of the program's own: %d: %s", code, errs)
	}
	if !slices.ContainsFunc(s.Requests(), func(r hubtest.Request) bool { return r.Store && strings.HasPrefix(r.Range, "bytes=") }) {
		t.Error("no download was resumed")
	}

	_, out, _ = cli(t, "models", "--json")
	list := objects(t, out)
	var names []string
	for _, m := range list {
		names = append(names, m["name"].(string))
		for _, field := range []string{"name", "tasks", "parameters", "bytes", "licence", "source", "state"} {
			if m[field] == nil {
				t.Errorf("models: no %s in %v", field, m)
			}
		}
	}
	if !slices.Equal(names, []string{"nano", "acme/own", "acme/sharded", "acme/vit"}) {
		t.Fatalf("models: %q", names)
	}
	if m := list[3]; m["licence"] != "apache-2.0" || m["source"] != s.URL+"/acme/vit" || m["state"] != "ready" || m["parameters"].(float64) < 1000 || !reflect.DeepEqual(m["tasks"], []any{"classify"}) {
		t.Errorf("%v", m)
	}
	if a, b := list[2]["parameters"], list[3]["parameters"]; a != b {
		t.Errorf("%v parameters in two files, %v in one", a, b)
	}
	if code, out, _ := cli(t, "models"); code != 0 || !strings.Contains(out, "acme/vit") || strings.Contains(out, "can be pulled") {
		t.Errorf("%s", out)
	}
	if code, out, _ := cli(t, "models", "--all"); code != 0 || !strings.Contains(out, "can be pulled") || !strings.Contains(out, "hustvl/yolos-small") {
		t.Errorf("%s", out)
	}
	if _, out, _ := cli(t, "__complete", "look", "--model", ""); !strings.Contains(out, "acme/vit") {
		t.Errorf("complete --model: %s", out)
	}
	if _, out, _ := cli(t, "__complete", "pull", ""); !strings.Contains(out, "yolos") {
		t.Errorf("complete pull: %s", out)
	}
	if _, out, _ := cli(t, "__complete", "rm", ""); !strings.Contains(out, "acme/sharded") {
		t.Errorf("complete rm: %s", out)
	}
}

func TestShowAndRemove(t *testing.T) {
	startHub(t).Add("acme/zebra", "main", readFolder(t, vitFixture))
	if code, _, errs := cli(t, "pull", "acme/vit", "--json"); code != 0 {
		t.Fatal(errs)
	}
	code, out, errs := cli(t, "show", "acme/vit", "--verify", "--json")
	m := objects(t, out)[0]
	if code != 0 || m["verified"] != true || m["architecture"] != "ViTForImageClassification" || len(m["files"].([]any)) < 4 {
		t.Errorf("%d, %v, %s", code, m, errs)
	}
	if code, out, _ := cli(t, "show", "acme/vit"); code != 0 || !strings.Contains(out, "model.safetensors") || !strings.Contains(out, "apache-2.0") {
		t.Errorf("%d: %s", code, out)
	}
	if code, out, _ := cli(t, "show", "nano"); code != 0 || !strings.Contains(out, "inside the program") {
		t.Errorf("%d: %s", code, out)
	}
	if code, out, _ := cli(t, "show", vitFixture); code != 0 || !strings.Contains(out, "ViTForImageClassification") {
		t.Errorf("%d: %s", code, out)
	}
	weights := filepath.Join(m["path"].(string), "model.safetensors")
	b, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(weights, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := cli(t, "show", "acme/vit", "--verify"); code != exitBad || !strings.Contains(errs, "damaged: model.safetensors") || !strings.Contains(errs, "fovea rm acme/vit && fovea pull") {
		t.Errorf("a flipped bit: %d: %s", code, errs)
	}
	// Half a download is no model.
	if err := os.Remove(weights); err != nil {
		t.Fatal(err)
	}
	code, _, errs = cli(t, "classify", filepath.Join(vitFixture, "image.png"), "--model", "acme/vit")
	if code != exitUsage || !strings.Contains(errs, "model.safetensors is missing") || !strings.Contains(errs, "hint: fovea pull acme/vit") {
		t.Errorf("half a model: %d: %s", code, errs)
	}
	if code, _, errs := cli(t, "pull", "acme/zebra"); code != 0 {
		t.Fatal(errs)
	}
	code, out, _ = cli(t, "models") // those that can be used come first
	ready, part := strings.Index(out, "acme/zebra"), strings.Index(out, "only part is in the cache")
	if vit := strings.Index(out, "acme/vit"); code != 0 || ready < 0 || part < ready || vit < part {
		t.Errorf("%s", out)
	}
	if code, out, _ := cli(t, "rm", "acme/vit"); code != 0 || !strings.Contains(out, "removed acme/vit") {
		t.Errorf("%d: %s", code, out)
	}
	if code, _, errs := cli(t, "rm", "acme/vit"); code != exitBad || !strings.Contains(errs, "is not in the cache") {
		t.Errorf("%d: %s", code, errs)
	}
	if code, _, errs := cli(t, "rm", "nano"); code != exitUsage || !strings.Contains(errs, "inside the program") {
		t.Errorf("%d: %s", code, errs)
	}
	if code, _, errs := cli(t, "show", "acme/vit"); code != exitBad || !strings.Contains(errs, "hint: fovea pull acme/vit") {
		t.Errorf("%d: %s", code, errs)
	}
}

func TestPullRefusals(t *testing.T) {
	s := startHub(t)
	s.Tokens = []string{"hf_good"}
	for _, c := range []struct {
		args       []string
		code       int
		want, hint string
	}{
		{[]string{"pull", "acme/pickled"}, exitBad, "pytorch_model.bin, a pickle file", "safetensors"},
		{[]string{"pull", "acme/strange"}, exitBad, `"ViTForMaskedImageModeling" is not supported; the nearest that is: ViT`, "--anyway"},
		{[]string{"pull", "acme/gated"}, exitBad, "is gated", "set HF_TOKEN"},
		{[]string{"pull", "acme/vti"}, exitBad, "no model acme/vti", "spelling"},
		{[]string{"pull", "acme/vit@v9"}, exitBad, `no revision "v9"`, "branches"},
		{[]string{"pull", "yolo"}, exitUsage, "no name of a model", "did you mean yolos?"},
		{[]string{"pull", "../../etc"}, exitUsage, "no name of a model", ""},
		{[]string{"pull", "acme/vit", "--max-size", "0.00001"}, exitBad, "is the limit", "--max-size"},
		{[]string{"pull", "acme/vit", "--max-size", "-1"}, exitUsage, "--max-size", ""},
		{[]string{"pull"}, exitUsage, "NAME is missing", ""},
		{[]string{"look", "x.png", "--model", "acme/vit"}, exitUsage, "acme/vit is not in the cache", "fovea pull acme/vit"},
		{[]string{"look", "x.png", "--model", "nanno"}, exitUsage, `there is no model "nanno"`, "--model nano"},
		{[]string{"look", "x.png", "--model", "yolos"}, exitUsage, "not in the cache", "fovea pull hustvl/yolos-small"},
	} {
		code, _, errs := cli(t, c.args...)
		if code != c.code || !strings.Contains(errs, c.want) || !strings.Contains(errs, c.hint) {
			t.Errorf("%v: exit code %d: %s", c.args, code, errs)
		}
	}
	// What a Python tool has fetched for itself is refused when it is opened, with the remedy.
	if code, _, errs := cli(t, "pull", "acme/strange", "--anyway"); code != 0 {
		t.Errorf("--anyway: %d: %s", code, errs)
	}
	code, _, errs := cli(t, "look", filepath.Join(vitFixture, "image.png"), "--model", "acme/strange")
	if code != exitBad || !strings.Contains(errs, "the nearest that is: ViT") {
		t.Errorf("%d: %s", code, errs)
	}
	if _, out, _ := cli(t, "models", "--json"); strings.Contains(out, "acme/strange") {
		t.Errorf("%s", out)
	}
	if _, out, _ := cli(t, "models", "--all", "--json"); !strings.Contains(out, "acme/strange") || !strings.Contains(out, `"state":"unsupported"`) {
		t.Errorf("%s", out)
	}
	t.Setenv("HF_TOKEN", "hf_good")
	if code, _, errs := cli(t, "pull", "acme/gated"); code != 0 {
		t.Errorf("with a token: %d: %s", code, errs)
	}
	t.Setenv("HF_HUB_OFFLINE", "1")
	if code, _, errs := cli(t, "pull", "acme/vit"); code != exitBad || !strings.Contains(errs, "HF_HUB_OFFLINE") {
		t.Errorf("offline: %d: %s", code, errs)
	}
	if code, _, errs := cli(t, "pull", "acme/gated"); code != 0 {
		t.Errorf("offline, but there: %d: %s", code, errs)
	}
	t.Setenv("HF_HUB_OFFLINE", "")
	s.Flip = true
	if code, _, errs := cli(t, "pull", "acme/own"); code != exitFailed || !strings.Contains(errs, "thrown away") {
		t.Errorf("a flipped bit: %d: %s", code, errs)
	}
}

// TestShowFile: a file is no model; the folder that it lies in may be one.
func TestShowFile(t *testing.T) {
	for name, want := range map[string]string{filepath.Join(vitFixture, "model.safetensors"): "hint: name the folder: " + vitFixture, "hub_test.go": "config.json"} {
		for _, args := range [][]string{{"show", name}, {"classify", filepath.Join(vitFixture, "image.png"), "--model", name}} {
			if code, _, errs := cli(t, args...); code != exitBad || !strings.Contains(errs, "is a file") || !strings.Contains(errs, want) {
				t.Errorf("%v: exit code %d: %s", args, code, errs)
			}
		}
	}
}

// TestPullWatch: a terminal shows how far it is; other places get a line for each file.
func TestPullWatch(t *testing.T) {
	var b bytes.Buffer
	w := (&app{err: &b, errStyle: style{term: true, width: 100}}).watchPull("a/b")
	w.tell(hub.Progress{File: "config.json", Done: 400, Total: 1000, Finished: true, Cached: true})
	w.line.start = w.line.start.Add(-10 * time.Second)
	w.tell(hub.Progress{File: "model.safetensors", Done: 100_000_400, Total: 340_000_000})
	if got := b.String(); !strings.Contains(got, "model.safetensors") || !strings.Contains(got, "29% ") || !strings.Contains(got, "100 MB of 340 MB · 10 MB/s · 24s left") {
		t.Errorf("%q", got)
	}
	b.Reset()
	w = (&app{err: &b, errStyle: style{width: 100}}).watchPull("a/b")
	for _, p := range []hub.Progress{{File: "a", Done: 1, Total: 9}, {File: "a", Done: 4, Total: 9, Finished: true}, {File: "b", Done: 9, Total: 9, Finished: true, Cached: true}} {
		w.tell(p)
	}
	if got := b.String(); got != "  fetched    a\n" {
		t.Errorf("%q", got)
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 9949: "9.9 kB", 9960: "10 kB", 999_499: "999 kB", 999_500: "1.0 MB", 345_678_901: "346 MB", 1_539_000_000: "1.5 GB", 5e15: "5000 TB"} {
		if got := amount(n); got != want {
			t.Errorf("amount(%d) = %q, want %q", n, got, want)
		}
	}
}

// TestFoldersRefused: the same for folders that did not come from a hub.
func TestFoldersRefused(t *testing.T) {
	vit := readFolder(t, vitFixture)
	write := func(files map[string][]byte) string {
		dir := t.TempDir()
		for n, b := range files {
			if err := os.WriteFile(filepath.Join(dir, n), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	huge := binary.LittleEndian.AppendUint64(nil, 1<<62)
	head := `{"lora.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
	adapter := append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head+"\x00\x00\x00\x00"...)
	lost := sharded(t, vit)
	delete(lost, "model-00002-of-00002.safetensors")
	for name, c := range map[string]struct {
		files map[string][]byte
		want  string
		hint  string
	}{
		"pickle": {with(with(vit, "model.safetensors", nil), "pytorch_model.bin", []byte("\x80\x02}q\x00.")), "safetensors.torch", ""},
		"beside a pickle": {with(with(with(vit, "model.safetensors", nil), "adapter_model.safetensors", adapter), "pytorch_model.bin", []byte("\x80\x02}q\x00.")),
			"pytorch_model.bin is a PyTorch pickle", "model.safetensors into the folder"},
		"disguised":       {with(vit, "model.safetensors", []byte("\x80\x02}q\x00. and more of it")), "is a PyTorch pickle", ""},
		"architecture":    {with(vit, "config.json", []byte(`{"architectures":["CLIPModelWithProjection"],"model_type":"clip"}`)), "the nearest that is: CLIPModel", "models.md"},
		"huge header":     {with(vit, "model.safetensors", append(huge, "{}"...)), "header", "fetch the file again"},
		"cut":             {with(vit, "model.safetensors", vit["model.safetensors"][:len(vit["model.safetensors"])/2]), "safetensors", "fetch the file again"},
		"lost shard":      {lost, "model-00002-of-00002.safetensors", "fetch the whole folder"},
		"shard elsewhere": {with(with(vit, "model.safetensors", nil), "model.safetensors.index.json", []byte(`{"weight_map":{"a":"../x.safetensors"}}`)), "not the name of a file beside", ""},
		"config disagrees": {with(vit, "config.json", bytes.Replace(vit["config.json"], []byte(`"num_hidden_layers": `), []byte(`"num_hidden_layers": 1`), 1)),
			"missing", "fetch both again"},
		"no weights":    {with(vit, "model.safetensors", nil), "no model.safetensors or", "fetch the whole folder"},
		"broken config": {with(vit, "config.json", []byte("{")), "config.json: unexpected end", "fetch the file again"},
		"no processor":  {with(vit, "preprocessor_config.json", nil), "preprocessor_config.json", "fetch the whole folder"},
	} {
		code, _, errs := cli(t, "classify", filepath.Join(vitFixture, "image.png"), "--model", write(c.files))
		_, hint, _ := strings.Cut(errs, "hint:")
		if code != exitBad || !strings.Contains(errs, c.want) || !strings.Contains(hint, c.hint) {
			t.Errorf("%s: exit code %d: %s", name, code, errs)
		}
	}
}

// TestShortNamesAreSupported: every model with a short name has a class that the program runs.
func TestShortNamesAreSupported(t *testing.T) {
	for _, m := range hub.Short() {
		if !all.Supports(&model.Folder{Class: m.Class}) {
			t.Errorf("%s: %s", m.Name, m.Class)
		}
		if text := read(t, "../../docs/reference/models.md"); !strings.Contains(text, "`"+m.Name+"`") || !strings.Contains(text, m.Ref().String()) {
			t.Errorf("models.md does not name %s, %s", m.Name, m.Ref())
		}
	}
}
