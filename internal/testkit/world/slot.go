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
func (w *World) applyBase(a plan.ApplyBase) []func() Effect {
	n := w.Namespace(a.Slot)
	var writes []func() Effect
	for _, m := range w.membersOf(a.Release) {
		for _, name := range m.Services {
			writes = append(writes, func() Effect { return w.applyService(n, a, name, m.Name) })
		}
	}
	writes = append(writes, w.applyAutoscalers(a)...)
	return append(writes, func() Effect { return w.prune(n, a) })
}

func (w *World) membersOf(ref plan.ReleaseRef) []v1alpha1.ReleaseMember {
	if r := w.releaseOf(ref); r != nil && r.Status.Started != nil {
		return r.Status.Started.Members
	}
	return nil
}

func (w *World) applyService(n *Namespace, a plan.ApplyBase, name, member string) Effect {
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
func (w *World) prune(n *Namespace, a plan.ApplyBase) Effect {
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

// memberWrites are the two writes of a member: its content first, its epoch and size right after.
type memberWrites struct {
	w *World
	n *Namespace
	a plan.ApplyMember
	// found is the release that the first write found, and version what it left.
	found   string
	version int64
}

func (w *World) applyMember(a plan.ApplyMember) []func() Effect {
	m := &memberWrites{w: w, n: w.Namespace(a.Slot), a: a}
	return []func() Effect{m.content, m.size}
}

func (m *memberWrites) content() Effect {
	if !m.n.usable() {
		return gone(m.n)
	}
	x := m.n.Workload(m.a.Name)
	if x == nil {
		return m.create()
	}
	if x.Epoch > m.a.Epoch {
		return Effect{Write: Write{Effect: LeftAlone}}
	}
	before := x.copy()
	m.found = x.Release
	x.Release, x.Labelled, x.Edited = m.a.Release.Name, true, false
	m.w.touchWorkload(x)
	m.version = x.version
	return Effect{Write: Write{Effect: Written, WorkloadBefore: before, WorkloadAfter: x.copy()}}
}

func (m *memberWrites) create() Effect {
	x := &Workload{Kind: m.a.Kind, Name: m.a.Name, Release: m.a.Release.Name, Labelled: true, Epoch: m.a.Epoch, Replicas: m.a.Replicas}
	m.n.Workloads = append(m.n.Workloads, x)
	m.w.touchWorkload(x)
	return Effect{Write: Write{Effect: Written, WorkloadAfter: x.copy()}}
}

// size keeps the one of a workload that was found with this release already.
func (m *memberWrites) size() Effect {
	x := m.n.Workload(m.a.Name)
	switch {
	case m.version == 0:
		return Effect{}
	case x == nil || x.version != m.version:
		return Effect{Write: Write{Effect: Conflict}}
	}
	before := x.copy()
	x.Epoch = m.a.Epoch
	if m.found != m.a.Release.Name || m.a.Asleep {
		x.Replicas = m.a.Replicas
	}
	m.w.touchWorkload(x)
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
