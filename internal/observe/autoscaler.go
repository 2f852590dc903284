package observe

import (
	"strconv"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// autoscalerOf is what scales the workload; nil where nothing does. One that another controller has made is that one's to
// write.
func autoscalerOf(w *workload, all []autoscalingv2.HorizontalPodAutoscaler) *plan.Autoscaler {
	for i := range all {
		a := &all[i]
		if target := a.Spec.ScaleTargetRef; target.Kind == w.Kind && target.Name == w.Name && metav1.GetControllerOf(a) == nil {
			return autoscalerFacts(a)
		}
	}
	return nil
}

func autoscalerFacts(a *autoscalingv2.HorizontalPodAutoscaler) *plan.Autoscaler {
	epoch, _ := strconv.ParseInt(a.Annotations[v1alpha1.AnnotationEpoch], 10, 64) // what is no number is of no epoch
	_, held := a.Annotations[v1alpha1.AnnotationMinimumHeld]
	facts := &plan.Autoscaler{Name: a.Name, Min: ptr.Deref(a.Spec.MinReplicas, 1), Max: a.Spec.MaxReplicas, Epoch: epoch, Held: held}
	for _, c := range a.Status.Conditions {
		if c.Status == corev1.ConditionFalse && idles(c) {
			facts.Problem, facts.Since = said(c.Reason, c.Message), c.LastTransitionTime.Time
			break
		}
	}
	return facts
}

// idles is whether the condition, which is False, says that the autoscaler cannot do its work. One whose target is at zero
// replicas has none to do.
func idles(c autoscalingv2.HorizontalPodAutoscalerCondition) bool {
	switch c.Type {
	case autoscalingv2.ScalingActive:
		return c.Reason != "ScalingDisabled"
	case autoscalingv2.AbleToScale:
		return true
	case autoscalingv2.ScalingLimited, autoscalingv2.ScaledToZero:
	}
	return false
}
