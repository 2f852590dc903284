package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Detour is how a person takes users back while the controller is not there to do it: one write for each entry. Workers stay
// where they are. The Decision that goes with it tells the controller, once it is back, to finish what was begun.
type Detour struct {
	// Slot that users go to.
	Slot string
	// Try is to be done before the first write; nil where there is one entry.
	Try *TryEntries
	// Writes in their order; none where every entry sends all users to the slot already.
	Writes []WriteEntry
}

// Direct returns how users get to where a rollback would take them (to the slot of release to, unless that is empty), or why
// they cannot be taken there by routes alone. It is a pure function of its arguments.
func Direct(s Snapshot, to string, now time.Time) (*Detour, *Problem) {
	p := newPlanner(s, now)
	if p.u.Route == nil || (p.u.LiveSlot == "" && p.u.ActiveSlot == "") {
		return nil, &Problem{Reason: v1alpha1.ReasonLiveUnknown, Message: "no slot is known to be live, so that there is none to go back to"}
	}
	p.catchUp()
	slot, problem := p.wayOut(to)
	if problem != nil {
		return nil, problem
	}
	d, problem := p.detour(slot)
	if problem == nil && len(d.Writes) == 0 && p.u.ActiveRelease != "" && p.unswitched() {
		return nil, &Problem{Reason: p.u.Step.Reason, Message: fmt.Sprintf(
			"users are on slot %s already; release %s is active and has moved nobody, and a rollback ends that one before it leaves %s, which takes the controller: kubectl lockstep doctor says what is wrong with it",
			slot, p.u.ActiveRelease, orFound(p.u.LiveRelease))}
	}
	return d, problem
}

// wayOut is the slot that a rollback goes to. Of a release that is not live yet nothing is asked of the live slot.
func (p *planner) wayOut(to string) (string, *Problem) {
	switch {
	case p.u.ActiveRelease == "":
		return p.keptFor(to)
	case p.at(v1alpha1.StepRollback), p.redeploys() && p.u.Route.Live == p.u.ActiveSlot:
		return p.u.ActiveSlot, p.fit(p.u.ActiveSlot)
	case p.redeploys():
		return "", &Problem{
			Reason:  v1alpha1.ReasonWaitingForSlot,
			Message: fmt.Sprintf("release %s, which goes back already, is not ready yet, and to deploy it takes the controller: leave --direct out", p.u.ActiveRelease),
		}
	}
	return p.u.LiveSlot, nil
}

func (p *planner) keptFor(to string) (string, *Problem) {
	kept := p.warmest()
	if to != "" {
		kept = p.warmWith(to)
	}
	if kept == nil {
		return "", &Problem{
			Reason:  v1alpha1.ReasonWaitingForSlot,
			Message: fmt.Sprintf("no slot keeps %s warm, so that its frozen content has to be deployed again, which takes the controller: leave --direct out", orPrevious(to)),
		}
	}
	return kept.Name, p.fit(kept.Name)
}

func orPrevious(release string) string {
	if release == "" {
		return "an earlier release"
	}
	return "release " + release
}

// fit is why users cannot be sent to a kept slot.
func (p *planner) fit(slot string) *Problem {
	s := p.slot(slot)
	if problem := p.unready(slot, p.release(s.Release)); problem != nil {
		return problem
	}
	if s.Replicas != nil && p.grow(s, p.release(s.Release)) != nil {
		namespace := p.facts(slot).Namespace
		return &Problem{Reason: v1alpha1.ReasonScaling, Message: fmt.Sprintf(
			"slot %s is kept at %d replicas of each member, too few for users; leave --direct out, or scale them up first: kubectl scale deployment,statefulset <name> -n %s --replicas=<n>",
			slot, *s.Replicas, namespace)}
	}
	return p.backendUnready(slot)
}

func (p *planner) detour(slot string) (*Detour, *Problem) {
	d := &Detour{Slot: slot}
	intent := v1alpha1.RouteIntent{Epoch: p.bump(), Live: slot}
	for _, e := range usersFirst(p.s.Entries) {
		if e.Problem != nil && !e.Testers {
			return nil, e.Problem
		}
		there := onlyTo(e, slot) && p.u.Route.Live == slot // else a write that is still under way has to fail
		if e.Problem == nil && (e.Testers || !there) {
			d.Writes = append(d.Writes, WriteEntry{Entry: e.Name, ResourceVersion: e.ResourceVersion, Intent: intent, Because: "users are taken back without the controller"})
		}
	}
	if !slices.ContainsFunc(d.Writes, func(w WriteEntry) bool { return !p.entry(w.Entry).Testers }) {
		d.Writes = nil
	}
	if p.users() > 1 && len(d.Writes) > 0 {
		back := v1alpha1.RouteIntent{Epoch: p.bump(), Live: p.u.Route.Live}
		d.Try = &TryEntries{There: intent, Back: back, Because: "users are about to be taken back through several entries"}
	}
	return d, nil
}

func (p *planner) entry(name string) *Entry {
	i := slices.IndexFunc(p.s.Entries, func(e Entry) bool { return e.Name == name })
	return &p.s.Entries[i]
}

// leaving is whether someone has said that the live release is to be left, so that what they did to the entries is the
// beginning of a rollback.
func (p *planner) leaving() bool {
	return slices.ContainsFunc(p.s.Decisions, func(d v1alpha1.Decision) bool {
		return d.Spec.Verb == v1alpha1.VerbRollback && d.Spec.Release == p.u.LiveRelease && d.Status.Result == "" && p.trust(&d) == nil
	})
}
