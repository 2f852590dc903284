package render

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// maxTrace bounds what is kept of the child's standard error.
const maxTrace = 64 << 10

// Run renders every slot in a child of its own, and checks what was rendered. What the Stack's team must change is an
// *Error. The end of ctx, and failures of the machine, are other errors.
func Run(ctx context.Context, req Request) (*Result, error) {
	return runChild(ctx, job{Request: req})
}

// Dependencies returns the paths, relative to the root, that Run would read outside its path, without rendering. With
// the path they tell whether a commit can change what is rendered. Errors are those of Run.
func Dependencies(ctx context.Context, req Request) ([]string, error) {
	result, err := runChild(ctx, job{Request: req, Only: true})
	if err != nil {
		return nil, err
	}
	return result.Dependencies, nil
}

func runChild(ctx context.Context, j job) (*Result, error) {
	if os.Getenv(childVariable) != "" {
		return nil, errors.New("this process is a renderer already: its main (or TestMain) must call render.MaybeChild first")
	}
	j.Request.Limits = j.Request.Limits.withDefaults()
	limited, cancel := context.WithTimeout(ctx, j.Request.Limits.Timeout)
	defer cancel()
	run := &childRun{limits: j.Request.Limits, stdout: newBounded(j.Request.Limits.Output, cancel), stderr: newBounded(maxTrace, nil)}
	// Output that is cut short can come from a child that ended well before it was killed.
	if err := run.start(limited, j); err != nil || run.stdout.full {
		return nil, run.explain(ctx, limited, err)
	}
	var a answer
	if err := json.Unmarshal(run.stdout.buffer.Bytes(), &a); err != nil {
		return nil, fmt.Errorf("reading what was rendered: %w", err)
	}
	return a.outcome()
}

type childRun struct {
	limits         Limits
	stdout, stderr *bounded
}

// start starts the child and waits for its end. The child dies with the thread that started it, so the thread is held.
func (r *childRun) start(ctx context.Context, j job) error {
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this executable: %w", err)
	}
	root, err := filepath.Abs(j.Request.Root)
	if err != nil {
		return fmt.Errorf("finding the checkout: %w", err)
	}
	j.Request.Root = "."
	request, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("encoding the request: %w", err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd, err := start(func() *exec.Cmd {
		cmd := exec.CommandContext(ctx, executable, childArgument)
		cmd.Dir = root
		cmd.Env = []string{childVariable + "=1", "GOTRACEBACK=none", "GOMAXPROCS=2"}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(request), r.stdout, r.stderr
		cmd.WaitDelay = time.Second
		return cmd
	})
	if err != nil {
		return fmt.Errorf("starting the renderer: %w", err)
	}
	return cmd.Wait()
}

// explain says why the child did not answer.
func (r *childRun) explain(ctx, limited context.Context, err error) error {
	trace := r.stderr.buffer.String()
	switch {
	case r.stdout.full:
		return refuse(v1alpha1.ReasonContentTooLarge, "the rendered manifests have more than %d MiB; move data out of them, or split the stack", r.limits.Output>>20)
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("rendering was given up: %w", ctx.Err())
	case limited.Err() != nil, strings.Contains(trace, "SIGXCPU"):
		return refuse(v1alpha1.ReasonRenderTimeout, "rendering did not end within %s; look for a template that loops over a very long list or includes itself, or that reads very large files", r.limits.Timeout)
	case strings.Contains(err.Error(), "signal: killed"):
		return refuse(v1alpha1.ReasonRenderFailed, "rendering was killed by the system, most likely because the machine ran out of memory; make the charts smaller, or give the controller more")
	case crashed(trace):
		return r.crash(trace)
	}
	return fmt.Errorf("the renderer failed (%v): %s", err, shorten(trace, maxMessage)) //nolint:errorlint // its exit means nothing to callers
}

func crashed(trace string) bool {
	return strings.Contains(trace, "fatal error: ") || strings.Contains(trace, "panic: ")
}

// starved is what Go says where the system gives it no more memory; the last ones come of threads, and of -race.
var starved = []string{"out of memory", "cannot allocate memory", "newosproc", "pthread_create", "address space collisions"}

// crash explains what Go can only end the process for. The source did it, so trying again does not help.
func (r *childRun) crash(trace string) error {
	says := func(text string) bool { return strings.Contains(trace, text) }
	switch {
	case says("stack overflow"), says("stack exceeds"):
		return refuse(v1alpha1.ReasonRenderFailed, "rendering went too deep; look for a template that includes itself without end")
	case slices.ContainsFunc(starved, says):
		return refuse(v1alpha1.ReasonRenderFailed, "rendering needed more than %d MiB of memory; look for a template that builds a very long list or text, or for very large files in the chart", r.limits.Memory>>20)
	}
	line, _, _ := strings.Cut(trace, "\n")
	return refuse(v1alpha1.ReasonRenderFailed, "the renderer crashed (%s); the chart or the manifests do something that Lockstep does not expect: please report it", line)
}

// bounded keeps what is written to it up to a limit, and says when there is more.
type bounded struct {
	buffer bytes.Buffer
	limit  int64
	full   bool
	stop   func()
}

func newBounded(limit int64, stop func()) *bounded { return &bounded{limit: limit, stop: stop} }

// Write never fails: what is over the limit is dropped.
func (b *bounded) Write(p []byte) (int, error) {
	room := max(b.limit-int64(b.buffer.Len()), 0)
	if int64(len(p)) > room {
		b.full = true
		if b.stop != nil {
			b.stop()
		}
	}
	b.buffer.Write(p[:min(int64(len(p)), room)])
	return len(p), nil
}
