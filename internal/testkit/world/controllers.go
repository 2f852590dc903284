package world

import (
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"time"
)

// Controllers are the steps that other controllers can take now, in fixed order. Each returns whether it changed anything.
func (w *World) Controllers() []func() bool {
	var all []func() bool
	for _, n := range w.Namespaces {
		all = append(all, w.slotControllers(n)...)
	}
	all = append(all, w.routeControllers()...)
	for _, g := range w.Gateways {
		all = append(all, func() bool { return w.take(g) })
	}
	return all
}

// slotControllers are those that work in a slot's namespace.
func (w *World) slotControllers(n *Namespace) []func() bool {
	all := []func() bool{func() bool { return w.collect(n) }}
	for _, x := range n.Workloads {
		all = append(all, func() bool { return w.rollOut(n, x) })
	}
	for _, a := range n.Autoscalers {
		all = append(all, func() bool { return w.autoscale(n, a) })
	}
	all = append(all, func() bool { return w.orphans(n) })
	for _, p := range n.Pods {
		all = append(all, func() bool { return w.kubelet(n, p) })
	}
	for _, s := range n.Services {
		all = append(all, func() bool { return w.endpoints(n, s) }, func() bool { return w.proxy(n, s) })
	}
	return all
}

func (w *World) routeControllers() []func() bool {
	var all []func() bool
	for _, r := range w.Routes {
		all = append(all, func() bool { return w.accept(r) })
	}
	return all
}

