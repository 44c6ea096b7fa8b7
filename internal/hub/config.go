package hub

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// DefaultEndpoint is the public hub.
const DefaultEndpoint = "https://huggingface.co"

// DefaultMaxBytes bounds a download unless Config says otherwise.
const DefaultMaxBytes = 64 << 30

// Config says where models come from and go to.
type Config struct {
	Endpoint string // of the hub or a mirror of it; "" means DefaultEndpoint
	Token    string // of an account, "" for none
	Cache    Cache
	Offline  bool  // reach for no network
	MaxBytes int64 // of one download, all files together; 0 means DefaultMaxBytes
	NoLinks  bool  // make no symbolic links in the cache
}

// Environment reads the variables that the Python tools read: HF_ENDPOINT; HF_TOKEN, or the file at HF_TOKEN_PATH or
// HF_HOME/token; HF_HUB_OFFLINE; HF_HUB_DISABLE_SYMLINKS; and those of EnvironmentCache.
func Environment() Config {
	c := Config{Endpoint: os.Getenv("HF_ENDPOINT"), Cache: EnvironmentCache(), Offline: isTrue("HF_HUB_OFFLINE") || isTrue("TRANSFORMERS_OFFLINE"),
		NoLinks: isTrue("HF_HUB_DISABLE_SYMLINKS")}
	if isTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
		return c
	}
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
		if c.Token = strings.TrimSpace(os.Getenv(name)); c.Token != "" {
			return c
		}
	}
	path := expand(os.Getenv("HF_TOKEN_PATH"))
	if path == "" {
		path = filepath.Join(home(), "token")
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() < 1<<16 {
		if b, err := os.ReadFile(path); err == nil {
			c.Token = strings.TrimSpace(string(b))
		}
	}
	return c
}

// EnvironmentCache is the cache that the Python tools share: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub,
// XDG_CACHE_HOME/huggingface/hub or ~/.cache/huggingface/hub, the first of them that is set.
func EnvironmentCache() Cache {
	for _, name := range []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"} {
		if dir := expand(os.Getenv(name)); dir != "" {
			return Cache{dir}
		}
	}
	return Cache{filepath.Join(home(), "hub")}
}

func home() string {
	if dir := expand(os.Getenv("HF_HOME")); dir != "" {
		return dir
	}
	base := expand(os.Getenv("XDG_CACHE_HOME"))
	if base == "" {
		base = expand("~/.cache")
	}
	return filepath.Join(base, "huggingface")
}

// expand replaces a leading ~ and variables, as the Python tools do.
func expand(path string) string {
	if path == "~" || strings.HasPrefix(path, "~/") {
		if h, err := os.UserHomeDir(); err == nil {
			path = h + path[1:]
		}
	}
	return os.ExpandEnv(path)
}

func isTrue(variable string) bool {
	switch strings.ToUpper(os.Getenv(variable)) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

// Client downloads models. It is safe for concurrent use.
type Client struct {
	config   Config
	endpoint origin
	http     *http.Client

	// How patient it is; tests are not.
	pause time.Duration // before the first retry; it doubles
	stall time.Duration // without a byte, after which a connection is given up
	tries int           // in a row without a byte
	// The file system's limits; tests have others.
	free func(dir string) (bytes int64, known bool)
	full func(written int64) error
}

// New makes a client.
func New(c Config) (*Client, error) {
	if c.Endpoint == "" {
		c.Endpoint = DefaultEndpoint
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	c.Endpoint = strings.TrimRight(c.Endpoint, "/")
	e, err := originOf(c.Endpoint)
	if err != nil {
		return nil, fail(ErrName, "set it to an address such as "+DefaultEndpoint, "the endpoint %q is none", c.Endpoint).because(err)
	}
	const patience = 30 * time.Second
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout, t.DisableCompression, t.MaxResponseHeaderBytes = patience, true, 1<<20
	return &Client{
		config: c, endpoint: e, pause: time.Second, stall: patience, tries: 5, free: freeBytes, full: func(int64) error { return nil },
		http: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// URL is the page of a model.
func (c *Client) URL(r Ref) string { return c.config.Endpoint + "/" + r.Repo }
