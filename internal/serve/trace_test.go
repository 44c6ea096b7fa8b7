package serve

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

const (
	parentTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	parentHeader = "00-" + parentTrace + "-00f067aa0ba902b7-01"
)

// A request is a span of its client's trace, with a child for each stage, and the log says where to find it.
func TestTraces(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	var log bytes.Buffer
	_, h := start(t, func(c *Config) {
		c.Traces = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
		c.Log = slog.New(slog.NewJSONHandler(&log, nil))
	})
	jpg, _ := photo()
	send(t, http.MethodPost, h.URL+"/v1/detect", "", jpg, "Traceparent", parentHeader).want(t, 200)
	send(t, http.MethodGet, h.URL+"/healthz", "", nil).want(t, 200)
	until(t, "all spans", func() bool { return len(spans.GetSpans()) >= 7 })
	byName := map[string]tracetest.SpanStub{}
	for _, s := range spans.GetSpans() {
		byName[s.Name] = s
		if s.SpanContext.TraceID().String() != parentTrace {
			t.Errorf("%s is in the trace %v", s.Name, s.SpanContext.TraceID())
		}
	}
	root := byName["POST /v1/detect"]
	if root.Parent.SpanID().String() != "00f067aa0ba902b7" {
		t.Errorf("its parent is %v", root.Parent.SpanID())
	}
	for _, name := range []string{"read", "queue", "decode", "runner", "encode", "answer"} {
		s, ok := byName[name]
		if !ok || s.Parent.SpanID() != root.SpanContext.SpanID() || s.StartTime.Before(root.StartTime) || s.EndTime.After(root.EndTime) {
			t.Errorf("the stage %s: %+v", name, s)
		}
	}
	if len(byName) != 7 {
		t.Errorf("%d spans: %v", len(byName), byName)
	}
	if want := `"traceparent":"00-` + parentTrace + "-" + root.SpanContext.SpanID().String() + `-01"`; !strings.Contains(log.String(), want) {
		t.Errorf("the log has no %s: %s", want, log.String())
	}
}

// Without traces the log passes on what the client says, unless that is nonsense.
func TestTraceparentInLog(t *testing.T) {
	var log bytes.Buffer
	_, h := start(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	send(t, http.MethodGet, h.URL+"/v1/models", "", nil, "Traceparent", parentHeader).want(t, 200)
	send(t, http.MethodGet, h.URL+"/v1/models", "", nil, "Traceparent", "nonsense").want(t, 200)
	until(t, "two lines", func() bool { return strings.Count(log.String(), "msg=request") == 2 })
	if n := strings.Count(log.String(), "traceparent="+parentHeader); n != 1 || strings.Contains(log.String(), "nonsense") {
		t.Errorf("%s", log.String())
	}
}

func TestTracesFromEnv(t *testing.T) {
	bodies := make(chan []byte, 4)
	to := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("X-Key") != "k" {
			t.Errorf("%v %s %v", err, r.URL.Path, r.Header)
		}
		bodies <- b
	}))
	defer to.Close()
	for name, test := range map[string]struct {
		env     map[string]string
		on, bad bool
	}{
		"nothing":    {map[string]string{}, false, false},
		"disabled":   {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": to.URL, "OTEL_SDK_DISABLED": "true"}, false, false},
		"none":       {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": to.URL, "OTEL_TRACES_EXPORTER": "none"}, false, false},
		"console":    {map[string]string{"OTEL_TRACES_EXPORTER": "console"}, false, true},
		"over gRPC":  {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": to.URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, true},
		"attributes": {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": to.URL, "OTEL_RESOURCE_ATTRIBUTES": "nonsense"}, false, true},
		"an address": {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": to.URL, "OTEL_EXPORTER_OTLP_HEADERS": "x-key=k", "OTEL_SERVICE_NAME": "eyes"}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range test.env {
				t.Setenv(k, v)
			}
			p, err := TracesFromEnv(t.Context(), "1.2")
			if (p != nil) != test.on || (err != nil) != test.bad {
				t.Fatalf("%v, %v", p, err)
			}
			if p == nil {
				return
			}
			_, span := p.Tracer("x").Start(t.Context(), "look")
			span.End()
			if err := p.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			var q collector.ExportTraceServiceRequest
			if err := proto.Unmarshal(<-bodies, &q); err != nil {
				t.Fatal(err)
			}
			about := q.ResourceSpans[0].Resource.String()
			if q.ResourceSpans[0].ScopeSpans[0].Spans[0].Name != "look" || !strings.Contains(about, `"eyes"`) || !strings.Contains(about, `"1.2"`) {
				t.Errorf("%v", &q)
			}
		})
	}
}
