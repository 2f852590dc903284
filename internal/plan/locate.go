package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// locate finds out what is live where no status says so: a Stack that is new, or was re-created or restored without its
// status. The truth is what the entries point at, together with the stamps of slots. What cannot be proven is never
// taken for a first release.
func (p *planner) locate() bool {
	p.catchUp()
	p.record()
	if p.begun() {
		p.follow()
		return true
	}
	target, problem := p.pointedAt()
	switch {
	case problem != nil:
		p.stalled = problem
		p.wakeIn(retryAfter)
		return false
	case target == "":
		p.startEmpty()
	default:
		return p.takeOver(target)
	}
	return true
}

// untouched is whether nothing was live when it was last looked, and nothing was released since: someone may have made
// something live by hand meanwhile.
func (p *planner) untouched() bool {
	return p.u.LiveSlot == "" && p.u.ActiveRelease == "" && p.u.Route.Epoch == 0
}

// pointedAt is the one slot that every entry sends all users to, or empty where nothing of ours is live.
func (p *planner) pointedAt() (string, *Problem) {
	target := ""
	for i := range p.s.Entries {
		e := &p.s.Entries[i]
		if e.Testers {
			continue
		}
		if e.Problem != nil {
			return "", e.Problem
		}
		if !e.Exists || len(e.Weights) == 0 {
			continue
		}
		if len(e.Weights) > 1 || (target != "" && target != e.Weights[0].Slot) {
			return "", p.unknown("the entries send users to several slots (%s)", p.weightsText())
		}
		target = e.Weights[0].Slot
	}
	if target == "" {
		return "", p.strayPods()
	}
	if len(p.facts(target).Pods) == 0 {
		return "", p.strayPods()
	}
	return target, nil
}

// strayPods is why nothing can be called live though no entry points at anything: something runs all the same.
func (p *planner) strayPods() *Problem {
	for i := range p.s.Slots {
		s := &p.s.Slots[i]
		if stray := p.stray(s); len(stray) > 0 {
			return p.unknown("no entry sends users to slot %s, but %d of its Pods run in namespace %s (such as %s)", s.Name, len(stray), s.Namespace, stray[0].Name)
		}
	}
	return nil
}

// stray Pods are those that Lockstep cannot account for: once it has begun, those that it stamped are leftovers of its own.
func (p *planner) stray(s *Slot) []Pod {
	var stray []Pod
	for _, pod := range s.Pods {
		if p.u.Route == nil || pod.Release == "" {
			stray = append(stray, pod)
		}
	}
	return stray
}

func (p *planner) unknown(format string, args ...any) *Problem {
	return &Problem{
		Reason:  v1alpha1.ReasonLiveUnknown,
		Message: fmt.Sprintf(format, args...) + "; point every entry at the slot that is live, or scale those workloads to zero, and Lockstep goes on",
	}
}

func (p *planner) weightsText() string {
	var parts []string
	for _, e := range p.s.Entries {
		for _, w := range e.Weights {
			parts = append(parts, fmt.Sprintf("%s: %s %d%%", e.Name, w.Slot, w.Weight))
		}
	}
	return strings.Join(parts, ", ")
}

// startEmpty begins with nothing live.
func (p *planner) startEmpty() {
	p.u.Route = &v1alpha1.RouteIntent{}
}

// catchUp makes sure that what is meant from here on is not older than what is there: a status that was lost or restored
// knows nothing of later epochs, and every write would be left alone.
func (p *planner) catchUp() {
	p.u.Epoch = max(p.u.Epoch, p.highestEpoch())
	for i := range p.st.Slots {
		s := &p.st.Slots[i]
		if slices.ContainsFunc(p.facts(s.Name).Workloads, func(w Workload) bool { return w.Epoch > s.Epoch }) {
			s.Epoch = p.bump()
		}
	}
}

func (p *planner) highestEpoch() int64 {
	highest := int64(0)
	if p.s.Turn != nil && p.s.Turn.Mine {
		highest = p.s.Turn.Epoch
	}
	for _, e := range p.s.Entries {
		highest = max(highest, e.Epoch)
	}
	for _, s := range p.s.Slots {
		for _, w := range s.Workloads {
			highest = max(highest, w.Epoch)
		}
	}
	return highest
}

