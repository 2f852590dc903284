package plan

import (
	"fmt"
	"strings"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// handOver has workers run in slot goal only: those of every other slot are stopped, and gone, before those of goal are
// started. It goes both ways: a switch hands over to the new slot, an abort and a rollback to the old one.
func (p *planner) handOver(goal string, r *v1alpha1.Release) *Problem {
	if len(p.workers()) == 0 {
		return nil
	}
	for i := range p.st.Slots {
		s := &p.st.Slots[i]
		if unknown := p.facts(s.Name).Problem; unknown != nil {
			return unknown
		}
		if s.Name == goal {
			continue
		}
		if problem := p.stopWorkers(s, p.workersIn(s)); problem != nil {
			return problem
		}
	}
	return p.startWorkers(p.slot(goal), r)
}

// workers are the members, of any release that a slot may hold, that run in the live slot only.
func (p *planner) workers() map[string]bool {
	workers := map[string]bool{}
	for i := range p.s.Releases {
		r := &p.s.Releases[i]
		if r.Status.Started == nil {
			continue
		}
		for _, m := range r.Status.Started.Members {
			if m.Role == v1alpha1.RoleWorker && p.holds(r.Name) {
				workers[m.Kind+"/"+m.Name] = true
			}
		}
	}
	return workers
}

// workersIn are those of the slot: what its own release has in another role is none there.
func (p *planner) workersIn(s *v1alpha1.SlotStatus) map[string]bool {
	workers := p.workers()
	r := p.release(s.Release)
	if r == nil || r.Status.Started == nil {
		return workers
	}
	for _, m := range r.Status.Started.Members {
		if m.Role != v1alpha1.RoleWorker {
			delete(workers, m.Kind+"/"+m.Name)
		}
	}
	return workers
}

// holds is whether some slot holds the release.
func (p *planner) holds(release string) bool {
	for _, s := range p.st.Slots {
		if s.Release == release {
			return true
		}
	}
	return false
}

func (p *planner) stopWorkers(s *v1alpha1.SlotStatus, workers map[string]bool) *Problem {
	var waiting *Problem
	f := p.facts(s.Name)
	for _, w := range f.Workloads {
		if !workers[w.Kind+"/"+w.Name] || (w.Replicas == 0 && w.Epoch >= s.Epoch) {
			continue
		}
		p.scale(s, w, new(int32), "workers run in the live slot only")
		waiting = &Problem{Reason: v1alpha1.ReasonWorkerHandover, Message: fmt.Sprintf("worker %s in slot %s is being stopped", w.Name, s.Name)}
	}
	if waiting != nil {
		return waiting
	}
	return p.workerPods(f, workers)
}

func (p *planner) workerPods(f *Slot, workers map[string]bool) *Problem {
	for _, pod := range f.Pods {
		if acts(pod.Member, f, workers) {
			p.wakeIn(lookAgain)
			if stuck := p.stuck(f, &pod); stuck != nil {
				return stuck
			}
			return &Problem{Reason: v1alpha1.ReasonWorkerHandover, Message: fmt.Sprintf("Pod %s of worker %s in slot %s is still there", pod.Name, pod.Member, f.Name)}
		}
	}
	return nil
}

// acts is whether a Pod of the member is a worker's. Pods can outlive what made them.
func acts(member string, f *Slot, workers map[string]bool) bool {
	made := false
	for _, w := range f.Workloads {
		if w.Name == member && workers[w.Kind+"/"+w.Name] {
			return true
		}
		made = made || w.Name == member
	}
	for worker := range workers {
		if !made && strings.HasSuffix(worker, "/"+member) {
			return true
		}
	}
	return false
}

// startWorkers starts the workers of the release that slot s holds.
func (p *planner) startWorkers(s *v1alpha1.SlotStatus, r *v1alpha1.Release) *Problem {
	if r == nil {
		r = p.activeRelease() // the slot was found, not released: its workers bear the same names
	}
	if s == nil || r == nil || r.Status.Started == nil {
		return nil
	}
	var waiting *Problem
	for _, m := range r.Status.Started.Members {
		if m.Role != v1alpha1.RoleWorker {
			continue
		}
		if problem := p.startWorker(s, m); problem != nil && waiting == nil {
			waiting = problem
		}
	}
	return waiting
}

func (p *planner) startWorker(s *v1alpha1.SlotStatus, m v1alpha1.ReleaseMember) *Problem {
	w := p.facts(s.Name).workload(m.Kind, m.Name)
	switch {
	case w == nil && p.returns():
		return nil // it was not there before either
	case w == nil:
		return &Problem{Reason: v1alpha1.ReasonWorkerNotReady, Message: fmt.Sprintf("worker %s/%s is not there in slot %s; abort or roll back", m.Kind, m.Name, s.Name)}
	case w.Epoch < s.Epoch, w.Replicas == 0 && !p.at(v1alpha1.StepAbort): // an abort starts what its release has stopped
		p.scale(s, *w, awake(w, m), "workers run in the live slot")
		return &Problem{Reason: v1alpha1.ReasonWorkerHandover, Message: fmt.Sprintf("worker %s in slot %s is being started", m.Name, s.Name)}
	case workerReady(w) || p.returns():
		return nil
	}
	p.wakeIn(lookAgainLater)
	return p.workerUnready(s, w)
}

// workerReady is whether nothing is to be waited for: a Job and a CronJob come to their end, or their time, by themselves.
func workerReady(w *Workload) bool { return w.Kind == "Job" || w.Kind == "CronJob" || w.Ready }

// returns is whether users are taken back. That does not wait for workers to get ready: tendLive tells of those that do not.
func (p *planner) returns() bool { return p.at(v1alpha1.StepAbort) || p.at(v1alpha1.StepRollback) }

// workerUnready is not yet a failure while nothing is known to stand in the worker's way.
func (p *planner) workerUnready(s *v1alpha1.SlotStatus, w *Workload) *Problem {
	late := p.u.Step == nil || p.late()
	switch {
	case w.Problem != nil:
		return &Problem{Reason: v1alpha1.ReasonWorkerNotReady, Message: fmt.Sprintf("worker %s/%s does not get ready: %s; users are on slot %s already: repair it, abort or roll back", w.Kind, w.Name, w.Problem.Message, s.Name)}
	case late:
		return &Problem{Reason: v1alpha1.ReasonWorkerNotReady, Message: fmt.Sprintf("worker %s/%s does not get ready; users are on slot %s already: repair it, abort or roll back", w.Kind, w.Name, s.Name)}
	}
	return &Problem{Reason: v1alpha1.ReasonWorkerHandover, Message: fmt.Sprintf("worker %s/%s to get ready in slot %s, where users are already", w.Kind, w.Name, s.Name)}
}

// late is whether the step has taken longer than a switch should.
func (p *planner) late() bool {
	return p.past(p.u.Step.Since.Add(afterOf(p.s.Stack.Spec.Deadlines.Switch)))
}

// awake is the size of a worker that is started; one that runs keeps the size that it has.
func awake(w *Workload, m v1alpha1.ReleaseMember) *int32 {
	if w.Replicas > 0 {
		return nil
	}
	size := max(m.Replicas, 1)
	return &size
}
