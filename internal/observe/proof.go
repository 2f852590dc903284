package observe

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// prove looks at the slot that users are about to be sent to, so that a promotion need not wait for a look of its own.
func (p *pass) prove(ctx context.Context) {
	if p.Proof == nil || len(p.stack.Status.Units) == 0 {
		return
	}
	unit := p.stack.Status.Units[0]
	release := findRelease(p.snapshot.Releases, unit.ActiveRelease)
	if release == nil || unit.ActiveSlot == "" || !p.soon(unit, release) {
		return
	}
	p.compareBeforehand(ctx, unit, release)
	if p.Proof.Prove(ctx, p.stack, release, unit.ActiveSlot, p.seenIn(unit.ActiveSlot)) {
		p.proven = plan.Slot{Name: unit.ActiveSlot, Proven: release.UID}
	}
}

// compareBeforehand has what runs compared with the frozen content while the last members are getting ready, so that nobody
// need wait for it afterwards. What comes of it is on record with who proves.
func (p *pass) compareBeforehand(ctx context.Context, unit v1alpha1.UnitStatus, release *v1alpha1.Release) {
	if unit.Step.Kind != v1alpha1.StepCheck || p.Drift == nil {
		return
	}
	key, attempt := driftKey{client.ObjectKeyFromObject(p.stack), "check/" + unit.ActiveSlot}, fmt.Sprintf("%s/%d", release.UID, unit.Step.Attempt)
	if _, done := p.drifts.get(key, attempt); done {
		return
	}
	if _, err := p.Drift.Drift(ctx, p.stack, release, unit.ActiveSlot); err == nil {
		p.drifts.put(key, driftFound{state: attempt})
	}
}

// seenIn is what was read in a slot.
func (p *pass) seenIn(slot string) []client.Object {
	var all []client.Object
	for i := range p.stack.Spec.Slots {
		if p.stack.Spec.Slots[i].Name != slot || p.contents[i] == nil {
			continue
		}
		for _, list := range p.contents[i].lists() {
			_ = meta.EachListItem(list, func(o runtime.Object) error { // typed lists: it cannot fail
				if object, ok := o.(client.Object); ok {
					all = append(all, object)
				}
				return nil
			})
		}
	}
	return all
}

// soon is whether users may be sent to the active slot by what this pass is read for.
func (p *pass) soon(unit v1alpha1.UnitStatus, release *v1alpha1.Release) bool {
	switch {
	case unit.Step == nil:
		return false
	case unit.Step.Kind == v1alpha1.StepHold:
		return slices.ContainsFunc(p.snapshot.Decisions, func(d v1alpha1.Decision) bool { return d.Spec.Verb == v1alpha1.VerbPromote })
	case unit.Step.Kind == v1alpha1.StepCheck:
		return nobodyHolds(release)
	}
	return unit.Step.Kind == v1alpha1.StepSwitch && unit.Route != nil && unit.Route.Live != unit.ActiveSlot
}

// nobodyHolds is whether the release goes on to its switch by itself once it is ready.
func nobodyHolds(release *v1alpha1.Release) bool {
	return !slices.ContainsFunc(release.Status.Started.Steps, func(s v1alpha1.Step) bool { return s.Kind == v1alpha1.StepHold })
}
