package entry_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
)

func TestGranted(t *testing.T) {
	want := entry.Grants(gateway(v1alpha1.HTTPRouteEntry{ParentRefs: []v1alpha1.ParentRef{{Name: "public"}}}))[0]
	labels := func(change func(map[string]string)) func(*unstructured.Unstructured) {
		return func(live *unstructured.Unstructured) {
			set := live.GetLabels()
			change(set)
			live.SetLabels(set)
		}
	}
	spec := func(field string, item object) func(*unstructured.Unstructured) {
		return func(live *unstructured.Unstructured) { live.Object["spec"].(object)[field] = []any{item} }
	}
	for name, test := range map[string]struct {
		change func(*unstructured.Unstructured)
		want   bool
	}{
		"as it was made":   {func(*unstructured.Unstructured) {}, true},
		"with more labels": {labels(func(set map[string]string) { set["team"] = "shop" }), true},
		"with what the API server adds": {func(live *unstructured.Unstructured) {
			live.SetResourceVersion("7")
			live.SetUID("u1")
		}, true},
		"without a label":       {labels(func(set map[string]string) { delete(set, v1alpha1.LabelStack) }), false},
		"with another's label":  {labels(func(set map[string]string) { set[v1alpha1.LabelStack] = "other" }), false},
		"without labels":        {func(live *unstructured.Unstructured) { live.SetLabels(nil) }, false},
		"to another Service":    {spec("to", object{"group": "", "kind": "Service", "name": "admin"}), false},
		"to every Service":      {spec("to", object{"group": "", "kind": "Service"}), false},
		"from another's routes": {spec("from", object{"group": want.GroupVersionKind().Group, "kind": "HTTPRoute", "namespace": "elsewhere"}), false},
		"that is being deleted": {func(live *unstructured.Unstructured) { live.SetDeletionTimestamp(&metav1.Time{Time: time.Unix(1, 0)}) }, false},
		"without a spec":        {func(live *unstructured.Unstructured) { delete(live.Object, "spec") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			live := want.DeepCopy()
			test.change(live)
			if got := entry.Granted(want, live); got != test.want {
				t.Errorf("granted: %v, want %v", got, test.want)
			}
		})
	}
}
