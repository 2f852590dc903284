package plan

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// switchOver moves users to the active slot, hands workers over, and ends the release as the live one.
func (p *planner) switchOver(r *v1alpha1.Release) bool {
	if p.u.Route.Live != p.u.ActiveSlot || p.revoke(p.u.ActiveSlot, r) {
		return p.beforeSwitch(r)
	}
	if problem := p.split(); problem != nil {
		return p.fail(problem)
	}
	if problem := p.notInForce(); problem != nil {
		return p.waitOrFail(problem)
	}
	p.leave(p.u.LiveSlot)
	if problem := p.handOver(p.u.ActiveSlot, r); problem != nil {
		p.waitOn(problem)
		return false
	}
	return p.goLive(r)
}

// beforeSwitch makes sure, against the live cluster, that users can be sent to the slot, and then says so.
func (p *planner) beforeSwitch(r *v1alpha1.Release) bool {
	if gone := p.slotGone(); gone != nil {
		return p.fail(gone)
	}
	checks := []func(*v1alpha1.Release) *Problem{p.fullSize, p.allReady, p.backends, p.entriesFree, p.proven}
	for _, check := range checks {
		problem := check(r)
		if problem == nil {
			continue
		}
		if problem.Reason == v1alpha1.ReasonContentDrifted {
			return p.redo(problem)
		}
		return p.waitOrFail(problem)
	}
	p.tellUnasked()
	p.point(p.u.ActiveSlot, "")
	if old := p.slot(p.u.LiveSlot); old != nil {
		old.Epoch = p.u.Route.Epoch
	}
	p.waitFor(v1alpha1.ReasonWritingEntries, "the entries to carry epoch "+fmt.Sprint(p.u.Route.Epoch))
	p.wakeEntry()
	return false
}

// revoke looks at a slot again that users were meant to be sent to: whoever saved the intent may have died before the
// write, and the slot since. An intent that no entry carries yet is taken back, and its new epoch makes a late write fail;
// otherwise no further entry is sent there.
func (p *planner) revoke(slot string, r *v1alpha1.Release) bool {
	problem := p.unready(slot, r)
	if problem == nil {
		problem = p.backendUnready(slot)
	}
	if problem == nil {
		return false
	}
	if p.landedAnywhere() {
		p.unfit = problem
		return false
	}
	p.event(true, problem.Reason, "users are not moved to slot "+slot+" after all: "+problem.Message)
	p.point(p.u.LiveSlot, "")
	return true
}

func (p *planner) landedAnywhere() bool {
	return slices.ContainsFunc(p.s.Entries, func(e Entry) bool { return !e.Testers && e.Epoch >= p.u.Route.Epoch || p.landed(&e) })
}

func (p *planner) allReady(r *v1alpha1.Release) *Problem { return p.unready(p.u.ActiveSlot, r) }
func (p *planner) backends(*v1alpha1.Release) *Problem   { return p.backendUnready(p.u.ActiveSlot) }

// fullSize scales the slot from its preview size to the live one.
func (p *planner) fullSize(r *v1alpha1.Release) *Problem {
	waiting := p.facts(p.u.LiveSlot).Problem
	s := p.slot(p.u.ActiveSlot)
	for _, m := range r.Status.Started.Members {
		w := p.facts(s.Name).workload(m.Kind, m.Name)
		if w == nil || m.Role == v1alpha1.RoleWorker || m.Kind == "DaemonSet" {
			continue
		}
		size := p.liveSize(m)
		if !p.raiseMinimum(s, w, size, "users are about to come") {
			waiting = &Problem{Reason: v1alpha1.ReasonScaling, Message: fmt.Sprintf("the minimum of HorizontalPodAutoscaler %s is being raised to the live size of %d", w.Autoscaler.Name, size)}
		}
		if w.Replicas >= size {
			continue
		}
		p.scale(s, *w, &size, "users are about to come")
		waiting = &Problem{Reason: v1alpha1.ReasonScaling, Message: fmt.Sprintf("%s/%s is being scaled to the live size of %d", m.Kind, m.Name, size)}
	}
	return waiting
}

// entriesFree is the first entry that cannot be written, or that someone else changed.
func (p *planner) entriesFree(*v1alpha1.Release) *Problem {
	for i := range p.s.Entries {
		e := &p.s.Entries[i]
		if e.Testers {
			continue
		}
		if e.Problem != nil {
			p.wakeIn(retryAfter)
			return e.Problem
		}
		if p.edited(e) {
			return p.editedProblem(e)
		}
	}
	return nil
}

