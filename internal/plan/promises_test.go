package plan_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/testkit/world"
)

// watcher looks after every event whether what Lockstep promises still holds. What holds each promise (those that are
// about a write look at it as it is made, the others at every state):
//
//  1. requestsMeetOneRelease, servicesSelectOneRelease, slotIsEmptyBeforeUse, entriesAreWrittenInOrder,
//     entriesAreTriedFirst, windowIsMeasured
//  2. usersAreSentToReadySlots, requestsDoNotFail
//  3. liveSlotIsUntouched, oldSlotIsScaledDownLast, and workersRunInOneSlot for what is handed over
//  4. oneReleaseIsActive, activeReleaseHasItsTurn, supersededNeverMetUsers
//  5. abortGoesBackAtOnce, intentIsWrittenOnce; that it comes to its end is settled's
//  6. noStalePromoteMovesUsers, decisionsAreAnsweredOnce, answersAreKept
//  7. epochsOnlyGrow; and all of these while processes die, are late and run twice, which is up to who drives the world
//  8. onlyOwnedIsWritten, waitingIsSaid
type watcher struct {
	w    *world.World
	seen int
	// met are releases that Lockstep has sent users to.
	met   map[string]bool
	stack types.UID
	// answered counts the answers of each Decision, and recorded is what was first said of it.
	answered map[string]int
	recorded map[types.UID]v1alpha1.DecisionResult
	// workersExcused is whether someone has deleted what made the Pod of a worker that was only found: it bears no label, and
	// nothing tells any more that it is one.
	workersExcused bool
}

func newWatcher(w *world.World) *watcher {
	return &watcher{w: w, met: map[string]bool{}, answered: map[string]int{}, recorded: map[types.UID]v1alpha1.DecisionResult{}}
}

// fork is a watcher of a fork of the world, whose log is empty. The two share their maps, which are replaced and not changed.
func (c *watcher) fork(w *world.World) *watcher {
	f := *c
	f.w, f.seen = w, 0
	return &f
}

// check returns the first promise that is broken.
func (c *watcher) check() error {
	for ; c.seen < len(c.w.Log); c.seen++ {
		e := &c.w.Log[c.seen]
		for _, promise := range []func(*world.World, *world.Write) error{
			usersAreSentToReadySlots, slotIsEmptyBeforeUse, liveSlotIsUntouched, oldSlotIsScaledDownLast, onlyOwnedIsWritten,
			entriesAreWrittenInOrder, entriesAreTriedFirst, windowIsMeasured,
			abortGoesBackAtOnce, intentIsWrittenOnce, epochsOnlyGrow, oneReleaseIsActive, noStalePromoteMovesUsers, waitingIsSaid, c.supersededNeverMetUsers, c.decisionsAreAnsweredOnce, c.answersAreKept,
		} {
			if err := promise(c.w, e); err != nil {
				return fmt.Errorf("%s: %w", describe(e), err)
			}
		}
	}
	c.w.Mark()
	for _, promise := range []func(*world.World) error{requestsMeetOneRelease, requestsDoNotFail, servicesSelectOneRelease, c.workersRunInOneSlot, activeReleaseHasItsTurn} {
		if err := promise(c.w); err != nil {
			return err
		}
	}
	return nil
}

func describe(e *world.Write) string {
	if e.Action == nil {
		return e.Who + " saved the status"
	}
	return fmt.Sprintf("%s: %s %s (%s)", e.Who, e.Action.Verb(), e.Action.Object(), e.Action.Why())
}

// Promise 1.
func requestsMeetOneRelease(w *world.World) error {
	for _, v := range w.Visits() {
		if len(v.Releases) > 1 {
			return fmt.Errorf("promise 1: a request meets a mix of releases: %s", v)
		}
	}
	return nil
}

// Promise 1.
func servicesSelectOneRelease(w *world.World) error {
	for _, n := range w.Namespaces {
		for _, s := range n.Services {
			if found := n.Selected(s); len(found) > 1 {
				return fmt.Errorf("promise 1: Service %s/%s selects Pods of %v", n.Name, s.Name, found)
			}
		}
	}
	return nil
}