// takeOver accepts what is proven to be live.
func (p *planner) takeOver(target string) bool {
	release, problem := p.stampedWith(target)
	if problem == nil {
		problem = p.halfPointed(target, release)
	}
	if problem != nil {
		p.stalled = problem
		p.wakeIn(retryAfter)
		return false
	}
	p.startEmpty()
	p.settleOn(target, release)
	if release != "" {
		p.fence(target) // so that its workers are handed over
	}
	p.adoptOthers(target)
	p.u.Route = &v1alpha1.RouteIntent{Live: target}
	if p.unwritten() {
		p.point(target, "") // so that its evidence is of the routes as they are now
	}
	p.event(false, v1alpha1.ReasonTakenOver, fmt.Sprintf("found slot %s live with %s, and took over", target, orFound(release)))
	return true
}

// halfPointed is why a slot cannot be taken over that some entries send nobody to: they would be sent to what is not ready.
func (p *planner) halfPointed(target, release string) *Problem {
	for i := range p.s.Entries {
		e := &p.s.Entries[i]
		if e.Testers || sendsUsers(e, target) {
			continue
		}
		if problem := p.unready(target, p.release(release)); problem != nil {
			return p.unknown("entry %s sends users to no slot, others to slot %s, which is not ready (%s)", e.Name, target, problem.Message)
		}
	}
	return nil
}

// unwritten is whether an entry is Lockstep's to write: it has done so before, or has yet to make the route.
func (p *planner) unwritten() bool {
	return slices.ContainsFunc(p.s.Entries, func(e Entry) bool { return !e.Testers && (e.Epoch > 0 || !e.Exists && !e.Adopted) })
}

// stampedWith is the one release that all Pods of a slot carry; empty where none carries any, or one that no longer
// exists (Recorded).
func (p *planner) stampedWith(slot string) (string, *Problem) {
	stamps := map[string]bool{}
	for _, pod := range p.facts(slot).Pods {
		if !pod.Terminating {
			stamps[pod.Release] = true
		}
	}
	if len(stamps) > 1 {
		return "", p.unknown("slot %s runs Pods of %d releases at once", slot, len(stamps))
	}
	for name := range stamps {
		if p.release(name) == nil {
			return "", nil
		}
		return name, nil
	}
	return "", nil
}

func (p *planner) settleOn(slot, release string) {
	p.u.LiveSlot, p.u.LiveRelease = slot, release
	s := p.slot(slot)
	setState(s, v1alpha1.SlotLive, p.stamp())
	s.Release, s.Proof, s.LeftAt = release, proofOf(release), nil
}

func proofOf(release string) v1alpha1.Proof {
	if release == "" {
		return v1alpha1.ProofRecorded
	}
	return v1alpha1.ProofStamped
}

func orFound(release string) string {
	if release == "" {
		return "workloads that Lockstep did not release"
	}
	return "release " + release
}

// adoptOthers keeps what runs in the other slots as if it had just been left; what never was live is given up.
func (p *planner) adoptOthers(live string) {
	for i := range p.st.Slots {
		s := &p.st.Slots[i]
		if s.Name == live || len(p.facts(s.Name).Pods) == 0 {
			continue
		}
		release, problem := p.stampedWith(s.Name)
		if problem != nil {
			release = ""
		}
		state := v1alpha1.SlotDraining
		if problem == nil && p.wasLive(release) && (release == "" || release != p.u.LiveRelease) {
			state = v1alpha1.SlotWarm
		}
		setState(s, state, p.stamp())
		s.Release, s.Proof, s.LeftAt = release, proofOf(release), nil
	}
}

// wasLive is whether users have been on the release, as far as is on record; of what was found, nobody knows better.
func (p *planner) wasLive(release string) bool {
	r := p.release(release)
	if r == nil {
		return release == ""
	}
	return r.Status.Ended != nil && (r.Status.Ended.Outcome == v1alpha1.OutcomeReplaced || r.Status.Ended.Outcome == v1alpha1.OutcomeLive)
}

// follow accepts that someone moved all users by hand to a kept slot that is proven and ready, between releases.
func (p *planner) follow() {
	if p.u.ActiveRelease != "" || p.u.LiveSlot == "" || p.leaving() {
		return
	}
	target, problem := p.pointedAt()
	if problem != nil || target == "" || target == p.u.LiveSlot {
		return
	}
	s, r := p.slot(target), p.release(p.slot(target).Release)
	if s.State != v1alpha1.SlotWarm || r == nil || r.Status.Started == nil || p.unready(target, r) != nil || p.grow(s, r) != nil {
		return
	}
	old := p.slot(p.u.LiveSlot)
	setState(old, v1alpha1.SlotWarm, p.stamp())
	old.LeftAt = nil
	p.settleOn(target, r.Name)
	p.point(target, "")
	p.fence(old.Name)
	p.fence(target)
	p.event(true, v1alpha1.ReasonTakenOver, fmt.Sprintf("someone moved users to slot %s by hand; it is proven and ready, and Lockstep follows", target))
}
