package observe

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
)

func TestNamespacesThatLetTheRouteIn(t *testing.T) {
	stack := smallestStack()
	for _, name := range []string{"blue", "green", "red", "black", "white"} {
		stack.Spec.Slots = append(stack.Spec.Slots, v1alpha1.Slot{Name: name, Namespace: "home-" + name})
	}
	objects := []client.Object{stack}
	for _, grant := range entry.Grants(entry.Specs(WithDefaults(stack))[0]) {
		switch grant.GetNamespace() {
		case "home-green":
			continue // it is missing
		case "home-red":
			to := []any{map[string]any{"group": "", "kind": "Service", "name": "another"}}
			if err := unstructured.SetNestedSlice(grant.Object, to, "spec", "to"); err != nil {
				t.Fatal(err)
			}
		}
		objects = append(objects, grant)
	}
	asked := &reads{before: func(_ context.Context, what string) error {
		if what == "ReferenceGrant home-black/lockstep-shop-web" {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "referencegrants"}, "", nil)
		}
		return nil
	}}
	s := observe(t, cluster(t, asked.funcs(), objects...))

	if diff := cmp.Diff([]string{"home-blue", "home-white"}, s.Entries[0].Granted); diff != "" {
		t.Errorf("granted (-want +got):\n%s", diff)
	}
}
