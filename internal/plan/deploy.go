package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// deploy takes a free slot, proves it empty, and applies the content: everything that is no workload first, then members
// in parallel, each after those that it depends on.
func (p *planner) deploy(r *v1alpha1.Release) bool {
	if p.u.ActiveSlot == "" {
		if problem := p.slotRefused(r); problem != nil {
			return p.fail(problem) // the spec may have lost it while it was waited for
		}
		if !p.takeSlot(r) {
			return false
		}
	}
	stages := []func(*v1alpha1.Release) *Problem{p.prepare, p.empty, p.preflight, p.base, p.members}
	for _, stage := range stages {
		if problem := stage(r); problem != nil {
			if problem.Reason == v1alpha1.ReasonSlotGone {
				return p.fail(problem)
			}
			return p.waitOrFail(problem)
		}
	}
	return p.goTo(nextStep(r.Status.Started.Steps, v1alpha1.StepDeploy))
}

// takeSlot chooses a slot that is idle and that no entry points at.
func (p *planner) takeSlot(r *v1alpha1.Release) bool {
	for _, f := range p.s.Slots {
		s := p.slot(f.Name)
		if s.State != v1alpha1.SlotIdle || p.pointedTo(s.Name) || r.Spec.Slot != "" && r.Spec.Slot != s.Name {
			continue
		}
		p.u.ActiveSlot = s.Name
		p.u.Step.Since = p.stamp()
		setState(s, v1alpha1.SlotPreview, p.stamp())
		s.Release, s.Proof, s.LeftAt, s.Epoch = r.Name, v1alpha1.ProofStamped, nil, p.bump()
		return true
	}
	if problem := p.strayUsers(); problem != nil {
		p.wakeIn(retryAfter)
		p.waitOn(problem)
		return false
	}
	if r.Spec.RollbackOf != "" || p.s.Stack.Spec.Strategy.BlueGreen.KeepPrevious.Yield {
		p.giveUpWarm(r)
	}
	p.waitFor(v1alpha1.ReasonWaitingForSlot, p.slotsText())
	return false
}

// giveUpWarm has a release take a kept slot: a rollback, because nobody asked to go back to that one, and any other where
// the Stack says that it yields. Of several it is the one that was left first.
func (p *planner) giveUpWarm(r *v1alpha1.Release) {
	var oldest *v1alpha1.SlotStatus
	for i := range p.st.Slots {
		s := &p.st.Slots[i]
		switch {
		case s.State == v1alpha1.SlotDraining || s.State == v1alpha1.SlotRetiring:
			if r.Spec.Slot == "" || r.Spec.Slot == s.Name {
				return // it will be free
			}
		case s.State == v1alpha1.SlotWarm && (r.Spec.Slot == "" || r.Spec.Slot == s.Name):
			if oldest == nil || s.Since.Before(&oldest.Since) {
				oldest = s
			}
		}
	}
	if oldest != nil {
		setState(oldest, v1alpha1.SlotDraining, p.stamp())
		p.event(false, v1alpha1.ReasonDraining, fmt.Sprintf("kept slot %s is given up for release %s", oldest.Name, r.Name))
	}
}

// slotRefused is why a release can never be deployed to the slot that it names.
func (p *planner) slotRefused(r *v1alpha1.Release) *Problem {
	name := r.Spec.Slot
	switch {
	case name == "":
		return nil
	case !p.listed(name):
		return &Problem{Reason: v1alpha1.ReasonSlotUnknown, Message: fmt.Sprintf("the release names slot %s, which is not in spec.slots; name one that is, or none", name)}
	case name == p.u.LiveSlot || p.u.Route.Live == name:
		return &Problem{Reason: v1alpha1.ReasonSlotLive, Message: fmt.Sprintf("the release names slot %s, which users are on; name a free slot, or none", name)}
	}
	return nil
}

func (p *planner) pointedTo(slot string) bool {
	if p.u.Route.Live == slot || p.u.Route.Preview == slot || p.u.LiveSlot == slot {
		return true
	}
	return p.sent(slot)
}

