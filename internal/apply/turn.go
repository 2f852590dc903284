package apply

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// takeTurn writes into the Lease of a queue group that it is this Stack's turn, unless anyone has written there since.
func (a *Applier) takeTurn(ctx context.Context, s *plan.Snapshot, act plan.TakeTurn) error {
	stack := client.ObjectKeyFromObject(&s.Stack)
	at := metav1.NewMicroTime(a.Clock())
	holder := stack.String() + "/" + act.Release.Name
	lease := turnLease(a.ControllerNamespace, act.Group, act.ResourceVersion)
	lease.Labels[v1alpha1.LabelStackNamespace], lease.Labels[v1alpha1.LabelStack] = stack.Namespace, stack.Name
	lease.Labels[v1alpha1.LabelRelease] = act.Release.Name
	lease.Annotations = map[string]string{
		v1alpha1.AnnotationEpoch:      strconv.FormatInt(act.Epoch, 10),
		v1alpha1.AnnotationReleaseUID: string(act.Release.UID),
	}
	lease.Spec.HolderIdentity, lease.Spec.AcquireTime = &holder, &at
	return a.writeTurn(ctx, lease)
}

// giveTurn empties the Lease, unless the turn was taken for a later epoch than that of the plan.
func (a *Applier) giveTurn(ctx context.Context, s *plan.Snapshot, act plan.GiveTurn) error {
	live := &coordinationv1.Lease{}
	err := a.Client.Get(ctx, types.NamespacedName{Namespace: a.ControllerNamespace, Name: plan.TurnName(act.Group)}, live)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	mine := live.Labels[v1alpha1.LabelStack] == s.Stack.Name && live.Labels[v1alpha1.LabelStackNamespace] == s.Stack.Namespace
	if !mine || epochOf(live) > act.Epoch {
		return nil
	}
	return a.writeTurn(ctx, turnLease(a.ControllerNamespace, act.Group, act.ResourceVersion))
}

func turnLease(namespace, group, resourceVersion string) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: plan.TurnName(group), ResourceVersion: resourceVersion,
		Labels: map[string]string{v1alpha1.LabelQueueGroup: group},
	}}
}

// writeTurn carries the resourceVersion that was read, so that of two Stacks one gets the turn.
func (a *Applier) writeTurn(ctx context.Context, lease *coordinationv1.Lease) (err error) {
	if lease.ResourceVersion == "" {
		err = a.Client.Create(ctx, lease, client.FieldOwner(v1alpha1.ManagerStatus))
	} else {
		err = a.Client.Update(ctx, lease, client.FieldOwner(v1alpha1.ManagerStatus))
	}
	if apierrors.IsNotFound(err) {
		return apierrors.NewConflict(coordinationv1.Resource("leases"), lease.Name, errors.New("it was deleted meanwhile"))
	}
	if err != nil {
		return fmt.Errorf("writing the Lease of queue group %s: %w", lease.Labels[v1alpha1.LabelQueueGroup], err)
	}
	return nil
}
