package apply

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// maxAnswer is the bound of a Decision's message.
const maxAnswer = 1024

// answerDecision records what became of a Decision, once.
func (a *Applier) answerDecision(ctx context.Context, s *plan.Snapshot, act plan.AnswerDecision) error {
	d := &v1alpha1.Decision{}
	err := a.Client.Get(ctx, types.NamespacedName{Namespace: s.Stack.Namespace, Name: act.Name}, d)
	if apierrors.IsNotFound(err) || (err == nil && (d.UID != act.UID || d.Status.Result != "")) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading decision %s: %w", act.Name, err)
	}
	patch := client.MergeFromWithOptions(d.DeepCopy(), client.MergeFromWithOptimisticLock{})
	at := a.now()
	d.Status = v1alpha1.DecisionStatus{Result: act.Result, Message: shorten(act.Message, maxAnswer), At: &at}
	if err := a.Client.Status().Patch(ctx, d, patch, client.FieldOwner(v1alpha1.ManagerStatus)); err != nil {
		return fmt.Errorf("answering decision %s: %w", act.Name, err)
	}
	return nil
}
