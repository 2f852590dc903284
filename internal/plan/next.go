package plan

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Next returns what to do next about a Stack. It is a pure function of its arguments.
func Next(s Snapshot, now time.Time) Plan {
	p := newPlanner(s, now)
	if s.Stack.DeletionTimestamp == nil {
		p.run()
	}
	return Plan{Status: p.st, Actions: p.actions, Wake: p.wake}
}

// run goes through the stages. Each returns false where nothing that comes after it can be decided.
func (p *planner) run() {
	stages := []func() bool{
		p.validate, // the spec does not contradict itself
		p.readable, // every slot and entry could be read
		p.locate,   // what is live is proven
		p.decide,   // what people said
		p.watch,    // new commits
		p.queue,    // which release is active
		p.advance,  // the active release, step by step
		p.giveTurn, // others of the queue group
		p.route,    // entries that do not carry the intent yet
		p.tend,     // slots that are kept, drained, retired
		p.retain,   // releases that history no longer keeps
	}
	for _, stage := range stages {
		if !stage() {
			break
		}
	}
	p.summarize()
}

type planner struct {
	s   Snapshot
	now time.Time
	// was is the status as it was saved, st the one to come; u is st's only unit.
	was v1alpha1.StackStatus
	st  v1alpha1.StackStatus
	u   *v1alpha1.UnitStatus

	actions []Action
	wake    time.Time
	// stalled is what nothing can be decided for; held is what new releases wait for; queued is that they wait for others.
	stalled *Problem
	held    *Problem
	queued  *Problem
	// invalid is how the spec contradicts itself.
	invalid *Problem
	// unfit is why no further entry is sent to the slot that users are being moved to.
	unfit *Problem
}

func newPlanner(s Snapshot, now time.Time) *planner {
	p := &planner{s: s, now: now, was: s.Stack.Status, st: *s.Stack.Status.DeepCopy()}
	p.st.ObservedGeneration = s.Stack.Generation
	if len(p.st.Units) == 0 {
		p.st.Units = []v1alpha1.UnitStatus{{Name: UnitAll}}
	}
	p.u = &p.st.Units[0]
	p.keepSlots()
	p.keepObservations()
	return p
}

// keepSlots gives every slot of the spec a status, and forgets idle ones that the spec no longer names.
func (p *planner) keepSlots() {
	var kept []v1alpha1.SlotStatus
	for _, f := range p.s.Slots {
		status := v1alpha1.SlotStatus{Name: f.Name, State: v1alpha1.SlotIdle, Since: p.stamp()}
		if old := findSlot(p.st.Slots, f.Name); old != nil {
			status = *old
		}
		status.Namespace = f.Namespace
		kept = append(kept, status)
	}
	for _, old := range p.st.Slots {
		if old.State != v1alpha1.SlotIdle && findSlot(kept, old.Name) == nil {
			kept = append(kept, old)
		}
	}
	p.st.Slots = kept
}

// keepObservations takes in new results, and forgets those of other releases, steps and attempts, and what is settled.
func (p *planner) keepObservations() {
	results := append(append([]v1alpha1.Observation{}, p.u.Observations...), p.s.Results...)
	p.u.Observations = nil
	for _, o := range results {
		if p.current(o) && !passing(o) || p.refusedAtRest(o) {
			p.observe(o)
		}
	}
}

func (p *planner) current(o v1alpha1.Observation) bool {
	r := p.activeRelease()
	step := p.u.Step
	return r != nil && step != nil && o.Release == r.UID && o.Step == step.Kind && o.Attempt == step.Attempt
}

// maxObservations is the bound of the status field.
const maxObservations = 32

func (p *planner) observe(o v1alpha1.Observation) {
	for i := range p.u.Observations {
		if p.u.Observations[i].Key == o.Key {
			p.u.Observations[i] = o
			return
		}
	}
	if len(p.u.Observations) < maxObservations {
		p.u.Observations = append(p.u.Observations, o)
	}
}

