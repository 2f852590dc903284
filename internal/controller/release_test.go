package controller

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func TestAReleaseWithoutAStackIsEndedAfterAMinute(t *testing.T) {
	w := newWorld(t, interceptor.Funcs{})
	release := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "home", Name: "r1", UID: "u1"}, Spec: v1alpha1.ReleaseSpec{Stack: "shop"}}
	o := &orphans{client: w.client, live: w.client, events: w.events, clock: w.clock, since: map[types.UID]time.Time{}}
	stack := &v1alpha1.Stack{ObjectMeta: metav1.ObjectMeta{Namespace: "home", Name: "shop"}}
	look := func() ctrl.Result {
		t.Helper()
		result, err := o.Reconcile(context.Background(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(release)})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	mustDo(t, w.client.Create(context.Background(), release))
	if got := look(); got.RequeueAfter != 0 {
		t.Errorf("with a Stack it is looked at again after %v, want never", got.RequeueAfter)
	}

	mustDo(t, w.client.Delete(context.Background(), stack))
	if got := look(); got.RequeueAfter != stackMissingFor {
		t.Errorf("without one it is looked at again after %v, want %v", got.RequeueAfter, stackMissingFor)
	}
	w.clock.Step(stackMissingFor - time.Second)
	mustDo(t, w.client.Create(context.Background(), stack))
	look() // it is back: GitOps tools delete and create
	stack.ResourceVersion = ""
	mustDo(t, w.client.Delete(context.Background(), stack))
	w.clock.Step(2 * time.Second)
	if got := look(); got.RequeueAfter != stackMissingFor {
		t.Errorf("missing anew it is looked at again after %v, want %v", got.RequeueAfter, stackMissingFor)
	}
	w.clock.Step(stackMissingFor)
	look()

	mustDo(t, w.client.Get(context.Background(), client.ObjectKeyFromObject(release), release))
	if e := release.Status.Ended; e == nil || e.Outcome != v1alpha1.OutcomeFailed || e.Reason != v1alpha1.ReasonStackMissing {
		t.Errorf("ended %+v, want Failed, StackMissing", e)
	}
	if got := len(w.events.Events); got != 2 {
		t.Errorf("%d events, want one each time that the Stack was missed", got)
	}
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
