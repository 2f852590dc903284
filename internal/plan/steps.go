package plan

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

const (
	// retryAfter is how long something that depends on others (a repository, a Secret that is missing) is left alone
	// before it is looked at again.
	retryAfter = 10 * time.Second
	// lookAgain is how soon something is looked at again that no watch tells of: terminating Pods, gateways.
	lookAgain = 50 * time.Millisecond
	// lookAgainLater is the same where it has taken long already.
	lookAgainLater = time.Second
	// maxSteps bounds the steps that one plan may go through.
	maxSteps = 16
)

// advance takes the active release as far as the facts allow.
func (p *planner) advance() bool {
	for range maxSteps {
		if p.u.ActiveRelease == "" || !p.step() {
			break
		}
	}
	return true
}

// step works on the current step, and returns whether it went on to another.
func (p *planner) step() bool {
	r := p.activeRelease()
	if r == nil {
		return p.lost()
	}
	switch p.u.Step.Kind {
	case v1alpha1.StepRender:
		return p.render(r)
	case v1alpha1.StepDeploy:
		return p.deploy(r)
	case v1alpha1.StepCheck:
		return p.check(r)
	case v1alpha1.StepHold:
		return p.hold(r)
	case v1alpha1.StepSwitch:
		return p.switchOver(r)
	case v1alpha1.StepAbort:
		return p.abort(r)
	case v1alpha1.StepRollback:
		return p.rollback(r)
	default:
		p.waitFor(v1alpha1.ReasonUnknownStep, fmt.Sprintf("step %s is not known to this version of Lockstep; upgrade it, or abort the release", p.u.Step.Kind))
		return false
	}
}

// lost handles an active release that someone deleted.
func (p *planner) lost() bool {
	switch p.u.Step.Kind {
	case v1alpha1.StepAbort:
		return p.abort(nil)
	case v1alpha1.StepRollback:
		return p.rollback(nil)
	default:
		p.back(v1alpha1.OutcomeAborted, v1alpha1.ReasonAborted, "the Release was deleted")
		return true
	}
}

// goTo begins a step.
func (p *planner) goTo(kind v1alpha1.StepKind) bool {
	p.u.Step = &v1alpha1.StepStatus{Kind: kind, Attempt: p.u.Step.Attempt, Since: p.stamp()}
	p.u.Observations = nil
	return true
}

// waitFor records what the step waits for, and since when.
func (p *planner) waitFor(reason, message string) {
	step := p.u.Step
	if step.Reason != reason || step.WaitingSince == nil {
		at := p.stamp()
		step.Reason, step.WaitingSince = reason, &at
	}
	step.WaitingFor = clip(message, 2048)
}

func (p *planner) waitOn(problem *Problem) { p.waitFor(problem.Reason, problem.Message) }

func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return text[:limit-3] + "..."
}

// fail ends the active release because of problem; users stay, or are taken back to, where they were.
func (p *planner) fail(problem *Problem) bool {
	p.back(v1alpha1.OutcomeFailed, problem.Reason, problem.Message)
	return true
}

// failOverdue ends the active release, past the deadline of its step, with what it was waiting for.
func (p *planner) failOverdue(problem *Problem) bool {
	after := p.limit().Duration
	return p.fail(&Problem{Reason: problem.Reason, Message: fmt.Sprintf("%s was not done after %s: %s", p.u.Step.Kind, after, problem.Message)})
}

// waitOrFail waits for problem to go away until the step's deadline.
func (p *planner) waitOrFail(problem *Problem) bool {
	p.waitOn(problem)
	if p.overdue() {
		return p.failOverdue(problem)
	}
	return false
}

// due is whether something that came out badly may be tried again.
func (p *planner) due(o *v1alpha1.Observation) bool {
	at := o.At.Add(retryAfter)
	if p.now.Before(at) {
		p.wakeAt(at)
		return false
	}
	return true
}

func problemOf(o *v1alpha1.Observation) *Problem {
	return &Problem{Reason: o.Reason, Message: o.Message}
}

func (p *planner) render(r *v1alpha1.Release) bool {
	if problem := p.slotRefused(r); problem != nil {
		return p.fail(problem)
	}
	if r.Status.Started != nil {
		if !p.s.Content[r.Name] {
			return p.fail(&Problem{Reason: v1alpha1.ReasonContentMissing, Message: "the frozen content of release " + r.Name + " is gone; release the revision again"})
		}
		return p.goTo(v1alpha1.StepDeploy)
	}
	if r.Spec.RollbackOf != "" {
		return p.copyContent(r)
	}
	o := p.result("render")
	if o != nil && !o.OK && o.Reason != v1alpha1.ReasonRepoUnreachable {
		return p.fail(problemOf(o))
	}
	return p.renderAgain(r, o)
}

func (p *planner) renderAgain(r *v1alpha1.Release, o *v1alpha1.Observation) bool {
	waiting := &Problem{Reason: v1alpha1.ReasonRendering, Message: "the source is being fetched and rendered"}
	if o != nil && !o.OK {
		waiting = problemOf(o)
	} else if p.overdue() {
		waiting = &Problem{Reason: v1alpha1.ReasonRenderTimeout, Message: "the source was still being fetched and rendered; look for a template that loops, or raise spec.deadlines.render"}
	}
	if o == nil || (!o.OK && p.due(o)) {
		p.do(RenderRelease{
			Release: ref(r), Attempt: p.u.Step.Attempt, Timeout: p.s.Stack.Spec.Deadlines.Render.Duration,
			Steps:   Compile(p.s.Stack.Spec, p.u.LiveSlot == "", false),
			Because: "the release has no frozen content yet",
		})
	}
	return p.waitOrFail(waiting)
}

