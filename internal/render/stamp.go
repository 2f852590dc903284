package render

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// StampOptions say what objects belong to.
type StampOptions struct {
	Stack          string
	StackNamespace string
	Slot           string
	// Namespace of the slot.
	Namespace string
	Release   string
}

func (o StampOptions) labels() map[string]string {
	return map[string]string{
		v1alpha1.LabelStack:          o.Stack,
		v1alpha1.LabelStackNamespace: o.StackNamespace,
		v1alpha1.LabelSlot:           o.Slot,
		v1alpha1.LabelRelease:        o.Release,
	}
}

// Stamp returns copies of the objects that say what they belong to: labels on every object, on pod templates (with the
// member), and in the selector of each Service that selects a member, so that it never meets a Pod of another release.
// Selectors of workloads stay as they are: they cannot be changed later.
func Stamp(objects []*unstructured.Unstructured, o StampOptions) []*unstructured.Unstructured {
	result := make([]*unstructured.Unstructured, 0, len(objects))
	for _, object := range objects {
		stamped := object.DeepCopy()
		if o.Namespace != "" {
			stamped.SetNamespace(o.Namespace)
		}
		labels := o.labels()
		switch {
		case isWorkload(object):
			labels[v1alpha1.LabelMember] = object.GetName()
			stampTemplates(stamped, labels)
		case isService(object) && selectsAny(object, objects):
			stampSelector(stamped, o)
		}
		addLabels(metadataOf(stamped.Object), labels)
		result = append(result, stamped)
	}
	return result
}

func stampTemplates(workload *unstructured.Unstructured, labels map[string]string) {
	for _, path := range templatePaths(workload.GetKind()) {
		if template := child(workload.Object, path...); template != nil {
			addLabels(metadataOf(template), labels)
		}
	}
}

func stampSelector(service *unstructured.Unstructured, o StampOptions) {
	if selector := child(service.Object, "spec", "selector"); selector != nil {
		selector[v1alpha1.LabelRelease] = o.Release
		selector[v1alpha1.LabelSlot] = o.Slot
	}
}

// templatePaths are where a workload describes what it makes; the last one is the template of its Pods.
func templatePaths(kind string) [][]string {
	if kind == kindCronJob {
		return [][]string{{"spec", "jobTemplate"}, {"spec", "jobTemplate", "spec", "template"}}
	}
	return [][]string{{"spec", "template"}}
}

func podTemplate(workload *unstructured.Unstructured) map[string]any {
	paths := templatePaths(workload.GetKind())
	return child(workload.Object, paths[len(paths)-1]...)
}

// child follows a path of maps; nil where it ends early.
func child(object map[string]any, path ...string) map[string]any {
	for _, name := range path {
		next, ok := object[name].(map[string]any)
		if !ok {
			return nil
		}
		object = next
	}
	return object
}

func metadataOf(object map[string]any) map[string]any {
	metadata, ok := object["metadata"].(map[string]any)
	if !ok {
		metadata = map[string]any{}
		object["metadata"] = metadata
	}
	return metadata
}

func addLabels(metadata map[string]any, labels map[string]string) {
	all, ok := metadata["labels"].(map[string]any)
	if !ok {
		all = map[string]any{}
		metadata["labels"] = all
	}
	for name, value := range labels {
		all[name] = value
	}
}

func isService(object *unstructured.Unstructured) bool {
	return object.GetKind() == kindService && groupOf(object) == ""
}

func selectsAny(service *unstructured.Unstructured, objects []*unstructured.Unstructured) bool {
	for _, object := range objects {
		if selects(service, object) {
			return true
		}
	}
	return false
}

// selects is whether a Service's selector matches the Pods of a workload.
func selects(service, workload *unstructured.Unstructured) bool {
	selector := child(service.Object, "spec", "selector")
	if len(selector) == 0 || !isWorkload(workload) {
		return false
	}
	labels := child(podTemplate(workload), "metadata", "labels")
	for name, value := range selector {
		if labels[name] != value {
			return false
		}
	}
	return true
}
