package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// blindAutoscaler asks for a metric that nothing in the cluster serves.
const blindAutoscaler = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: frontend}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: frontend}
  minReplicas: 1
  maxReplicas: 3
  metrics: [{type: Pods, pods: {metric: {name: orders_per_second}, target: {type: AverageValue, averageValue: "10"}}}]
`

// TestStuck has an autoscaler without metrics, which holds up nothing, and a Pod that never goes, which holds up its slot:
// both are told, and users notice neither.
func TestStuck(t *testing.T) {
	s := newShop(t, "stuck", beside(t, settings{keep: "1s", drain: "9s"}))
	s.must(s.repo.Write("charts/frontend/templates/autoscaler.yaml", blindAutoscaler))
	s.version("1.0.0", "frontend")
	s.begin()
	v1 := s.unit()
	pod := s.clingingPod(v1.LiveSlot)

	s.version("2.0.0", "frontend", "catalog")
	s.run(0, "release", "shop", "--wait=Hold")
	s.run(0, "promote", "shop", "--wait=Done")
	v2 := s.unit()
	s.usersSee(v2.LiveRelease)

	s.version("3.0.0", "frontend")
	s.run(0, "release", "shop")
	v3 := ""
	s.until(4*time.Minute, "waiting for the slot that Pod "+pod.Name+" keeps", func(stack *v1alpha1.Stack) bool {
		u := stack.Status.Units[0]
		v3 = u.ActiveRelease
		return u.Step != nil && u.Step.Reason == v1alpha1.ReasonWaitingForSlot && strings.Contains(u.Step.WaitingFor, pod.Name)
	})
	s.event(v1alpha1.ReasonPodStuck, pod.Name)
	s.contains("status", s.run(0, "status", "shop").Stdout, "lockstep.dev/clings", "kubectl patch pod "+pod.Name)
	s.until(4*time.Minute, "telling of the autoscaler", func(stack *v1alpha1.Stack) bool {
		return hasCondition(stack, v1alpha1.ConditionAutoscaling, metav1.ConditionFalse, v1alpha1.ReasonAutoscalerUnhealthy)
	})
	s.contains("status", s.run(0, "status", "shop").Stdout, "HorizontalPodAutoscaler frontend in namespace "+s.home+"-"+v2.LiveSlot, "orders_per_second")

	s.setFinalizers(pod, "null")
	s.until(time.Minute, "at its hold once the Pod is gone", func(stack *v1alpha1.Stack) bool {
		u := stack.Status.Units[0]
		return u.ActiveRelease == v3 && u.Step.Kind == v1alpha1.StepHold
	})
	s.run(0, "abort", "shop")
	s.aborted(v2, v3)
}

// clingingPod is a Pod of the frontend with a finalizer that nobody takes away.
func (s *shop) clingingPod(slot string) *corev1.Pod {
	s.t.Helper()
	pods := &corev1.PodList{}
	s.must(cluster.List(s.ctx, pods, client.InNamespace(s.home+"-"+slot), client.MatchingLabels{"app.kubernetes.io/name": "frontend"}))
	if len(pods.Items) == 0 {
		s.t.Fatalf("slot %s has no Pod of frontend", slot)
	}
	s.setFinalizers(&pods.Items[0], `["lockstep.dev/clings"]`)
	return &pods.Items[0]
}

func (s *shop) setFinalizers(pod *corev1.Pod, list string) {
	s.t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"finalizers":%s}}`, list)
	s.must(cluster.Patch(s.ctx, pod, client.RawPatch(types.MergePatchType, []byte(patch))))
}
