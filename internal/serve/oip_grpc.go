package serve

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // clients may compress; MaxRecvMsgSize holds for what comes out
	"google.golang.org/grpc/status"

	"fovea/internal/serve/oippb"
)

// oipGRPC is the Open Inference Protocol over gRPC. A gRPC call is an HTTP/2 request, so it comes in at the same door as all
// others, with the same guard, limits, metrics and log; grpc-go only unpacks it.
var oipGRPC = &surface{"grpc", (*call).failGRPC}

// grpcService is what the paths of the protocol's calls begin with.
const grpcService = "/inference.GRPCInferenceService/"

func (s *Server) grpcRoutes() {
	g := grpc.NewServer(grpc.MaxRecvMsgSize(int(min(s.cfg.MaxBody, math.MaxInt32))), grpc.UnaryInterceptor(s.grpcUnary))
	oippb.RegisterGRPCInferenceServiceServer(g, oipService{s: s})
	for _, m := range oippb.GRPCInferenceService_ServiceDesc.Methods {
		health := m.MethodName == "ServerLive" || m.MethodName == "ServerReady"
		read := (*call).receive
		if m.MethodName == "ModelInfer" {
			read = (*call).body
		}
		s.add(http.MethodPost, grpcService+m.MethodName, route{surface: oipGRPC, public: health, handle: func(c *call) error {
			if c.r.ProtoMajor != 2 {
				return faulty(http.StatusHTTPVersionNotSupported, "request.form", "gRPC needs HTTP/2")
			}
			body, err := read(c)
			if err != nil {
				return err
			}
			return c.serveGRPC(g, body)
		}})
	}
}

// grpcCall is a call in the context of its handler, which may outlive the call when the client goes.
type grpcCall struct {
	fault atomic.Pointer[fault]
	model atomic.Pointer[string]
}

type grpcKey struct{}

// serveGRPC has grpc-go unpack and answer a request that has been read.
func (c *call) serveGRPC(g *grpc.Server, body []byte) error {
	state := &grpcCall{}
	ctx := context.WithValue(c.r.Context(), grpcKey{}, state)
	r := c.r.WithContext(ctx)
	r.Body = io.NopCloser(bytes.NewReader(body))
	g.ServeHTTP(grpcWriter{c}, r)
	if name := state.model.Load(); name != nil {
		c.model = *name
	}
	if f := state.fault.Load(); f != nil {
		c.code, c.status = f.code, f.status // the answer's status was 200, which says nothing
	} else if ctx.Err() != nil {
		c.code, c.status = "client.gone", statusGone
	}
	return nil
}

// grpcWriter is a call as grpc-go wants it.
type grpcWriter struct{ *call }

// Flush sends what was written.
func (w grpcWriter) Flush() { _ = w.flush() }

// grpcUnary turns the errors and panics of handlers into statuses.
func (s *Server) grpcUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (resp any, err error) {
	defer func() {
		if e := recover(); e != nil {
			s.metrics.panics.Inc()
			s.cfg.Log.Error("panic", "surface", oipGRPC.name, "panic", e, "stack", string(debug.Stack()))
			err = errPanicked
		}
		if err != nil {
			f := faultOf(err)
			ctx.Value(grpcKey{}).(*grpcCall).fault.Store(f)
			resp, err = nil, status.Error(f.grpcCode(), f.message)
		}
	}()
	return handle(ctx, req)
}

// failGRPC answers a request that never came to grpc-go: no message, and a status in the trailers.
func (c *call) failGRPC(f *fault) {
	h := c.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set(http.TrailerPrefix+"Grpc-Status", strconv.Itoa(int(f.grpcCode())))
	h.Set(http.TrailerPrefix+"Grpc-Message", strings.ReplaceAll(url.QueryEscape(f.message), "+", "%20"))
	if f.retry > 0 {
		h.Set(http.TrailerPrefix+"Grpc-Retry-Pushback-Ms", strconv.FormatInt(f.retry.Milliseconds(), 10))
	}
	if c.r.ProtoMajor != 2 {
		c.WriteHeader(f.status)
		return
	}
	c.WriteHeader(http.StatusOK)
	c.status = f.status
}

