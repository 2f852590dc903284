package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// actionsAtOnce bounds how many actions of one plan are carried out at the same time.
const actionsAtOnce = 8

// carryOut does what the plan says, and reports whether anything may have been written. Actions are independent of each
// other: one that fails holds up none; but entries are written one after the other, and none after one that was not. They go
// before the rest, which users do not wait for.
func (r *reconciler) carryOut(ctx context.Context, seen *plan.Snapshot, next plan.Plan) (wrote bool, err error) {
	stack := client.ObjectKeyFromObject(&seen.Stack)
	r.runner.keep(stack, next.Actions)
	var g errgroup.Group
	g.SetLimit(actionsAtOnce)
	failed := make([]error, len(next.Actions))
	var entries []func() bool
	var rest []func()
	var events []plan.Event
	for i, action := range next.Actions {
		if event, ok := action.(plan.Event); ok {
			events = append(events, event)
			continue
		}
		log.FromContext(ctx).V(1).Info("carrying out", "verb", action.Verb(), "object", action.Object(), "why", action.Why())
		if longKey(action) != "" {
			r.runner.start(ctx, stack, action, func(ctx context.Context) ([]v1alpha1.Observation, error) {
				return r.applier.Do(ctx, seen, action)
			})
			continue
		}
		wrote = true
		if _, ok := action.(plan.WriteEntry); ok {
			entries = append(entries, func() (went bool) { went, failed[i] = r.do(ctx, seen, action); return went })
			continue
		}
		rest = append(rest, func() { _, failed[i] = r.do(ctx, seen, action) })
	}
	for _, write := range entries {
		if !write() {
			break
		}
	}
	for _, event := range events {
		r.tell(seen, event)
	}
	for _, do := range rest {
		g.Go(func() error { do(); return nil })
	}
	_ = g.Wait()
	return wrote, errors.Join(failed...)
}

// do carries out one action, keeps what came of it, and reports whether it went through. A conflict is no failure: someone
// has written meanwhile, and the next pass sees what.
func (r *reconciler) do(ctx context.Context, seen *plan.Snapshot, action plan.Action) (went bool, err error) {
	found, err := r.applier.Do(ctx, seen, action)
	r.inbox.put(client.ObjectKeyFromObject(&seen.Stack), "", found)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		log.FromContext(ctx).V(1).Info("someone else has written meanwhile", "verb", action.Verb(), "object", action.Object(), "error", err.Error())
		return false, nil
	}
	return err == nil && !slices.ContainsFunc(found, func(o v1alpha1.Observation) bool { return !o.OK }), err
}

// longKey names an action that takes long; empty for others. While one of a key runs, no second one is started.
func longKey(action plan.Action) string {
	switch a := action.(type) {
	case plan.RenderRelease:
		return fmt.Sprintf("%s/%s/%d", a.Verb(), a.Release.UID, a.Attempt)
	case plan.Preflight:
		return fmt.Sprintf("%s/%s/%s/%d", a.Verb(), a.Release.UID, a.Slot, a.Attempt)
	case plan.VerifyContent:
		return fmt.Sprintf("%s/%s/%s/%d", a.Verb(), a.Release.UID, a.Slot, a.Attempt)
	case plan.TryEntries:
		return fmt.Sprintf("%s/%s/%s/%d", a.Verb(), a.Release.UID, a.There.Live, a.Attempt)
	case plan.DialServices:
		return fmt.Sprintf("%s/%s/%s/%d", a.Verb(), a.Release.UID, a.Slot, a.Attempt)
	}
	return ""
}

// noteBytes is the API's bound of what an event says.
const noteBytes = 1024

func (r *reconciler) tell(seen *plan.Snapshot, event plan.Event) {
	kind := corev1.EventTypeNormal
	if event.Warning {
		kind = corev1.EventTypeWarning
	}
	note := event.Message
	if len(note) > noteBytes {
		note = note[:noteBytes-3] + "..."
	}
	doing := "Plan"
	if event.Waiting {
		doing = "Wait" // else what comes of it, for the same reason, would count as the same event
	}
	r.events.Eventf(&seen.Stack, activeRelease(seen), kind, event.Reason, doing, "%s", note)
}

// activeRelease is what the event concerns besides the Stack; nil where no release is active.
func activeRelease(seen *plan.Snapshot) runtime.Object {
	if len(seen.Stack.Status.Units) == 0 {
		return nil
	}
	for i := range seen.Releases {
		if seen.Releases[i].Name == seen.Stack.Status.Units[0].ActiveRelease {
			return &seen.Releases[i]
		}
	}
	return nil
}
