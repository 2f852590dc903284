package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// TestStuck has an autoscaler without metrics, which holds up nothing, and a Pod on a node that is gone, which holds up its slot,
// since nobody knows whether it still runs: both are told, and users notice neither.
func TestStuck(t *testing.T) {
	s := newShop(t, "stuck", beside(t, settings{keep: "1s", drain: "9s"}))
	s.must(s.repo.Write("charts/frontend/templates/autoscaler.yaml", blindAutoscaler))
	s.version("1.0.0", "frontend")
	s.begin()
	v1 := s.unit()
	pod := s.lostPod(v1)

	s.version("2.0.0", "frontend", "catalog")
	s.run(0, "release", "shop", "--wait=Hold")
	s.run(0, "promote", "shop", "--wait=Live")
	v2 := s.unit()
	s.usersSee(v2.LiveRelease)

	s.version("3.0.0", "frontend")
	s.run(0, "release", "shop")
	v3 := ""
	s.until(4*time.Minute, "waiting for the slot that Pod "+pod.Name+" keeps", func(stack *v1alpha1.Stack) bool {
		u := stack.Status.Units[0]
		v3 = u.ActiveRelease
		return u.Step != nil && u.Step.Reason == v1alpha1.ReasonWaitingForSlot && strings.Contains(u.Step.WaitingFor, "Pod "+pod.Name)
	})
	s.event(v1alpha1.ReasonPodStuck, pod.Name)
	s.contains("status", s.run(0, "status", "shop").Stdout, "its node "+lostNode+" may be gone", "kubectl delete pod "+pod.Name)
	s.until(4*time.Minute, "telling of the autoscaler", func(stack *v1alpha1.Stack) bool {
		return hasCondition(stack, v1alpha1.ConditionAutoscaling, metav1.ConditionFalse, v1alpha1.ReasonAutoscalerUnhealthy)
	})
	stack, err := cluster.Stack(s.ctx, s.home, "shop")
	s.must(err)
	s.contains("the condition", meta.FindStatusCondition(stack.Status.Conditions, v1alpha1.ConditionAutoscaling).Message,
		"HorizontalPodAutoscaler frontend in namespace "+s.home+"-"+v2.LiveSlot, "orders_per_second")

	s.must(cluster.Delete(s.ctx, pod, client.GracePeriodSeconds(0)))
	s.until(time.Minute, "at its hold once the Pod is gone", func(stack *v1alpha1.Stack) bool {
		u := stack.Status.Units[0]
		return u.ActiveRelease == v3 && u.Step.Kind == v1alpha1.StepHold
	})
	s.run(0, "abort", "shop")
	s.aborted(v2, v3)
}

const lostNode = "e2e-lost"

// lostPod is a Pod of the live release that was told to end, on a node of which nobody hears.
func (s *shop) lostPod(live v1alpha1.UnitStatus) *corev1.Pod {
	s.t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: lostNode}}
	node.Spec.Taints = []corev1.Taint{{Key: lostNode, Effect: corev1.TaintEffectNoSchedule}} // for nobody else
	s.must(client.IgnoreAlreadyExists(cluster.Create(s.ctx, node)))
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.home + "-" + live.LiveSlot, Name: "frontend-lost", Labels: map[string]string{
		v1alpha1.LabelStack: "shop", v1alpha1.LabelStackNamespace: s.home, v1alpha1.LabelRelease: live.LiveRelease,
	}}}
	pod.Spec.NodeName = lostNode
	pod.Spec.Containers = []corev1.Container{{Name: "frontend", Image: "lockstep.dev/shop/frontend:1.0.0"}}
	s.must(cluster.Create(s.ctx, pod))
	s.t.Cleanup(func() {
		_ = cluster.Delete(context.WithoutCancel(s.ctx), pod, client.GracePeriodSeconds(0))
		_ = cluster.Delete(context.WithoutCancel(s.ctx), node)
	})
	s.must(cluster.Delete(s.ctx, pod, client.GracePeriodSeconds(1)))
	return pod
}
