package cli

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Exit codes.
const (
	ExitDone  = 0
	ExitError = 1
	ExitUsage = 2
	// ExitUnknown is for diff, whose 1 says that something differs: it could not be told.
	ExitUnknown  = 2
	ExitTimedOut = 3
	ExitRefused  = 4
	ExitFailed   = 5
)

// coded is an error with an exit code of its own.
type coded struct {
	code int
	err  error
}

func (c *coded) Error() string { return c.err.Error() }
func (c *coded) Unwrap() error { return c.err }

// ExitCode is the exit code for an error that a command returned.
func ExitCode(err error) int {
	if err == nil {
		return ExitDone
	}
	if c := (*coded)(nil); errors.As(err, &c) {
		return c.code
	}
	return ExitError
}

func usagef(format string, args ...any) error {
	return &coded{ExitUsage, fmt.Errorf(format, args...)}
}

func timedOutf(format string, args ...any) error {
	return &coded{ExitTimedOut, fmt.Errorf(format, args...)}
}

func refusedf(format string, args ...any) error {
	return &coded{ExitRefused, fmt.Errorf(format, args...)}
}

func failedf(format string, args ...any) error {
	return &coded{ExitFailed, fmt.Errorf(format, args...)}
}

// explain turns what the API machinery says into what to do about it.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case meta.IsNoMatchError(err):
		return fmt.Errorf("this cluster does not know the kinds of %s; install Lockstep with kubectl lockstep install, or choose another cluster with --context (%w)", v1alpha1.Group, err)
	case errors.Is(err, syscall.ECONNREFUSED) || isNetError(err):
		return fmt.Errorf("the cluster's API cannot be reached; check --context and the network (%w)", err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("the cluster does not know you; log in again, or check --context (%w)", err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("you have no right to do this; ask who administers the cluster, with this message: %w", err)
	}
	return err
}

func isNetError(err error) bool {
	var n net.Error
	return errors.As(err, &n)
}

// passing reports whether an error may be gone at the next try: the network, or an API server that restarts.
func passing(err error) bool {
	if c := (*coded)(nil); errors.As(err, &c) {
		return false
	}
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return status.Status().Code >= 500 || apierrors.IsTooManyRequests(err)
	}
	return isNetError(err) || errors.Is(err, syscall.ECONNREFUSED)
}
