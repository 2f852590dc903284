package plan_test

import (
	"fmt"
	"slices"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/testkit/world"
)

// Promise 5: whoever first sees an abort of the active release takes it up, whatever the step, and means users and testers
// to go back, without asking anything of the new slot.
func abortGoesBackAtOnce(w *world.World, e *world.Write) error {
	if e.StatusAfter == nil || len(e.StatusBefore.Units) == 0 {
		return nil
	}
	was, is := e.StatusBefore.Units[0], e.StatusAfter.Units[0]
	if aborts := is.Step != nil && is.Step.Kind == v1alpha1.StepAbort; aborts && (is.Route.Live != is.LiveSlot || is.Route.Preview != "") {
		return fmt.Errorf("promise 5: release %s is taken back from slot %s, and the entries are meant to send users to %q and testers to %q",
			is.ActiveRelease, is.ActiveSlot, is.Route.Live, is.Route.Preview)
	}
	if is.Step != nil && is.Step.Kind == v1alpha1.StepAbort && ofNewSlot[is.Step.Reason] {
		return fmt.Errorf("promise 5: release %s is taken back, and waits for a slot to be fit for users: %s: %s", is.ActiveRelease, is.Step.Reason, is.Step.WaitingFor)
	}
	for _, answered := range is.Decisions {
		if answered.UID != "" && abortsActive(w, answered, was) && (answered.Result != v1alpha1.DecisionAccepted || goesOn(was, is)) {
			return fmt.Errorf("promise 5: abort %s of release %s is %s at %s, and the release goes on", answered.Name, was.ActiveRelease, answered.Result, was.Step.Kind)
		}
	}
	return nil
}

// ofNewSlot are what only those wait for who send users to a slot that they are not on.
var ofNewSlot = map[string]bool{
	v1alpha1.ReasonMemberNotReady: true, v1alpha1.ReasonNoEndpoints: true, v1alpha1.ReasonBackendMissing: true, v1alpha1.ReasonScaling: true,
}

// abortsActive is whether an answer that is new is that to an abort of the release that was active and had not begun its
// way back.
func abortsActive(w *world.World, answered v1alpha1.DecisionRecord, was v1alpha1.UnitStatus) bool {
	old := slices.ContainsFunc(was.Decisions, func(d v1alpha1.DecisionRecord) bool { return d.UID == answered.UID })
	r := w.Release(was.ActiveRelease)
	return !old && r != nil && was.Step.Kind != v1alpha1.StepAbort && was.Step.Kind != v1alpha1.StepRollback &&
		slices.ContainsFunc(w.Decisions, func(d *v1alpha1.Decision) bool {
			return d.UID == answered.UID && d.Spec.Verb == v1alpha1.VerbAbort && d.Spec.ReleaseUID == string(r.UID)
		})
}

func goesOn(was, is v1alpha1.UnitStatus) bool {
	return is.ActiveRelease == was.ActiveRelease && is.Step.Kind != v1alpha1.StepAbort
}

// Promise 5: what is meant once is one write per entry, so that an abort is.
func intentIsWrittenOnce(_ *world.World, e *world.Write) error {
	if e.RouteBefore != nil && e.RouteBefore.Exists && e.RouteBefore.Epoch == e.RouteAfter.Epoch {
		return fmt.Errorf("promise 5: entry %s is written twice at epoch %d", e.RouteAfter.Entry, e.RouteAfter.Epoch)
	}
	return nil
}
