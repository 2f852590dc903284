package controller

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// unheard refuses Decisions that no Stack is going to answer, because what they are about does not exist.
type unheard struct {
	// client reads from the cache.
	client client.Client
	// live reads from the API server, and never from a cache.
	live   client.Reader
	events events.EventRecorder
	clock  clock.PassiveClock
}

func newUnheard(mgr ctrl.Manager, o Options) *unheard {
	return &unheard{
		client: mgr.GetClient(),
		live:   mgr.GetAPIReader(),
		events: mgr.GetEventRecorder("lockstep-controller"),
		clock:  o.Clock,
	}
}

// Reconcile looks for what an open Decision is about: first in the cache, so that one that a Stack takes costs nothing.
func (u *unheard) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if _, missing, err := look(ctx, u.client, request.NamespacedName); missing == "" || err != nil {
		return ctrl.Result{}, err
	}
	decision, missing, err := look(ctx, u.live, request.NamespacedName)
	if missing == "" || err != nil {
		return ctrl.Result{}, err
	}
	return u.refuse(ctx, decision, missing)
}

// look reads a Decision, and says what does not exist of what it is about where it is open.
func look(ctx context.Context, reader client.Reader, key types.NamespacedName) (*v1alpha1.Decision, string, error) {
	decision := &v1alpha1.Decision{}
	if err := reader.Get(ctx, key, decision); err != nil {
		return nil, "", client.IgnoreNotFound(err)
	}
	if decision.Status.Result != "" {
		return decision, "", nil
	}
	missing, err := missingFor(ctx, reader, decision)
	return decision, missing, err
}

// missingFor says what does not exist of what a Decision is about; nothing where all of it does.
func missingFor(ctx context.Context, reader client.Reader, d *v1alpha1.Decision) (string, error) {
	release := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: d.Spec.Release}}
	switch there, err := exists(ctx, reader, release); {
	case err != nil:
		return "", fmt.Errorf("looking for the release of decision %s: %w", d.Name, err)
	case !there:
		return fmt.Sprintf("release %s with uid %s does not exist (any more); kubectl get releases -n %s lists those that do", d.Spec.Release, d.Spec.ReleaseUID, d.Namespace), nil
	}
	switch there, err := hasStack(ctx, reader, release); {
	case err != nil:
		return "", fmt.Errorf("looking for the stack of decision %s: %w", d.Name, err)
	case !there:
		return fmt.Sprintf("%s, which release %s is of; create it, and decide again", noStack(release), release.Name), nil
	}
	return "", nil
}

func (u *unheard) refuse(ctx context.Context, d *v1alpha1.Decision, why string) (ctrl.Result, error) {
	at := metav1.NewTime(u.clock.Now())
	d.Status = v1alpha1.DecisionStatus{Result: v1alpha1.DecisionRefused, Message: why, At: &at}
	if err := u.client.Status().Update(ctx, d, client.FieldOwner(v1alpha1.ManagerStatus)); err != nil {
		return lostRace(err)
	}
	u.events.Eventf(d, nil, corev1.EventTypeWarning, v1alpha1.ReasonDecisionRefused, "Decide", "%s", why)
	return ctrl.Result{}, nil
}