// Promise 1: a slot is proven empty of its former release, terminating Pods included, before it is used again.
func slotIsEmptyBeforeUse(w *world.World, e *world.Write) error {
	var slot, release string
	switch a := e.Action.(type) {
	case plan.ApplyBase:
		slot, release = a.Slot, a.Release.Name
	case plan.ApplyMember:
		slot, release = a.Slot, a.Release.Name
	}
	if slot == "" || e.Effect != world.Written || e.Disturbed {
		return nil
	}
	for _, p := range w.Namespace(slot).Pods {
		if p.Release != release && (p.Release != "" || isMember(w.Release(release), p.Member)) {
			return fmt.Errorf("promise 1: slot %s is used while Pod %s of %q is there", slot, p.Name, p.Release)
		}
	}
	return nil
}

func isMember(r *v1alpha1.Release, name string) bool {
	return r != nil && r.Status.Started != nil &&
		slices.ContainsFunc(r.Status.Started.Members, func(m v1alpha1.ReleaseMember) bool { return m.Name == name })
}

// Promise 2: whenever a route first points users at a slot, everything that they can reach there is ready.
func usersAreSentToReadySlots(w *world.World, e *world.Write) error {
	if e.RouteAfter == nil || e.RouteAfter.MovedBy != "lockstep" {
		return nil
	}
	for _, weight := range e.RouteAfter.Weights {
		release := held(w, weight.Slot)
		if e.RouteBefore.Sends(weight.Slot) || release == "" {
			continue
		}
		problem := seenUnready(e.Saw, weight.Slot, release)
		if problem != "" && e.Saw.Stack.Status.Units[0].LiveSlot == weight.Slot {
			continue // the way back needs nothing
		}
		if problem != "" {
			return fmt.Errorf("promise 2: users are sent to slot %s with %s, where it was seen that %s", weight.Slot, release, problem)
		}
		if problem := w.Whole(weight.Slot, release); problem != "" && !e.Disturbed && !w.Namespace(weight.Slot).Hurt {
			return fmt.Errorf("promise 2: users are sent to slot %s with %s, where %s", weight.Slot, release, problem)
		}
	}
	return nil
}

// seenUnready is what the writer has seen not to be ready in a slot that users were not on before.
func seenUnready(saw *plan.Snapshot, slot, release string) string {
	i := slices.IndexFunc(saw.Slots, func(s plan.Slot) bool { return s.Name == slot })
	j := slices.IndexFunc(saw.Releases, func(r v1alpha1.Release) bool { return r.Name == release })
	if j < 0 || saw.Releases[j].Status.Started == nil {
		return "" // someone has deleted the Release under way, and nobody knows any more what it needs
	}
	for _, m := range saw.Releases[j].Status.Started.Members {
		if m.Role != v1alpha1.RoleWorker && !ready(saw.Slots[i], m, release) {
			return "member " + m.Name + " is not ready"
		}
	}
	return ""
}

func ready(s plan.Slot, m v1alpha1.ReleaseMember, release string) bool {
	rolledOut := slices.ContainsFunc(s.Workloads, func(w plan.Workload) bool { return w.Name == m.Name && w.Release == release && w.Ready })
	served := slices.ContainsFunc(s.Services, func(x plan.Service) bool { return x.Name == m.Name && x.Release == release && x.Endpoints > 0 })
	return rolledOut && served
}

// held is the release that a slot holds, as far as is on record.
func held(w *world.World, slot string) string {
	for _, s := range w.Stack.Status.Slots {
		if s.Name == slot {
			return s.Release
		}
	}
	return ""
}

// Promise 2: a request never fails because of Lockstep.
func requestsDoNotFail(w *world.World) error {
	for _, v := range w.Visits() {
		if v.Failed != "" && !v.Excused && held(w, v.Slot) != "" { // what was found is as its team has left it
			return fmt.Errorf("promise 2: a request fails: %s", v)
		}
	}
	return nil
}

func servesUsers(w *world.World, name string) bool {
	for _, r := range w.Releases {
		if r.Status.Started == nil {
			continue
		}
		for _, m := range r.Status.Started.Members {
			if m.Name == name && m.Role == v1alpha1.RoleWorker {
				return false
			}
		}
	}
	return true
}

// reached is whether any gateway replica sends users to the slot now, as Lockstep wrote the route.
func reached(w *world.World, slot string) bool {
	for _, g := range w.Gateways {
		for _, r := range g.Routes {
			if r.Sends(slot) && r.MovedBy == "lockstep" {
				return true
			}
		}
	}
	return false
}