// grpcCode is the fault's status in gRPC.
func (f *fault) grpcCode() codes.Code {
	if f.code == "request.path" {
		return codes.Unimplemented
	}
	switch f.status {
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusNotFound:
		return codes.NotFound
	case http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType:
		return codes.Unimplemented
	case http.StatusRequestTimeout:
		return codes.DeadlineExceeded
	case http.StatusTooManyRequests, http.StatusRequestEntityTooLarge:
		return codes.ResourceExhausted
	case http.StatusServiceUnavailable:
		if f.code == "server.timeout" {
			return codes.DeadlineExceeded
		}
		return codes.Unavailable
	case statusGone:
		return codes.Canceled
	}
	if f.status < 500 {
		return codes.InvalidArgument
	}
	return codes.Internal
}

// oipService answers the protocol's calls.
type oipService struct {
	oippb.UnimplementedGRPCInferenceServiceServer
	s *Server
}

// ServerLive says that the process lives.
func (o oipService) ServerLive(context.Context, *oippb.ServerLiveRequest) (*oippb.ServerLiveResponse, error) {
	return &oippb.ServerLiveResponse{Live: true}, nil
}

// ServerReady says whether the server wants requests.
func (o oipService) ServerReady(context.Context, *oippb.ServerReadyRequest) (*oippb.ServerReadyResponse, error) {
	return &oippb.ServerReadyResponse{Ready: o.s.isReady() == nil}, nil
}

// ModelReady says whether a model can be asked; of one that is not there it says no.
func (o oipService) ModelReady(_ context.Context, q *oippb.ModelReadyRequest) (*oippb.ModelReadyResponse, error) {
	_, err := o.s.oipModel(q.Name, q.Version)
	return &oippb.ModelReadyResponse{Ready: err == nil}, nil
}

// ServerMetadata says who answers.
func (o oipService) ServerMetadata(context.Context, *oippb.ServerMetadataRequest) (*oippb.ServerMetadataResponse, error) {
	return &oippb.ServerMetadataResponse{Name: "fovea", Version: o.s.cfg.Version, Extensions: []string{"model_repository"}}, nil
}

// ModelMetadata lists the tensors.
func (o oipService) ModelMetadata(_ context.Context, q *oippb.ModelMetadataRequest) (*oippb.ModelMetadataResponse, error) {
	m, err := o.s.oipModel(q.Name, q.Version)
	if err != nil {
		return nil, err
	}
	list := func(ts []oipTensor) (out []*oippb.ModelMetadataResponse_TensorMetadata) {
		for _, t := range ts {
			out = append(out, &oippb.ModelMetadataResponse_TensorMetadata{Name: t.Name, Datatype: t.Datatype, Shape: t.Shape})
		}
		return out
	}
	return &oippb.ModelMetadataResponse{Name: m.name, Versions: []string{oipVersion}, Platform: "fovea", Inputs: list(oipInputs), Outputs: list(oipOutputs)}, nil
}

// RepositoryIndex lists the models.
func (o oipService) RepositoryIndex(_ context.Context, q *oippb.RepositoryIndexRequest) (*oippb.RepositoryIndexResponse, error) {
	out := &oippb.RepositoryIndexResponse{}
	for _, m := range o.s.models {
		if !q.Ready || m.loaded() == nil {
			out.Models = append(out.Models, &oippb.RepositoryIndexResponse_ModelIndex{Name: m.name, Version: oipVersion, State: m.oipState()})
		}
	}
	return out, nil
}