// result is what came of key in the current attempt of the current step; nil where nothing did yet.
func (p *planner) result(key string) *v1alpha1.Observation {
	for i := range p.u.Observations {
		if o := &p.u.Observations[i]; o.Key == key {
			return o
		}
	}
	return nil
}

// refused is why something that the current step does again and again was refused last; nil where it was not.
func (p *planner) refused(key string) *Problem {
	if o := p.result(key); o != nil && !o.OK {
		return problemOf(o)
	}
	return nil
}

// at is whether the active release is at a step of the kind.
func (p *planner) at(kind v1alpha1.StepKind) bool { return p.u.Step != nil && p.u.Step.Kind == kind }

func (p *planner) do(a Action) { p.actions = append(p.actions, a) }

func (p *planner) event(warning bool, reason, message string) {
	p.do(Event{Warning: warning, Reason: reason, Message: message, Because: Because(message)})
}

// stamp is now, as the API keeps it.
func (p *planner) stamp() metav1.Time { return metav1.NewTime(p.now.Truncate(time.Second)) }

// stampAfter is now or up to a second later: for times that something must not happen before.
func (p *planner) stampAfter() metav1.Time {
	return metav1.NewTime(p.now.Add(time.Second - 1).Truncate(time.Second))
}

func (p *planner) wakeAt(t time.Time) {
	if p.wake.IsZero() || t.Before(p.wake) {
		p.wake = t
	}
}

func (p *planner) wakeIn(d time.Duration) { p.wakeAt(p.now.Add(d)) }

// bump starts a new intent.
func (p *planner) bump() int64 {
	p.u.Epoch++
	return p.u.Epoch
}

func (p *planner) release(name string) *v1alpha1.Release {
	for i := range p.s.Releases {
		if r := &p.s.Releases[i]; name != "" && r.Name == name {
			return r
		}
	}
	return nil
}

func (p *planner) activeRelease() *v1alpha1.Release { return p.release(p.u.ActiveRelease) }

func (p *planner) slot(name string) *v1alpha1.SlotStatus { return findSlot(p.st.Slots, name) }

func findSlot(slots []v1alpha1.SlotStatus, name string) *v1alpha1.SlotStatus {
	for i := range slots {
		if slots[i].Name == name {
			return &slots[i]
		}
	}
	return nil
}

func (p *planner) facts(slot string) *Slot {
	for i := range p.s.Slots {
		if p.s.Slots[i].Name == slot {
			return &p.s.Slots[i]
		}
	}
	return &Slot{Name: slot, Problem: p.unlisted(slot)}
}

// listed is whether the spec has the slot.
func (p *planner) listed(slot string) bool {
	return slices.ContainsFunc(p.s.Slots, func(s Slot) bool { return s.Name == slot })
}

// unlisted is that nothing is known of the live slot because someone has taken it out of the spec.
func (p *planner) unlisted(slot string) *Problem {
	if slot == "" || slot != p.u.LiveSlot || p.listed(slot) {
		return nil
	}
	return &Problem{Reason: v1alpha1.ReasonSlotGone, Message: fmt.Sprintf("slot %s is live and not in spec.slots any more; put it back, until users are on another one", slot)}
}

func (s *Slot) workload(kind, name string) *Workload {
	for i := range s.Workloads {
		if w := &s.Workloads[i]; w.Kind == kind && w.Name == name {
			return w
		}
	}
	return nil
}

func (s *Slot) service(name string) *Service {
	for i := range s.Services {
		if s.Services[i].Name == name {
			return &s.Services[i]
		}
	}
	return nil
}

func ref(r *v1alpha1.Release) ReleaseRef { return ReleaseRef{Name: r.Name, UID: r.UID} }

func setState(s *v1alpha1.SlotStatus, state v1alpha1.SlotState, at metav1.Time) {
	if s.State != state {
		s.State, s.Since, s.Replicas = state, at, nil
	}
	s.Reason, s.Message = "", ""
}
