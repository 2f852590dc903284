package plan_test

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/testkit/world"
)

// settled is what is not as it must be once nothing happens any more: a release that is stuck, a Decision that nobody
// answers, users who are not where they should be.
func settled(w *world.World) error {
	u := unitOf(w)
	if u.ActiveRelease != "" && u.Step.Kind != v1alpha1.StepHold && !atRest[u.Step.Reason] {
		return fmt.Errorf("release %s is stuck at %s: %s: %s", u.ActiveRelease, u.Step.Kind, u.Step.Reason, u.Step.WaitingFor)
	}
	for _, r := range w.Releases {
		if r.Status.Ended == nil && u.ActiveRelease == "" {
			return fmt.Errorf("release %s never started", r.Name)
		}
	}
	for _, d := range w.Decisions {
		if d.Status.Result == "" && w.Release(d.Spec.Release) != nil {
			return fmt.Errorf("decision %s was never answered", d.Name)
		}
	}
	return usersAreOnLive(w)
}

func usersAreOnLive(w *world.World) error {
	u := unitOf(w)
	if u.Step != nil && u.Step.Kind != v1alpha1.StepHold {
		return nil
	}
	for _, r := range w.Routes {
		if u.LiveSlot != "" && !r.Testers && (!r.Sends(u.LiveSlot) || len(r.Weights) != 1) {
			return fmt.Errorf("route %s sends users to %v, and live is %s", r.Entry, r.Weights, u.LiveSlot)
		}
	}
	live := w.Release(u.LiveRelease)
	byHand := slices.ContainsFunc(w.Routes, func(r *world.Route) bool { return !r.Testers && r.MovedBy != "lockstep" })
	if live == nil || !w.Namespace(u.LiveSlot).Exists || byHand {
		return nil
	}
	if problem := w.Whole(u.LiveSlot, u.LiveRelease); problem != "" && !w.Namespace(u.LiveSlot).Hurt {
		return fmt.Errorf("the live slot %s is not whole: %s", u.LiveSlot, problem)
	}
	if x := w.Namespace(u.LiveSlot).Workload("mailer"); x == nil || x.Replicas == 0 {
		return fmt.Errorf("worker mailer does not run in the live slot %s", u.LiveSlot)
	}
	return nil
}

// settledAmongHands is the same where nobody repairs what someone has changed by hand: what only people can end, and is
// said to them, may stand.
func settledAmongHands(w *world.World) error {
	u := unitOf(w)
	if waiting := u.Step != nil && needsPeople[u.Step.Reason]; waiting || slotNeedsPeople(w) || saysToPeople(w) {
		return nil
	}
	return settled(w)
}

// saysToPeople is whether a condition says that someone has to put something right.
func saysToPeople(w *world.World) bool {
	return slices.ContainsFunc(w.Stack.Status.Conditions, func(c metav1.Condition) bool { return needsPeople[c.Reason] })
}

func slotNeedsPeople(w *world.World) bool {
	return slices.ContainsFunc(w.Stack.Status.Slots, func(s v1alpha1.SlotStatus) bool { return needsPeople[s.Reason] })
}

func unitOf(w *world.World) v1alpha1.UnitStatus {
	if len(w.Stack.Status.Units) == 0 {
		return v1alpha1.UnitStatus{}
	}
	return w.Stack.Status.Units[0]
}

// atRest are what a release may wait for when nobody does anything any more.
var atRest = map[string]bool{
	v1alpha1.ReasonWorkerNotReady: true,
}

// waitsForPeople is whether a step goes on only once people have done something. Without a backend it ends at its deadline.
func waitsForPeople(step *v1alpha1.StepStatus) bool {
	return needsPeople[step.Reason] && step.Reason != v1alpha1.ReasonBackendMissing
}

// needsPeople are what only people can end.
var needsPeople = map[string]bool{
	v1alpha1.ReasonEntryEdited:  true,
	v1alpha1.ReasonEntryMissing: true,
	v1alpha1.ReasonLiveUnknown:  true,
	v1alpha1.ReasonSlotNotEmpty: true,
	// of an entry that stays where it is because the live slot has nothing for it
	v1alpha1.ReasonBackendMissing: true,
}
