package world

import (
	"slices"

	"github.com/lockstep-dev/lockstep/internal/plan"
)

// Fork is a copy of the world that goes its own way, with an empty log. What is never changed, but only replaced, is
// shared: the Stack's status, Releases, Decisions, the weights of routes, lists of endpoints, and every map.
func (w *World) Fork() *World {
	f := *w
	f.Log = nil
	f.Releases, f.Decisions = slices.Clone(w.Releases), slices.Clone(w.Decisions)
	f.Namespaces, f.Routes, f.Gateways = make([]*Namespace, len(w.Namespaces)), make([]*Route, len(w.Routes)), make([]*Gateway, len(w.Gateways))
	for i, n := range w.Namespaces {
		f.Namespaces[i] = n.fork()
	}
	for i, r := range w.Routes {
		c := *r
		f.Routes[i] = &c
	}
	for i, g := range w.Gateways {
		c := *g
		f.Gateways[i] = &c
	}
	return &f
}

func (n *Namespace) fork() *Namespace {
	f := *n
	f.Workloads, f.Pods, f.Services, f.Autoscalers = each(n.Workloads), each(n.Pods), each(n.Services), each(n.Autoscalers)
	return &f
}

// each is a copy of everything that a list points at.
func each[T any](list []*T) []*T {
	if len(list) == 0 {
		return nil
	}
	values, copies := make([]T, len(list)), make([]*T, len(list))
	for i, p := range list {
		values[i] = *p
		copies[i] = &values[i]
	}
	return copies
}

// Fork is a copy of the process, wherever it is in its pass, that works in a fork of its world.
func (o *Operator) Fork(w *World) *Operator {
	f := *o
	f.world, f.Last = w, plan.Plan{}
	f.tasks, f.results = slices.Clone(o.tasks), slices.Clone(o.results)
	if !o.Busy() {
		f.snapshot = nil // the next pass reads anew
	}
	if o.reading {
		read := *o.snapshot
		read.Slots, read.Entries = slices.Clone(read.Slots), slices.Clone(read.Entries)
		f.snapshot = &read
	}
	return &f
}

// Look begins a pass, or goes on with one, reads all that is left to read at once, and plans. A plan that says nothing
// new and does nothing ends the pass; one that only does something is not saved before.
func (o *Operator) Look() {
	if !o.reading {
		o.begin()
	}
	for len(o.readings) > 0 {
		o.Step()
	}
	o.plan()
	if o.saysNothingNew() {
		o.save()
	}
}

// Read begins a pass, and reads one part only. The others are read when it looks.
func (o *Operator) Read(part int) {
	o.begin()
	o.early = part
	first := o.readings[part]
	o.readings = slices.Delete(slices.Clone(o.readings), part, part+1)
	first(o.world, o.snapshot)
}

// Reading is whether a pass has read some parts and not yet all.
func (o *Operator) Reading() bool { return o.reading }

// Unsaved is whether a pass has a plan that was not saved yet.
func (o *Operator) Unsaved() bool { return o.next != nil }

// Save saves the plan, and takes its actions apart into tasks.
func (o *Operator) Save() { o.save() }

// Doomed is whether the plan cannot be saved any more, since someone else has saved in the meantime.
func (o *Operator) Doomed() bool {
	if o.next == nil {
		return false
	}
	read := &o.snapshot.Stack
	return read.ResourceVersion != o.world.Stack.ResourceVersion || read.UID != o.world.Stack.UID
}

// Tasks are how many actions are still to be carried out.
func (o *Operator) Tasks() int { return len(o.tasks) }

// Task is the action that a task carries out.
func (o *Operator) Task(i int) plan.Action { return o.tasks[i].Action }

// Remembers is whether the process would lose anything if it crashed.
func (o *Operator) Remembers() bool { return o.Busy() || len(o.results) > 0 }

// Late is a write that was sent, and that has not come to its effect yet. Whoever sent it knows nothing of it any more.
type Late struct {
	task      Task
	who       string
	saw       *plan.Snapshot
	disturbed int64
}

// Send sends the next write of a task; the process goes on as if it had failed.
func (o *Operator) Send(task int) *Late {
	t := o.tasks[task]
	t.Writes = t.Writes[:1]
	l := &Late{task: t, who: o.Name, saw: o.snapshot, disturbed: o.disturbed}
	o.seen = -1
	o.drop(task)
	o.giveUp(l.task.Action)
	return l
}

// Land has the late write come to its effect.
func (l *Late) Land(w *World) {
	t := l.task // a copy: forks share the write
	t.next(w, l.who, l.saw, l.disturbed)
}

// TickSlot lets every controller that works in a slot take one step, in fixed order.
func (w *World) TickSlot(slot string) bool { return run(w.slotControllers(w.Namespace(slot))) }

// TickRoutes lets the router's controller look at every route.
func (w *World) TickRoutes() bool { return run(w.routeControllers()) }

// TickGateway lets a gateway replica take the routes as they are.
func (w *World) TickGateway(name string) bool {
	changed := false
	for _, g := range w.Gateways {
		changed = g.Name == name && w.take(g) || changed
	}
	return changed
}

func run(steps []func() bool) bool {
	changed := false
	for _, step := range steps {
		changed = step() || changed
	}
	return changed
}
