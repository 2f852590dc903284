package apply

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// maxMessage is the bound of an Observation's message.
const maxMessage = 4096

// Refusal says what people must change before an action can be carried out.
type Refusal struct {
	reason  string
	message string
}

// Error says what is wrong, where, and what to do.
func (r *Refusal) Error() string { return r.message }

// Reason is a constant of api/v1alpha1.
func (r *Refusal) Reason() string { return r.reason }

func refuse(reason, format string, args ...any) error {
	return &Refusal{reason: reason, message: fmt.Sprintf(format, args...)}
}

// reasonOf is the reason of a Refusal; empty for any other error.
func reasonOf(err error) string {
	if no, ok := errors.AsType[*Refusal](err); ok {
		return no.reason
	}
	return ""
}

// refused turns an answer of the API server that asking again will not change into a Refusal; what it cannot tell, or
// what passes, stays an ordinary error.
func refused(what string, err error) error {
	reason := refusedFor(err)
	if reason == "" {
		return fmt.Errorf("%s: %w", what, err)
	}
	return refuse(reason, "%s: %s", what, said(err))
}

func refusedFor(err error) string {
	switch {
	case err == nil || passes(err):
		return ""
	case meta.IsNoMatchError(err):
		return v1alpha1.ReasonAdmissionRefused
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return v1alpha1.ReasonNamespaceTerminating
	case apierrors.IsForbidden(err):
		return forbiddenFor(err)
	case isRejected(err):
		return v1alpha1.ReasonAdmissionRefused
	}
	return ""
}

func passes(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsTimeout(err) ||
		apierrors.IsServerTimeout(err) || apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err)
}

// forbiddenFor tells RBAC from quotas and from other admission: all of them answer 403.
func forbiddenFor(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "exceeded quota"):
		return v1alpha1.ReasonQuotaExceeded
	case isDenied(err):
		return v1alpha1.ReasonForbidden
	}
	return v1alpha1.ReasonAdmissionRefused
}

// isDenied is whether the authorizer said no.
func isDenied(err error) bool {
	return apierrors.IsForbidden(err) &&
		(strings.Contains(err.Error(), " cannot ") || strings.Contains(err.Error(), "attempting to grant RBAC permissions"))
}

func isImpersonationDenied(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "cannot impersonate")
}

// rejections are how the API server words that an object does not fit its kind, where it answers 500, and how webhooks
// say no, with whichever code.
var rejections = []string{
	"denied the request", "failed to create typed patch object", "failed to convert new object", "field not declared in schema",
}

// isRejected is whether the object itself was refused.
func isRejected(err error) bool {
	if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsRequestEntityTooLargeError(err) ||
		apierrors.IsMethodNotSupported(err) || apierrors.IsNotAcceptable(err) {
		return true
	}
	return err != nil && slices.ContainsFunc(rejections, func(text string) bool { return strings.Contains(err.Error(), text) })
}

// said is what the API server answered, without what client libraries put around it.
func said(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Message != "" {
		return status.Status().Message
	}
	return err.Error()
}

func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const more = " …"
	return strings.ToValidUTF8(text[:limit-len(more)], "") + more
}
