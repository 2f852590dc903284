package view

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// Plan is what Lockstep would do next.
type Plan struct {
	Stack   string   `json:"stack"`
	Actions []Action `json:"actions"`
	// Status that would be saved first, in short.
	Active  string            `json:"activeRelease,omitempty"`
	Slot    string            `json:"activeSlot,omitempty"`
	Step    v1alpha1.StepKind `json:"step,omitempty"`
	Epoch   int64             `json:"epoch,omitempty"`
	Waiting *Waiting          `json:"waiting,omitempty"`
	// Wake is when Lockstep would look again though nothing changed.
	Wake *metav1.Time `json:"wake,omitempty"`
	// Assumed is what could not be read, and is taken to be so.
	Assumed []string    `json:"assumed,omitempty"`
	Now     metav1.Time `json:"now"`
}

// Action is something that Lockstep would do.
type Action struct {
	Verb   string `json:"verb"`
	Object string `json:"object"`
	Why    string `json:"why"`
	// Detail is the action as the planner gave it.
	Detail plan.Action `json:"detail,omitempty"`
}

// NextPlan shows a plan of a Stack.
func NextPlan(stack *v1alpha1.Stack, p plan.Plan, now time.Time, assumed []string) *Plan {
	next := stack.DeepCopy()
	next.Status = p.Status
	unit := unitOf(next)
	out := &Plan{
		Stack: stack.Name, Actions: []Action{}, Active: unit.ActiveRelease, Slot: unit.ActiveSlot, Epoch: unit.Epoch,
		Waiting: waitingOf(next, unit), Now: metav1.NewTime(now), Assumed: assumed,
	}
	if unit.Step != nil {
		out.Step = unit.Step.Kind
	}
	if !p.Wake.IsZero() {
		out.Wake = &metav1.Time{Time: p.Wake}
	}
	for _, a := range p.Actions {
		out.Actions = append(out.Actions, Action{Verb: a.Verb(), Object: a.Object(), Why: a.Why(), Detail: a})
	}
	return out
}

// PlanText prints a plan for a terminal.
func PlanText(v *Plan, look Look) string {
	p := &page{look: look}
	p.section("STACK", []row{{{v.Stack, bold}}})
	p.section("ACTIONS", v.actions())
	p.section("THEN", v.then())
	if v.Waiting != nil {
		p.section("WAITS", append([]row{{{v.Waiting.Reason, yellow}, {"  " + Since(v.Now.Time, v.Waiting.Since), dim}}}, p.wrap(v.Waiting.Message, 0, plain)...))
	}
	for _, sentence := range v.Assumed {
		p.section("ASSUMED", p.wrap(sentence, 0, dim))
	}
	p.section("LOOKS", []row{{{v.looks(), plain}}})
	return p.out.String()
}

func (v *Plan) actions() []row {
	var rows []row
	for _, a := range v.Actions {
		rows = append(rows, row{{a.Verb, cyan}, {a.Object, plain}, {"# " + a.Why, dim}})
	}
	if rows == nil {
		return []row{{{"nothing to do", dim}}}
	}
	return align(rows)
}

func (v *Plan) then() []row {
	if v.Active == "" {
		return []row{{{"no release is active", dim}}}
	}
	text := v.Active + " at " + string(v.Step)
	if v.Slot != "" {
		text += " in " + v.Slot
	}
	return []row{{{text, plain}}}
}

func (v *Plan) looks() string {
	if v.Wake == nil {
		return "again when something changes"
	}
	if !v.Wake.After(v.Now.Time) {
		return "again at once"
	}
	return "again when something changes, or in " + v.Wake.Sub(v.Now.Time).Round(time.Second).String()
}
