// Package gitserver serves Git over http with git's own backend. A repository
// comes into being with the first push to it.
package gitserver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// Whatever lies below /private/ asks for this user and password.
const (
	User     = "lockstep"
	Password = "lockstep"
	private  = "private"
)

// Server is the handler for all repositories below one directory.
type Server struct {
	root    string
	backend string
	mu      sync.Mutex // held while a repository is created
}

// New serves the repositories below root, which it creates.
func New(root string) (*Server, error) {
	out, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return nil, fmt.Errorf("git --exec-path: %w (is git installed?)", err)
	}
	backend := filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		return nil, fmt.Errorf("this git cannot serve http: %w", err)
	}
	return &Server{root: root, backend: backend}, os.MkdirAll(root, 0o755)
}

var (
	validPath    = regexp.MustCompile(`^/((?:[A-Za-z0-9_-][A-Za-z0-9._-]*/){0,3}[A-Za-z0-9_-][A-Za-z0-9._-]*?)(?:\.git)?(/(?:info/refs|HEAD|objects/.*|git-upload-pack|git-receive-pack))$`)
	errForbidden = errors.New("not a repository's path")
)

// splitPath takes apart the repository and what is asked of it. The repository
// is the same with and without `.git`.
func splitPath(path string) (repository, rest string, err error) {
	parts := validPath.FindStringSubmatch(path)
	if parts == nil || strings.Contains(path, "..") {
		return "", "", errForbidden
	}
	return parts[1] + ".git", parts[2], nil
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	repository, rest, err := splitPath(r.URL.Path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if strings.HasPrefix(repository, private+"/") && !authorized(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="lockstep"`)
		http.Error(w, "user and password, please", http.StatusUnauthorized)
		return
	}
	if err := s.ensure(repository, r); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.serve(w, r, repository, rest)
}

func authorized(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	return ok && user == User && password == Password
}

// ensure creates a repository when a push to it begins.
func (s *Server) ensure(repository string, r *http.Request) error {
	if r.URL.Query().Get("service") != "git-receive-pack" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	dir := filepath.Join(s.root, repository)
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err == nil {
		return nil
	}
	commands := [][]string{
		{"init", "--quiet", "--bare", "--initial-branch=main", dir},
		{"-C", dir, "config", "http.receivepack", "true"},
		{"-C", dir, "config", "uploadpack.allowAnySHA1InWant", "true"},
	}
	for _, args := range commands {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, repository, rest string) {
	body, err := spooled(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	defer body.Close()
	r.Body = body
	r.URL.Path = "/" + repository + rest
	handler := cgi.Handler{
		Path: s.backend, Dir: s.root, Stderr: io.Discard,
		Env: []string{"GIT_PROJECT_ROOT=" + s.root, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + s.root, "GIT_PROTOCOL=" + r.Header.Get("Git-Protocol")},
	}
	handler.ServeHTTP(w, r)
}

// spooled puts the body into a file that has no name any more: CGI must be
// told a length, and git sends larger packs without.
func spooled(r *http.Request) (*os.File, error) {
	file, err := os.CreateTemp("", "git-request-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, err
	}
	if r.ContentLength, err = io.Copy(file, r.Body); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	r.TransferEncoding = nil
	_, err = file.Seek(0, io.SeekStart)
	return file, err
}