// copyContent starts a rollback with the very bytes of the release that it goes back to.
func (p *planner) copyContent(r *v1alpha1.Release) bool {
	of := p.release(r.Spec.RollbackOf)
	if of == nil || of.Status.Started == nil || !p.s.Content[of.Name] {
		return p.fail(&Problem{Reason: v1alpha1.ReasonContentMissing, Message: "the frozen content of release " + r.Spec.RollbackOf + " is gone, so it cannot be gone back to"})
	}
	started := *of.Status.Started.DeepCopy()
	started.At, started.StepsSchema = p.stamp(), v1alpha1.StepsSchema
	started.Steps = Compile(p.s.Stack.Spec, p.u.LiveSlot == "", true)
	p.do(CopyContent{Release: ref(r), Started: started, Because: Because("it goes back to " + of.Name)})
	return p.waitOrFail(&Problem{Reason: v1alpha1.ReasonRendering, Message: "the frozen content of " + of.Name + " is being taken"})
}

// check waits until every member is ready at the released revision.
func (p *planner) check(r *v1alpha1.Release) bool {
	if gone := p.slotGone(); gone != nil {
		return p.fail(gone)
	}
	if problem := p.unready(p.u.ActiveSlot, r); problem != nil {
		return p.waitOrFail(problem)
	}
	return p.goTo(nextStep(r.Status.Started.Steps, v1alpha1.StepCheck))
}

// hold shows the release to testers, and waits to be promoted.
func (p *planner) hold(r *v1alpha1.Release) bool {
	if gone := p.slotGone(); gone != nil {
		return p.fail(gone)
	}
	p.showPreview()
	p.lookBeforehand(r)
	waiting := &Problem{Reason: v1alpha1.ReasonAwaitingPromotion, Message: "a promotion: kubectl lockstep promote " + p.s.Stack.Name + " -n " + p.s.Stack.Namespace}
	if problem := p.unready(p.u.ActiveSlot, r); problem != nil {
		waiting = problem
	} else if problem := p.refused("verify"); problem != nil {
		waiting = &Problem{Reason: problem.Reason, Message: problem.Message + "; a promotion deploys the frozen content again"}
	} else if problem := p.notInForceAnywhere(); problem != nil {
		waiting = problem // testers do not see it yet; it can be promoted all the same
	} else if p.s.Policy == nil {
		waiting = &Problem{Reason: v1alpha1.ReasonPolicyMissing, Message: "a promotion, but the admission policy " + v1alpha1.DecisionPolicy + " is missing or was altered, so that only abort counts; run kubectl lockstep install"}
	}
	return p.waitOrFail(waiting)
}

// lookBeforehand compares what testers are about to see with the frozen content: they should know where it differs, and
// what is known before the promotion makes the switch quick.
func (p *planner) lookBeforehand(r *v1alpha1.Release) {
	if p.result("verify") == nil {
		p.do(VerifyContent{Release: ref(r), Slot: p.u.ActiveSlot, Attempt: p.u.Step.Attempt, Because: "testers are about to come"})
	}
}

// showPreview sends testers to the slot. Where nothing is live, an adopted route would send users back to its origin,
// and is left as it is.
func (p *planner) showPreview() {
	if p.u.Route.Live == "" && slices.ContainsFunc(p.s.Entries, func(e Entry) bool { return e.Adopted }) {
		return
	}
	for i := range p.s.Entries {
		if e := &p.s.Entries[i]; e.Preview && e.Problem == nil && p.u.Route.Preview != p.u.ActiveSlot {
			p.point(p.u.Route.Live, p.u.ActiveSlot)
			return
		}
	}
}

// slotGone is whether the slot's namespace vanished under the release.
func (p *planner) slotGone() *Problem {
	f := p.facts(p.u.ActiveSlot)
	if f.Problem != nil || f.Exists && !f.Terminating {
		return nil
	}
	if !p.listed(p.u.ActiveSlot) {
		return &Problem{Reason: v1alpha1.ReasonSlotGone, Message: fmt.Sprintf("slot %s was taken out of spec.slots while a release was in it; put it back, or release anew", f.Name)}
	}
	return &Problem{Reason: v1alpha1.ReasonSlotGone, Message: fmt.Sprintf("namespace %s of slot %s was deleted while a release was in it; release anew", f.Namespace, f.Name)}
}

func (p *planner) end(r *v1alpha1.Release, outcome v1alpha1.Outcome, reason, message string) {
	p.do(EndRelease{
		Release: ref(r),
		Was:     outcomeOf(r),
		Ended:   v1alpha1.ReleaseEnded{Outcome: outcome, Reason: reason, Message: clip(message, 4096), At: p.stamp(), Slot: p.slotOf(r)},
		Because: Because("it is " + string(outcome)),
	})
}

// slotOf is the slot that holds the release, or held it when it ended.
func (p *planner) slotOf(r *v1alpha1.Release) string {
	switch {
	case r.Name == p.u.ActiveRelease && p.u.Step.Kind != v1alpha1.StepRollback:
		return p.u.ActiveSlot
	case r.Name == p.u.LiveRelease:
		return p.u.LiveSlot
	case r.Status.Ended != nil:
		return r.Status.Ended.Slot
	}
	return ""
}

func outcomeOf(r *v1alpha1.Release) v1alpha1.Outcome {
	if r.Status.Ended == nil {
		return ""
	}
	return r.Status.Ended.Outcome
}

// ended is whether the release's own status says so already; it asks for it where it does not.
func (p *planner) ended(r *v1alpha1.Release, outcome v1alpha1.Outcome, reason, message string) bool {
	if r == nil || outcomeOf(r) == outcome {
		return true
	}
	p.end(r, outcome, reason, message)
	return false
}

func afterOf(d *metav1.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return d.Duration
}
