package serve

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// TracesFromEnv makes what sends traces to a collector, as OpenTelemetry's variables say (opentelemetry.io/docs/specs/otel/protocol/exporter);
// nil when none of them asks for that. It has to be shut down, which sends the rest.
func TracesFromEnv(ctx context.Context, version string) (*sdktrace.TracerProvider, error) {
	kind := os.Getenv("OTEL_TRACES_EXPORTER")
	to := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") + os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	switch {
	case os.Getenv("OTEL_SDK_DISABLED") == "true", kind == "none", kind == "" && to == "":
		return nil, nil
	case kind != "" && kind != "otlp":
		return nil, fmt.Errorf("serve: OTEL_TRACES_EXPORTER is %q, and traces are sent by otlp only", kind)
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
		if p := os.Getenv(name); p != "" && p != "http/protobuf" {
			return nil, fmt.Errorf("serve: %s is %q, and traces are sent by http/protobuf only, which collectors take at port 4318", name, p)
		}
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("serve: traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "fovea"), attribute.String("service.version", version)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("serve: traces: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about)), nil
}

// tracer is what makes spans: without Config.Traces it makes none, and passes on the client's.
func (c *Config) tracer() trace.Tracer {
	if c.Traces == nil {
		return noop.NewTracerProvider().Tracer("fovea")
	}
	return c.Traces.Tracer("fovea", trace.WithInstrumentationVersion(c.Version))
}

// traced is the context of a call with its span, which belongs to the trace that the client names in traceparent. There is none when nobody traces.
func (c *call) traced(ctx context.Context) context.Context {
	if c.s.cfg.Traces == nil && c.r.Header.Get("Traceparent") == "" {
		return ctx
	}
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(c.r.Header))
	ctx, c.span = c.s.tracer.Start(ctx, c.r.Method+" "+c.r.Pattern, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(c.start), trace.WithAttributes(
		attribute.String("http.request.method", c.r.Method), attribute.String("http.route", c.r.Pattern), attribute.String("url.path", c.r.URL.Path),
		attribute.String("network.protocol.version", fmt.Sprintf("%d.%d", c.r.ProtoMajor, c.r.ProtoMinor)), attribute.String("user_agent.original", c.r.UserAgent())))
	return ctx
}

// endSpan ends the call's span with what came of it.
func (c *call) endSpan() {
	if c.span == nil || !c.span.IsRecording() {
		return
	}
	c.span.SetAttributes(attribute.Int("http.response.status_code", c.status), attribute.String("fovea.surface", c.surface.name), attribute.String("fovea.model", c.model),
		attribute.Int64("http.request.body.size", c.held), attribute.Int64("http.response.body.size", c.sent))
	if c.code != "" {
		c.span.SetAttributes(attribute.String("error.type", c.code))
	}
	if c.status >= http.StatusInternalServerError {
		c.span.SetStatus(codes.Error, c.code)
	}
	c.span.End()
}

// traceparent is the call's place in its trace as W3C's header has it, "" when nobody traces.
func (c *call) traceparent() string {
	if c.span == nil {
		return ""
	}
	at := c.span.SpanContext()
	if !at.IsValid() {
		return ""
	}
	return fmt.Sprintf("00-%s-%s-%s", at.TraceID(), at.SpanID(), at.TraceFlags())
}

// stage notes how long a stage of a request took, in the metrics and in the request's trace.
func (s *Server) stage(ctx context.Context, name string, start, end time.Time) {
	s.metrics.stages.WithLabelValues(name).Observe(end.Sub(start).Seconds())
	if trace.SpanFromContext(ctx).IsRecording() {
		_, span := s.tracer.Start(ctx, name, trace.WithTimestamp(start))
		span.End(trace.WithTimestamp(end))
	}
}
