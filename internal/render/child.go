package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// childArgument makes the executable a child; childVariable is set in its environment, so that a program which forgets
// to call MaybeChild does not start itself over and over.
const (
	childArgument = "__render"
	childVariable = "LOCKSTEP_RENDER_CHILD"
)

// maxStack makes endless recursion end early, and with a message.
const maxStack = 64 << 20

// job is what the parent writes to the child.
type job struct {
	Request Request `json:"request"`
	// Only asks for the dependencies alone.
	Only bool `json:"only,omitempty"`
}

// answer is what the child writes to the parent.
type answer struct {
	Result *Result `json:"result,omitempty"`
	Reason string  `json:"reason,omitempty"`
	Error  string  `json:"error,omitempty"`
}

// MaybeChild renders and never returns in the child that Run starts, and returns at once in every other process. Call it
// first in main, before flags are read or anything is started.
func MaybeChild() {
	if len(os.Args) != 2 || os.Args[1] != childArgument || os.Getenv(childVariable) == "" {
		return
	}
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(in io.Reader, out io.Writer) error {
	var j job
	if err := json.NewDecoder(in).Decode(&j); err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	http.DefaultTransport = offline{}
	debug.SetMaxStack(maxStack)
	limits := j.Request.Limits.withDefaults()
	debug.SetMemoryLimit(limits.Memory / 4 * 3)
	if err := confine(limits); err != nil {
		return fmt.Errorf("confining the renderer: %w", err)
	}
	if err := json.NewEncoder(out).Encode(work(&j)); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return nil
}

func work(j *job) (a answer) {
	defer func() {
		if r := recover(); r != nil {
			a = answer{Reason: v1alpha1.ReasonRenderFailed, Error: shorten(fmt.Sprintf("rendering failed badly (%v); the chart or the manifests do something that Lockstep does not expect: please report it", r), maxMessage)}
		}
	}()
	result, err := j.do()
	if err != nil {
		return answer{Reason: ReasonOf(err), Error: err.Error()}
	}
	return answer{Result: result}
}

func (j *job) do() (*Result, error) {
	if !j.Only {
		return renderAll(&j.Request)
	}
	paths, err := dependencies(&j.Request)
	return &Result{Dependencies: paths}, err
}

// outcome is what the answer says.
func (a *answer) outcome() (*Result, error) {
	switch {
	case a.Reason != "":
		return nil, &Error{reason: a.Reason, message: a.Error}
	case a.Error != "":
		return nil, errors.New(a.Error)
	case a.Result == nil:
		return nil, errors.New("the renderer answered nothing")
	}
	return a.Result, nil
}
