package world

import (
	"slices"
	"time"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// KillPod ends a Pod at once.
func (w *World) KillPod(n *Namespace, p *Pod) {
	w.harm(n)
	p.Ready = false
	p.Terminating = true
}

// harm takes note that what runs in a namespace may fail through no fault of Lockstep's.
func (w *World) harm(n *Namespace) {
	n.Hurt = true
	w.disturbed++
}

// CrashPod leaves a Pod that is never ready again.
func (w *World) CrashPod(n *Namespace, p *Pod) {
	w.harm(n)
	p.Broken, p.Ready = true, false
	w.changed()
}

// MendPods has Pods that crashed come up again.
func (w *World) MendPods() {
	for _, n := range w.Namespaces {
		for _, p := range n.Pods {
			p.Broken = false
		}
	}
}

// Hide keeps everyone from reading what is in a namespace, or lets them again.
func (w *World) Hide(n *Namespace, hidden bool) {
	n.Hidden = hidden
	w.changed()
}

// EditRoute is someone who writes weights into a route by hand.
func (w *World) EditRoute(r *Route, weights ...v1alpha1.SlotWeight) {
	r.Exists = true
	r.send("kubectl-edit", weights)
	w.disturbed++
	w.touch(r)
}

// TakeBack is someone who takes users back without the controller.
func (w *World) TakeBack(d *plan.Detour) {
	w.disturbed++
	for _, write := range d.Writes {
		w.writeEntry(write)
		r := w.Route(write.Entry)
		r.By, r.MovedBy = "kubectl-lockstep", "kubectl-lockstep"
	}
}

// PutBack is someone who has a route say what Lockstep wants it to say.
func (w *World) PutBack(r *Route, intent v1alpha1.RouteIntent) {
	if !r.Exists {
		return
	}
	r.Preview = r.shown(intent)
	w.EditRoute(r, r.wanted(intent)...)
}

// DeleteRoute is someone who deletes a route.
func (w *World) DeleteRoute(r *Route) {
	w.disturbed++
	*r = Route{Entry: r.Entry, Testers: r.Testers, Adopted: r.Adopted, generation: r.generation, By: "kubectl-delete", Weights: r.Weights, MovedBy: r.MovedBy}
	w.changed()
}

// EditWorkload is someone who changes the template of a workload by hand, stamps aside.
func (w *World) EditWorkload(n *Namespace, x *Workload) {
	w.harm(n)
	x.Edited = true
	w.touchWorkload(x)
}

// ScaleByHand is someone who scales a workload.
func (w *World) ScaleByHand(n *Namespace, x *Workload, replicas int32) {
	w.harm(n)
	x.Replicas = replicas
	w.touchWorkload(x)
}

// DeleteNamespace is someone who deletes the namespace of a slot.
func (w *World) DeleteNamespace(n *Namespace) {
	w.harm(n)
	n.Terminating = n.Exists
	w.changed()
}

// Found puts a workload that Lockstep did not apply into a slot, with a Service over it.
func (w *World) Found(slot, name string, replicas int32) {
	n := w.Namespace(slot)
	if n.Exists = true; n.Workload(name) != nil {
		return
	}
	w.disturbed++
	x := &Workload{Kind: "Deployment", Name: name, Replicas: replicas}
	n.Workloads = append(n.Workloads, x)
	if n.Service(name) == nil {
		n.Services = append(n.Services, &Service{Name: name, Member: name})
	}
	w.touchWorkload(x)
}

// Adopt makes an entry's route one that the team has made, with these weights.
func (w *World) Adopt(entry string, weights ...v1alpha1.SlotWeight) *Route {
	r := w.Route(entry)
	r.Adopted = true
	r.Exists = true
	r.send("team", weights)
	w.touch(r)
	return r
}

// RecreateStack is a Stack that is deleted and made again, without its status.
func (w *World) RecreateStack() {
	w.Stack.Status = v1alpha1.StackStatus{}
	w.Stack.ResourceVersion = w.nextVersion()
	w.Stack.UID += "+"
	w.disturbed++
	w.changed()
}

// Suspend has someone set spec.suspend of the Stack.
func (w *World) Suspend(on bool) {
	spec := w.Stack.Spec
	spec.Suspend = on
	w.Respec(spec)
}

// Respec is someone who changes the Stack's spec.
func (w *World) Respec(spec v1alpha1.StackSpec) {
	w.Stack.Spec = spec
	w.Stack.Generation++
	w.Stack.ResourceVersion = w.nextVersion()
	w.changed()
}

// AddEntry is someone who adds an entry with a route of the team's own.
func (w *World) AddEntry(e v1alpha1.Entry, weights ...v1alpha1.SlotWeight) {
	spec := w.Stack.Spec
	spec.Entries = append(slices.Clone(spec.Entries), e)
	w.Routes = append(w.Routes, &Route{Entry: e.Name})
	w.Adopt(e.Name, weights...)
	w.Respec(spec)
}

// DropSlot is someone who takes a slot out of the Stack's spec.
func (w *World) DropSlot(name string) {
	spec := w.Stack.Spec
	spec.Slots = slices.DeleteFunc(slices.Clone(spec.Slots), func(s v1alpha1.Slot) bool { return s.Name == name })
	w.Respec(spec)
}

// LosePolicy and SetPolicy are what administrators do to the admission policy.
func (w *World) LosePolicy() { w.Policy = nil }

// SetPolicy puts the policy in force as of now.
func (w *World) SetPolicy() {
	now := w.Now
	w.Policy = &now
}

// Push is a new commit on the watched branch.
func (w *World) Push(commit, inputs string) {
	w.Source.Commit, w.Source.Inputs = commit, inputs
	w.changed()
}

// Share is a weight of a slot.
func Share(slot string, weight int32) v1alpha1.SlotWeight {
	return v1alpha1.SlotWeight{Slot: slot, Weight: weight}
}

// Seconds since the world began.
func (w *World) Seconds() time.Duration { return w.Now.Sub(Start) }
