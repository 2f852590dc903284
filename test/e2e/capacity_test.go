package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/testkit/journey"
)

// autoscaler scales the frontend by what its Pods really use: idle ones take less than five thousandths of a processor each,
// and those with users more. The budget allows no eviction at the smallest size.
const autoscaler = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: frontend}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: frontend}
  minReplicas: 2
  maxReplicas: 3
  metrics: [{type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: 5m}}}]
  behavior: {scaleDown: {stabilizationWindowSeconds: 0}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: frontend}
spec: {minAvailable: 1, selector: {matchLabels: {app.kubernetes.io/name: frontend}}}
`

// TestAutoscaled releases a stack of which a member has a HorizontalPodAutoscaler, on real metrics: its minimum is small in
// the preview, the live slot's present size at the switch, and keepPrevious.replicas in the kept slot, which a rollback
// scales up before it moves users.
func TestAutoscaled(t *testing.T) {
	withMetrics(t)
	s := newShop(t, "autoscaled", beside(t, settings{drain: "5s"}))
	s.must(s.repo.Write("charts/frontend/templates/autoscaler.yaml", autoscaler))
	s.patchStack(`{"spec":{"strategy":{"blueGreen":{"previewReplicas":1,"keepPrevious":{"replicas":1}}}}}`)
	s.version("1.0.0", "frontend")
	s.run(0, "release", "shop", "--wait=Live")
	v1 := s.unit()
	s.wantMinimum(v1.LiveSlot, 2, false)
	s.letUsersIn()
	s.untilSize(v1.LiveSlot, "frontend", 3) // the autoscaler's doing

	s.version("2.0.0", "frontend", "catalog")
	s.run(0, "release", "shop", "--wait=Hold")
	preview := s.unit().ActiveSlot
	s.wantMinimum(preview, 1, true)
	s.untilSize(preview, "frontend", 1)
	s.run(0, "promote", "shop", "--wait=Live")
	v2 := s.unit()
	s.usersSee(v2.LiveRelease)
	s.wantMinimum(v2.LiveSlot, 3, true)
	s.untilSize(v2.LiveSlot, "frontend", 3)

	s.untilSize(v1.LiveSlot, "frontend", 1)
	s.wantMinimum(v1.LiveSlot, 1, true)
	s.run(0, "rollback", "shop", "--wait=Live")
	s.usersSee(v1.LiveRelease)
	s.wantMinimum(v1.LiveSlot, 3, true)
	s.untilSize(v1.LiveSlot, "frontend", 3)
	s.untilSlot(v2.LiveSlot, v1alpha1.SlotIdle) // a budget keeps nothing from being scaled down
	budget := &policyv1.PodDisruptionBudget{}
	s.must(cluster.Get(s.ctx, types.NamespacedName{Namespace: s.home + "-" + v2.LiveSlot, Name: "frontend"}, budget))
	s.happy()
}

// withMetrics makes sure of a metrics source. A cluster of one's own has it, or the test is not for it.
func withMetrics(t *testing.T) {
	t.Helper()
	clients, err := discovery.NewDiscoveryClientForConfig(cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := clients.ServerResourcesForGroupVersion("metrics.k8s.io/v1beta1"); err == nil {
		return
	}
	command := os.Getenv("LOCKSTEP_CLUSTER_COMMAND")
	if command == "" {
		t.Skip("the cluster has no metrics.k8s.io")
	}
	if out, err := exec.CommandContext(t.Context(), command, "metrics").CombinedOutput(); err != nil {
		t.Fatalf("%s metrics: %v\n%s", command, err, out)
	}
}

func (s *shop) autoscaler(slot string) *autoscalingv2.HorizontalPodAutoscaler {
	s.t.Helper()
	a := &autoscalingv2.HorizontalPodAutoscaler{}
	s.must(cluster.Get(s.ctx, types.NamespacedName{Namespace: s.home + "-" + slot, Name: "frontend"}, a))
	return a
}

func (s *shop) wantMinimum(slot string, want int32, held bool) {
	s.t.Helper()
	a := s.autoscaler(slot)
	_, isHeld := a.Annotations[v1alpha1.AnnotationMinimumHeld]
	if got := ptr.Deref(a.Spec.MinReplicas, 1); got != want || isHeld != held {
		s.t.Errorf("slot %s: the minimum is %d, held: %v; want %d, held: %v", slot, got, isHeld, want, held)
	}
}

// untilSize waits until a Deployment of a slot has so many ready replicas, and no others.
func (s *shop) untilSize(slot, name string, want int32) {
	s.t.Helper()
	began := time.Now()
	s.must(journey.Until(s.ctx, 2*time.Minute, func(ctx context.Context) error {
		d := &appsv1.Deployment{}
		if err := cluster.Get(ctx, types.NamespacedName{Namespace: s.home + "-" + slot, Name: name}, d); err != nil {
			return err
		}
		if ptr.Deref(d.Spec.Replicas, 1) == want && d.Status.Replicas == want && d.Status.ReadyReplicas == want {
			return nil
		}
		return fmt.Errorf("slot %s: %s has %d replicas, %d ready; want %d; %s", slot, name, ptr.Deref(d.Spec.Replicas, 1), d.Status.ReadyReplicas, want, s.scaling(slot))
	}))
	s.t.Logf("slot %s: %s has %d replicas (%.1f s)", slot, name, want, time.Since(began).Seconds())
}

// scaling is what the autoscaler says of itself.
func (s *shop) scaling(slot string) string {
	text := ""
	for _, c := range s.autoscaler(slot).Status.Conditions {
		text += fmt.Sprintf("%s=%s %s: %s; ", c.Type, c.Status, c.Reason, c.Message)
	}
	return text
}

func (s *shop) patchStack(patch string) {
	s.t.Helper()
	stack, err := cluster.Stack(s.ctx, s.home, "shop")
	s.must(err)
	s.must(cluster.Patch(s.ctx, stack, client.RawPatch(types.MergePatchType, []byte(patch))))
}

// TestQuotaOfAllMembers finds before anything is deployed that the members together ask for more than a quota allows, though
// each of them would fit.
func TestQuotaOfAllMembers(t *testing.T) {
	s := newShop(t, "quota", beside(t, settings{}))
	quota := s.smallSlot("green")
	s.run(0, "release", "shop", "--wait=Live")
	v1 := s.unit()
	s.letUsersIn()
	s.version("2.0.0", "frontend")
	s.run(0, "release", "shop")
	s.until(time.Minute, "short of quota", func(stack *v1alpha1.Stack) bool {
		step := stack.Status.Units[0].Step
		return step != nil && step.Reason == v1alpha1.ReasonQuotaExceeded
	})
	v2 := s.unit().ActiveRelease
	t.Log(s.unit().Step.WaitingFor)
	list := &appsv1.DeploymentList{}
	s.must(cluster.List(s.ctx, list, client.InNamespace(quota.Namespace)))
	if len(list.Items) > 0 {
		t.Errorf("%d Deployments were applied all the same", len(list.Items))
	}
	s.must(cluster.Delete(s.ctx, quota))
	s.until(time.Minute, "at its hold", func(stack *v1alpha1.Stack) bool {
		step := stack.Status.Units[0].Step
		return step != nil && step.Kind == v1alpha1.StepHold
	})
	s.run(0, "abort", "shop")
	s.aborted(v1, v2)
}

// smallSlot makes a slot that consents, in which there is room for two Pods.
func (s *shop) smallSlot(slot string) *corev1.ResourceQuota {
	s.t.Helper()
	ns := &corev1.Namespace{}
	ns.Name = s.home + "-" + slot
	ns.Labels = map[string]string{v1alpha1.LabelStack: "shop", v1alpha1.LabelStackNamespace: s.home}
	s.must(cluster.Create(s.ctx, ns))
	s.must(cluster.Home(s.ctx, s.home, ns.Name)) // with its rights: the grant of the route is made there at once
	quota := &corev1.ResourceQuota{}
	quota.Namespace, quota.Name = ns.Name, "small"
	quota.Spec.Hard = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("2")}
	s.must(cluster.Create(s.ctx, quota))
	return quota
}
