package controller

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// stackMissingFor is how long a Release waits for its Stack: GitOps tools re-create one by deleting it first.
const stackMissingFor = time.Minute

// orphans ends Releases that no Stack takes.
type orphans struct {
	client client.Client
	// live reads from the API server, and never from a cache.
	live   client.Reader
	events events.EventRecorder
	clock  clock.PassiveClock

	mu sync.Mutex
	// since is when the Stack of a Release was first missed.
	since map[types.UID]time.Time
}

func newOrphans(mgr ctrl.Manager, o Options) *orphans {
	return &orphans{
		client: mgr.GetClient(),
		live:   mgr.GetAPIReader(),
		events: mgr.GetEventRecorder("lockstep-controller"),
		clock:  o.Clock,
		since:  map[types.UID]time.Time{},
	}
}

// Reconcile looks for the Stack of a Release that has not ended.
func (o *orphans) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	release := &v1alpha1.Release{}
	if err := o.live.Get(ctx, request.NamespacedName, release); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if release.Status.Ended != nil {
		o.found(release)
		return ctrl.Result{}, nil
	}
	switch there, err := hasStack(ctx, o.live, release); {
	case err != nil:
		return ctrl.Result{}, fmt.Errorf("looking for the stack of release %s: %w", release.Name, err)
	case there:
		o.found(release)
		return ctrl.Result{}, nil
	}
	if left := o.missed(release); left > 0 {
		return ctrl.Result{RequeueAfter: left}, nil
	}
	return o.end(ctx, release)
}

func (o *orphans) found(release *v1alpha1.Release) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.since, release.UID)
}

// missed returns how much longer to wait for the Stack.
func (o *orphans) missed(release *v1alpha1.Release) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	since, known := o.since[release.UID]
	if !known {
		since = o.clock.Now()
		o.since[release.UID] = since
		o.events.Eventf(release, nil, corev1.EventTypeWarning, v1alpha1.ReasonStackMissing, "Wait",
			"%s; create it within %s", noStack(release), stackMissingFor)
	}
	return since.Add(stackMissingFor).Sub(o.clock.Now())
}

func (o *orphans) end(ctx context.Context, release *v1alpha1.Release) (ctrl.Result, error) {
	release.Status.Ended = &v1alpha1.ReleaseEnded{
		Outcome: v1alpha1.OutcomeFailed,
		Reason:  v1alpha1.ReasonStackMissing,
		Message: noStack(release) + "; create it, and release again",
		At:      metav1.NewTime(o.clock.Now()),
	}
	if err := o.client.Status().Update(ctx, release, client.FieldOwner(v1alpha1.ManagerStatus)); err != nil {
		return lostRace(err)
	}
	o.found(release)
	return ctrl.Result{}, nil
}

func noStack(r *v1alpha1.Release) string {
	return fmt.Sprintf("there is no Stack %s in namespace %s", r.Spec.Stack, r.Namespace)
}

func hasStack(ctx context.Context, reader client.Reader, r *v1alpha1.Release) (bool, error) {
	return exists(ctx, reader, &v1alpha1.Stack{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Spec.Stack}})
}

// exists reads the object of that name, if there is one.
func exists(ctx context.Context, reader client.Reader, o client.Object) (bool, error) {
	err := reader.Get(ctx, client.ObjectKeyFromObject(o), o)
	return err == nil, client.IgnoreNotFound(err)
}
