// Package hubtest is a small hub for tests: it speaks the part of the Hugging Face hub's interface that downloading needs,
// with two hosts, the hub itself and a store that it redirects to for large files, and it can misbehave.
package hubtest

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // git's digests
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Large is the size from which on a file is kept in the store.
const Large = 10_000

// Server is the hub. Set the fields before requests arrive, or between them.
type Server struct {
	URL string // of the hub

	// Cut, when not nil, says after how many bytes of a body the connection breaks; negative: not at all.
	Cut func(path string, size int) int
	// Flip changes one bit of what the store sends.
	Flip bool
	// NoRange lets the store send whole files only.
	NoRange bool
	// Xet redirects as for files in the hub's newer storage.
	Xet bool
	// Gated lists models whose files want a token among Tokens.
	Gated []string
	// Tokens are the tokens with access; others are invalid unless Known.
	Tokens, Known []string
	// Moved maps models to their new names.
	Moved map[string]string
	// Listing, when not nil, may change the answer about a model.
	Listing func(map[string]any)
	// Redirect, when not nil, may change where a large file is said to be.
	Redirect func(to string) string
	// Fail answers so many of the next requests for files with 503.
	Fail int
	// Signatures is how often an address of the store may be used before it expires; 0: for ever.
	Signatures int

	mu       sync.Mutex
	hub, cdn *httptest.Server
	commits  map[string]map[string][]byte // "repo commit" → files
	refs     map[string]string            // "repo revision" → commit
	used     map[string]int
	log      []Request
}

// Request is one that has arrived.
type Request struct {
	Method, Path, Range, Token string
	Store                      bool // at the store, not at the hub
}

// New starts a hub.
func New() *Server {
	s := &Server{commits: map[string]map[string][]byte{}, refs: map[string]string{}, used: map[string]int{}}
	s.hub = httptest.NewServer(http.HandlerFunc(s.serveHub))
	s.cdn = httptest.NewServer(http.HandlerFunc(s.serveStore))
	s.URL = s.hub.URL
	return s
}

// Close ends it.
func (s *Server) Close() {
	s.hub.Close()
	s.cdn.Close()
}

// Add puts a model's files at a revision and returns the commit.
func (s *Server) Add(repo, revision string, files map[string][]byte) string {
	h := sha1.New() //nolint:gosec // as git does
	for _, name := range sorted(files) {
		fmt.Fprintf(h, "%s %s %d %s\n", repo, name, len(files[name]), Digest(files[name]))
	}
	commit := hex.EncodeToString(h.Sum(nil))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commits[repo+" "+commit], s.refs[repo+" "+revision] = files, commit
	return commit
}

// Requests are those that have arrived since the last call.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.log
	s.log = nil
	return out
}

// Digest is a file's digest as the hub has it.
func Digest(b []byte) string {
	if len(b) >= Large {
		sum := sha256.Sum256(b)
		return hex.EncodeToString(sum[:])
	}
	return blobID(b)
}

// blobID is git's digest.
func blobID(b []byte) string {
	sum := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(b)), b...)) //nolint:gosec // as git does
	return hex.EncodeToString(sum[:])
}

func sorted(files map[string][]byte) []string {
	var out []string
	for n := range files {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

func (s *Server) note(r *http.Request, store bool) {
	s.log = append(s.log, Request{r.Method, r.URL.Path, r.Header.Get("Range"), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), store})
}

// refuse answers with an error as the hub writes it.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("X-Error-Code", code)
	w.Header().Set("X-Error-Message", message)
	http.Error(w, `{"error":"`+message+`"}`, status)
}

