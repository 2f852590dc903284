package entry

import (
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Grants are the ReferenceGrants that let an HTTPRoute point into slots of other namespaces, one in each. A
// VirtualService needs none.
func Grants(s Spec) []*unstructured.Unstructured {
	if s.Entry.HTTPRoute == nil {
		return nil
	}
	var all []*unstructured.Unstructured
	for _, slot := range s.Slots {
		if slot.Namespace != s.Key().Namespace {
			all = append(all, grant(s, slot.Namespace))
		}
	}
	return all
}

// Granted is whether live is the grant that is wanted.
func Granted(want, live *unstructured.Unstructured) bool {
	if live.GetDeletionTimestamp() != nil {
		return false
	}
	for key, value := range want.GetLabels() {
		if live.GetLabels()[key] != value {
			return false
		}
	}
	return equality.Semantic.DeepEqual(want.Object["spec"], live.Object["spec"])
}

// grant uses v1beta1, which every release of the Gateway API serves. The rules of an adopted route may name any Service
// of the slot; a made one names the backend alone.
func grant(s Spec, namespace string) *unstructured.Unstructured {
	to := object{"group": "", "kind": "Service"}
	if !s.Adopted() {
		to["name"] = s.Entry.Backend.Service
	}
	g := &unstructured.Unstructured{Object: object{"spec": object{
		"from": []any{object{"group": gatewayGroup, "kind": s.Kind().Kind, "namespace": s.Key().Namespace}},
		"to":   []any{to},
	}}}
	g.SetGroupVersionKind(schema.GroupVersionKind{Group: gatewayGroup, Version: "v1beta1", Kind: "ReferenceGrant"})
	g.SetNamespace(namespace)
	g.SetName("lockstep-" + s.Stack.Name + "-" + s.Entry.Name)
	label(s, g)
	return g
}
