package selftest

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/lockstep-dev/lockstep/hack/cluster/internal/launch"
)

// git pushes more than git's postBuffer, which makes the request a chunked one.
func (t *test) git() error {
	content := make([]byte, 3<<20)
	_, _ = rand.Read(content)
	source := filepath.Join(t.work, "source")
	if err := os.MkdirAll(source, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(source, "file"), content, 0o644); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"-C", source, "init", "--quiet", "--initial-branch=main"},
		{"-C", source, "add", "."},
		{"-C", source, "-c", "user.name=Self Test", "-c", "user.email=selftest@example.com", "commit", "--quiet", "-m", "First"},
		{"-C", source, "push", "--quiet", t.env["LOCKSTEP_GIT"] + "/team/app.git", "main"},
		{"clone", "--quiet", t.env["LOCKSTEP_GIT"] + "/team/app", "cloned"},
	} {
		if _, err := t.command("git", args...); err != nil {
			return err
		}
	}
	_, err := os.Stat(filepath.Join(t.work, "cloned", "file"))
	return err
}

func (t *test) gitPrivate() error {
	url := t.env["LOCKSTEP_GIT"] + "/private/app.git"
	if _, err := t.command("git", "-C", "source", "push", "--quiet", url, "main"); err == nil {
		return errors.New("a push without a password went through")
	}
	withPassword := strings.Replace(url, "http://", "http://lockstep:lockstep@", 1)
	if _, err := t.command("git", "-C", "source", "push", "--quiet", withPassword, "main"); err != nil {
		return err
	}
	_, err := t.command("git", "ls-remote", withPassword, "refs/heads/main")
	return err
}

func (t *test) gitInside() error {
	cmd, err := launch.Inside(t.dir, t.work, "git", "ls-remote", t.env["LOCKSTEP_GIT_INSIDE"]+"/team/app.git", "refs/heads/main")
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = nil, nil
	out, err := cmd.CombinedOutput()
	if err != nil {
		return err
	}
	return wantText(string(out), "refs/heads/main")
}
