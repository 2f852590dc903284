package observe

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

func problem(reason, format string, args ...any) *plan.Problem {
	return &plan.Problem{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// lasting reports whether an error stays until someone changes something: the API server has answered, and refused.
func lasting(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return meta.IsNoMatchError(err)
	}
	code := status.Status().Code
	return code >= 400 && code < 500 && !apierrors.IsTooManyRequests(err) && !apierrors.IsTimeout(err)
}

// unknownKind reports whether the API server has no such kind. A kind that was removed after it was looked up is not
// found at all, which is told from a missing object by how the answer came about.
func unknownKind(err error) bool {
	return meta.IsNoMatchError(err) ||
		(apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse))
}

func forbiddenOr(reason string, err error) string {
	if apierrors.IsForbidden(err) {
		return v1alpha1.ReasonForbidden
	}
	return reason
}