// moves is whether Lockstep has sent users to a slot by this write that they are not on yet.
func moves(e *world.Write) (plan.WriteEntry, bool) {
	a, ok := e.Action.(plan.WriteEntry)
	if !ok || e.RouteAfter == nil || e.RouteAfter.Testers || len(e.Saw.Stack.Spec.Entries) < 2 {
		return a, false
	}
	u := e.Saw.Stack.Status.Units[0]
	return a, u.LiveSlot != "" && a.Intent.Live != u.LiveSlot
}

// Promise 1: with several entries users are moved in the team's order. One that has moved already may be marked anew later.
func entriesAreWrittenInOrder(w *world.World, e *world.Write) error {
	a, forward := moves(e)
	if !forward {
		return nil
	}
	for i, spec := range w.Stack.Spec.Entries {
		if spec.Name == a.Entry {
			return nil
		}
		moved := func(r *world.Route) bool { return len(r.Weights) == 1 && r.Sends(a.Intent.Live) }
		if r := w.Routes[i]; r.Epoch < a.Intent.Epoch && !moved(r) && !e.Disturbed {
			return fmt.Errorf("promise 1: entry %s is written at epoch %d before entry %s, which is at %d", a.Entry, a.Intent.Epoch, spec.Name, r.Epoch)
		}
	}
	return nil
}

// Promise 1: before the first of several entries is written, all of them and their inverses were tried.
func entriesAreTriedFirst(_ *world.World, e *world.Write) error {
	a, forward := moves(e)
	if !forward {
		return nil
	}
	u := e.Saw.Stack.Status.Units[0]
	switching := u.Step != nil && (u.Step.Kind == v1alpha1.StepSwitch || u.Step.Kind == v1alpha1.StepRollback)
	if !switching || !slices.ContainsFunc(e.Saw.Releases, func(r v1alpha1.Release) bool { return r.Name == u.ActiveRelease }) {
		return nil // someone has deleted the Release under way
	}
	if !slices.ContainsFunc(u.Observations, func(o v1alpha1.Observation) bool { return o.Key == "entries" && o.OK }) {
		return fmt.Errorf("promise 1: entry %s is written at epoch %d, and it was not tried whether all of them can be", a.Entry, a.Intent.Epoch)
	}
	return nil
}

// Promise 1: once a switch of several entries is over, it is said how far apart they were.
func windowIsMeasured(w *world.World, e *world.Write) error {
	if e.StatusAfter == nil || len(e.StatusBefore.Units) == 0 {
		return nil
	}
	was, is := e.StatusBefore.Units[0], e.StatusAfter.Units[0]
	if len(w.Stack.Spec.Entries) < 2 || was.LiveSlot == "" || was.LiveSlot == is.LiveSlot || was.Step == nil || is.Step != nil {
		return nil
	}
	if is.Window == nil || is.Window.Live != is.LiveSlot || is.Window.Milliseconds == nil {
		return fmt.Errorf("promise 1: users were moved to slot %s through %d entries, and the window is %+v", is.LiveSlot, len(is.Entries), is.Window)
	}
	return nil
}

// Promise 3: a release never changes the live slot.
func liveSlotIsUntouched(w *world.World, e *world.Write) error {
	before, after := e.WorkloadBefore, e.WorkloadAfter
	slot := slotOf(e.Action)
	if before == nil || e.Disturbed || !servesUsers(w, before.Name) || before.Replicas == 0 || !reached(w, slot) {
		return nil
	}
	if before.Release != after.Release || after.Replicas < before.Replicas {
		return fmt.Errorf("promise 3: %s in slot %s, which users are on, goes from %s ×%d to %s ×%d",
			before.Name, slot, before.Release, before.Replicas, after.Release, after.Replicas)
	}
	return nil
}

func slotOf(a plan.Action) string {
	switch a := a.(type) {
	case plan.Scale:
		return a.Slot
	case plan.ApplyMember:
		return a.Slot
	}
	return ""
}

