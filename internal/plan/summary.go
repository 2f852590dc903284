package plan

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// summarize derives the conditions that people and tools look at.
func (p *planner) summarize() {
	p.handled()
	p.ready()
	p.set(v1alpha1.ConditionStalled, p.stalled != nil, orIdle(p.stalled))
	working := p.working()
	p.set(v1alpha1.ConditionReconciling, working != nil, orIdle(working))
	p.set(v1alpha1.ConditionProgressing, p.u.ActiveRelease != "", p.progress())
	p.entriesCondition()
	p.driftCondition()
	p.autoscalingCondition()
	p.news()
}

// handled answers who asked for a look at everything, once the source was asked too.
func (p *planner) handled() {
	asked := p.s.Stack.Annotations[v1alpha1.AnnotationReconcileAt]
	if src := p.s.Source; src == nil || src.Asked == asked {
		p.st.LastHandledReconcileAt = clip(asked, 64)
	}
}

func orIdle(problem *Problem) *Problem {
	if problem == nil {
		return &Problem{Reason: v1alpha1.ReasonIdle, Message: "nothing"}
	}
	return problem
}

// set writes a condition; its time changes with its status only.
func (p *planner) set(kind string, status bool, why *Problem) {
	value := metav1.ConditionFalse
	if status {
		value = metav1.ConditionTrue
	}
	next := metav1.Condition{
		Type: kind, Status: value, Reason: why.Reason, Message: clip(why.Message, 32768),
		ObservedGeneration: p.st.ObservedGeneration, LastTransitionTime: p.stamp(),
	}
	for i := range p.st.Conditions {
		if old := &p.st.Conditions[i]; old.Type == kind {
			if old.Status == value {
				next.LastTransitionTime = old.LastTransitionTime
			}
			*old = next
			return
		}
	}
	p.st.Conditions = append(p.st.Conditions, next)
}

// ready is whether users are on a proven release and nothing is wrong with it.
func (p *planner) ready() {
	problem := p.notReady()
	if problem == nil {
		p.set(v1alpha1.ConditionReady, true, &Problem{Reason: v1alpha1.ReasonLive, Message: p.liveText()})
		return
	}
	p.set(v1alpha1.ConditionReady, false, problem)
}

func (p *planner) liveText() string {
	if to := p.u.Route.Live; to != p.u.LiveSlot {
		return fmt.Sprintf("users are being moved from slot %s to slot %s", p.u.LiveSlot, orNone(to))
	}
	return fmt.Sprintf("users are on slot %s with %s", p.u.LiveSlot, orFound(p.u.LiveRelease))
}

func (p *planner) notReady() *Problem {
	switch {
	case p.stalled != nil:
		return p.stalled
	case p.u.Route == nil || p.u.LiveSlot == "":
		return &Problem{Reason: v1alpha1.ReasonNothingReleased, Message: p.firstText()}
	case p.held != nil:
		return p.held
	case p.u.Step == nil && p.notInForce() != nil:
		return p.notInForce()
	case p.entryBroken() != nil:
		return p.entryBroken()
	case p.editedEntry() != nil:
		return p.editedEntry()
	case !p.facts(p.u.LiveSlot).Exists:
		return &Problem{Reason: v1alpha1.ReasonSlotGone, Message: "the namespace of the live slot " + p.u.LiveSlot + " does not exist; roll back, or release anew"}
	}
	return p.liveDown()
}

// entryBroken is why users may not get in, whatever is under way.
func (p *planner) entryBroken() *Problem {
	for i := range p.s.Entries {
		if e := &p.s.Entries[i]; e.Problem != nil && !e.Testers {
			return e.Problem
		}
	}
	return nil
}

func (p *planner) editedEntry() *Problem {
	for i := range p.s.Entries {
		if e := &p.s.Entries[i]; p.edited(e) {
			return p.editedProblem(e)
		}
	}
	return nil
}