// Tick lets every controller take one step, in fixed order or, with a source of chance, in a random one. It returns
// whether anything changed.
func (w *World) Tick(chance *rand.Rand) bool {
	all := w.Controllers()
	if chance != nil {
		chance.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	return run(all)
}

// collect removes a namespace that is being deleted, once its Pods are gone.
func (w *World) collect(n *Namespace) bool {
	if !n.Terminating {
		return false
	}
	n.Workloads, n.Services, n.Autoscalers = nil, nil, nil
	for _, p := range n.Pods {
		p.Terminating = true
	}
	if len(n.Pods) > 0 {
		return !w.PodsLinger
	}
	n.Exists, n.Terminating, n.Consented, n.Bound = false, false, false, false
	return true
}

// rollOut is the deployment controller: one Pod more or less at a time, new ones first.
func (w *World) rollOut(n *Namespace, x *Workload) bool {
	if !n.Exists || n.Terminating {
		return false
	}
	if x.Kind == cronJob {
		return w.strike(n, x)
	}
	fresh, old := n.podsOf(x)
	changed := x.observed != x.generation
	x.observed = x.generation
	switch {
	case len(fresh) < int(x.Replicas):
		n.Pods = append(n.Pods, &Pod{Name: w.podName(x), Kind: x.Kind, Member: x.Name, Release: x.Release})
		changed = true
	case len(fresh) > int(x.Replicas):
		fresh[len(fresh)-1].Terminating = true
		changed = true
	case len(old) > 0 && allReady(fresh):
		old[0].Terminating = true
		changed = true
	}
	fresh, old = n.podsOf(x)
	ready := len(fresh) == int(x.Replicas) && len(old) == 0 && allReady(fresh)
	x.ready, changed = ready, changed || ready != x.ready
	if changed {
		x.version = w.nextNumber()
		w.changed()
		w.heal(n)
	}
	return changed
}

const cronJob = "CronJob"

// strike is a CronJob whose time has come, at most once a minute: its Pod does its work and is gone.
func (w *World) strike(n *Namespace, x *Workload) bool {
	minute := w.Now.Truncate(time.Minute)
	if x.Replicas == 0 || x.struck.Equal(minute) {
		return false
	}
	x.struck = minute
	n.Pods = append(n.Pods, &Pod{Name: w.podName(x), Kind: cronJob, Member: x.Name, Release: x.Release})
	return true
}

func (w *World) podName(x *Workload) string {
	release := x.Release
	if release == "" {
		release = "found"
	}
	return fmt.Sprintf("%s-%s-%d", x.Name, release, w.nextNumber())
}

// podsOf are the Pods of a workload's present template, and those of former ones, without those that are terminating.
func (n *Namespace) podsOf(x *Workload) (fresh, old []*Pod) {
	for _, p := range n.Pods {
		switch {
		case p.Member != x.Name || p.Terminating:
		case p.Release == x.Release:
			fresh = append(fresh, p)
		default:
			old = append(old, p)
		}
	}
	return fresh, old
}

func allReady(pods []*Pod) bool {
	return !slices.ContainsFunc(pods, func(p *Pod) bool { return !p.Ready })
}

// orphans is the garbage collector: Pods whose workload is gone.
func (w *World) orphans(n *Namespace) bool {
	changed := false
	for _, p := range n.Pods {
		if n.Workload(p.Member) == nil && !p.Terminating {
			p.Terminating, changed = true, true
		}
	}
	return changed
}

// kubelet starts a Pod, or ends it.
func (w *World) kubelet(n *Namespace, p *Pod) bool {
	if p.Terminating && w.PodsLinger {
		if p.due.IsZero() {
			p.due = w.Now
		}
		return false
	}
	if p.Terminating {
		n.Pods = slices.DeleteFunc(n.Pods, func(other *Pod) bool { return other == p })
		return true
	}
	if p.Kind == cronJob && p.Ready {
		p.Terminating = true
		return true
	}
	m := w.runs(p.Release)
	can := !m.Broken[p.Member] && !m.Unpullable[p.Member] && !p.Broken
	if p.Ready == can {
		return false
	}
	p.Ready = can
	w.changed()
	return true
}

// endpoints is the endpoints controller.
func (w *World) endpoints(n *Namespace, s *Service) bool {
	var names []string
	for _, p := range n.Pods {
		if p.Ready && !p.Terminating && s.selects(p) {
			names = append(names, p.Name)
		}
	}
	if w.EndpointsLag || slices.Equal(names, s.Endpoints) {
		return false
	}
	s.Endpoints = names
	w.changed()
	return true
}

// proxy is what has the nodes send callers to a Service's endpoints.
func (w *World) proxy(n *Namespace, s *Service) bool {
	if w.NodesLag || slices.Equal(s.reached, s.Endpoints) {
		return false
	}
	s.reached = s.Endpoints
	w.heal(n)
	return true
}

// heal forgets that a namespace was harmed once nothing in it is broken, and each of its Services answers again.
func (w *World) heal(n *Namespace) {
	broken := slices.ContainsFunc(n.Pods, func(p *Pod) bool { return p.Broken })
	dumb := slices.ContainsFunc(n.Services, func(s *Service) bool { return !n.answers(s) })
	moving := slices.ContainsFunc(n.Workloads, func(x *Workload) bool { return (x.Replicas > 0 || n.Service(x.Name) != nil) && !n.intact(x) })
	if n.Exists && !n.Terminating && len(n.Services) > 0 && !broken && !dumb && !moving {
		n.Hurt = false
	}
}

// intact is whether the workload is what its controller says that it is.
func (n *Namespace) intact(x *Workload) bool {
	fresh, _ := n.podsOf(x)
	return x.settled() && len(fresh) == int(x.Replicas) && allReady(fresh)
}

// answers is whether any Pod that callers of the Service are sent to is ready.
func (n *Namespace) answers(s *Service) bool {
	return slices.ContainsFunc(s.reached, func(name string) bool {
		p := n.Pod(name)
		return p != nil && p.Ready
	})
}

// accept is the router's controller. Its word changes the route's resourceVersion.
func (w *World) accept(r *Route) bool {
	if !r.Exists || w.RouterRefuses || r.accepted == r.generation {
		return false
	}
	r.accepted, r.version = r.generation, w.nextNumber()
	w.changed()
	return true
}

// take is a gateway replica that takes all routes as they are.
func (w *World) take(g *Gateway) bool {
	changed := false
	for _, r := range w.Routes {
		taken, has := g.Routes[r.Entry]
		switch {
		case !r.Exists && has:
			g.Routes, changed = maps.Clone(g.Routes), true
			delete(g.Routes, r.Entry)
		case r.Exists && !w.RouterRefuses && (taken.generation != r.generation || !has):
			g.Routes, changed = maps.Clone(g.Routes), true
			g.Routes[r.Entry] = *r.copy()
		}
	}
	return changed
}

// Reached is when users could last be sent to a slot by any gateway replica; zero for never.
func (w *World) Reached(slot string) time.Time { return w.left[slot] }

// Mark takes note of where gateways send users now by routes that Lockstep wrote.
func (w *World) Mark() {
	for _, g := range w.Gateways {
		for _, r := range g.Routes {
			for _, weight := range r.Weights {
				if weight.Weight > 0 && r.MovedBy == "lockstep" && !w.left[weight.Slot].Equal(w.Now) {
					w.left = maps.Clone(w.left)
					w.left[weight.Slot] = w.Now
				}
			}
		}
	}
}
