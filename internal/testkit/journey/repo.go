package journey

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Repo is a team's Git repository, with a work tree here and a server that Pods reach.
type Repo struct {
	// Dir is the work tree.
	Dir string
	// URL is where Pods fetch it.
	URL string
}

// PushRepo makes a repository of the folder from, and pushes it.
func (c *Cluster) PushRepo(ctx context.Context, name, from string) (*Repo, error) {
	dir, err := os.MkdirTemp("", "lockstep-repo-")
	if err != nil {
		return nil, err
	}
	r := &Repo{Dir: dir, URL: c.GitInside + "/" + name + ".git"}
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"},
		{"config", "user.name", "Shop team"},
		{"config", "user.email", "team@shop.example.com"},
		{"remote", "add", "origin", c.GitOutside + "/" + name + ".git"},
	} {
		if _, err := r.git(ctx, args...); err != nil {
			return nil, err
		}
	}
	_, err = r.Push(ctx, "Version 1")
	return r, err
}

// Push commits whatever changed, pushes it, and returns the commit.
func (r *Repo) Push(ctx context.Context, message string) (string, error) {
	for _, args := range [][]string{
		{"add", "-A"},
		{"commit", "-q", "--allow-empty", "-m", message},
		{"push", "-q", "--force", "origin", "HEAD:main"},
	} {
		if _, err := r.git(ctx, args...); err != nil {
			return "", err
		}
	}
	return r.git(ctx, "rev-parse", "HEAD")
}

func (r *Repo) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = r.Dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// Replace changes a file of the work tree.
func (r *Repo) Replace(path, old, replacement string) error {
	file := filepath.Join(r.Dir, path)
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !strings.Contains(string(content), old) {
		return fmt.Errorf("%s does not contain %q", path, old)
	}
	return os.WriteFile(file, []byte(strings.ReplaceAll(string(content), old, replacement)), 0o644)
}

// SetTag sets the image tag of a chart, as a release plan does.
func (r *Repo) SetTag(chart, tag string) error {
	file := filepath.Join(r.Dir, "charts", chart, "values.yaml")
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lines := strings.Split(string(content), "\n")
	for i, line := range lines {
		if before, _, ok := strings.Cut(line, "tag:"); ok {
			lines[i] = before + `tag: "` + tag + `"`
		}
	}
	return os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644)
}

// Remove deletes the work tree.
func (r *Repo) Remove() { _ = os.RemoveAll(r.Dir) }

// Write writes a file of the work tree.
func (r *Repo) Write(path, content string) error {
	file := filepath.Join(r.Dir, path)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(content), 0o644)
}

// Restore makes every file what it was at a commit; the next push commits that.
func (r *Repo) Restore(ctx context.Context, commit string) error {
	_, err := r.git(ctx, "read-tree", "--reset", "-u", commit)
	return err
}
