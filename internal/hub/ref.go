package hub

import (
	"regexp"
	"strings"
)

// DefaultRevision is what a name without a revision stands for.
const DefaultRevision = "main"

// Ref names a model on the hub, at a branch, a tag or a commit.
type Ref struct {
	Repo     string // "org/repo"
	Revision string // "main", "v1.0", "refs/pr/3" or a commit's digest
}

// String is the name that Parse reads; the default revision is left out.
func (r Ref) String() string {
	if r.Revision == "" || r.Revision == DefaultRevision {
		return r.Repo
	}
	return r.Repo + "@" + r.Revision
}

var (
	repoForm     = regexp.MustCompile(`^\w[\w.-]{0,95}/\w[\w.-]{0,95}$`)
	revisionForm = regexp.MustCompile(`^\w[\w.+-]*(/\w[\w.+-]*)*$`)
	commitForm   = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	sha1Form     = regexp.MustCompile(`^[0-9a-f]{40}$`)
	sha256Form   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Parse reads "org/repo" or "org/repo@revision", or one of the short names that Short lists. The error is an ErrName.
func Parse(name string) (Ref, error) {
	for _, s := range Short() {
		if s.Name == name {
			return s.Ref(), nil
		}
	}
	repo, revision, given := strings.Cut(name, "@")
	if !given {
		revision = DefaultRevision
	}
	// "--" stands for the slash in the cache, and ".." leads out of it.
	if !repoForm.MatchString(repo) || strings.Contains(repo, "--") || strings.Contains(repo, "..") || strings.HasSuffix(repo, ".git") ||
		strings.HasSuffix(repo, ".") || strings.HasSuffix(repo, "-") {
		return Ref{}, fail(ErrName, "write it as org/repo or org/repo@revision", "%q is no name of a model on the hub", name)
	}
	if !isRevision(revision) {
		return Ref{}, fail(ErrName, "a revision is a branch, a tag or a commit, as in org/repo@main", "%q: %q is no revision", name, revision)
	}
	return Ref{repo, revision}, nil
}

func isRevision(s string) bool {
	return len(s) <= 200 && revisionForm.MatchString(s) && !strings.Contains(s, "..") && !strings.HasSuffix(s, ".lock")
}
