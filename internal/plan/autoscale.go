package plan

import (
	"fmt"
	"time"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// blindFor is how long an autoscaler may do nothing before it is told: Pods that have just started have no metrics yet.
const blindFor = 2 * time.Minute

// minimums are those of the release's autoscalers while it is previewed. A worker's sleeps with it.
func (p *planner) minimums(r *v1alpha1.Release) []Minimum {
	var all []Minimum
	for _, m := range r.Status.Started.Members {
		if a := m.Autoscaler; a != nil {
			low := p.previewMinimum(r, m)
			all = append(all, Minimum{Name: a.Name, Replicas: low, Held: low != a.MinReplicas})
		}
	}
	return all
}

func (p *planner) previewMinimum(r *v1alpha1.Release, m v1alpha1.ReleaseMember) int32 {
	preview := p.s.Stack.Spec.Strategy.BlueGreen.PreviewReplicas
	if preview == nil || p.u.LiveSlot == "" || r.Spec.RollbackOf != "" || m.Role == v1alpha1.RoleWorker {
		return m.Autoscaler.MinReplicas
	}
	return min(m.Autoscaler.MinReplicas, *preview)
}

// within bounds a size by what the release's autoscaler allows: more would be taken away again.
func within(a *v1alpha1.ReleaseAutoscaler, size int32) int32 {
	if a == nil {
		return size
	}
	return min(max(size, a.MinReplicas), a.MaxReplicas)
}

// raiseMinimum keeps a workload's autoscaler from taking away what users need. It is true once that is so.
func (p *planner) raiseMinimum(s *v1alpha1.SlotStatus, w *Workload, size int32, because Because) bool {
	a := w.Autoscaler
	if a == nil || a.Min >= min(size, a.Max) {
		return true
	}
	p.scaleMinimum(s, a, size, true, because)
	return false
}

func (p *planner) scaleMinimum(s *v1alpha1.SlotStatus, a *Autoscaler, size int32, held bool, because Because) {
	p.do(ScaleMinimum{Slot: s.Name, Epoch: s.Epoch, Name: a.Name, Minimum: min(size, a.Max), Held: held, Because: because})
}

// giveBack makes the minimums of the live slot the team's own again, once the slot has been live for as long as the
// previous one is kept: its autoscalers have met the users by then.
func (p *planner) giveBack(live *v1alpha1.SlotStatus) {
	r := p.release(p.u.LiveRelease)
	if r == nil || r.Status.Started == nil {
		return
	}
	until := live.Since.Add(afterOf(p.s.Stack.Spec.Strategy.BlueGreen.KeepPrevious.For))
	for _, m := range r.Status.Started.Members {
		w := p.facts(live.Name).workload(m.Kind, m.Name)
		if m.Autoscaler == nil || w == nil || w.Autoscaler == nil || !w.Autoscaler.Held || !p.past(until) {
			continue
		}
		p.scaleMinimum(live, w.Autoscaler, m.Autoscaler.MinReplicas, false, "its minimum is the team's own again")
	}
}

// autoscalingCondition tells of autoscalers that cannot work. They hold up no release: sizes are Lockstep's until users
// have come.
func (p *planner) autoscalingCondition() {
	some, blind := false, (*Problem)(nil)
	for _, name := range []string{p.u.LiveSlot, p.u.ActiveSlot} {
		for _, w := range p.facts(name).Workloads {
			if w.Autoscaler == nil {
				continue
			}
			some = true
			if problem := p.blind(name, &w); problem != nil && blind == nil {
				blind = problem
			}
		}
	}
	switch {
	case blind != nil:
		p.wakeIn(blindFor)
		p.set(v1alpha1.ConditionAutoscaling, false, blind)
	case some || p.has(v1alpha1.ConditionAutoscaling):
		p.set(v1alpha1.ConditionAutoscaling, true, &Problem{Reason: v1alpha1.ReasonAutoscaling, Message: "the HorizontalPodAutoscalers of the slots that run can work"})
	}
}

func (p *planner) blind(slot string, w *Workload) *Problem {
	a := w.Autoscaler
	if a.Problem == "" || w.Replicas == 0 || !p.past(a.Since.Add(blindFor)) {
		return nil
	}
	return &Problem{Reason: v1alpha1.ReasonAutoscalerUnhealthy, Message: fmt.Sprintf(
		"HorizontalPodAutoscaler %s in namespace %s does not scale %s/%s: %s; look at its metrics source (for cpu and memory: kubectl get apiservice v1beta1.metrics.k8s.io), releases go on",
		a.Name, p.facts(slot).Namespace, w.Kind, w.Name, a.Problem)}
}

// has is whether the Stack has a condition of the kind.
func (p *planner) has(kind string) bool {
	for _, c := range p.st.Conditions {
		if c.Type == kind {
			return true
		}
	}
	return false
}
