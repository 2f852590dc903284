package observe

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// TestOnlyAutoscalersMayBeStale: from no other list of a slot may anything be missing.
func TestOnlyAutoscalersMayBeStale(t *testing.T) {
	var mu sync.Mutex
	var stale []string
	observe(t, cluster(t, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			listed := client.ListOptions{}
			listed.ApplyOptions(opts)
			if listed.Raw != nil && listed.Raw.ResourceVersion != "" {
				mu.Lock()
				defer mu.Unlock()
				stale = append(stale, kindOf(list)+" "+listed.Namespace+" at "+listed.Raw.ResourceVersion)
			}
			return c.List(ctx, list, opts...)
		},
	}, smallestStack()))

	slices.Sort(stale)
	kind := kindOf(&autoscalingv2.HorizontalPodAutoscalerList{})
	if diff := cmp.Diff([]string{kind + " home-blue at 0", kind + " home-green at 0"}, stale); diff != "" {
		t.Errorf("lists that may be stale (-want +got):\n%s", diff)
	}
}

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