func (p *planner) firstText() string {
	if p.u.ActiveRelease != "" {
		return "the first release, " + p.u.ActiveRelease + ", is under way: " + p.progress().Message
	}
	return "nothing was released yet: kubectl lockstep release " + p.s.Stack.Name + " -n " + p.s.Stack.Namespace
}

// liveDown is a Service of the live release that has no endpoint.
func (p *planner) liveDown() *Problem {
	r := p.release(p.u.LiveRelease)
	if r == nil || r.Status.Started == nil {
		return nil
	}
	for _, m := range r.Status.Started.Members {
		for _, name := range m.Services {
			if s := p.facts(p.u.LiveSlot).service(name); m.Role != v1alpha1.RoleWorker && (s == nil || s.Endpoints == 0) {
				return &Problem{Reason: v1alpha1.ReasonLiveNotReady, Message: fmt.Sprintf("Service %s in the live slot %s has no ready endpoint", name, p.u.LiveSlot)}
			}
		}
	}
	return nil
}

// working is what Lockstep is busy with, or waits for.
func (p *planner) working() *Problem {
	if p.u.ActiveRelease != "" {
		return p.progress()
	}
	for i := range p.st.Slots {
		switch s := &p.st.Slots[i]; s.State {
		case v1alpha1.SlotDraining, v1alpha1.SlotRetiring:
			return &Problem{Reason: orText(s.Reason, v1alpha1.ReasonRetiring), Message: "slot " + s.Name + ": " + s.Message}
		case v1alpha1.SlotLive:
			if s.Reason != "" {
				return &Problem{Reason: s.Reason, Message: "slot " + s.Name + ": " + s.Message}
			}
		case v1alpha1.SlotPreview, v1alpha1.SlotWarm, v1alpha1.SlotIdle:
		}
	}
	return nil
}

func (p *planner) progress() *Problem {
	if p.u.ActiveRelease == "" {
		if p.held != nil {
			return p.held
		}
		if p.queued != nil {
			return p.queued
		}
		if p.suspended() {
			return &Problem{Reason: v1alpha1.ReasonSuspended, Message: fmt.Sprintf("spec.suspend keeps new releases from starting; kubectl lockstep resume %s -n %s", p.s.Stack.Name, p.s.Stack.Namespace)}
		}
		if src := p.s.Source; src != nil && src.Problem != nil {
			return &Problem{Reason: v1alpha1.ReasonWatchFailed, Message: "the source cannot be watched: " + src.Problem.Message}
		}
		return &Problem{Reason: v1alpha1.ReasonIdle, Message: "no release is active"}
	}
	step := p.u.Step
	message := fmt.Sprintf("release %s is at %s", p.u.ActiveRelease, step.Kind)
	if step.WaitingFor != "" {
		message += ", waiting for: " + step.WaitingFor
	}
	return &Problem{Reason: orText(step.Reason, v1alpha1.ReasonProgressing), Message: message}
}

func (p *planner) entriesCondition() {
	if p.u.Route == nil || (p.u.Route.Epoch == 0 && p.u.LiveSlot == "") {
		p.set(v1alpha1.ConditionEntriesInForce, false, &Problem{Reason: v1alpha1.ReasonNothingReleased, Message: "no entry was written yet"})
		return
	}
	if problem := p.notInForceAnywhere(); problem != nil {
		p.set(v1alpha1.ConditionEntriesInForce, false, problem)
		return
	}
	p.set(v1alpha1.ConditionEntriesInForce, true, &Problem{Reason: v1alpha1.ReasonInForce, Message: p.intentText()})
}

func (p *planner) driftCondition() {
	if p.u.LiveSlot == "" || p.facts(p.u.LiveSlot).Problem != nil {
		return
	}
	if drift := p.facts(p.u.LiveSlot).Drift; drift != "" {
		p.set(v1alpha1.ConditionLiveAsReleased, false, &Problem{Reason: v1alpha1.ReasonLiveDrifted, Message: drift})
		return
	}
	p.set(v1alpha1.ConditionLiveAsReleased, true, &Problem{Reason: v1alpha1.ReasonAsReleased, Message: "the live slot runs what was released"})
}
