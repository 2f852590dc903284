package observe

import (
	"context"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func theirRoute(hostname string) *unstructured.Unstructured {
	route := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"parentRefs": []any{map[string]any{"name": "public", "namespace": "istio-system"}},
		"hostnames":  []any{hostname},
		"rules":      []any{map[string]any{"backendRefs": []any{map[string]any{"name": "theirs", "port": int64(80)}}}},
	}}}
	route.SetGroupVersionKind(schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"})
	route.SetNamespace("others")
	route.SetName("theirs")
	return route
}

// TestHostnameConflict: a route is not made at a hostname at which someone else's answers everything; one that may not be
// read is not known of.
func TestHostnameConflict(t *testing.T) {
	hidden := interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
		if u, ok := list.(*unstructured.UnstructuredList); ok && u.GetKind() == "HTTPRoute" {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "httproutes"}, "", nil)
		}
		return c.List(ctx, list, opts...)
	}}
	for _, c := range []struct {
		name, hostname string
		funcs          interceptor.Funcs
		conflict       bool
	}{
		{"the same hostname", "shop.example.com", interceptor.Funcs{}, true},
		{"another hostname", "blog.example.com", interceptor.Funcs{}, false},
		{"a route that may not be read", "shop.example.com", hidden, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := observe(t, cluster(t, c.funcs, stackWith(httpEntry()), apiGatewayObject(plainListener()), theirRoute(c.hostname))).Entries[0]
			if got := e.Problem != nil && e.Problem.Reason == v1alpha1.ReasonHostnameConflict; got != c.conflict {
				t.Fatalf("problem %+v", e.Problem)
			}
			if c.conflict && !strings.Contains(e.Problem.Message, "HTTPRoute others/theirs answers everything at hostname shop.example.com of Gateway istio-system/public already") {
				t.Errorf("message: %s", e.Problem.Message)
			}
		})
	}
}
