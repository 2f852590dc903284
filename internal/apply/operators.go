package apply

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/scheme"
)

// comesLater is whether an operator may make the Secret or ConfigMap once the content is applied: a custom object names
// it. In which field, only its operator knows. If nothing comes of it, the Pod that waits for it says so.
func (w *slotWork) comesLater(ref reference) bool {
	if ref.kind != kindSecret && ref.kind != kindConfigMap {
		return false
	}
	return slices.ContainsFunc(w.objects, func(o *unstructured.Unstructured) bool { return isCustom(o) && names(o, ref.name) })
}

// isCustom is whether the kind is none that Kubernetes comes with.
func isCustom(o *unstructured.Unstructured) bool {
	return !scheme.Scheme.IsGroupRegistered(o.GroupVersionKind().Group)
}

// names leaves out labels: they say what an object belongs to, which is often called the same.
func names(o *unstructured.Unstructured, name string) bool {
	return o.GetName() == name ||
		slices.Contains(slices.Collect(maps.Values(o.GetAnnotations())), name) ||
		holds(o.Object["spec"], name)
}

// holds is whether the text is a value anywhere in what JSON holds.
func holds(value any, text string) bool {
	switch v := value.(type) {
	case string:
		return v == text
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return holds(item, text) })
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), func(item any) bool { return holds(item, text) })
	}
	return false
}
