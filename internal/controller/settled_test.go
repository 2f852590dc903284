package controller

import (
	"context"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Whatever a Pod that gets ready brings about within a moment is one pass, of each Stack.
func TestWhatComesTogetherIsOnePass(t *testing.T) {
	clock := clocktesting.NewFakeClock(monday)
	q := workqueue.NewTypedRateLimitingQueueWithConfig(rateLimiter(), workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{Clock: clock})
	defer q.ShutDown()
	h := settled(mapper{}.to(stackByLabel))
	of := func(stack string) *appsv1.Deployment {
		labels := map[string]string{v1alpha1.LabelStackNamespace: "home", v1alpha1.LabelStack: stack}
		return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "home-blue", Name: "web", Labels: labels}}
	}
	ctx := context.Background()
	h.Create(ctx, event.CreateEvent{Object: of("shop")}, q)
	for range 3 {
		h.Update(ctx, event.UpdateEvent{ObjectOld: of("shop"), ObjectNew: of("shop")}, q)
	}
	h.Delete(ctx, event.DeleteEvent{Object: of("other")}, q)

	for began := time.Now(); !clock.HasWaiters() && time.Since(began) < 10*time.Second; {
		time.Sleep(time.Millisecond)
	}
	clock.Step(settle - time.Millisecond)
	time.Sleep(20 * time.Millisecond)
	if n := q.Len(); n != 0 {
		t.Errorf("%d passes are asked for before what comes together is there", n)
	}
	clock.Step(time.Millisecond)
	for began := time.Now(); q.Len() < 2 && time.Since(began) < 10*time.Second; {
		time.Sleep(time.Millisecond)
	}
	if n := q.Len(); n != 2 {
		t.Errorf("%d passes are asked for, want one of each Stack", n)
	}
}