// ModelInfer answers one request about one or more pictures. All outputs leave as raw contents.
func (o oipService) ModelInfer(ctx context.Context, in *oippb.ModelInferRequest) (*oippb.ModelInferResponse, error) {
	m, err := o.s.oipModel(in.ModelName, in.ModelVersion)
	if err != nil {
		return nil, err
	}
	ctx.Value(grpcKey{}).(*grpcCall).model.Store(&m.name)
	q, tensors, err := readGRPC(in)
	if err != nil {
		return nil, err
	}
	outputs, err := o.s.oipAnswer(ctx, m, q, tensors)
	if err != nil {
		return nil, err
	}
	out := &oippb.ModelInferResponse{ModelName: m.name, ModelVersion: oipVersion, Id: in.Id}
	for _, t := range outputs {
		out.Outputs = append(out.Outputs, &oippb.ModelInferResponse_InferOutputTensor{Name: t.name, Datatype: t.datatype, Shape: t.shape})
		out.RawOutputContents = append(out.RawOutputContents, t.encode())
	}
	return out, nil
}

// readGRPC makes of a gRPC request what it would be over HTTP. Pictures in BYTES are files, never base64.
func readGRPC(in *oippb.ModelInferRequest) (*oipRequest, map[string]*tensor, error) {
	q := &oipRequest{ID: in.Id}
	for _, o := range in.Outputs {
		q.Outputs = append(q.Outputs, oipTensor{Name: o.Name})
	}
	for name, p := range in.Parameters {
		switch v := p.GetParameterChoice().(type) {
		case *oippb.InferParameter_StringParam:
			if name == "task" {
				q.Parameters.Task = v.StringParam
			}
		case *oippb.InferParameter_DoubleParam:
			if name == "threshold" {
				q.Parameters.Threshold = &v.DoubleParam
			}
		case *oippb.InferParameter_Int64Param:
			if t := float64(v.Int64Param); name == "threshold" {
				q.Parameters.Threshold = &t
			}
		}
	}
	raw := in.RawInputContents
	if len(raw) > 0 && len(raw) != len(in.Inputs) {
		return nil, nil, bad("inputs", "raw_input_contents holds %d tensors, and there are %d inputs", len(raw), len(in.Inputs))
	}
	out := map[string]*tensor{}
	for i, t := range in.Inputs {
		if out[t.Name] != nil {
			return nil, nil, bad("inputs", "the input %.100q is there twice", t.Name)
		}
		head := oipTensor{Name: t.Name, Datatype: t.Datatype, Shape: t.Shape}
		var err error
		if len(raw) > 0 {
			size := len(raw[i])
			head.Parameters.BinaryDataSize = &size
			out[t.Name], err = head.read(raw[i])
		} else {
			out[t.Name], err = head.fromContents(t.Contents)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return q, out, nil
}

// fromContents takes a tensor from the list of its datatype.
func (in *oipTensor) fromContents(c *oippb.InferTensorContents) (*tensor, error) {
	t := &tensor{name: in.Name, datatype: in.Datatype, shape: in.Shape, binary: true}
	want, err := elements(in.Name, in.Shape)
	if err != nil {
		return nil, err
	}
	got := 0
	switch in.Datatype {
	case "BYTES":
		t.texts = c.GetBytesContents()
		got = len(t.texts)
	case "FP32":
		t.floats = c.GetFp32Contents()
		got = len(t.floats)
	case "UINT8":
		list := c.GetUintContents()
		if i := slices.IndexFunc(list, func(v uint32) bool { return v > math.MaxUint8 }); i >= 0 {
			return nil, bad("inputs", "the data of the input %.100q cannot be read: %s", in.Name, fmt.Sprint(list[i], " is no UINT8"))
		}
		t.bytes = make([]byte, len(list))
		for i, v := range list {
			t.bytes[i] = byte(v)
		}
		got = len(list)
	default:
		return nil, errDatatype(t)
	}
	if got != want {
		return nil, errElements(t, want)
	}
	return t, nil
}
