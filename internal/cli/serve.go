package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel"

	"fovea"
	"fovea/internal/serve"
)

type serveOptions struct {
	models    []string
	addr      string
	grpcAddr  string
	tokens    []string
	insecure  bool
	cert, key string
	runners   int
	precision string
	cfg       serve.Config
	bodyMB    int64
	cacheMB   int64
	pixels    float64
}

func (a *app) serve() *cobra.Command {
	var o serveOptions
	c := &cobra.Command{
		Use: "serve", Short: "Answer over HTTP, in the languages of existing clients",
		Long: `Serves models over HTTP: with an API of its own, described at /docs and /openapi.yaml, and in the languages of OpenAI, Ollama, Moondream, the Open Inference Protocol (KServe, Triton) and Roboflow. ` +
			`Only this machine can reach it unless --addr says otherwise, which wants a --token. The token may also come from the variable ` + tokenVariable + `. ` +
			`On an interrupt or SIGTERM it answers what it has let in, and ends.`,
		Example: "fovea serve\nfovea serve --model nano --model runs/mine --addr 127.0.0.1:9000\nfovea serve --addr 0.0.0.0:8080 --token \"$(cat token)\"",
		Args:    args(0, 0, ""),
		RunE:    func(c *cobra.Command, _ []string) error { return a.runServe(c, &o) },
	}
	f := c.Flags()
	f.StringArrayVarP(&o.models, "model", "m", []string{fovea.DefaultModel}, "serve this model: a name or a folder; may be repeated, the first is the default")
	f.StringVar(&o.addr, "addr", "127.0.0.1:8080", "listen at this address and port; port 0 means any")
	f.StringVar(&o.grpcAddr, "grpc-addr", "", "listen here too, as for gRPC at Triton's usual 127.0.0.1:8001; HTTP and gRPC are spoken at both addresses")
	f.StringArrayVar(&o.tokens, "token", nil, "let in only requests with this token; may be repeated")
	f.BoolVar(&o.insecure, "insecure", false, "let other machines in without a token")
	f.StringVar(&o.cert, "tls-cert", "", "speak TLS with this certificate (PEM)")
	f.StringVar(&o.key, "tls-key", "", "the certificate's key (PEM)")
	f.BoolVar(&o.cfg.AllowURL, "allow-url", false, "fetch pictures from public http and https URLs")
	f.StringArrayVar(&o.cfg.AllowHosts, "allow-host", nil, "also serve requests addressed to this host name; may be repeated")
	f.StringArrayVar(&o.cfg.AllowOrigins, "allow-origin", nil, "let pages of this origin call, as https://app.example; may be repeated")
	f.IntVar(&o.runners, "runners", 0, "answer so many requests of a model at the same time, with an equal share of the threads each; 0 means one for four threads, two at least")
	f.StringVar(&o.precision, "precision", "", precisionHelp)
	f.IntVar(&o.cfg.Queue, "queue", 16, "let so many requests wait for a model; more are told to come back")
	f.DurationVar(&o.cfg.MaxWait, "max-wait", 0, "let requests wait so long for a model, and tell others to come back; 0: a burst waits, but no queue that stays")
	f.Int64Var(&o.bodyMB, "max-body", 64, "megabytes of a request")
	f.Float64Var(&o.pixels, "max-pixels", 64, "megapixels of a picture")
	f.Int64Var(&o.cacheMB, "cache", 256, "megabytes of encoded pictures to remember, but without this flag at most a quarter of GOMEMLIMIT; 0 for none")
	f.DurationVar(&o.cfg.Timeout, "timeout", 2*time.Minute, "give an answer at most so long")
	f.BoolVar(&o.cfg.Pprof, "pprof", false, "serve Go's profiles at /debug/pprof/")
	_ = c.RegisterFlagCompletionFunc("model", completeModels)
	return c
}

// tokenVariable is where a token may come from without being seen among the processes of the machine.
const tokenVariable = "FOVEA_TOKEN"

// spare is how many goroutines may run beside the models' threads. Those that read, refuse and answer requests are short, and all too
// late when they must wait until Go takes a processor from a computation, which it does after 10 ms; the kernel lets a thread that
// has slept run after a millisecond or two. So there is always a thread for them.
const spare = 4

func (a *app) runServe(c *cobra.Command, o *serveOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	cert, err := o.certificate()
	if err != nil {
		return err
	}
	if o.runners == 0 {
		o.runners = min(max(a.threads/4, 2), a.threads) // with two, a long answer does not hold up all others
	}
	runtime.GOMAXPROCS(a.threads + spare)
	if !c.Flags().Changed("cache") {
		o.cfg.Cache = min(o.cfg.Cache, debug.SetMemoryLimit(-1)/4)
	}
	o.cfg.Version, o.cfg.Log = version(), a.logger()
	if o.cfg.Models, err = a.serveModels(o); err != nil {
		return err
	}
	traces, err := serve.TracesFromEnv(c.Context(), o.cfg.Version)
	if err != nil {
		return usage("", "%w", err)
	}
	if traces != nil {
		o.cfg.Traces = traces
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { o.cfg.Log.Warn("traces are lost", "error", err) }))
		defer func() {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			defer cancel()
			_ = traces.Shutdown(ctx) // the handler has been told
		}()
	}
	s, err := serve.New(o.cfg)
	if err != nil {
		return usage("", "%w", err)
	}
	listeners, err := o.listen()
	if err != nil {
		return err
	}
	scheme := "http"
	if cert != nil {
		scheme = "https"
	}
	for _, l := range listeners {
		fmt.Fprintf(a.out, "fovea listens at %s://%s\n", scheme, l.Addr())
	}
	return s.Run(c.Context(), cert, listeners...)
}

