package apply

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// The kinds of workloads.
const (
	kindDeployment  = "Deployment"
	kindStatefulSet = "StatefulSet"
	kindDaemonSet   = "DaemonSet"
	kindJob         = "Job"
	kindCronJob     = "CronJob"
)

// workloadKinds are the kinds that members have.
var workloadKinds = map[string]schema.GroupVersionKind{
	kindDeployment:  appsv1.SchemeGroupVersion.WithKind(kindDeployment),
	kindStatefulSet: appsv1.SchemeGroupVersion.WithKind(kindStatefulSet),
	kindDaemonSet:   appsv1.SchemeGroupVersion.WithKind(kindDaemonSet),
	kindJob:         batchv1.SchemeGroupVersion.WithKind(kindJob),
	kindCronJob:     batchv1.SchemeGroupVersion.WithKind(kindCronJob),
}

// asleepKey is a node label that no node has: a DaemonSet has no replicas, and sleeps by finding no node.
const asleepKey = "lockstep.dev/asleep"

func isWorkload(o *unstructured.Unstructured) bool {
	kind, known := workloadKinds[o.GetKind()]
	return known && kind.Group == o.GroupVersionKind().Group
}

// templatePath is where a workload keeps its Pod template.
func templatePath(kind string) []string {
	if kind == kindCronJob {
		return []string{"spec", "jobTemplate", "spec", "template"}
	}
	return []string{"spec", "template"}
}

// releaseOn is the release that a workload's Pod template is stamped with.
func releaseOn(o *unstructured.Unstructured) string {
	path := append(templatePath(o.GetKind()), "metadata", "labels", v1alpha1.LabelRelease)
	release, _, _ := unstructured.NestedString(o.Object, path...)
	return release
}

func podSpecOf(o *unstructured.Unstructured) (*corev1.PodSpec, error) {
	raw, found, err := unstructured.NestedMap(o.Object, append(templatePath(o.GetKind()), "spec")...)
	if err != nil || !found {
		return &corev1.PodSpec{}, err
	}
	spec := &corev1.PodSpec{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, spec); err != nil {
		return nil, fmt.Errorf("reading the Pod template of %s: %w", nameOf(o), err)
	}
	return spec, nil
}

// size is the part of a workload that ManagerScale owns, as a merge patch of spec; nil where the kind has none.
func size(kind string, replicas int32) map[string]any {
	switch kind {
	case kindJob, kindCronJob:
		return map[string]any{"suspend": replicas == 0}
	case kindDaemonSet:
		return map[string]any{"template": map[string]any{"spec": map[string]any{"nodeSelector": asleepSelector(replicas == 0)}}}
	}
	return map[string]any{"replicas": int64(replicas)}
}

func asleepSelector(asleep bool) map[string]any {
	if asleep {
		return map[string]any{asleepKey: "true"}
	}
	return map[string]any{asleepKey: nil}
}

// sized returns a workload that is to be created with its size.
func sized(o *unstructured.Unstructured, replicas int32) (*unstructured.Unstructured, error) {
	out := o.DeepCopy()
	switch o.GetKind() {
	case kindJob, kindCronJob:
		return out, unstructured.SetNestedField(out.Object, replicas == 0, "spec", "suspend")
	case kindDaemonSet:
		if replicas > 0 {
			return out, nil
		}
		return out, putToSleep(out)
	}
	return out, unstructured.SetNestedField(out.Object, int64(replicas), "spec", "replicas")
}

func isAsleep(o *unstructured.Unstructured) bool {
	_, asleep, _ := unstructured.NestedString(o.Object, "spec", "template", "spec", "nodeSelector", asleepKey)
	return o.GetKind() == kindDaemonSet && asleep
}

func putToSleep(daemonSet *unstructured.Unstructured) error {
	return unstructured.SetNestedField(daemonSet.Object, "true", "spec", "template", "spec", "nodeSelector", asleepKey)
}
