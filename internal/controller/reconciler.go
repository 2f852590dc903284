package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// Observer reads what the next plan depends on. A Stack that does not exist is a NotFound error.
type Observer interface {
	Observe(ctx context.Context, stack types.NamespacedName) (*plan.Snapshot, error)
}

// Applier carries out one action. What people must change comes back as Observations; what may pass by itself, as an
// error. Doing an action twice is doing it once.
type Applier interface {
	Do(ctx context.Context, s *plan.Snapshot, action plan.Action) ([]v1alpha1.Observation, error)
	// Forget drops what is remembered of a Stack that is gone.
	Forget(stack types.NamespacedName)
}

// again is when a pass follows upon one that lost a race: at once, but by way of the queue.
const again = time.Millisecond

// reconciler takes Stacks through their releases.
type reconciler struct {
	client   client.Client
	observer Observer
	applier  Applier
	events   events.EventRecorder
	clock    clock.PassiveClock
	next     func(plan.Snapshot, time.Time) plan.Plan
	// inbox holds what came of actions until a saved plan has seen it.
	inbox *inbox
	// runner carries out what takes long.
	runner *runner
	pace   *pace
	meter  *meter
	places *places
	// patience is with what is only told.
	patience *patience
}

// Reconcile makes one pass: it observes, plans, saves what is intended, and carries it out.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	stack := request.NamespacedName
	// Results are taken before the cluster is read, so that the Snapshot is never older than what they speak of.
	mail := r.inbox.read(stack)
	seen, err := r.observer.Observe(ctx, stack)
	if apierrors.IsNotFound(err) {
		r.forget(stack)
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("observing: %w", err)
	}
	seen.Results = mail.observations()
	next := r.next(*seen, r.clock.Now())
	was := seen.Stack.Status
	later := r.later(stack, was, next.Status)
	if !later.IsZero() {
		return r.goOn(ctx, seen, next, later)
	}
	saved, err := r.save(ctx, seen, next.Status)
	if err != nil {
		return lostRace(err)
	}
	r.meter.saw(transition{stack: stack, was: was, is: next.Status, releases: seen.Releases, at: r.clock.Now()})
	ctx = r.places.saw(ctx, stack, next.Status)
	// What the plan made of the results is on record now; those that it had no use for, nobody has.
	r.inbox.drop(stack, mail)
	wrote, err := r.carryOut(ctx, seen, next)
	if err != nil {
		return ctrl.Result{}, err
	}
	return r.rest(stack, next, saved || wrote), nil
}

// later is when a status has to be saved that only tells; the zero time where there is nothing to put off.
func (r *reconciler) later(stack types.NamespacedName, was, is v1alpha1.StackStatus) time.Time {
	if equality.Semantic.DeepEqual(was, is) || !plan.Telling(was, is) {
		return time.Time{}
	}
	return r.patience.until(stack, r.clock.Now())
}

// goOn carries out a plan whose status is saved later. The results that it was made of are kept until then; events would be
// told again by each pass, and are left to the one that saves.
func (r *reconciler) goOn(ctx context.Context, seen *plan.Snapshot, next plan.Plan, later time.Time) (ctrl.Result, error) {
	stack := client.ObjectKeyFromObject(&seen.Stack)
	r.meter.saw(transition{stack: stack, was: seen.Stack.Status, is: next.Status, releases: seen.Releases, at: r.clock.Now()})
	ctx = r.places.saw(ctx, stack, next.Status)
	seen.Stack.Status = next.Status
	next.Actions = slices.DeleteFunc(next.Actions, func(a plan.Action) bool { _, tells := a.(plan.Event); return tells })
	wrote, err := r.carryOut(ctx, seen, next)
	if err != nil {
		return ctrl.Result{}, err
	}
	if next.Wake.IsZero() || later.Before(next.Wake) {
		next.Wake = later
	}
	return r.rest(stack, next, wrote), nil
}

// save writes the status with the resourceVersion that the Stack was read with, and reports whether there was anything
// to write.
func (r *reconciler) save(ctx context.Context, seen *plan.Snapshot, next v1alpha1.StackStatus) (bool, error) {
	if equality.Semantic.DeepEqual(seen.Stack.Status, next) {
		return false, nil
	}
	stack := seen.Stack.DeepCopy()
	stack.Status = next
	stack.ManagedFields = nil // they are kept: the API server need not read what it wrote itself
	if err := r.client.Status().Update(ctx, stack, client.FieldOwner(v1alpha1.ManagerStatus)); err != nil {
		return false, fmt.Errorf("saving the status: %w", err)
	}
	seen.Stack.ResourceVersion, seen.Stack.Status = stack.ResourceVersion, next
	r.patience.save(client.ObjectKeyFromObject(stack), r.clock.Now())
	return true, nil
}

// lostRace: someone has written the Stack since it was read, perhaps another controller. What was planned is void.
func lostRace(err error) (ctrl.Result, error) {
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: again}, nil
	}
	return ctrl.Result{}, err
}

// rest says when to look again: soon after a write, which the next pass observes, and else when the plan says so.
func (r *reconciler) rest(stack types.NamespacedName, next plan.Plan, restless bool) ctrl.Result {
	if restless {
		return ctrl.Result{RequeueAfter: r.pace.next(stack, next.Actions)}
	}
	r.pace.forget(stack)
	if next.Wake.IsZero() {
		return ctrl.Result{}
	}
	return ctrl.Result{RequeueAfter: max(again, next.Wake.Sub(r.clock.Now()))}
}

func (r *reconciler) forget(stack types.NamespacedName) {
	r.runner.forget(stack)
	r.inbox.forget(stack)
	r.pace.forget(stack)
	r.meter.forget(stack)
	r.places.forget(stack)
	r.patience.forget(stack)
	r.applier.Forget(stack)
}
