package world

import (
	"fmt"
	"slices"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Visit is what a user can meet: through which gateway replica, in which slot.
type Visit struct {
	Gateway, Entry, Slot string
	// Releases that may serve parts of the request.
	Releases []string
	// Failed says which Service cannot answer; empty where all can.
	Failed string
	// Excused is whether the world or someone's hand is to blame for a failure.
	Excused bool
}

// String is for people.
func (v Visit) String() string {
	text := fmt.Sprintf("%s %s → %s %v", v.Gateway, v.Entry, v.Slot, v.Releases)
	if v.Failed != "" {
		text += " FAILED at " + v.Failed
	}
	return text
}

// Visits are all that users can meet now.
func (w *World) Visits() []Visit {
	var all []Visit
	for _, g := range w.Gateways {
		for _, spec := range w.Stack.Spec.Entries {
			route, has := g.Routes[spec.Name]
			if !has {
				continue
			}
			for _, weight := range route.Weights {
				if weight.Weight > 0 {
					all = append(all, w.visit(g, spec, route, weight.Slot))
				}
			}
		}
	}
	return all
}

// visit follows a request through every member that it can reach in the slot.
func (w *World) visit(g *Gateway, spec v1alpha1.Entry, route Route, slot string) Visit {
	n := w.Namespace(slot)
	v := Visit{Gateway: g.Name, Entry: spec.Name, Slot: slot, Excused: n.Hurt || route.MovedBy != "lockstep"}
	met := w.serve(n, spec.Backend.Service, &v)
	for _, release := range met {
		for _, m := range w.runs(release).Members {
			for _, name := range m.Services {
				met = append(met, w.serve(n, name, &v)...)
			}
		}
	}
	slices.Sort(met)
	v.Releases = slices.Compact(met)
	return v
}

// serve is the releases of the Pods that may answer for a Service: those on its list that still exist, terminating
// ones included.
func (w *World) serve(n *Namespace, service string, v *Visit) []string {
	s := n.Service(service)
	var met []string
	if s != nil {
		for _, name := range s.reached {
			if p := n.Pod(name); p != nil && p.Ready {
				met = append(met, p.Release)
			}
		}
	}
	if len(met) == 0 && v.Failed == "" {
		v.Failed = "Service " + service
	}
	slices.Sort(met)
	return slices.Compact(met)
}

// Selected is the releases of the Pods that a Service's selector matches.
func (n *Namespace) Selected(s *Service) []string {
	var found []string
	for _, p := range n.Pods {
		if s.selects(p) {
			found = append(found, p.Release)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// Whole is what keeps the slot from serving a release: a member that is not ready, a Service without an endpoint of it.
func (w *World) Whole(slot, release string) string {
	n := w.Namespace(slot)
	for _, m := range w.runs(release).Members {
		if m.Role == v1alpha1.RoleWorker {
			continue
		}
		if x := n.Workload(m.Name); x == nil || x.Release != release || !x.settled() {
			return "member " + m.Name + " is not ready"
		}
		for _, name := range m.Services {
			if !n.serves(name, release) {
				return "Service " + name + " has no endpoint"
			}
		}
	}
	return ""
}

func (n *Namespace) serves(service, release string) bool {
	s := n.Service(service)
	return s != nil && slices.ContainsFunc(s.Endpoints, func(name string) bool {
		p := n.Pod(name)
		return p != nil && p.Ready && p.Release == release
	})
}

// WorkerSlots are the slots in which Pods of a worker are.
func (w *World) WorkerSlots(worker string) []string {
	var found []string
	for _, n := range w.Namespaces {
		if slices.ContainsFunc(n.Pods, func(p *Pod) bool { return p.Member == worker }) {
			found = append(found, n.Slot)
		}
	}
	return found
}