// strayUsers is why an idle slot is not free: someone sends users there.
func (p *planner) strayUsers() *Problem {
	for _, s := range p.st.Slots {
		for i := range p.s.Entries {
			if e := &p.s.Entries[i]; s.State == v1alpha1.SlotIdle && sends(e, s.Name) {
				return &Problem{
					Reason:  v1alpha1.ReasonEntryEdited,
					Message: fmt.Sprintf("slot %s is idle, but entry %s sends users or testers there%s; put the route back, and the release goes on", s.Name, e.Name, by(e)),
				}
			}
		}
	}
	return nil
}

func (p *planner) slotsText() string {
	var parts []string
	for _, s := range p.st.Slots {
		parts = append(parts, fmt.Sprintf("%s is %s", s.Name, s.State))
		if s.Reason == v1alpha1.ReasonPodStuck {
			parts = append(parts, s.Message)
		}
	}
	if warm := p.warmest(); warm != nil {
		parts = append(parts, fmt.Sprintf("give up the kept one with kubectl lockstep retire %s -n %s", p.s.Stack.Name, p.s.Stack.Namespace))
	}
	return "a free slot: " + strings.Join(parts, "; ")
}

// prepare makes sure of the slot's namespace, its consent and its rights.
func (p *planner) prepare(*v1alpha1.Release) *Problem {
	f := p.facts(p.u.ActiveSlot)
	switch {
	case f.Problem != nil:
		return f.Problem
	case p.facts(p.u.LiveSlot).Problem != nil:
		return p.facts(p.u.LiveSlot).Problem // its sizes are what the new slot is to have
	case (!f.Exists || f.Terminating) && p.result("base") != nil:
		return p.slotGone()
	case f.Terminating:
		p.wakeIn(lookAgainLater)
		return &Problem{Reason: v1alpha1.ReasonNamespaceTerminating, Message: "namespace " + f.Namespace + " is being deleted; the release goes on once it is gone"}
	case !f.Exists && !f.Creatable:
		p.wakeIn(retryAfter)
		return &Problem{Reason: v1alpha1.ReasonNamespaceMissing, Message: fmt.Sprintf("namespace %s of slot %s does not exist, and Lockstep makes only namespaces named %s-*; make it, with the labels %s", f.Namespace, f.Name, p.s.Stack.Namespace, p.consent())}
	case f.Exists && !f.Consented:
		p.wakeIn(retryAfter)
		return &Problem{Reason: v1alpha1.ReasonNamespaceNoConsent, Message: fmt.Sprintf("namespace %s exists and does not consent to be slot %s of this Stack; label it %s if that is meant", f.Namespace, f.Name, p.consent())}
	case !f.Exists || !f.Bound:
		p.do(PrepareSlot{Slot: f.Name, Because: "the slot's namespace is not ready"})
		if refused := p.refused("prepare/" + f.Name); refused != nil {
			return refused
		}
		return &Problem{Reason: v1alpha1.ReasonDeploying, Message: "namespace " + f.Namespace + " is being made ready"}
	}
	return nil
}

func (p *planner) consent() string {
	return fmt.Sprintf("%s=%s %s=%s", v1alpha1.LabelStack, p.s.Stack.Name, v1alpha1.LabelStackNamespace, p.s.Stack.Namespace)
}

// empty proves that nothing of another release runs in the slot, terminating Pods included.
func (p *planner) empty(r *v1alpha1.Release) *Problem {
	s, f := p.slot(p.u.ActiveSlot), p.facts(p.u.ActiveSlot)
	for _, w := range f.Workloads {
		if w.Release == r.Name || w.Replicas == 0 {
			continue
		}
		if w.Release != "" && w.Epoch < s.Epoch {
			p.scale(s, w, new(int32), "it belongs to another release")
		}
		p.wakeIn(lookAgainLater)
		return &Problem{Reason: v1alpha1.ReasonSlotNotEmpty, Message: fmt.Sprintf("%s/%s in namespace %s is not of this release and has %d replicas; scale it to zero, or delete it", w.Kind, w.Name, f.Namespace, w.Replicas)}
	}
	for _, pod := range f.Pods {
		if pod.Release != r.Name {
			p.wakeIn(lookAgainLater)
			if stuck := p.stuck(f, &pod); stuck != nil {
				return stuck
			}
			return &Problem{Reason: v1alpha1.ReasonSlotNotEmpty, Message: fmt.Sprintf("Pod %s in namespace %s is not of this release; the slot is used once it is gone", pod.Name, f.Namespace)}
		}
	}
	return nil
}

