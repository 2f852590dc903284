package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// wellFormed makes sure of what everything after it relies on: who the object is, and labels that are texts. A label
// that YAML reads as a number would make all labels of the object vanish.
func wellFormed(o object) error {
	for _, field := range []string{"apiVersion", "kind"} {
		if text, ok := o.Object[field].(string); !ok || text == "" {
			return notObject(o.from, "it has no "+field)
		}
	}
	metadata, ok := o.Object["metadata"].(map[string]any)
	if !ok {
		return notObject(o.from, fmt.Sprintf("%s has no metadata", o.GetKind()))
	}
	if name, ok := metadata["name"].(string); !ok || name == "" {
		return notObject(o.from, fmt.Sprintf("%s has no metadata.name (generateName is not enough: a slot is filled by name)", o.GetKind()))
	}
	if namespace, exists := metadata["namespace"]; exists && namespace != nil {
		if _, ok := namespace.(string); !ok {
			return notText(o, "metadata.namespace", namespace)
		}
	}
	return textMaps(o)
}

func textMaps(o object) error {
	paths := [][]string{{"metadata"}}
	if isWorkload(o.Unstructured) {
		for _, template := range templatePaths(o.GetKind()) {
			paths = append(paths, append(slices.Clone(template), "metadata"))
		}
	}
	for _, path := range paths {
		for _, field := range []string{"labels", "annotations"} {
			if err := textMap(o, append(slices.Clone(path), field)); err != nil {
				return err
			}
		}
	}
	if isService(o.Unstructured) {
		return textMap(o, []string{"spec", "selector"})
	}
	return nil
}

func textMap(o object, path []string) error {
	where := strings.Join(path, ".")
	parent := child(o.Object, path[:len(path)-1]...)
	value := parent[path[len(path)-1]]
	if value == nil {
		return nil
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return notText(o, where, value)
	}
	for name, value := range fields {
		if _, ok := value.(string); !ok {
			return notText(o, where+"."+name, value)
		}
	}
	return nil
}

func notText(o object, where string, value any) error {
	return refuse(v1alpha1.ReasonRenderFailed, "%s: %s is %s, where Kubernetes wants text; put the value in quotes", o, where, kindOfValue(value))
}

// filledIn is what a server fills in, and manifests that were exported from a cluster carry along.
var filledIn = []string{"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}

// canonical brings an object into the form that is compared, frozen and applied.
func canonical(o object, namespace string) {
	delete(o.Object, "status")
	metadata := metadataOf(o.Object)
	for _, field := range filledIn {
		delete(metadata, field)
	}
	metadata["namespace"] = namespace
	dropNil(metadata, "labels", "annotations")
	if !isWorkload(o.Unstructured) {
		return
	}
	for _, path := range templatePaths(o.GetKind()) {
		if template := child(o.Object, append(slices.Clone(path), "metadata")...); template != nil {
			delete(template, "creationTimestamp")
			dropNil(template, "labels", "annotations")
		}
	}
}

func dropNil(fields map[string]any, names ...string) {
	for _, name := range names {
		if value, exists := fields[name]; exists && value == nil {
			delete(fields, name)
		}
	}
}

func sortObjects(objects []object) {
	slices.SortStableFunc(objects, func(a, b object) int {
		return cmp.Or(
			strings.Compare(a.GetKind(), b.GetKind()),
			strings.Compare(groupOf(a.Unstructured), groupOf(b.Unstructured)),
			strings.Compare(a.GetName(), b.GetName()),
		)
	})
}

func bare(objects []object) []*unstructured.Unstructured {
	result := make([]*unstructured.Unstructured, len(objects))
	for i, o := range objects {
		result[i] = o.Unstructured
	}
	return result
}