func (s *Server) serveHub(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(r, false)
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i := range parts {
		parts[i], _ = url.PathUnescape(parts[i])
	}
	api := len(parts) > 2 && parts[0] == "api" && parts[1] == "models"
	if api {
		parts = parts[2:]
	}
	if len(parts) < 2 {
		http.NotFound(w, r)
		return
	}
	repo, rest := parts[0]+"/"+parts[1], parts[2:]
	if to := s.Moved[repo]; to != "" {
		w.Header().Set("Location", strings.Replace(r.URL.RequestURI(), repo, to, 1)) // relative, as the hub's
		w.WriteHeader(http.StatusTemporaryRedirect)
		return
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token != "" && !slices.Contains(s.Tokens, token) && !slices.Contains(s.Known, token) {
		refuse(w, http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
		return
	}
	kind, revision := "revision", "main"
	if len(rest) >= 2 {
		kind, revision = rest[0], rest[1]
	}
	commit, files, known := s.at(repo, revision)
	switch {
	case !known:
		refuse(w, map[bool]int{true: http.StatusUnauthorized, false: http.StatusNotFound}[token == ""], "RepoNotFound", "Repository not found")
	case files == nil:
		refuse(w, http.StatusNotFound, "RevisionNotFound", "Invalid rev id: "+revision)
	case api && kind == "revision":
		s.describe(w, repo, commit, files)
	case api && kind == "tree":
		s.tree(w, files)
	case kind == "resolve" && len(rest) > 2:
		s.resolve(w, r, repo, commit, files, strings.Join(rest[2:], "/"), token)
	default:
		http.NotFound(w, r)
	}
}

// at finds a revision; known says that there is such a model at all.
func (s *Server) at(repo, revision string) (commit string, files map[string][]byte, known bool) {
	if commit = s.refs[repo+" "+revision]; commit == "" {
		commit = revision
	}
	for k := range s.commits {
		known = known || strings.HasPrefix(k, repo+" ")
	}
	return commit, s.commits[repo+" "+commit], known
}

// describe answers what the model is and which files it has.
func (s *Server) describe(w http.ResponseWriter, repo, commit string, files map[string][]byte) {
	list := []any{}
	for _, name := range sorted(files) {
		b := files[name]
		e := map[string]any{"rfilename": name, "size": len(b), "blobId": blobID(b)}
		if len(b) >= Large {
			e["blobId"] = blobID([]byte("pointer to " + Digest(b)))
			e["lfs"] = map[string]any{"sha256": Digest(b), "size": len(b), "pointerSize": 134}
		}
		list = append(list, e)
	}
	answer := map[string]any{"id": repo, "modelId": repo, "sha": commit, "siblings": list, "private": false, "gated": slices.Contains(s.Gated, repo), "tags": []string{}}
	if s.Listing != nil {
		s.Listing(answer)
	}
	writeJSON(w, answer)
}

// tree answers the same in the form that the Python tools list with.
func (s *Server) tree(w http.ResponseWriter, files map[string][]byte) {
	list := []any{}
	for _, name := range sorted(files) {
		b := files[name]
		e := map[string]any{"type": "file", "path": name, "size": len(b), "oid": blobID(b)}
		if len(b) >= Large {
			e["lfs"] = map[string]any{"oid": Digest(b), "size": len(b), "pointerSize": 134}
		}
		list = append(list, e)
	}
	writeJSON(w, list)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// resolve sends a small file, or says where a large one is.
func (s *Server) resolve(w http.ResponseWriter, r *http.Request, repo, commit string, files map[string][]byte, name, token string) {
	b, ok := files[name]
	w.Header().Set("X-Repo-Commit", commit)
	switch {
	case slices.Contains(s.Gated, repo) && token == "":
		refuse(w, http.StatusUnauthorized, "GatedRepo", "Access to model "+repo+" is restricted.")
	case slices.Contains(s.Gated, repo) && !slices.Contains(s.Tokens, token):
		refuse(w, http.StatusForbidden, "GatedRepo", "Access to model "+repo+" is restricted and you are not in the authorized list.")
	case !ok:
		refuse(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
	case s.Fail > 0:
		s.Fail--
		w.Header().Set("Retry-After", "0")
		refuse(w, http.StatusServiceUnavailable, "", "busy")
	case len(b) < Large:
		s.send(w, r, b)
	default:
		s.away(w, b)
	}
}

// away redirects to the store.
func (s *Server) away(w http.ResponseWriter, b []byte) {
	digest := Digest(b)
	to := fmt.Sprintf("%s/repos/%s?signature=%d", s.cdn.URL, digest, len(s.used))
	if s.Xet {
		to = fmt.Sprintf("%s/xet-bridge/%s?X-Xet-Signed=%d", s.cdn.URL, digest, len(s.used))
		w.Header().Set("X-Xet-Hash", digest)
		w.Header().Set("Link", `<`+s.URL+`/api/xet-read-token>; rel="xet-auth"`)
	}
	s.used[to] = 0
	if s.Redirect != nil {
		to = s.Redirect(to)
	}
	w.Header().Set("X-Linked-Etag", `"`+digest+`"`)
	w.Header().Set("X-Linked-Size", fmt.Sprint(len(b)))
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
}

func (s *Server) serveStore(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.note(r, true)
	address := s.cdn.URL + r.URL.RequestURI()
	n, signed := s.used[address]
	s.used[address]++
	digest := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	var body []byte
	for _, files := range s.commits {
		for _, b := range files {
			if len(b) >= Large && Digest(b) == digest {
				body = b
			}
		}
	}
	flip, expired := s.Flip, s.Signatures > 0 && n >= s.Signatures
	s.mu.Unlock()
	if body == nil || !signed || expired {
		http.Error(w, "AccessDenied", http.StatusForbidden)
		return
	}
	if flip {
		body = bytes.Clone(body)
		body[len(body)/2] ^= 4
	}
	s.send(w, r, body)
}

func (s *Server) send(w http.ResponseWriter, r *http.Request, b []byte) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", `"`+Digest(b)+`"`)
	if s.NoRange && len(b) >= Large {
		r.Header.Del("Range")
	}
	if s.Cut != nil && r.Method == http.MethodGet {
		if n := s.Cut(r.URL.Path, len(b)); n >= 0 {
			w = &cutter{w, n}
		}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

// cutter breaks the connection after so many bytes.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(b []byte) (int, error) {
	if len(b) <= c.left {
		c.left -= len(b)
		return c.ResponseWriter.Write(b)
	}
	_, _ = c.ResponseWriter.Write(b[:c.left])
	c.ResponseWriter.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}
