package plan

import (
	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// back begins the way back from any step of the active release: entries and workers return to the live slot, which needs
// nothing of the new one.
func (p *planner) back(outcome v1alpha1.Outcome, reason, message string) {
	if p.returns() {
		return
	}
	switched := p.u.ActiveSlot != "" && p.u.Route.Live == p.u.ActiveSlot
	p.event(outcome != v1alpha1.OutcomeSuperseded, reason, "release "+p.u.ActiveRelease+": "+message)
	p.u.Step = &v1alpha1.StepStatus{
		Kind: v1alpha1.StepAbort, Attempt: p.u.Step.Attempt, Since: p.stamp(),
		Outcome: outcome, OutcomeReason: reason, OutcomeMessage: clip(message, 4096),
	}
	p.u.Observations = nil
	if p.u.Route.Live != p.u.LiveSlot || p.u.Route.Preview != "" {
		p.point(p.u.LiveSlot, "")
	}
	p.fence(p.u.ActiveSlot)
	if switched {
		p.fence(p.u.LiveSlot)
	}
}

// fence gives a slot a new epoch, so that late writes of an older intent for it fail.
func (p *planner) fence(slot string) {
	if s := p.slot(slot); s != nil {
		s.Epoch = p.bump()
		if slot == p.u.LiveSlot {
			s.LeftAt = nil
		}
	}
}

// abort takes users and workers back to the live slot, and ends the active release.
func (p *planner) abort(r *v1alpha1.Release) bool {
	step := p.u.Step
	if problem := p.notTakenBack(); problem != nil && p.u.Route.Epoch > 0 {
		p.waitOn(problem)
		return false
	}
	if p.u.ActiveSlot != "" && p.u.LiveSlot != "" && p.listed(p.u.LiveSlot) { // else tendLive hands over, once the slot is back
		if problem := p.handOver(p.u.LiveSlot, p.release(p.u.LiveRelease)); problem != nil {
			p.waitOn(problem)
			return false
		}
	}
	if !p.ended(r, step.Outcome, step.OutcomeReason, step.OutcomeMessage) {
		p.waitFor(v1alpha1.ReasonProgressing, "the Release's status to be written")
		return false
	}
	p.giveUp(p.u.ActiveSlot)
	p.idle()
	return true
}

// giveUp lets a slot that users may have been on drain, and then be retired.
func (p *planner) giveUp(slot string) {
	if s := p.slot(slot); s != nil {
		at := p.stampAfter()
		s.LeftAt = &at
		setState(s, v1alpha1.SlotDraining, p.stamp())
	}
}

// warmest is the kept slot that was left last, of those that hold something else than what is live, and of which it can be
// told whether they are ready.
func (p *planner) warmest() *v1alpha1.SlotStatus {
	var found *v1alpha1.SlotStatus
	for i := range p.st.Slots {
		s := &p.st.Slots[i]
		r := p.release(s.Release)
		known := s.Release == "" || (r != nil && r.Status.Started != nil && r.Name != p.u.LiveRelease)
		if s.State == v1alpha1.SlotWarm && known && (found == nil || found.Since.Before(&s.Since)) {
			found = s
		}
	}
	return found
}

// warmWith is the slot that is kept with a release; nil where none is.
func (p *planner) warmWith(release string) *v1alpha1.SlotStatus {
	for i := range p.st.Slots {
		if s := &p.st.Slots[i]; s.State == v1alpha1.SlotWarm && s.Release == release {
			return s
		}
	}
	return nil
}

// rollBack begins to leave the live release for the kept slot. A slot that is on record as kept at its size was never meant
// to be scaled down since, so that no late write can stop what users are sent to; its workers are fenced as they are
// started, and the members of one that was kept small as they are scaled up.
func (p *planner) rollBack(live *v1alpha1.Release, warm *v1alpha1.SlotStatus, message string) {
	p.u.ActiveRelease, p.u.ActiveSlot = live.Name, warm.Name
	p.u.Step = &v1alpha1.StepStatus{
		Kind: v1alpha1.StepRollback, Attempt: 1, Since: p.stamp(),
		Outcome: v1alpha1.OutcomeRolledBack, OutcomeReason: v1alpha1.ReasonRolledBack, OutcomeMessage: message,
	}
	p.fence(warm.Name)
}

// rollback takes users and workers from the live slot to the kept one. r is the release that is left.
func (p *planner) rollback(r *v1alpha1.Release) bool {
	target := p.slot(p.u.ActiveSlot)
	previous := p.release(target.Release)
	if p.u.Route.Live != target.Name || p.revoke(target.Name, previous) {
		return p.beforeRollback(target, previous)
	}
	if problem := p.split(); problem != nil {
		return p.remain(problem)
	}
	if problem := p.notInForce(); problem != nil {
		p.waitOn(problem)
		return p.unfit != nil && p.overdue() && p.stay(target, previous)
	}
	p.leave(p.u.LiveSlot)
	if problem := p.handOver(target.Name, previous); problem != nil {
		p.waitOn(problem)
		return false
	}
	return p.wentBack(r, target, previous)
}

// stay gives up a rollback to a slot that died before every entry was written.
func (p *planner) stay(target *v1alpha1.SlotStatus, previous *v1alpha1.Release) bool {
	p.point(p.u.LiveSlot, "")
	p.fence(p.u.LiveSlot)
	return p.beforeRollback(target, previous)
}

// remain gives up a rollback that one of several entries refuses: all users are on the live slot again, where those of that
// entry have been all along.
func (p *planner) remain(problem *Problem) bool {
	p.event(true, problem.Reason, "users stay in slot "+p.u.LiveSlot+": "+problem.Message)
	p.point(p.u.LiveSlot, "")
	p.fence(p.u.LiveSlot)
	if s := p.slot(p.u.ActiveSlot); s != nil {
		p.keepAgain(s)
	}
	p.idle()
	return true
}

// beforeRollback checks the slot that is gone back to, and no other.
func (p *planner) beforeRollback(target *v1alpha1.SlotStatus, previous *v1alpha1.Release) bool {
	problem := p.grow(target, previous)
	if problem == nil {
		problem = p.unready(target.Name, previous)
	}
	if problem == nil {
		problem = p.backendUnready(target.Name)
	}
	if problem == nil {
		problem = p.tried(p.activeRelease())
	}
	if problem == nil {
		p.tellUnasked()
		p.point(target.Name, "")
		p.fence(p.u.LiveSlot)
		p.waitFor(v1alpha1.ReasonWritingEntries, "the entries to be written")
		p.wakeEntry()
		return false
	}
	p.waitOn(problem)
	if p.overdue() {
		p.event(true, problem.Reason, "the kept slot "+target.Name+" cannot be gone back to, users stay where they are: "+problem.Message)
		p.keepAgain(target)
		p.idle()
		return true
	}
	return false
}

func (p *planner) wentBack(left *v1alpha1.Release, target *v1alpha1.SlotStatus, previous *v1alpha1.Release) bool {
	step := p.u.Step
	done := p.ended(left, v1alpha1.OutcomeRolledBack, step.OutcomeReason, step.OutcomeMessage)
	if !p.ended(previous, v1alpha1.OutcomeLive, v1alpha1.ReasonRolledBack, "users were taken back to it") || !done {
		p.waitFor(v1alpha1.ReasonProgressing, "the Release's status to be written")
		return false
	}
	p.giveUp(p.u.LiveSlot)
	p.settleOn(target.Name, target.Release)
	p.idle()
	p.event(false, v1alpha1.ReasonRolledBack, "users are back on slot "+target.Name)
	return true
}
