package view

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// podTemplate is what a workload makes its Pods of; nil for anything else.
func podTemplate(o *unstructured.Unstructured) map[string]any {
	path := []string{"spec", "template"}
	switch o.GetKind() {
	case "Deployment", "StatefulSet", "DaemonSet", "Job":
	case "CronJob":
		path = []string{"spec", "jobTemplate", "spec", "template"}
	default:
		return nil
	}
	template, _, _ := unstructured.NestedMap(o.Object, path...)
	return template
}

// containersOf are the containers of a workload, those that run first included.
func containersOf(o *unstructured.Unstructured) []map[string]any {
	var out []map[string]any
	template := podTemplate(o)
	for _, field := range []string{"initContainers", "containers"} {
		list, _, _ := unstructured.NestedSlice(template, "spec", field)
		for _, item := range list {
			if c, ok := item.(map[string]any); ok {
				out = append(out, c)
			}
		}
	}
	return out
}

// ImagesOf are the images of a workload, each once.
func ImagesOf(o *unstructured.Unstructured) []string {
	var out []string
	for _, c := range containersOf(o) {
		if image, ok := c["image"].(string); ok && !slices.Contains(out, image) {
			out = append(out, image)
		}
	}
	return out
}