func (p *planner) scale(s *v1alpha1.SlotStatus, w Workload, replicas *int32, because Because) {
	p.do(Scale{Slot: s.Name, Epoch: s.Epoch, Kind: w.Kind, Name: w.Name, Replicas: replicas, Because: because})
}

// preflight finds what is missing before anything is applied.
func (p *planner) preflight(r *v1alpha1.Release) *Problem {
	action := Preflight{Release: ref(r), Slot: p.u.ActiveSlot, Attempt: p.u.Step.Attempt, Sizes: p.sizes(r), Because: "the content is about to be applied"}
	p.tellShort()
	return p.settled("preflight", action, &Problem{Reason: v1alpha1.ReasonPreflight, Message: "rights, references and quota are being looked at"})
}

// sizes are how many Pods each member is going to have.
func (p *planner) sizes(r *v1alpha1.Release) []Size {
	var all []Size
	for _, m := range r.Status.Started.Members {
		all = append(all, Size{Kind: m.Kind, Name: m.Name, Preview: p.firstSize(r, m), Live: p.liveSize(m)})
	}
	return all
}

// tellShort says, once for each look, what the preflight saw that need not keep the release.
func (p *planner) tellShort() {
	for _, o := range p.s.Results {
		if o.Key == "preflight" && o.OK && o.Reason != "" && p.current(o) {
			p.event(true, o.Reason, o.Message)
		}
	}
}

func (p *planner) base(r *v1alpha1.Release) *Problem {
	action := ApplyBase{Release: ref(r), Slot: p.u.ActiveSlot, Epoch: p.slot(p.u.ActiveSlot).Epoch, Attempt: p.u.Step.Attempt, Minimums: p.minimums(r), Because: "members need it"}
	return p.settled("base", action, &Problem{Reason: v1alpha1.ReasonDeploying, Message: "Services and configuration are being applied"})
}

// settled carries an action out until its result, of the same key, is good.
func (p *planner) settled(key string, action Action, waiting *Problem) *Problem {
	o := p.result(key)
	switch {
	case o == nil:
		p.do(action)
		return waiting
	case o.OK:
		return nil
	case p.due(o):
		p.do(action)
	}
	return problemOf(o)
}

// members applies each member, and gives it its size once those that it depends on are ready. It is applied at zero, where its
// kind has such a thing, as soon as those run: to write a size is quick, and what the API server refuses is known earlier. Not
// sooner: the cluster's own controllers are limited to some 20 writes a second, and Pods of the first members would wait.
func (p *planner) members(r *v1alpha1.Release) *Problem {
	problems := make([]*Problem, 0, len(r.Status.Started.Members))
	for _, m := range r.Status.Started.Members {
		problems = append(problems, p.member(r, m))
	}
	return firstToAct(problems...)
}

func (p *planner) member(r *v1alpha1.Release, m v1alpha1.ReleaseMember) *Problem {
	if p.runs(r, m) {
		return nil
	}
	applied, waiting := p.applied(p.u.ActiveSlot, r, m), p.dependencies(r, m)
	switch {
	case waiting == nil && applied:
		return p.rouse(r, m)
	case waiting == nil:
		return p.apply(r, m, p.firstSize(r, m), &Problem{Reason: v1alpha1.ReasonDeploying, Message: m.Kind + "/" + m.Name + " is being applied"})
	case applied, !scales(m.Kind), !p.dependenciesRun(r, m):
		return waiting
	}
	return p.apply(r, m, 0, waiting)
}

// apply asks for a member that was refused no sooner than it may be tried again.
func (p *planner) apply(r *v1alpha1.Release, m v1alpha1.ReleaseMember, size int32, waiting *Problem) *Problem {
	o := p.result("apply/" + m.Name)
	if o == nil || o.OK || p.due(o) {
		p.do(p.applyMember(r, m, size))
	}
	if o != nil && !o.OK {
		return problemOf(o)
	}
	return waiting
}

// runs is whether a member was applied, and has a size; a worker needs none yet.
func (p *planner) runs(r *v1alpha1.Release, m v1alpha1.ReleaseMember) bool {
	return p.applied(p.u.ActiveSlot, r, m) &&
		(m.Role == v1alpha1.RoleWorker || p.facts(p.u.ActiveSlot).workload(m.Kind, m.Name).Replicas > 0)
}