// listen opens --addr and --grpc-addr, both or none.
func (o *serveOptions) listen() (out []net.Listener, err error) {
	for _, at := range o.addresses() {
		l, err := net.Listen("tcp", at.value)
		if err != nil {
			for _, l := range out {
				_ = l.Close() // nobody has used it
			}
			return nil, usage("choose another "+at.flag+", such as 127.0.0.1:0 for any free port", "%w", err)
		}
		out = append(out, l)
	}
	return out, nil
}

// address is where to listen, and the flag that says so.
type address struct{ flag, value string }

func (o *serveOptions) addresses() []address {
	list := []address{{"--addr", o.addr}}
	if o.grpcAddr != "" {
		list = append(list, address{"--grpc-addr", o.grpcAddr})
	}
	return list
}

// check names the first flag with a wrong value, and sees to it that no door is open by mistake.
func (o *serveOptions) check() error {
	if t := os.Getenv(tokenVariable); t != "" {
		o.tokens = append(o.tokens, t)
	}
	for _, t := range o.tokens {
		if len(t) < 8 {
			return usage("openssl rand -hex 16 makes a good one", "--token has %d letters, want at least 8", len(t))
		}
	}
	for _, at := range o.addresses() {
		host, port, err := net.SplitHostPort(at.value)
		if err != nil {
			return usage("write it as 127.0.0.1:8080", "%s %q: %w", at.flag, at.value, err)
		}
		if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
			return usage("write it as 127.0.0.1:8080", "%s %q: the port is no number of 0 … 65535", at.flag, at.value)
		}
		if !loopback(host) && len(o.tokens) == 0 && !o.insecure {
			return usage("add --token, or --insecure if everyone who can reach this machine may use it", "%s %s lets other machines in, and there is no --token", at.flag, at.value)
		}
	}
	if err := checkPrecision(o.precision); err != nil {
		return err
	}
	if (o.cert == "") != (o.key == "") {
		return usage("", "--tls-cert and --tls-key belong together")
	}
	switch {
	case o.runners < 0 || o.runners > 1024:
		return usage("", "--runners is %d, want 0 … 1024", o.runners)
	case o.cfg.Queue < 1 || o.cfg.Queue > 1<<20:
		return usage("", "--queue is %d, want 1 … %d", o.cfg.Queue, 1<<20)
	case o.bodyMB < 1 || o.bodyMB > 1<<12:
		return usage("", "--max-body is %d, want 1 … %d", o.bodyMB, 1<<12)
	case !(o.pixels > 0 && o.pixels <= 1000):
		return usage("", "--max-pixels is %g, want more than 0 and at most 1000", o.pixels)
	case o.cacheMB < 0 || o.cacheMB > 1<<20:
		return usage("", "--cache is %d, want 0 … %d", o.cacheMB, 1<<20)
	case o.cfg.MaxWait < 0:
		return usage("", "--max-wait is %v, want 0 or more", o.cfg.MaxWait)
	case o.cfg.Timeout <= 0:
		return usage("", "--timeout is %v, want more than 0", o.cfg.Timeout)
	}
	o.cfg.Tokens, o.cfg.MaxBody, o.cfg.MaxPixels, o.cfg.Cache = o.tokens, o.bodyMB<<20, int64(o.pixels*1e6), o.cacheMB<<20
	if o.cacheMB == 0 {
		o.cfg.Cache = -1
	}
	return nil
}

// loopback reports that only this machine can reach a host to listen at.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func (o *serveOptions) certificate() (*tls.Certificate, error) {
	if o.cert == "" {
		return nil, nil
	}
	c, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		return nil, usage("", "--tls-cert: %w", err)
	}
	return &c, nil
}

// serveModels checks that the models are there; they are opened once the server listens.
func (a *app) serveModels(o *serveOptions) (out []serve.Model, err error) {
	for _, name := range o.models {
		if _, _, err := fovea.Files(name); err != nil {
			return nil, missingModel(name, err)
		}
		short := name
		if name != fovea.DefaultModel {
			if abs, err := filepath.Abs(name); err == nil {
				short = filepath.Base(abs)
			}
		}
		out = append(out, serve.Model{Name: short, Open: func(ctx context.Context) (*fovea.Predictor, error) {
			return fovea.Open(ctx, name, fovea.WithName(short), fovea.WithThreads(a.threads), fovea.WithRunners(o.runners), fovea.WithPrecision(fovea.Precision(o.precision)))
		}})
	}
	return out, nil
}

// logger writes a line for each request to standard error: JSON with --json, errors only with --quiet.
func (a *app) logger() *slog.Logger {
	o := &slog.HandlerOptions{}
	if a.quiet {
		o.Level = slog.LevelError
	}
	if a.json {
		return slog.New(slog.NewJSONHandler(a.err, o))
	}
	return slog.New(slog.NewTextHandler(a.err, o))
}