// Promise 3: the old slot is scaled down only after its drainTimeout.
func oldSlotIsScaledDownLast(w *world.World, e *world.Write) error {
	before, after := e.WorkloadBefore, e.WorkloadAfter
	if before == nil || e.Disturbed || after.Replicas >= before.Replicas || !servesUsers(w, before.Name) {
		return nil
	}
	left := w.Reached(slotOf(e.Action))
	if timeout := w.Stack.Spec.Sessions.DrainTimeout.Duration; !left.IsZero() && w.Now.Sub(left) < timeout {
		return fmt.Errorf("promise 3: %s in slot %s is scaled down %s after users could reach it, and not after %s",
			before.Name, slotOf(e.Action), w.Now.Sub(left).Round(time.Second), timeout)
	}
	return nil
}

// Promise 4: a release leaves the stage only when it has ended.
func oneReleaseIsActive(w *world.World, e *world.Write) error {
	if e.StatusAfter == nil || len(e.StatusBefore.Units) == 0 {
		return nil
	}
	was, is := e.StatusBefore.Units[0].ActiveRelease, e.StatusAfter.Units[0].ActiveRelease
	if was == "" || was == is {
		return nil
	}
	if r := w.Release(was); r != nil && r.Status.Ended == nil {
		return fmt.Errorf("promise 4: release %s gives way to %q and has not ended", was, is)
	}
	return nil
}

// Promise 4: a release is active only while its Stack has the turn in the queue group. Rollbacks do not wait for it.
func activeReleaseHasItsTurn(w *world.World) error {
	if w.Stack.Spec.Queue.Group == "" || len(w.Stack.Status.Units) == 0 {
		return nil
	}
	u := w.Stack.Status.Units[0]
	r := w.Release(u.ActiveRelease)
	if r == nil || r.Spec.RollbackOf != "" || u.Step.Kind == v1alpha1.StepRollback || w.Lease.Mine() && w.Lease.Release == r.UID {
		return nil
	}
	return fmt.Errorf("promise 4: release %s is active, and %q has the turn", r.Name, w.Lease.Holder)
}

// with is the map with the value in it.
func with[K, V comparable](m map[K]V, key K, value V) map[K]V {
	if was, has := m[key]; has && was == value {
		return m
	}
	m = maps.Clone(m)
	m[key] = value
	return m
}

// Promise 4: nothing supersedes a release past its switch.
func (c *watcher) supersededNeverMetUsers(w *world.World, e *world.Write) error {
	if c.stack != w.Stack.UID {
		c.stack = w.Stack.UID
		c.met = map[string]bool{} // whoever made the Stack again has thrown away what was known
	}
	if e.RouteAfter != nil {
		for _, weight := range e.RouteAfter.Weights {
			c.met = with(c.met, held(w, weight.Slot), true)
		}
	}
	if a, ok := e.Action.(plan.EndRelease); ok && e.Effect == world.Written && a.Ended.Outcome == v1alpha1.OutcomeSuperseded && c.met[a.Release.Name] {
		return fmt.Errorf("promise 4: release %s is superseded after users met it", a.Release.Name)
	}
	return nil
}

// Promise 6: users are moved past a hold only by a promote of this very attempt.
func noStalePromoteMovesUsers(w *world.World, e *world.Write) error {
	if e.StatusAfter == nil {
		return nil
	}
	u := e.StatusAfter.Units[0]
	if u.Step == nil || u.Step.Kind != v1alpha1.StepSwitch || wasSwitching(e.StatusBefore, u.ActiveRelease) {
		return nil
	}
	r := w.Release(u.ActiveRelease)
	if r == nil || !holds(r.Status.Started.Steps) {
		return nil
	}
	for _, d := range w.Decisions {
		if d.Spec.Verb == v1alpha1.VerbPromote && d.Spec.ReleaseUID == string(r.UID) && d.Spec.Step == v1alpha1.StepHold &&
			d.Spec.Attempt == u.Step.Attempt && d.Spec.Digest == r.Status.Started.Digest {
			return nil
		}
	}
	return fmt.Errorf("promise 6: release %s goes past its hold (attempt %d), and nobody said so", r.Name, u.Step.Attempt)
}

func wasSwitching(s *v1alpha1.StackStatus, release string) bool {
	return len(s.Units) > 0 && s.Units[0].ActiveRelease == release && s.Units[0].Step.Kind == v1alpha1.StepSwitch
}

func holds(steps []v1alpha1.Step) bool {
	return slices.ContainsFunc(steps, func(s v1alpha1.Step) bool { return s.Kind == v1alpha1.StepHold })
}

