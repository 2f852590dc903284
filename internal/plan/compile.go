package plan

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Compile turns the strategy into the one list of steps that a release goes through. A release with nothing live before
// it, and a rollback, do not hold: no one is served by what came before, or someone has already said that they must not be.
func Compile(spec v1alpha1.StackSpec, first, rollback bool) []v1alpha1.Step {
	d := spec.Deadlines
	steps := []v1alpha1.Step{
		{Kind: v1alpha1.StepRender, Deadline: d.Render},
		{Kind: v1alpha1.StepDeploy, Deadline: d.Deploy},
		{Kind: v1alpha1.StepCheck, Name: "ready", Deadline: d.Check},
	}
	if spec.Strategy.BlueGreen.Promotion != v1alpha1.PromotionAuto && !first && !rollback {
		steps = append(steps, v1alpha1.Step{Kind: v1alpha1.StepHold, Deadline: d.Hold})
	}
	return append(steps,
		v1alpha1.Step{Kind: v1alpha1.StepSwitch, Deadline: d.Switch},
		v1alpha1.Step{Kind: v1alpha1.StepKeep, Deadline: spec.Strategy.BlueGreen.KeepPrevious.For},
		v1alpha1.Step{Kind: v1alpha1.StepDrain, Deadline: spec.Sessions.DrainTimeout},
		v1alpha1.Step{Kind: v1alpha1.StepRetire},
	)
}

// nextStep is the step that follows kind in the frozen list.
func nextStep(steps []v1alpha1.Step, kind v1alpha1.StepKind) v1alpha1.StepKind {
	for i := range steps {
		if steps[i].Kind == kind && i+1 < len(steps) {
			return steps[i+1].Kind
		}
	}
	return ""
}

// deadline is when the current step has failed; zero for never.
func (p *planner) deadline() time.Time {
	limit := p.limit()
	if limit == nil || limit.Duration <= 0 {
		return time.Time{}
	}
	return p.u.Step.Since.Add(limit.Duration)
}

func (p *planner) limit() *metav1.Duration {
	r := p.activeRelease()
	if p.at(v1alpha1.StepRollback) {
		return p.s.Stack.Spec.Deadlines.Switch
	}
	if r == nil || r.Status.Started == nil {
		return p.s.Stack.Spec.Deadlines.Render
	}
	for _, step := range r.Status.Started.Steps {
		if step.Kind == p.u.Step.Kind {
			return step.Deadline
		}
	}
	return nil
}

func (p *planner) overdue() bool {
	at := p.deadline()
	if at.IsZero() {
		return false
	}
	return p.past(at)
}

// past is whether it is at or later; until then it has the planner look again.
func (p *planner) past(at time.Time) bool {
	if p.now.Before(at) {
		p.wakeAt(at)
		return false
	}
	return true
}
