package plan

import (
	"fmt"
	"slices"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// keepWarm gives a kept slot up once its time is over.
func (p *planner) keepWarm(s *v1alpha1.SlotStatus) {
	if s.State != v1alpha1.SlotWarm {
		return
	}
	if p.sent(s.Name) {
		s.LeftAt = nil
	} else if s.LeftAt == nil && p.reachable(s) == nil {
		p.leave(s.Name)
	}
	until := s.Since.Add(afterOf(p.s.Stack.Spec.Strategy.BlueGreen.KeepPrevious.For))
	if p.now.Before(until) {
		p.wakeAt(until)
		p.holdSize(s)
		p.keepSmall(s)
		s.Reason, s.Message = v1alpha1.ReasonKeeping, p.keptText(s)+" until "+until.UTC().Format("15:04:05 MST")
		return
	}
	setState(s, v1alpha1.SlotDraining, p.stamp())
}

func (p *planner) keptText(s *v1alpha1.SlotStatus) string {
	switch {
	case s.Replicas == nil:
		return "kept for an instant rollback"
	case p.larger(s):
		return fmt.Sprintf("to be kept at %d replicas of each member, for a rollback that scales it up first,", *s.Replicas)
	}
	return fmt.Sprintf("kept at %d replicas of each member, for a rollback that scales it up first,", *s.Replicas)
}

// larger is whether a member of a slot that is kept small has more replicas than that.
func (p *planner) larger(s *v1alpha1.SlotStatus) bool {
	return slices.ContainsFunc(p.facts(s.Name).Workloads, func(w Workload) bool { return w.Replicas > *s.Replicas })
}

// scaler is the workload's autoscaler where Lockstep may change its minimum: of one that was found, nobody would know what to
// give back.
func scaler(s *v1alpha1.SlotStatus, w *Workload) *Autoscaler {
	if s.Release == "" {
		return nil
	}
	return w.Autoscaler
}

// holdSize keeps autoscalers, which see no more users, from taking away what a rollback needs: once for each intent.
func (p *planner) holdSize(s *v1alpha1.SlotStatus) {
	for _, w := range p.facts(s.Name).Workloads {
		if a := scaler(s, &w); a != nil && s.Replicas == nil && w.Replicas > 0 && a.Epoch < s.Epoch {
			p.scaleMinimum(s, a, w.Replicas, true, "the slot is kept as large as it is")
		}
	}
}

// keepSmall scales a kept slot down to keepPrevious.replicas, once what was in flight has had its time.
func (p *planner) keepSmall(s *v1alpha1.SlotStatus) {
	small := p.s.Stack.Spec.Strategy.BlueGreen.KeepPrevious.Replicas
	if small == nil || s.LeftAt == nil || !p.past(s.LeftAt.Add(afterOf(p.s.Stack.Spec.Sessions.DrainTimeout))) {
		return
	}
	if p.reachable(s) != nil {
		p.wakeIn(lookAgainLater)
		return
	}
	if s.Replicas == nil || *s.Replicas > *small { // what is small already is not scaled up before a rollback
		size := *small
		s.Replicas, s.Epoch = &size, p.bump()
	}
	for _, w := range p.facts(s.Name).Workloads {
		p.shrink(s, &w)
	}
}

// keepAgain keeps a slot that could not be gone back to: it drains anew, and what was kept small is small again.
func (p *planner) keepAgain(s *v1alpha1.SlotStatus) {
	s.LeftAt = nil
	if s.Replicas != nil {
		s.Epoch = p.bump()
	}
}

// shrink lowers an autoscaler's minimum first: it would take the replicas back at once. One that is not Lockstep's to lower
// keeps its workload at the size that it has.
func (p *planner) shrink(s *v1alpha1.SlotStatus, w *Workload) {
	because := Because("the slot is kept small")
	switch a := scaler(s, w); {
	case w.Replicas == 0, w.Autoscaler != nil && a == nil:
	case a != nil && a.Epoch < s.Epoch:
		p.scaleMinimum(s, a, *s.Replicas, true, because)
	case w.Replicas > *s.Replicas && w.Epoch < s.Epoch:
		p.scale(s, *w, s.Replicas, because)
	}
}

// grow brings a slot that was kept small back to the size that users need; nil once it has it. Each workload gets the
// slot's epoch, so that a late write cannot make it small again.
func (p *planner) grow(s *v1alpha1.SlotStatus, previous *v1alpha1.Release) *Problem {
	var waiting *Problem
	workers := p.workersIn(s)
	for _, w := range p.facts(s.Name).Workloads {
		if workers[w.Kind+"/"+w.Name] || w.Replicas == 0 || !p.mayBeSmall(s, &w) {
			continue
		}
		size := max(p.sizeBefore(previous, &w), w.Replicas)
		if !p.grown(s, &w, size) {
			waiting = &Problem{Reason: v1alpha1.ReasonScaling, Message: fmt.Sprintf("%s/%s is being scaled back to %d", w.Kind, w.Name, size)}
		}
	}
	return waiting
}

// mayBeSmall is whether a workload of a kept slot may be smaller than it was: the slot is kept small, or an autoscaler was not
// kept from it.
func (p *planner) mayBeSmall(s *v1alpha1.SlotStatus, w *Workload) bool {
	kept := p.s.Stack.Spec.Strategy.BlueGreen.KeepPrevious.Replicas
	return s.Replicas != nil || kept != nil || w.Autoscaler != nil && scaler(s, w) == nil
}

func (p *planner) grown(s *v1alpha1.SlotStatus, w *Workload, size int32) bool {
	because := Because("users are about to come back")
	done, small := true, s.Replicas != nil
	if a := scaler(s, w); a != nil && (a.Min < min(size, a.Max) || small && a.Epoch < s.Epoch) {
		p.scaleMinimum(s, a, size, true, because)
		done = false
	}
	if w.Replicas < size || small && w.Epoch < s.Epoch {
		p.scale(s, *w, &size, because)
		done = false
	}
	return done
}

// sizeBefore is the size that the workload needs for users: that of the live slot, or what its manifest asks for.
func (p *planner) sizeBefore(previous *v1alpha1.Release, w *Workload) int32 {
	if previous != nil && previous.Status.Started != nil {
		for _, m := range previous.Status.Started.Members {
			if m.Kind == w.Kind && m.Name == w.Name {
				return p.liveSize(m)
			}
		}
	}
	live := p.facts(p.u.LiveSlot).workload(w.Kind, w.Name)
	switch {
	case live == nil:
		return w.Replicas
	case w.Autoscaler != nil:
		return min(live.Replicas, w.Autoscaler.Max) // more would be taken away again
	}
	return live.Replicas
}