// Promise 6: a Decision that was answered is not answered again, nor otherwise.
func (c *watcher) decisionsAreAnsweredOnce(_ *world.World, e *world.Write) error {
	a, ok := e.Action.(plan.AnswerDecision)
	if !ok || e.Effect != world.Written {
		return nil
	}
	if c.answered = with(c.answered, a.Name, c.answered[a.Name]+1); c.answered[a.Name] > 1 {
		return fmt.Errorf("promise 6: decision %s is answered again", a.Name)
	}
	return nil
}

// Promise 6: what was said of a Decision stands, whoever gets to write it down.
func (c *watcher) answersAreKept(_ *world.World, e *world.Write) error {
	if e.StatusAfter != nil && len(e.StatusAfter.Units) > 0 {
		for _, d := range e.StatusAfter.Units[0].Decisions {
			if was, known := c.recorded[d.UID]; known && was != d.Result {
				return fmt.Errorf("promise 6: decision %s was %s, and is %s now", d.Name, was, d.Result)
			}
			c.recorded = with(c.recorded, d.UID, d.Result)
		}
	}
	a, ok := e.Action.(plan.AnswerDecision)
	if was, known := c.recorded[a.UID]; ok && known && e.Effect == world.Written && was != a.Result {
		return fmt.Errorf("promise 6: decision %s was %s, and is answered %s", a.Name, was, a.Result)
	}
	return nil
}

// Promise 7: what fences late writes never goes back.
func epochsOnlyGrow(_ *world.World, e *world.Write) error {
	if e.RouteBefore != nil && e.RouteAfter.Epoch < e.RouteBefore.Epoch {
		return fmt.Errorf("promise 7: the epoch of entry %s goes back from %d to %d", e.RouteAfter.Entry, e.RouteBefore.Epoch, e.RouteAfter.Epoch)
	}
	if e.WorkloadBefore != nil && e.WorkloadAfter.Epoch < e.WorkloadBefore.Epoch {
		return fmt.Errorf("promise 7: the epoch of %s goes back from %d to %d", e.WorkloadAfter.Name, e.WorkloadBefore.Epoch, e.WorkloadAfter.Epoch)
	}
	return nil
}

// Promise 8: what is not Lockstep's is written only in a namespace that has consented.
func onlyOwnedIsWritten(w *world.World, e *world.Write) error {
	if e.WorkloadAfter == nil {
		return nil
	}
	if n := w.Namespace(slotOf(e.Action)); !n.Consented {
		return fmt.Errorf("promise 8: %s is written in namespace %s, which has not consented", e.WorkloadAfter.Name, n.Name)
	}
	return nil
}

// Promise 8: who waits says what for, and since when.
func waitingIsSaid(_ *world.World, e *world.Write) error {
	if e.StatusAfter == nil {
		return nil
	}
	u := e.StatusAfter.Units[0]
	if u.ActiveRelease != "" && (u.Step.Reason == "" || u.Step.WaitingFor == "" || u.Step.WaitingSince == nil) {
		return fmt.Errorf("promise 8: release %s waits at %s and does not say what for", u.ActiveRelease, u.Step.Kind)
	}
	for _, s := range e.StatusAfter.Slots {
		if s.State != v1alpha1.SlotDraining && s.State != v1alpha1.SlotRetiring || s.Name == u.ActiveSlot {
			continue
		}
		if s.Reason == "" || s.Message == "" {
			return fmt.Errorf("promise 8: slot %s is %s and does not say what it waits for", s.Name, s.State)
		}
	}
	return conditionsAreSaid(e.StatusAfter)
}

func conditionsAreSaid(s *v1alpha1.StackStatus) error {
	if len(s.Conditions) == 0 {
		return errors.New("promise 8: no condition is set")
	}
	for _, c := range s.Conditions {
		if c.Reason == "" || c.Message == "" {
			return fmt.Errorf("promise 8: condition %s has no reason or message", c.Type)
		}
	}
	return nil
}

// Workers run in one slot at a time.
func (c *watcher) workersRunInOneSlot(w *world.World) error {
	if c.workersExcused {
		return nil
	}
	for _, worker := range []string{"mailer", "report"} {
		if slots := w.WorkerSlots(worker); len(slots) > 1 {
			return fmt.Errorf("worker %s runs in slots %v at once", worker, slots)
		}
	}
	return nil
}
