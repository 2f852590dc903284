// Package selftest tries everything that the local cluster promises, on a
// cluster of its own, and then kills it and looks for what is left.
package selftest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/lockstep-dev/lockstep/hack/cluster/internal/artifact"
	"github.com/lockstep-dev/lockstep/hack/cluster/internal/launch"
	"github.com/lockstep-dev/lockstep/hack/cluster/internal/rundir"
)

type test struct {
	dir    rundir.Dir
	store  *artifact.Store
	out    io.Writer
	work   string            // a temporary directory
	env    map[string]string // what `env` prints
	before leftovers
}

// Run tries one thing after the other and stops at the first that fails.
func Run(dir rundir.Dir, store *artifact.Store, out io.Writer) error {
	work, err := os.MkdirTemp("", "lockstep-selftest-files-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := launch.Down(dir); err != nil {
		return err
	}
	t := &test{dir: dir, store: store, out: out, work: work}
	for _, step := range t.steps() {
		started := time.Now()
		if err := step.run(); err != nil {
			return fmt.Errorf("%s: %w\n(the cluster is left as it is: `status --name %s`)", step.what, err, dir.Name)
		}
		fmt.Fprintf(out, "ok %5.1fs  %s\n", time.Since(started).Seconds(), step.what)
	}
	return nil
}

type step struct {
	what string
	run  func() error
}

func (t *test) steps() []step {
	return []step{
		{"up", t.up},
		{"up again does nothing", t.upAgain},
		{"a Pod starts", t.deploy},
		{"DNS in a Pod", t.dns},
		{"kubectl logs", t.logs},
		{"a VirtualService answers through the loopback port", t.answers("virtualservice.example")},
		{"an HTTPRoute answers through the loopback port", t.answers("httproute.example")},
		{"both answer on each gateway, restarted under load", t.restartGateways},
		{"an image that does not exist fails soon", t.missingImage},
		{"git push and clone", t.git},
		{"git asks for a password", t.gitPrivate},
		{"git from inside", t.gitInside},
		{"load", t.load},
		{"kill -9 leaves nothing", t.kill},
	}
}

func (t *test) up() error {
	var err error
	if t.before, err = look(t.dir); err != nil {
		return err
	}
	if err := launch.Up(t.dir, t.store, t.out); err != nil {
		return err
	}
	content, err := os.ReadFile(t.dir.EnvFile())
	if err != nil {
		return err
	}
	t.env = map[string]string{}
	for line := range strings.Lines(string(content)) {
		name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		t.env[name] = value
	}
	return nil
}

func (t *test) upAgain() error {
	before, _ := t.dir.PID()
	if err := launch.Up(t.dir, t.store, t.out); err != nil {
		return err
	}
	if after, _ := t.dir.PID(); after != before {
		return fmt.Errorf("process %d became %d", before, after)
	}
	return nil
}

// command runs a program with the cluster's variables.
func (t *test) command(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0")
	for name, value := range t.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Dir = t.work
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

func (t *test) kubectl(args ...string) (string, error) {
	return t.command(t.env["LOCKSTEP_KUBECTL"], args...)
}

// within repeats a check until it passes or the time is over.
func within(patience time.Duration, check func() error) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		err := check()
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func wantText(got, want string) error {
	if !strings.Contains(got, want) {
		return fmt.Errorf("got %q, wanted %q in it", got, want)
	}
	return nil
}
