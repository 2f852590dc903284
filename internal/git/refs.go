package git

import (
	"context"
	"regexp"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

const (
	branches = "refs/heads/"
	tags     = "refs/tags/"
)

var fullHash = regexp.MustCompile(`^[0-9a-fA-F]{40}$`)

// tip is what a name points at: the object that the server names, which a tag may be, and the commit behind it.
type tip struct {
	object plumbing.Hash
	commit plumbing.Hash
}

// refs are the names that a repository offers; HEAD is one of them.
type refs map[string]tip

// Revision is what a Stack's reference says to Resolve and Checkout, or what a release asks for instead.
func Revision(ref v1alpha1.GitRef, override string) string {
	switch {
	case override != "":
		return override
	case ref.Branch != "":
		return branches + ref.Branch
	case ref.Tag != "":
		return tags + ref.Tag
	}
	return ref.Commit
}

// Resolve returns the commit that a revision stands for now: a branch, or else a tag, by short name or as refs/…, HEAD
// where it is empty. The full hash of a commit is returned as it is, without asking whether it exists.
func Resolve(ctx context.Context, remote Remote, revision string) (string, error) {
	if fullHash.MatchString(revision) {
		return strings.ToLower(revision), nil
	}
	from, err := open(remote, Limits{}.withDefaults())
	if err != nil {
		return "", err
	}
	defer from.close()
	known, err := from.refs(ctx)
	if err != nil {
		return "", err
	}
	found, err := known.find(remote, revision)
	return found.commit.String(), err
}

func (r refs) find(remote Remote, revision string) (tip, error) {
	if fullHash.MatchString(revision) {
		return r.holding(plumbing.NewHash(revision)), nil
	}
	for _, name := range candidates(revision) {
		if found, ok := r[name]; ok {
			return found, nil
		}
	}
	return tip{}, refuse(v1alpha1.ReasonRevisionMissing, "%s has no %s; push it, or correct the revision", remote, described(revision))
}

// holding prefers a name that the commit is the tip of: every server serves what it advertises.
func (r refs) holding(commit plumbing.Hash) tip {
	for _, known := range r {
		if known.commit == commit {
			return known
		}
	}
	return tip{object: commit, commit: commit}
}

func candidates(revision string) []string {
	switch {
	case revision == "" || revision == headName:
		return []string{headName}
	case strings.HasPrefix(revision, "refs/"):
		return []string{revision}
	}
	return []string{branches + revision, tags + revision}
}

const headName = string(plumbing.HEAD)

func described(revision string) string {
	if revision == "" || revision == headName {
		return "HEAD (its default branch does not exist)"
	}
	if branch, ok := strings.CutPrefix(revision, branches); ok {
		return "branch " + branch
	}
	if tag, ok := strings.CutPrefix(revision, tags); ok {
		return "tag " + tag
	}
	return "branch or tag " + revision
}
