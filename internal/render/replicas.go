package render

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	kindDeployment  = "Deployment"
	kindStatefulSet = "StatefulSet"
	kindDaemonSet   = "DaemonSet"
	kindJob         = "Job"
	kindCronJob     = "CronJob"
	kindService     = "Service"
)

// WithoutReplicas returns a copy that leaves out what belongs to the field manager of sizes: spec.replicas, an HPA's
// minReplicas, and whether a Job or CronJob is suspended.
func WithoutReplicas(object *unstructured.Unstructured) *unstructured.Unstructured {
	result := withoutSize(object)
	if isWorkload(result) && suspends(result.GetKind()) {
		unstructured.RemoveNestedField(result.Object, "spec", "suspend")
	}
	return result
}

// withoutSize is for digests: a team's suspended CronJob is part of its content.
func withoutSize(object *unstructured.Unstructured) *unstructured.Unstructured {
	result := object.DeepCopy()
	if scales(result) {
		unstructured.RemoveNestedField(result.Object, "spec", "replicas")
	}
	if isAutoscaler(result) {
		unstructured.RemoveNestedField(result.Object, "spec", "minReplicas")
	}
	return result
}

func scales(object *unstructured.Unstructured) bool {
	return isWorkload(object) && (object.GetKind() == kindDeployment || object.GetKind() == kindStatefulSet)
}

func suspends(kind string) bool { return kind == kindJob || kind == kindCronJob }

func isAutoscaler(object *unstructured.Unstructured) bool {
	return groupOf(object) == "autoscaling" && object.GetKind() == "HorizontalPodAutoscaler"
}

// IsAutoscaler is whether the object is a HorizontalPodAutoscaler.
func IsAutoscaler(object *unstructured.Unstructured) bool { return isAutoscaler(object) }

// IsWorkload is whether the object is of a kind that can be a member.
func IsWorkload(object *unstructured.Unstructured) bool { return isWorkload(object) }

// isWorkload is whether the object is of a kind that can be a member.
func isWorkload(object *unstructured.Unstructured) bool {
	switch object.GetKind() {
	case kindDeployment, kindStatefulSet, kindDaemonSet:
		return groupOf(object) == "apps"
	case kindJob, kindCronJob:
		return groupOf(object) == "batch"
	}
	return false
}

func groupOf(object *unstructured.Unstructured) string {
	return object.GroupVersionKind().Group
}
