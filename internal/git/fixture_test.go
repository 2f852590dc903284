package git_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// repo is a real repository on disk, written by the git command.
type repo struct {
	t   *testing.T
	dir string
}

func newRepo(t *testing.T) *repo {
	t.Helper()
	r := &repo{t: t, dir: filepath.Join(t.TempDir(), "shop")}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.git("init", "--quiet", "--initial-branch=main")
	return r
}

func (r *repo) git(args ...string) string { return r.gitWith(nil, args...) }

func (r *repo) gitWith(stdin []byte, args ...string) string {
	r.t.Helper()
	command := exec.Command("git", args...)
	command.Dir, command.Stdin = r.dir, bytes.NewReader(stdin)
	command.Env = append(
		os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
	)
	out, err := command.Output()
	if err != nil {
		var exit *exec.ExitError
		errors.As(err, &exit)
		r.t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, exit.Stderr)
	}
	return strings.TrimSpace(string(out))
}

func (r *repo) write(name, content string) *repo {
	r.t.Helper()
	at := filepath.Join(r.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(content), 0o644)); err != nil {
		r.t.Fatal(err)
	}
	return r
}

func (r *repo) link(name, target string) *repo {
	r.t.Helper()
	at := filepath.Join(r.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.Symlink(target, at)); err != nil {
		r.t.Fatal(err)
	}
	return r
}

func (r *repo) commit() string {
	r.t.Helper()
	r.git("add", "--all")
	r.git("commit", "--quiet", "--allow-empty", "--message", "change")
	return r.git("rev-parse", "HEAD")
}

func (r *repo) url() string { return "file://" + r.dir }

// host serves the folder that a repository lies in, as `git http-backend` does, and keeps what it was asked.
type host struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
	seen  []string
}

func serve(t *testing.T, r *repo, wrap ...func(http.Handler) http.Handler) *host {
	t.Helper()
	backend := filepath.Join(r.git("--exec-path"), "git-http-backend")
	var handler http.Handler = &cgi.Handler{
		Path: backend, Stderr: io.Discard,
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(r.dir), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null"},
	}
	for _, w := range wrap {
		handler = w(handler)
	}
	h := &host{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		h.mu.Lock()
		h.asked, h.seen = append(h.asked, string(body)), append(h.seen, q.Header.Get("Authorization"))
		h.mu.Unlock()
		q.Body = io.NopCloser(bytes.NewReader(body))
		handler.ServeHTTP(w, q)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *host) repo() string { return h.URL + "/shop/.git" }

func (h *host) packs() (bodies []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, body := range h.asked {
		if strings.Contains(body, "want ") {
			bodies = append(bodies, body)
		}
	}
	return bodies
}

func (h *host) authorizations() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.seen, "")
}

// guarded asks for a password, as forges do.
func guarded(user, password string, code int) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if u, p, ok := q.BasicAuth(); !ok || u != user || p != password {
				http.Error(w, "no: "+q.Header.Get("Authorization")+" "+p, code)
				return
			}
			next.ServeHTTP(w, q)
		})
	}
}

// advertisedOnly serves what a strict server does: tips of branches and tags.
func advertisedOnly(r *repo) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			body, _ := io.ReadAll(q.Body)
			for line := range strings.SplitSeq(string(body), "\n") {
				if _, hash, ok := strings.Cut(line, "want "); ok && !strings.Contains(r.git("for-each-ref"), hash[:40]) {
					w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
					message := "ERR upload-pack: not our ref " + hash[:40]
					_, _ = w.Write([]byte("0048" + message))
					return
				}
			}
			q.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, q)
		})
	}
}

func fails(t *testing.T, err error, reason string, mentions ...string) {
	t.Helper()
	var reasoned interface{ Reason() string }
	if !errors.As(err, &reasoned) {
		t.Fatalf("want %s, got %v", reason, err)
	}
	if reasoned.Reason() != reason {
		t.Errorf("want %s, got %s: %v", reason, reasoned.Reason(), err)
	}
	for _, word := range mentions {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not mention %q", err, word)
		}
	}
}
