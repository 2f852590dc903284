// Package bench measures what Lockstep claims of its speed, as a ratio against a floor measured in the same run. `make bench`
// runs bench/run; what is measured, and how, is in docs/benchmark.md.
package bench

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// AtHold is a stack of so many members whose release waits to be promoted, and the time that it is there.
func AtHold(members int) (plan.Snapshot, time.Time) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	started := &v1alpha1.ReleaseStarted{Digest: "d", Steps: plan.Compile(v1alpha1.StackSpec{}, false, false)}
	slot := plan.Slot{Name: "green", Namespace: "shop-green", Exists: true, Consented: true, Bound: true}
	for i := range members {
		name := fmt.Sprintf("m%d", i)
		started.Members = append(started.Members, v1alpha1.ReleaseMember{Name: name, Kind: "Deployment", Role: v1alpha1.RoleService, Replicas: 2, Services: []string{name}})
		slot.Workloads = append(slot.Workloads, plan.Workload{Kind: "Deployment", Name: name, Release: "r2", Epoch: 2, Replicas: 2, Ready: true})
		slot.Services = append(slot.Services, plan.Service{Name: name, Release: "r2", Ports: []int32{80}, Endpoints: 2})
	}
	live := slot
	live.Name, live.Namespace = "blue", "shop-blue"
	s := plan.Snapshot{
		Slots:    []plan.Slot{live, slot},
		Entries:  []plan.Entry{{Name: "web", Exists: true, Epoch: 1, AsIntended: true, Accepted: true, Served: true, Weights: []v1alpha1.SlotWeight{{Slot: "blue", Weight: 100}}, Service: "m0", Port: 80}},
		Releases: []v1alpha1.Release{{ObjectMeta: metav1.ObjectMeta{Name: "r2", UID: "u2"}, Status: v1alpha1.ReleaseStatus{Started: started}}},
		Content:  map[string]bool{"r2": true},
		Policy:   &now,
	}
	s.Stack.Name, s.Stack.Namespace = "shop", "shop"
	s.Stack.Status.Slots = []v1alpha1.SlotStatus{
		{Name: "blue", State: v1alpha1.SlotLive, Release: "r1"},
		{Name: "green", State: v1alpha1.SlotPreview, Release: "r2", Epoch: 2},
	}
	s.Stack.Status.Units = []v1alpha1.UnitStatus{{
		Name: plan.UnitAll, Epoch: 2, LiveSlot: "blue", LiveRelease: "r1", ActiveRelease: "r2", ActiveSlot: "green",
		Route: &v1alpha1.RouteIntent{Epoch: 1, Live: "blue"},
		Step:  &v1alpha1.StepStatus{Kind: v1alpha1.StepHold, Attempt: 1, Since: metav1.NewTime(now)},
	}}
	return s, now
}
