package observe

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

func scalerOf(kind, name string, conditions ...autoscalingv2.HorizontalPodAutoscalerCondition) *autoscalingv2.HorizontalPodAutoscaler {
	a := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: inSlot("scaler", stackLabels())}
	a.Annotations = map[string]string{v1alpha1.AnnotationEpoch: "9"}
	a.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: kind, Name: name}
	a.Spec.MinReplicas, a.Spec.MaxReplicas = new(int32(2)), 6
	a.Status.Conditions = conditions
	return a
}

func TestAutoscalerFacts(t *testing.T) {
	no := func(kind autoscalingv2.HorizontalPodAutoscalerConditionType, reason string) autoscalingv2.HorizontalPodAutoscalerCondition {
		return autoscalingv2.HorizontalPodAutoscalerCondition{
			Type: kind, Status: corev1.ConditionFalse, Reason: reason, Message: "why", LastTransitionTime: metav1.Time{Time: monday},
		}
	}
	facts := func(change func(*plan.Autoscaler)) *plan.Autoscaler {
		a := &plan.Autoscaler{Name: "scaler", Min: 2, Max: 6, Epoch: 9}
		if change != nil {
			change(a)
		}
		return a
	}
	blind := func(a *plan.Autoscaler) { a.Problem, a.Since = "why (FailedGetResourceMetric)", monday }
	for name, test := range map[string]struct {
		object *autoscalingv2.HorizontalPodAutoscaler
		want   *plan.Autoscaler
	}{
		"of the workload":       {scalerOf("Deployment", "web"), facts(nil)},
		"of another one":        {scalerOf("Deployment", "other"), nil},
		"of another kind":       {scalerOf("StatefulSet", "web"), nil},
		"whose minimum is held": {with(scalerOf("Deployment", "web"), hold), facts(func(a *plan.Autoscaler) { a.Held = true })},
		"without a minimum": {
			with(scalerOf("Deployment", "web"), func(a *autoscalingv2.HorizontalPodAutoscaler) { a.Spec.MinReplicas = nil }),
			facts(func(a *plan.Autoscaler) { a.Min = 1 }),
		},
		"that another controller owns": {with(scalerOf("Deployment", "web"), func(a *autoscalingv2.HorizontalPodAutoscaler) {
			a.OwnerReferences = []metav1.OwnerReference{{Kind: "ScaledObject", Name: "web", Controller: new(true)}}
		}), nil},
		"without metrics": {scalerOf("Deployment", "web", no(autoscalingv2.ScalingActive, "FailedGetResourceMetric")), facts(blind)},
		"that cannot scale": {
			scalerOf("Deployment", "web", no(autoscalingv2.AbleToScale, "FailedGetScale")),
			facts(func(a *plan.Autoscaler) { a.Problem, a.Since = "why (FailedGetScale)", monday }),
		},
		"of a workload at zero": {scalerOf("Deployment", "web", no(autoscalingv2.ScalingActive, "ScalingDisabled")), facts(nil)},
		"that wants no less":    {scalerOf("Deployment", "web", no(autoscalingv2.ScalingLimited, "DesiredWithinRange")), facts(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			slot := slotFacts(t, nil, rolledOut("web", "r1", 2), test.object)
			if diff := cmp.Diff(test.want, slot.Workloads[0].Autoscaler); diff != "" {
				t.Errorf("autoscaler (-want +got):\n%s", diff)
			}
		})
	}
}

func hold(a *autoscalingv2.HorizontalPodAutoscaler) {
	a.Annotations[v1alpha1.AnnotationMinimumHeld] = "true"
}

// TestDuePods: deletionTimestamp is when the grace period is over.
func TestDuePods(t *testing.T) {
	pod := terminating(podOf("web-1", "r1"))
	pod.Spec.NodeName = "node-1"
	got := slotFacts(t, nil, rolledOut("web", "r1", 1), pod).Pods[0]
	if !got.Due.Equal(monday) || got.Node != "node-1" || !cmp.Equal(got.Finalizers, []string{"kubernetes"}) {
		t.Errorf("got %+v, want it due at %s, on node-1, held by a finalizer", got, monday.Format(time.RFC3339))
	}
	if got := slotFacts(t, nil, rolledOut("web", "r1", 1), podOf("web-1", "r1")).Pods[0]; !got.Due.IsZero() {
		t.Errorf("a Pod that nobody ends is due at %s", got.Due)
	}
}
