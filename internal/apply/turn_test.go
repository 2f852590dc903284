package apply

import (
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/config"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// turnOf reads the Lease of a queue group.
func (w *world) turnOf(group string) *coordinationv1.Lease {
	w.t.Helper()
	lease := &coordinationv1.Lease{}
	w.must(server.Client.Get(w.ctx, key(config.Namespace, plan.TurnName(group)), lease))
	return lease
}

func TestTurn(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	group := w.s.Stack.Namespace
	take := func(resourceVersion string, epoch int64) plan.TakeTurn {
		return plan.TakeTurn{Group: group, ResourceVersion: resourceVersion, Epoch: epoch, Release: plan.ReleaseRef{Name: "shop-1", UID: "uid-1"}}
	}
	w.ok(take("", 3))
	held := w.turnOf(group)
	if held.Labels[v1alpha1.LabelStackNamespace] != w.s.Stack.Namespace || held.Labels[v1alpha1.LabelRelease] != "shop-1" ||
		held.Annotations[v1alpha1.AnnotationReleaseUID] != "uid-1" || epochOf(held) != 3 || *held.Spec.HolderIdentity != group+"/shop/shop-1" {
		t.Errorf("the Lease says %v %v %v", held.Labels, held.Annotations, held.Spec)
	}

	if _, err := other.applier.Do(w.ctx, other.s, take("", 9)); !apierrors.IsAlreadyExists(err) {
		t.Errorf("a turn that nobody had when it was looked: %v", err)
	}
	if _, err := other.applier.Do(w.ctx, other.s, take("1", 9)); !apierrors.IsConflict(err) {
		t.Errorf("a turn that changed hands since it was looked at: %v", err)
	}
	other.ok(plan.GiveTurn{Group: group, ResourceVersion: held.ResourceVersion, Epoch: 9})
	w.ok(plan.GiveTurn{Group: group, ResourceVersion: held.ResourceVersion, Epoch: 2})
	if now := w.turnOf(group); now.ResourceVersion != held.ResourceVersion {
		t.Errorf("someone gave a turn that was not theirs, or not theirs any more: %v", now.Labels)
	}

	w.ok(plan.GiveTurn{Group: group, ResourceVersion: held.ResourceVersion, Epoch: 4})
	free := w.turnOf(group)
	if free.Labels[v1alpha1.LabelStack] != "" || free.Spec.HolderIdentity != nil || free.Labels[v1alpha1.LabelQueueGroup] != group {
		t.Errorf("the Lease says %v %v", free.Labels, free.Spec)
	}
	other.ok(take(free.ResourceVersion, 1))
}
