package plan

import (
	"fmt"
	"slices"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// tend looks after the slots that no release is active in: kept ones, draining ones, and those that are scaled down.
func (p *planner) tend() bool {
	p.tendLive()
	for i := range p.st.Slots {
		s := &p.st.Slots[i]
		if s.Name == p.u.ActiveSlot || s.Name == p.u.LiveSlot || p.disputed(s) {
			continue
		}
		p.keepWarm(s)
		p.drain(s)
		p.retire(s)
	}
	return true
}

// disputed is whether a slot is left as it is because the spec contradicts itself: it may do so about the slots, and nothing
// is scaled down by what it says of them.
func (p *planner) disputed(s *v1alpha1.SlotStatus) bool {
	if p.invalid == nil || s.State == v1alpha1.SlotIdle {
		return false
	}
	s.Reason, s.Message = p.invalid.Reason, clip(p.invalid.Message, 2048)
	return true
}

// tendLive finishes, while no release moves users, what a live slot that was taken over still needs: its workers, and
// what is on record of Releases. Workers that carry the slot's epoch are left to the team.
func (p *planner) tendLive() {
	live := p.slot(p.u.LiveSlot)
	if live == nil || (p.u.ActiveRelease != "" && !p.unswitched()) {
		return
	}
	live.Reason, live.Message = "", ""
	p.giveBack(live)
	problem := p.liveWorkerDown(live)
	if p.asleep(live) {
		problem = p.handOver(live.Name, p.release(p.u.LiveRelease))
	}
	if problem != nil {
		live.Reason, live.Message = problem.Reason, clip(problem.Message, 2048)
	}
	for i := range p.s.Releases {
		r := &p.s.Releases[i]
		if r.Name == p.u.LiveRelease {
			p.ended(r, v1alpha1.OutcomeLive, v1alpha1.ReasonTakenOver, "users were found on it")
		} else if r.Status.Ended != nil && r.Status.Ended.Outcome == v1alpha1.OutcomeLive {
			p.end(r, v1alpha1.OutcomeReplaced, v1alpha1.ReasonReplaced, "users are on "+orFound(p.u.LiveRelease))
		}
	}
}

// liveWorkerDown is a worker of the live release that was started and is not ready. Nothing waits for it.
func (p *planner) liveWorkerDown(live *v1alpha1.SlotStatus) *Problem {
	r := p.release(p.u.LiveRelease)
	if r == nil || r.Status.Started == nil {
		return nil
	}
	for _, m := range r.Status.Started.Members {
		w := p.facts(live.Name).workload(m.Kind, m.Name)
		if m.Role == v1alpha1.RoleWorker && w != nil && w.Replicas > 0 && !workerReady(w) {
			return &Problem{Reason: v1alpha1.ReasonWorkerNotReady, Message: fmt.Sprintf("worker %s/%s is not ready%s; if that stays so, repair it, or release anew", w.Kind, w.Name, because(w.Problem))}
		}
	}
	return nil
}

func because(problem *Problem) string {
	if problem == nil {
		return ""
	}
	return ": " + problem.Message
}

// asleep is whether a worker of the live slot was not written for the slot's epoch yet.
func (p *planner) asleep(live *v1alpha1.SlotStatus) bool {
	workers := p.workersIn(live)
	return slices.ContainsFunc(p.facts(live.Name).Workloads, func(w Workload) bool {
		return workers[w.Kind+"/"+w.Name] && w.Epoch < live.Epoch
	})
}

// drain waits until what was in flight when the slot was left has had its time.
func (p *planner) drain(s *v1alpha1.SlotStatus) {
	if s.State != v1alpha1.SlotDraining {
		return
	}
	if p.stillReached(s) {
		return
	}
	p.leave(s.Name)
	timeout := afterOf(p.s.Stack.Spec.Sessions.DrainTimeout)
	until := s.LeftAt.Add(timeout)
	if p.now.Before(until) {
		p.wakeAt(until)
		s.Reason, s.Message = v1alpha1.ReasonDraining, "what is in flight may finish until "+until.UTC().Format("15:04:05 MST")
		return
	}
	p.event(false, v1alpha1.ReasonDrainDeadline, fmt.Sprintf("slot %s has had its whole drainTimeout of %s, and is scaled down", s.Name, timeout))
	setState(s, v1alpha1.SlotRetiring, p.stamp())
	s.Epoch = p.bump()
}

// stillReached waits where new traffic may still reach the slot, and has it drain anew where someone sends it there.
func (p *planner) stillReached(s *v1alpha1.SlotStatus) bool {
	problem := p.reachable(s)
	if problem == nil {
		return false
	}
	if p.sent(s.Name) {
		setState(s, v1alpha1.SlotDraining, p.stamp())
		s.LeftAt = nil
	}
	s.Reason, s.Message = problem.Reason, clip(problem.Message, 2048)
	p.wakeIn(lookAgainLater)
	return true
}

// reachable is why new traffic may still reach the slot; nil where every entry is proven to send it elsewhere.
func (p *planner) reachable(s *v1alpha1.SlotStatus) *Problem {
	if problem := p.notInForceAnywhere(); problem != nil {
		return problem
	}
	for i := range p.s.Entries {
		e := &p.s.Entries[i]
		if sends(e, s.Name) {
			return &Problem{Reason: v1alpha1.ReasonEntryEdited, Message: fmt.Sprintf("entry %s still sends users or testers to slot %s", e.Name, s.Name)}
		}
	}
	return nil
}

// sent is whether any entry sends users or testers to the slot.
func (p *planner) sent(slot string) bool {
	return slices.ContainsFunc(p.s.Entries, func(e Entry) bool { return sends(&e, slot) })
}

func sends(e *Entry, slot string) bool { return sendsUsers(e, slot) || e.PreviewSlot == slot }

func sendsUsers(e *Entry, slot string) bool {
	return slices.ContainsFunc(e.Weights, func(w v1alpha1.SlotWeight) bool { return w.Slot == slot && w.Weight > 0 })
}

// retire scales everything in the slot to zero, and has it idle once no Pod is left.
func (p *planner) retire(s *v1alpha1.SlotStatus) {
	if s.State != v1alpha1.SlotRetiring {
		return
	}
	if p.stillReached(s) {
		return
	}
	f := p.facts(s.Name)
	if f.Problem != nil {
		s.Reason, s.Message = f.Problem.Reason, clip(f.Problem.Message, 2048)
		return
	}
	left := 0
	for _, w := range f.Workloads {
		if w.Replicas > 0 || w.Epoch < s.Epoch {
			p.scale(s, w, new(int32), "the slot is retired")
			left++
		}
	}
	if problem := p.leftOver(f, left); problem != nil {
		p.wakeIn(lookAgainLater)
		p.stuckNews(s, problem)
		s.Reason, s.Message = problem.Reason, clip(problem.Message, 2048)
		return
	}
	setState(s, v1alpha1.SlotIdle, p.stamp())
	s.Release, s.Proof, s.LeftAt = "", "", nil
}

// leftOver is what still has to go before the slot is idle.
func (p *planner) leftOver(f *Slot, workloads int) *Problem {
	if workloads > 0 {
		return &Problem{Reason: v1alpha1.ReasonRetiring, Message: fmt.Sprintf("%d workloads are being scaled to zero", workloads)}
	}
	if len(f.Pods) == 0 {
		return nil
	}
	for _, pod := range f.Pods {
		if stuck := p.stuck(f, &pod); stuck != nil {
			return stuck
		}
		if !pod.Terminating {
			return &Problem{Reason: v1alpha1.ReasonSlotNotEmpty, Message: fmt.Sprintf("Pod %s in namespace %s is still there; if it stays, delete what runs it", pod.Name, f.Namespace)}
		}
	}
	return &Problem{Reason: v1alpha1.ReasonRetiring, Message: fmt.Sprintf("%d Pods are ending, such as %s", len(f.Pods), f.Pods[0].Name)}
}
