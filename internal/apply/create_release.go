package apply

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// createRelease makes a Release. Its name is its identity: making it twice is making it once. It has no owner, so that
// deleting a Stack leaves the record of what was released.
func (a *Applier) createRelease(ctx context.Context, s *plan.Snapshot, act plan.CreateRelease) error {
	r := &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.Stack.Namespace,
			Name:      act.Name,
			Labels:    stackLabels(&s.Stack),
		},
		Spec: act.Spec,
	}
	err := a.Client.Create(ctx, r, client.FieldOwner(v1alpha1.ManagerContent))
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("making release %s: %w", act.Name, err)
	}
	return nil
}

func stackLabels(stack *v1alpha1.Stack) map[string]string {
	return map[string]string{
		v1alpha1.LabelStack:          stack.Name,
		v1alpha1.LabelStackNamespace: stack.Namespace,
	}
}
