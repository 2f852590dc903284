package world

import (
	"slices"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

func (w *World) makeNamespace(a plan.PrepareSlot) Effect {
	n := w.Namespace(a.Slot)
	switch {
	case n.Terminating, n.Exists && !n.Consented:
		return Effect{Write: Write{Effect: LeftAlone}}
	case !n.Exists:
		n.Exists, n.Consented = true, true
	}
	return Effect{Write: Write{Effect: Written}}
}

func (w *World) bind(a plan.PrepareSlot) Effect {
	if n := w.Namespace(a.Slot); n.usable() {
		n.Bound = true
	}
	return Effect{Write: Write{Effect: Written}}
}

func (n *Namespace) usable() bool { return n.Exists && !n.Terminating && n.Consented }

// applyBase is one write for each Service, and one for each thing that a former release has left.
func (w *World) applyBase(a plan.ApplyBase) []TaskWrite {
	var writes []TaskWrite
	for _, m := range w.membersOf(a.Release) {
		for _, name := range m.Services {
			writes = append(writes, func(w *World, _ *Task) Effect { return w.applyService(a, name, m.Name) })
		}
	}
	writes = append(writes, w.applyAutoscalers(a)...)
	return append(writes, func(w *World, _ *Task) Effect { return w.prune(a) })
}

func (w *World) membersOf(ref plan.ReleaseRef) []v1alpha1.ReleaseMember {
	if r := w.releaseOf(ref); r != nil && r.Status.Started != nil {
		return r.Status.Started.Members
	}
	return nil
}

func (w *World) applyService(a plan.ApplyBase, name, member string) Effect {
	n := w.Namespace(a.Slot)
	if !n.usable() {
		return gone(n)
	}
	s := n.Service(name)
	switch {
	case s == nil:
		n.Services = append(n.Services, &Service{Name: name, Member: member, Release: a.Release.Name, Epoch: a.Epoch})
	case s.Epoch > a.Epoch:
		return Effect{Write: Write{Effect: LeftAlone}}
	default:
		s.Member, s.Release, s.Epoch = member, a.Release.Name, a.Epoch
	}
	w.changed()
	return Effect{Write: Write{Effect: Written}}
}

func gone(n *Namespace) Effect {
	return Effect{Refused: &plan.Problem{Reason: v1alpha1.ReasonNamespaceTerminating, Message: "namespace " + n.Name + " cannot be written to"}}
}

// prune removes what Lockstep applied for former releases and this one has not.
func (w *World) prune(a plan.ApplyBase) Effect {
	n := w.Namespace(a.Slot)
	keep := map[string]bool{}
	for _, m := range w.membersOf(a.Release) {
		keep[m.Name] = true
		for _, name := range m.Services {
			keep["service/"+name] = true
		}
	}
	n.Services = slices.DeleteFunc(n.Services, func(s *Service) bool { return s.Epoch <= a.Epoch && s.Release != "" && !keep["service/"+s.Name] })
	n.Workloads = slices.DeleteFunc(n.Workloads, func(x *Workload) bool { return x.Epoch <= a.Epoch && x.Labelled && !keep[x.Name] })
	w.pruneAutoscalers(n, a)
	w.changed()
	return Effect{Write: Write{Effect: Written}}
}

// applyMember is the two writes of a member: its content first, its epoch and size right after.
func applyMember(a plan.ApplyMember) []TaskWrite {
	return []TaskWrite{
		func(w *World, t *Task) Effect { return w.applyContent(t, a) },
		func(w *World, t *Task) Effect { return w.applySize(t, a) },
	}
}

func (w *World) applyContent(t *Task, a plan.ApplyMember) Effect {
	n := w.Namespace(a.Slot)
	if !n.usable() {
		return gone(n)
	}
	x := n.Workload(a.Name)
	if x == nil {
		return w.createMember(n, a)
	}
	if x.Epoch > a.Epoch {
		return Effect{Write: Write{Effect: LeftAlone}}
	}
	before := x.copy()
	t.found = x.Release
	if x.Release != a.Release.Name || !x.Labelled || x.Edited { // what says nothing new leaves the generation as it is
		x.Release, x.Labelled, x.Edited = a.Release.Name, true, false
		w.touchWorkload(x)
	}
	t.version = x.version
	return Effect{Write: Write{Effect: Written, WorkloadBefore: before, WorkloadAfter: x.copy()}}
}

func (w *World) createMember(n *Namespace, a plan.ApplyMember) Effect {
	x := &Workload{Kind: a.Kind, Name: a.Name, Release: a.Release.Name, Labelled: true, Epoch: a.Epoch, Replicas: a.Replicas}
	n.Workloads = append(n.Workloads, x)
	w.touchWorkload(x)
	return Effect{Write: Write{Effect: Written, WorkloadAfter: x.copy()}}
}

// applySize keeps the one of a workload that was found with this release already.
func (w *World) applySize(t *Task, a plan.ApplyMember) Effect {
	x := w.Namespace(a.Slot).Workload(a.Name)
	switch {
	case t.version == 0:
		return Effect{}
	case x == nil || x.version != t.version:
		return Effect{Write: Write{Effect: Conflict}}
	}
	before := x.copy()
	x.Epoch = a.Epoch
	if (t.found != a.Release.Name || a.Asleep) && x.Replicas != a.Replicas {
		x.Replicas = a.Replicas
		x.generation++
	}
	if x.Epoch != before.Epoch || x.Replicas != before.Replicas {
		x.version = w.nextNumber()
		w.changed()
	}
	return Effect{Write: Write{Effect: Written, WorkloadBefore: before, WorkloadAfter: x.copy()}}
}

func (w *World) scale(a plan.Scale) Effect {
	x := w.Namespace(a.Slot).Workload(a.Name)
	if x == nil || x.Epoch > a.Epoch {
		return Effect{Write: Write{Effect: LeftAlone}}
	}
	before := x.copy()
	x.Epoch = a.Epoch
	if a.Replicas != nil && *a.Replicas != x.Replicas {
		x.Replicas = *a.Replicas
		x.generation++
	}
	x.version = w.nextNumber()
	w.changed()
	return Effect{Write: Write{Effect: Written, WorkloadBefore: before, WorkloadAfter: x.copy()}}
}

func (w *World) touchWorkload(x *Workload) {
	x.version, x.generation = w.nextNumber(), x.generation+1
	w.changed()
}

func (x *Workload) copy() *Workload {
	c := *x
	return &c
}
