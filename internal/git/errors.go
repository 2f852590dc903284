package git

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Error says why a repository cannot be read as asked. Trying again does not help until someone changes what it names, or
// the repository is back.
type Error struct {
	reason  string
	message string
}

// Error says what is wrong, where (without credentials), and what to do.
func (e *Error) Error() string { return e.message }

// Reason is a constant of api/v1alpha1.
func (e *Error) Reason() string { return e.reason }

func refuse(reason, format string, args ...any) error {
	return &Error{reason: reason, message: fmt.Sprintf(format, args...)}
}

// failed words what a transport answered.
func (r Remote) failed(ctx context.Context, err error) error {
	if own := (*Error)(nil); err == nil || errors.As(err, &own) {
		return err
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("reading %s: %w", r, context.Canceled)
	}
	if ctx.Err() != nil {
		return refuse(v1alpha1.ReasonRepoUnreachable, "%s did not answer in time; check that the host can be reached from here", r)
	}
	switch {
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return r.unauthorized()
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return refuse(v1alpha1.ReasonRepoUnreachable, "there is no repository at %s, or it is shown only to those with credentials; check the URL, and source.git.secretRef", r)
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return refuse(v1alpha1.ReasonRevisionMissing, "the repository %s is empty; push a commit to it", r)
	}
	return refuse(v1alpha1.ReasonRepoUnreachable, "%s cannot be read: %s; check the URL, and that the host can be reached from here", r, r.scrub(err.Error()))
}

func (r Remote) unauthorized() error {
	if r.auth() == nil {
		return refuse(v1alpha1.ReasonAuthFailed, "%s asks for credentials, and there are none; name a Secret with username and password in source.git.secretRef", r)
	}
	return refuse(v1alpha1.ReasonAuthFailed, "%s refuses the credentials; check username and password (or token) in the Secret of source.git.secretRef, and that they may read the repository", r)
}

func (r Remote) tooLarge(limits Limits) error {
	return refuse(v1alpha1.ReasonContentTooLarge, "%s sends more than %d MiB; %s", r, limits.MaxBytes>>20, smaller)
}
