package plan

import (
	"fmt"
	"slices"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// unready is the first thing that keeps users from being sent to a slot: a member that is not ready at the released
// revision, or a Service of it without an endpoint of this release. Workers are asleep until the switch.
func (p *planner) unready(slot string, r *v1alpha1.Release) *Problem {
	if f := p.facts(slot); f.Problem != nil {
		return f.Problem
	}
	if r == nil || r.Status.Started == nil {
		return nil
	}
	for _, m := range r.Status.Started.Members {
		if problem := p.memberUnready(slot, r, m); problem != nil {
			return problem
		}
	}
	return nil
}

func (p *planner) memberUnready(slot string, r *v1alpha1.Release, m v1alpha1.ReleaseMember) *Problem {
	f := p.facts(slot)
	w := f.workload(m.Kind, m.Name)
	switch {
	case w == nil:
		return notReady(m, "is not there")
	case w.Release != r.Name:
		return notReady(m, "is not of this release but of "+orFound(w.Release))
	case m.Role == v1alpha1.RoleWorker:
		return nil
	case w.Problem != nil && !w.Ready:
		return w.Problem
	case w.Replicas == 0:
		return notReady(m, "is scaled to zero")
	case !w.Ready:
		p.wakeIn(lookAgainLater)
		return notReady(m, fmt.Sprintf("has not rolled out its %d replicas", w.Replicas))
	}
	return p.serviceUnready(f, r, m)
}

func notReady(m v1alpha1.ReleaseMember, how string) *Problem {
	return &Problem{Reason: v1alpha1.ReasonMemberNotReady, Message: fmt.Sprintf("%s/%s %s", m.Kind, m.Name, how)}
}

func (p *planner) serviceUnready(f *Slot, r *v1alpha1.Release, m v1alpha1.ReleaseMember) *Problem {
	for _, name := range m.Services {
		s := f.service(name)
		if s == nil || s.Release != r.Name || s.Endpoints == 0 {
			p.wakeIn(lookAgainLater)
			return &Problem{Reason: v1alpha1.ReasonNoEndpoints, Message: fmt.Sprintf("Service %s of %s has no ready endpoint of this release in namespace %s", name, m.Name, f.Namespace)}
		}
	}
	return nil
}

// backendUnready is the first entry whose backend is not there in the slot.
func (p *planner) backendUnready(slot string) *Problem {
	for i := range p.s.Entries {
		if problem := backendMissing(&p.s.Entries[i], p.facts(slot)); problem != nil {
			p.wakeIn(lookAgainLater)
			return problem
		}
	}
	return nil
}

func backendMissing(e *Entry, f *Slot) *Problem {
	s := f.service(e.Service)
	how := ""
	switch {
	case s == nil:
		how = "does not exist"
	case !offers(s, e.Port):
		how = fmt.Sprintf("has no port %d (it has %v)", e.Port, s.Ports)
	case s.Endpoints == 0:
		how = "has no ready endpoint"
	default:
		return nil
	}
	return &Problem{Reason: v1alpha1.ReasonBackendMissing, Message: fmt.Sprintf("Service %s, the backend of entry %s, %s in namespace %s; correct spec.entries or the manifests", e.Service, e.Name, how, f.Namespace)}
}

func offers(s *Service, port int32) bool {
	return slices.Contains(s.Ports, port)
}
