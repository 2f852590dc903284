package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// queue chooses the active release: one at a time, rollbacks first, then in order of creation.
func (p *planner) queue() bool {
	p.vouch()
	pending := p.pending()
	if len(pending) == 0 {
		return true
	}
	if p.s.Stack.Spec.Queue.Policy == v1alpha1.QueueSupersede {
		pending = p.supersede(pending)
	}
	if len(pending) == 0 {
		return true
	}
	if p.u.ActiveRelease != "" {
		p.preempt(pending[0])
		return true
	}
	p.start(pending[0])
	return true
}

// start begins a release, where nothing keeps it from it.
func (p *planner) start(r *v1alpha1.Release) {
	if p.suspends(r) {
		return
	}
	if p.held = p.cannotStart(); p.held != nil {
		return
	}
	if p.queued = p.awaitTurn(r); p.queued == nil {
		p.begin(r)
	}
}

func (p *planner) suspended() bool { return p.s.Stack.Spec.Suspend }

// suspends is whether spec.suspend keeps the release from starting.
func (p *planner) suspends(r *v1alpha1.Release) bool { return p.suspended() && r.Spec.RollbackOf == "" }

// couldStart is whether a release would start, and not fail at once, if none were active.
func (p *planner) couldStart(r *v1alpha1.Release) bool {
	return !p.suspends(r) && p.cannotStart() == nil && p.slotRefused(r) == nil
}

func (p *planner) pending() []*v1alpha1.Release {
	var pending []*v1alpha1.Release
	for i := range p.s.Releases {
		r := &p.s.Releases[i]
		if r.Status.Ended == nil && r.DeletionTimestamp == nil && r.Name != p.u.ActiveRelease && r.Name != p.u.LiveRelease && !p.ending(r) {
			pending = append(pending, r)
		}
	}
	slices.SortFunc(pending, func(a, b *v1alpha1.Release) int {
		return cmp.Or(rank(a)-rank(b), older(a, b))
	})
	return pending
}

// vouch ends pending rollbacks that are nobody's decision: to make one is to decide, because it goes before the queue, and
// does not hold.
func (p *planner) vouch() {
	for _, r := range p.pending() {
		if message := p.undecided(r); message != "" {
			p.event(true, v1alpha1.ReasonDecisionRefused, "release "+r.Name+": "+message)
			p.end(r, v1alpha1.OutcomeFailed, v1alpha1.ReasonDecisionRefused, message)
		}
	}
}

// undecided is why a rollback does not count; empty where it does, and for every other release.
func (p *planner) undecided(r *v1alpha1.Release) string {
	if r.Spec.RollbackOf == "" {
		return ""
	}
	if message := p.unvouched(r.CreationTimestamp.Time); message != "" {
		return message
	}
	if of := p.release(r.Spec.RollbackOf); of != nil && of.Name != p.u.LiveRelease && !WasServed(of) {
		return neverServed(of)
	}
	return ""
}

func rank(r *v1alpha1.Release) int {
	if r.Spec.RollbackOf != "" {
		return 0
	}
	return 1
}

// ending is whether this very plan ends the release.
func (p *planner) ending(r *v1alpha1.Release) bool {
	for _, a := range p.actions {
		if end, ok := a.(EndRelease); ok && end.Release.UID == r.UID {
			return true
		}
	}
	return false
}

// supersede ends every pending release that is older than another one, the active one included; rollbacks are never
// superseded.
func (p *planner) supersede(pending []*v1alpha1.Release) []*v1alpha1.Release {
	newest := pending[len(pending)-1]
	if active := p.activeRelease(); active != nil && active.Spec.RollbackOf == "" && newer(active, newest) {
		newest = active
	}
	var kept []*v1alpha1.Release
	for _, r := range pending {
		if r == newest || r.Spec.RollbackOf != "" {
			kept = append(kept, r)
			continue
		}
		p.end(r, v1alpha1.OutcomeSuperseded, v1alpha1.ReasonSuperseded, "release "+newest.Name+" is newer")
	}
	return kept
}

func newer(a, b *v1alpha1.Release) bool { return older(a, b) > 0 }

// older orders releases by when they were made; by name, of those made in the same second.
func older(a, b *v1alpha1.Release) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
}

// preempt ends an active release that has not begun to move users, where a newer one or a rollback may take its place.
func (p *planner) preempt(next *v1alpha1.Release) {
	active := p.activeRelease()
	supersedes := p.s.Stack.Spec.Queue.Policy == v1alpha1.QueueSupersede || next.Spec.RollbackOf != ""
	if active == nil || active.Spec.RollbackOf != "" || !supersedes || !p.unswitched() || !p.couldStart(next) {
		return
	}
	p.back(v1alpha1.OutcomeSuperseded, v1alpha1.ReasonSuperseded, "release "+next.Name+" takes its place")
}

// unswitched is whether the active release has not begun to move users.
func (p *planner) unswitched() bool {
	switch p.u.Step.Kind {
	case v1alpha1.StepRender, v1alpha1.StepDeploy, v1alpha1.StepCheck, v1alpha1.StepHold:
		return true
	default:
		return false
	}
}

// cannotStart is why no release may start though none is active.
func (p *planner) cannotStart() *Problem {
	if p.stalled != nil {
		return p.stalled
	}
	for i := range p.s.Entries {
		e := &p.s.Entries[i]
		if e.Problem != nil && e.Problem.Reason == v1alpha1.ReasonEntryClaimed {
			return e.Problem
		}
		if p.u.LiveSlot != "" && e.Exists && !e.Testers && !onlyTo(e, p.u.LiveSlot) && p.homeless(e) == nil {
			return &Problem{
				Reason:  v1alpha1.ReasonEntryEdited,
				Message: fmt.Sprintf("entry %s sends users to %s, and not to the live slot %s%s; put the route back, or roll back, and the release starts", e.Name, weights(e), p.u.LiveSlot, by(e)),
			}
		}
	}
	return nil
}

func onlyTo(e *Entry, slot string) bool {
	return len(e.Weights) == 1 && e.Weights[0].Slot == slot
}

func weights(e *Entry) string {
	if len(e.Weights) == 0 {
		return "no slot"
	}
	var parts []string
	for _, w := range e.Weights {
		parts = append(parts, fmt.Sprintf("%s %d%%", w.Slot, w.Weight))
	}
	return strings.Join(parts, ", ")
}

func by(e *Entry) string {
	if len(e.EditedBy) == 0 {
		return ""
	}
	return " (written by " + strings.Join(e.EditedBy, ", ") + ")"
}

func (p *planner) begin(r *v1alpha1.Release) {
	p.u.ActiveRelease, p.u.ActiveSlot = r.Name, ""
	p.u.Step = &v1alpha1.StepStatus{Kind: v1alpha1.StepRender, Attempt: 1, Since: p.stamp()}
	p.u.Observations = nil
	p.event(false, v1alpha1.ReasonProgressing, "release "+r.Name+" has started")
}
