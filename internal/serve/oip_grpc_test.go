package serve

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"fovea/imageproc"
	"fovea/internal/serve/oippb"
)

// dial connects to a server's address.
func dial(t *testing.T, url string) oippb.GRPCInferenceServiceClient {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+strings.TrimPrefix(url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return oippb.NewGRPCInferenceServiceClient(conn)
}

func grpcInput(name, kind string, shape ...int64) *oippb.ModelInferRequest_InferInputTensor {
	return &oippb.ModelInferRequest_InferInputTensor{Name: name, Datatype: kind, Shape: shape}
}

func grpcTexts(name string, texts ...string) *oippb.ModelInferRequest_InferInputTensor {
	in := grpcInput(name, "BYTES", int64(len(texts)))
	in.Contents = &oippb.InferTensorContents{}
	for _, s := range texts {
		in.Contents.BytesContents = append(in.Contents.BytesContents, []byte(s))
	}
	return in
}

// wantCode checks an error of a call.
func wantCode(t *testing.T, name string, err error, want codes.Code) {
	t.Helper()
	if status.Code(err) != want || status.Convert(err).Message() == "" && want != codes.OK {
		t.Errorf("%s: %v, want %v", name, err, want)
	}
}

func TestGRPCMetadata(t *testing.T) {
	s, h := start(t, nil)
	c, ctx := dial(t, h.URL), t.Context()
	live, err := c.ServerLive(ctx, &oippb.ServerLiveRequest{})
	if err != nil || !live.Live {
		t.Fatal(live, err)
	}
	ready, err := c.ServerReady(ctx, &oippb.ServerReadyRequest{})
	if err != nil || !ready.Ready {
		t.Fatal(ready, err)
	}
	for _, q := range []struct {
		name, version string
		want          bool
	}{{"tiny", "", true}, {"tiny", "1", true}, {"tiny", "2", false}, {"resnet", "", false}} {
		r, err := c.ModelReady(ctx, &oippb.ModelReadyRequest{Name: q.name, Version: q.version})
		if err != nil || r.Ready != q.want {
			t.Errorf("%+v: %v, %v", q, r, err)
		}
	}
	about, err := c.ServerMetadata(ctx, &oippb.ServerMetadataRequest{})
	if err != nil || about.Name != "fovea" || about.Version != "test" {
		t.Errorf("%v, %v", about, err)
	}
	m, err := c.ModelMetadata(ctx, &oippb.ModelMetadataRequest{Name: "tiny"})
	if err != nil || len(m.Inputs) != len(oipInputs) || m.Inputs[0].Name != "image" || m.Outputs[1].Shape[1] != 4 {
		t.Errorf("%v, %v", m, err)
	}
	_, err = c.ModelMetadata(ctx, &oippb.ModelMetadataRequest{Name: "resnet"})
	wantCode(t, "metadata", err, codes.NotFound)
	list, err := c.RepositoryIndex(ctx, &oippb.RepositoryIndexRequest{Ready: true})
	if err != nil || len(list.Models) != 1 || list.Models[0].State != "READY" {
		t.Errorf("%v, %v", list, err)
	}
	s.draining.Store(true)
	if ready, err = c.ServerReady(ctx, &oippb.ServerReadyRequest{}); err != nil || ready.Ready {
		t.Error(ready, err)
	}
	_, err = c.ModelInfer(ctx, &oippb.ModelInferRequest{ModelName: "tiny"})
	wantCode(t, "draining", err, codes.Unavailable)
	s.draining.Store(false)
}

// Files and pixels, typed and raw, give over gRPC what they give over HTTP.
func TestGRPCInfer(t *testing.T) {
	s, h := start(t, nil)
	c, ctx := dial(t, h.URL), t.Context()
	jpg, _ := photo()
	img, _, err := imageproc.DecodeBytes(jpg, imageproc.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	native := post(t, h.URL+"/v1/embed", map[string]any{"image": dataURLOf(jpg)}).get(t, "vector").([]any)
	typed := make([]uint32, len(img.Pix))
	for i, v := range img.Pix {
		typed[i] = uint32(v)
	}
	pixels := grpcInput("image", "UINT8", 96, 96, 3)
	pixels.Contents = &oippb.InferTensorContents{UintContents: typed}
	task := map[string]*oippb.InferParameter{"task": {ParameterChoice: &oippb.InferParameter_StringParam{StringParam: "embed"}}}
	outputs := []*oippb.ModelInferRequest_InferRequestedOutputTensor{{Name: "vector"}}
	for name, q := range map[string]*oippb.ModelInferRequest{
		"typed file":   {Inputs: []*oippb.ModelInferRequest_InferInputTensor{grpcTexts("image", string(jpg)), grpcTexts("task", "embed")}},
		"typed pixels": {Inputs: []*oippb.ModelInferRequest_InferInputTensor{pixels}, Parameters: task},
		"raw file":     {Inputs: []*oippb.ModelInferRequest_InferInputTensor{grpcInput("image", "BYTES", 1)}, Parameters: task, RawInputContents: [][]byte{packed(jpg)}},
		"raw pixels": {Inputs: []*oippb.ModelInferRequest_InferInputTensor{grpcInput("image", "UINT8", 1, 96, 96, 3), grpcInput("task", "BYTES", 1)},
			RawInputContents: [][]byte{img.Pix, packed([]byte("embed"))}},
	} {
		q.ModelName, q.Id, q.Outputs = "tiny", name, outputs
		r, err := c.ModelInfer(ctx, q)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.Id != name || r.ModelName != "tiny" || len(r.Outputs) != 1 || fmt.Sprint(r.Outputs[0].Shape) != fmt.Sprint([]int{1, len(native)}) {
			t.Errorf("%s: %v", name, r)
			continue
		}
		for i, want := range native {
			got := math.Float32frombits(binary.LittleEndian.Uint32(r.RawOutputContents[0][4*i:]))
			if got != float32(want.(float64)) {
				t.Fatalf("%s: number %d is %v, want %v", name, i, got, want)
			}
		}
	}
	if n := faults(s, "grpc", "request.inputs"); n != 0 {
		t.Errorf("%v faults", n)
	}
}

func TestGRPCBad(t *testing.T) {
	s, h := start(t, func(c *Config) { c.MaxBody = 1 << 20 })
	c, ctx := dial(t, h.URL), t.Context()
	jpg, _ := photo()
	inputs := func(in ...*oippb.ModelInferRequest_InferInputTensor) *oippb.ModelInferRequest {
		return &oippb.ModelInferRequest{ModelName: "tiny", Inputs: in}
	}
	ok := grpcTexts("image", string(jpg))
	wrong := grpcTexts("image", string(jpg))
	wrong.Shape = []int64{2}
	large := grpcInput("image", "UINT8", 1, 1, 3)
	large.Contents = &oippb.InferTensorContents{UintContents: []uint32{1, 2, 256}}
	nan := grpcInput("threshold", "FP32", 1)
	nan.Contents = &oippb.InferTensorContents{Fp32Contents: []float32{float32(math.NaN())}}
	raw := inputs(grpcInput("image", "BYTES", 1))
	raw.RawInputContents = [][]byte{packed(jpg), nil}
	cut := inputs(grpcInput("image", "BYTES", 1))
	cut.RawInputContents = [][]byte{packed(jpg)[:9]}
	for name, q := range map[string]struct {
		q    *oippb.ModelInferRequest
		code codes.Code
	}{
		"nothing":    {inputs(), codes.InvalidArgument},
		"shape":      {inputs(wrong), codes.InvalidArgument},
		"datatype":   {inputs(grpcInput("image", "FP64", 1)), codes.InvalidArgument},
		"twice":      {inputs(ok, ok), codes.InvalidArgument},
		"a pixel":    {inputs(large), codes.InvalidArgument},
		"NaN":        {inputs(ok, nan), codes.InvalidArgument},
		"bomb":       {inputs(grpcTexts("image", string(bomb()))), codes.InvalidArgument},
		"truncated":  {inputs(grpcTexts("image", string(jpg[:99]))), codes.InvalidArgument},
		"no bytes":   {inputs(grpcTexts("image", "")), codes.InvalidArgument},
		"17":         {inputs(grpcTexts("image", make([]string, 17)...)), codes.InvalidArgument},
		"task":       {inputs(ok, grpcTexts("task", "fly")), codes.InvalidArgument},
		"raw tensor": {raw, codes.InvalidArgument},
		"raw cut":    {cut, codes.InvalidArgument},
		"no model":   {&oippb.ModelInferRequest{ModelName: "resnet"}, codes.NotFound},
		"too large":  {inputs(grpcTexts("image", strings.Repeat("x", 2<<20))), codes.ResourceExhausted},
	} {
		_, err := c.ModelInfer(ctx, q.q)
		wantCode(t, name, err, q.code)
	}
	if n := faults(s, "grpc", "image.too_large"); n != 1 {
		t.Errorf("%v bombs counted", n)
	}
	send(t, http.MethodPost, h.URL+grpcService+"ServerLive", "application/grpc", nil).want(t, http.StatusHTTPVersionNotSupported)
	send(t, http.MethodGet, h.URL+grpcService+"ServerLive", "", nil).want(t, http.StatusMethodNotAllowed)
}

// Tokens, full queues, panics, deadlines: as over HTTP.
func TestGRPCOperation(t *testing.T) {
	_, closed := start(t, func(c *Config) { c.Tokens = []string{"secret"} })
	c := dial(t, closed.URL)
	if _, err := c.ServerLive(t.Context(), &oippb.ServerLiveRequest{}); err != nil {
		t.Error(err)
	}
	_, err := c.ServerMetadata(t.Context(), &oippb.ServerMetadataRequest{})
	wantCode(t, "no token", err, codes.Unauthenticated)
	_, err = c.ServerMetadata(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer secret"), &oippb.ServerMetadataRequest{})
	wantCode(t, "token", err, codes.OK)

	s, url, gate := startSlow(t, 1, nil)
	c = dial(t, url)
	jpg, _ := photo()
	q := func(task string) *oippb.ModelInferRequest {
		return &oippb.ModelInferRequest{ModelName: "slow", Inputs: []*oippb.ModelInferRequest_InferInputTensor{grpcTexts("image", string(jpg)), grpcTexts("task", task), grpcTexts("text", "what")}}
	}
	_, err = c.ModelInfer(t.Context(), q("ask"))
	wantCode(t, "panic", err, codes.Internal)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = c.ModelInfer(short, q("caption"))
	wantCode(t, "deadline", err, codes.DeadlineExceeded)
	until(t, "the place is given back", func() bool {
		select {
		case gate <- struct{}{}: // the model notices at its next word
		default:
		}
		return s.models[0].queue.occupied() == 0
	})
	done := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := c.ModelInfer(context.Background(), q("caption"))
			done <- err
		}()
	}
	until(t, "two places taken", func() bool { return s.models[0].queue.occupied() == s.models[0].queue.places })
	_, err = c.ModelInfer(t.Context(), q("caption"))
	wantCode(t, "full", err, codes.ResourceExhausted)
	close(gate)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	until(t, "all counted", func() bool {
		return faults(s, "grpc", "server.busy") == 1 && faults(s, "grpc", "client.gone")+faults(s, "grpc", "server.timeout") == 1
	})
}