func isOrdinary(problem *Problem) bool { return slices.Contains(ordinary, problem.Reason) }

// scales is whether a workload of the kind can be there at zero without its content telling.
func scales(kind string) bool { return kind == "Deployment" || kind == "StatefulSet" }

// dependenciesRun is whether what a member waits for is on its way.
func (p *planner) dependenciesRun(r *v1alpha1.Release, m v1alpha1.ReleaseMember) bool {
	return !slices.ContainsFunc(r.Status.Started.Members, func(d v1alpha1.ReleaseMember) bool {
		return slices.Contains(m.DependsOn, d.Name) && !p.runs(r, d)
	})
}

// dependencies is the first of a member's dependencies that is not ready.
func (p *planner) dependencies(r *v1alpha1.Release, m v1alpha1.ReleaseMember) *Problem {
	for _, name := range m.DependsOn {
		if problem := p.dependency(r, name); problem != nil {
			return &Problem{Reason: waitReason(problem), Message: fmt.Sprintf("%s waits for %s, which it depends on: %s", m.Name, name, problem.Message)}
		}
	}
	return nil
}

// waitReason is what is wrong with a dependency, or that it is waited for where nothing is.
func waitReason(problem *Problem) string {
	if isOrdinary(problem) {
		return v1alpha1.ReasonDependencyWait
	}
	return problem.Reason
}

// rouse gives a member its size that was applied at zero: it waited for others; or content and size of one that was there
// before are two writes, and the second never came; or the slot was retired at this very release.
func (p *planner) rouse(r *v1alpha1.Release, m v1alpha1.ReleaseMember) *Problem {
	s := p.slot(p.u.ActiveSlot)
	size := p.firstSize(r, m)
	p.scale(s, *p.facts(s.Name).workload(m.Kind, m.Name), &size, "it was applied at zero, and waits for nothing")
	return &Problem{Reason: v1alpha1.ReasonScaling, Message: fmt.Sprintf("%s/%s is being scaled to %d", m.Kind, m.Name, size)}
}

func (p *planner) dependency(r *v1alpha1.Release, name string) *Problem {
	for _, m := range r.Status.Started.Members {
		if m.Name == name {
			return p.memberUnready(p.u.ActiveSlot, r, m)
		}
	}
	return nil
}

func (p *planner) applyMember(r *v1alpha1.Release, m v1alpha1.ReleaseMember, size int32) ApplyMember {
	return ApplyMember{
		Release: ref(r), Slot: p.u.ActiveSlot, Epoch: p.slot(p.u.ActiveSlot).Epoch, Attempt: p.u.Step.Attempt,
		Kind: m.Kind, Name: m.Name, Replicas: size, Asleep: m.Role == v1alpha1.RoleWorker, Because: "the slot does not run it at this release",
	}
}

// applied is whether the slot holds the member at this release and for the current intent.
func (p *planner) applied(slot string, r *v1alpha1.Release, m v1alpha1.ReleaseMember) bool {
	w := p.facts(slot).workload(m.Kind, m.Name)
	return w != nil && w.Release == r.Name && w.Epoch >= p.slot(slot).Epoch
}

// firstSize is what the member is deployed with: a worker sleeps.
func (p *planner) firstSize(r *v1alpha1.Release, m v1alpha1.ReleaseMember) int32 {
	if m.Role == v1alpha1.RoleWorker {
		return 0
	}
	return p.previewSize(r, m)
}

// previewSize is how many replicas the member begins with.
func (p *planner) previewSize(r *v1alpha1.Release, m v1alpha1.ReleaseMember) int32 {
	size := p.liveSize(m)
	preview := p.s.Stack.Spec.Strategy.BlueGreen.PreviewReplicas
	if preview == nil || p.u.LiveSlot == "" || r.Spec.RollbackOf != "" {
		return size
	}
	return min(size, *preview)
}

// liveSize is how many replicas the member needs for users: as many as the live slot has at present, or as its manifest
// asks for where the live slot has none.
func (p *planner) liveSize(m v1alpha1.ReleaseMember) int32 {
	if w := p.facts(p.u.LiveSlot).workload(m.Kind, m.Name); w != nil && w.Replicas > 0 && m.Role != v1alpha1.RoleWorker {
		return within(m.Autoscaler, w.Replicas)
	}
	return within(m.Autoscaler, max(m.Replicas, 1))
}
