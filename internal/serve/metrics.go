package serve

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the figures of one server, docs/reference/http.md explains them.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	stages   *prometheus.HistogramVec
	faults   *prometheus.CounterVec
	lookups  *prometheus.CounterVec
	batch    prometheus.Histogram
	active   prometheus.Gauge
	pictures prometheus.Counter
	rejected prometheus.Counter
	panics   prometheus.Counter
}

// latency are the bounds of histograms: half a millisecond to a minute.
var latency = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fovea_requests_total", Help: "Requests by surface and status."}, []string{"surface", "status"}),
		seconds:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "fovea_request_seconds", Help: "Time from a request's header to the end of its answer.", Buckets: latency}, []string{"surface"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "fovea_stage_seconds", Help: "Time in each stage: read, queue, decode, runner (waiting for one), encode, answer.",
			Buckets: latency}, []string{"stage"}),
		faults:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fovea_faults_total", Help: "Failed requests by surface and code."}, []string{"surface", "code"}),
		lookups:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fovea_cache_lookups_total", Help: "Encoded pictures looked up in the cache."}, []string{"found"}),
		batch:    prometheus.NewHistogram(prometheus.HistogramOpts{Name: "fovea_batch_size", Help: "Pictures that are encoded in one pass.", Buckets: []float64{1, 2, 4, maxBatch}}),
		active:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "fovea_requests_active", Help: "Requests at work."}),
		pictures: prometheus.NewCounter(prometheus.CounterOpts{Name: "fovea_pictures_total", Help: "Pictures answered about."}),
		rejected: prometheus.NewCounter(prometheus.CounterOpts{Name: "fovea_rejected_total", Help: "Requests refused because the queue or the memory for requests was full."}),
		panics:   prometheus.NewCounter(prometheus.CounterOpts{Name: "fovea_panics_total", Help: "Failures of the server's own code."}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.stages, m.faults, m.lookups, m.batch, m.active, m.pictures, m.rejected, m.panics,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		gauge("fovea_cache_bytes", "Memory of encoded pictures in the cache.", func() float64 { b, _ := s.cache.usage(); return float64(b) }),
		gauge("fovea_cache_pictures", "Encoded pictures in the cache.", func() float64 { _, n := s.cache.usage(); return float64(n) }),
		gauge("fovea_body_bytes", "Memory of request bodies at work.", func() float64 { return float64(s.held.Load()) }),
		gauge("fovea_queue_length", "Pictures that wait for a model.", func() (n float64) {
			for _, m := range s.models {
				if m.loaded() == nil {
					n += float64(m.queue.length())
				}
			}
			return n
		}))
	for _, o := range s.models {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fovea_expected_wait_seconds", Help: "How long the next request would wait for a model.",
			ConstLabels: prometheus.Labels{"model": o.name}}, func() float64 {
			if o.loaded() != nil {
				return 0
			}
			return o.queue.wait().Seconds()
		}), prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fovea_strained", Help: "1 while a model lets in only requests that need not wait.",
			ConstLabels: prometheus.Labels{"model": o.name}}, func() float64 {
			if o.loaded() == nil && o.queue.isStrained() {
				return 1
			}
			return 0
		}))
	}
	return m
}

func gauge(name, help string, f func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
}

func (m *metrics) cached(hit bool) { m.lookups.WithLabelValues(strconv.FormatBool(hit)).Inc() }

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
