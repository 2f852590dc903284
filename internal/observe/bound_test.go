package observe

import (
	"testing"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

func TestRightsAreReadWhileASlotMayHaveToBeMadeReady(t *testing.T) {
	at := func(step *v1alpha1.StepStatus) []v1alpha1.UnitStatus {
		return []v1alpha1.UnitStatus{{Name: plan.UnitAll, Step: step}}
	}
	for name, test := range map[string]struct {
		units []v1alpha1.UnitStatus
		reads bool
	}{
		"before anything is known": {reads: true},
		"at rest":                  {units: at(nil)},
		"rendering":                {units: at(&v1alpha1.StepStatus{Kind: v1alpha1.StepRender}), reads: true},
		"deploying":                {units: at(&v1alpha1.StepStatus{Kind: v1alpha1.StepDeploy}), reads: true},
		"at the hold":              {units: at(&v1alpha1.StepStatus{Kind: v1alpha1.StepHold})},
	} {
		t.Run(name, func(t *testing.T) {
			stack := smallestStack()
			stack.Status.Units = test.units
			var asked reads
			s := observe(t, cluster(t, asked.funcs(), stack))

			if got := len(asked.of("RoleBinding")) > 0; got != test.reads {
				t.Errorf("asked for %v, want anything: %v", asked.of("RoleBinding"), test.reads)
			}
			if got := s.Slots[0].Bound; got == test.reads {
				t.Errorf("the slot counts as bound: %v, and there is no binding", got)
			}
		})
	}
}