// provenFor is how old a proof may be when users are moved.
const provenFor = retryAfter

// proven compares what runs with the frozen content once more, and has every Service dialled, unless that was done as the
// slot was read. Where there are several entries, all are tried.
func (p *planner) proven(r *v1alpha1.Release) *Problem {
	if p.facts(p.u.ActiveSlot).Proven == r.UID {
		return p.tried(r)
	}
	because := Because("users are about to come")
	changed := p.lately("verify",
		VerifyContent{Release: ref(r), Slot: p.u.ActiveSlot, Attempt: p.u.Step.Attempt, Because: because},
		&Problem{Reason: v1alpha1.ReasonCheckingContent, Message: "what runs is being compared with the frozen content"})
	silent := p.lately("dial",
		DialServices{Release: ref(r), Slot: p.u.ActiveSlot, Attempt: p.u.Step.Attempt, Because: because},
		&Problem{Reason: v1alpha1.ReasonDialing, Message: "the Services of slot " + p.u.ActiveSlot + " are being dialled"})
	refused := p.tried(r)
	return firstToAct(changed, silent, refused)
}

// firstToAct is what someone has to act upon, before what passes by itself.
func firstToAct(problems ...*Problem) *Problem {
	for _, problem := range problems {
		if problem != nil && !isOrdinary(problem) {
			return problem
		}
	}
	return cmp.Or(problems...)
}

// lately is settled by a result that is not older than a proof may be.
func (p *planner) lately(key string, action Action, waiting *Problem) *Problem {
	if o := p.result(key); o != nil && o.OK && p.now.Sub(o.At.Time) > provenFor {
		p.do(action)
		return waiting
	}
	return p.settled(key, action, waiting)
}

// tellUnasked says which Services could not be asked, and which entries not be tried.
func (p *planner) tellUnasked() {
	if o := p.result("dial"); o != nil && o.Message != "" {
		p.event(false, v1alpha1.ReasonServiceUnasked, o.Message)
	}
	if o := p.result("entries"); o != nil && o.Message != "" {
		p.event(true, v1alpha1.ReasonEntriesUntried, o.Message)
	}
}

// redo deploys the frozen content again and holds again, so that what is promoted is what was looked at.
func (p *planner) redo(problem *Problem) bool {
	p.event(true, problem.Reason, problem.Message+"; the frozen content is deployed again, and has to be promoted again")
	p.u.Step.Attempt++
	p.slot(p.u.ActiveSlot).Epoch = p.bump()
	return p.goTo(v1alpha1.StepDeploy)
}

// leave records when new traffic stopped reaching a slot.
func (p *planner) leave(slot string) {
	if s := p.slot(slot); s != nil && s.LeftAt == nil {
		at := p.stampAfter()
		s.LeftAt = &at
	}
}

// goLive ends the active release as the live one; what was live is kept warm.
func (p *planner) goLive(r *v1alpha1.Release) bool {
	outcome, reason := v1alpha1.OutcomeReplaced, v1alpha1.ReasonReplaced
	if r.Spec.RollbackOf != "" {
		outcome, reason = v1alpha1.OutcomeRolledBack, v1alpha1.ReasonRolledBack
	}
	old := p.release(p.u.LiveRelease)
	done := p.ended(old, outcome, reason, "release "+r.Name+" is live")
	if !p.ended(r, v1alpha1.OutcomeLive, v1alpha1.ReasonSucceeded, "users are on it") || !done {
		p.waitFor(v1alpha1.ReasonProgressing, "the Release's status to be written")
		return false
	}
	if r.Spec.RollbackOf != "" {
		p.giveUp(p.u.LiveSlot)
	} else {
		p.keep(p.u.LiveSlot)
	}
	p.settleOn(p.u.ActiveSlot, r.Name)
	p.idle()
	p.event(false, v1alpha1.ReasonLive, "release "+r.Name+" is live in slot "+p.u.LiveSlot)
	return true
}

// keep leaves a slot warm; of several, only the one that was left last is kept.
func (p *planner) keep(slot string) {
	for i := range p.st.Slots {
		if s := &p.st.Slots[i]; s.State == v1alpha1.SlotWarm {
			setState(s, v1alpha1.SlotDraining, p.stamp())
		}
	}
	if s := p.slot(slot); s != nil {
		p.leave(slot)
		setState(s, v1alpha1.SlotWarm, p.stamp())
	}
}

// idle has no release active.
func (p *planner) idle() {
	p.u.ActiveRelease, p.u.ActiveSlot, p.u.Step, p.u.Observations = "", "", nil, nil
}
