package entry_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
)

// TestSplitComesBack moves users from a slot among whose destinations the team has split them to another slot and back.
// Whatever that one lists, the route is in the end what it was.
func TestSplitComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec, before := split(t)
		route := before
		for i, live := range []string{"blue", "green", "blue"} {
			route = mustWrite(t, spec, route, v1alpha1.RouteIntent{Epoch: int64(i + 1), Live: live})
			if got := entry.Read(spec, route).Live(); got != live {
				t.Fatalf("users are sent to %q, not to %s", got, live)
			}
		}
		equal(t, "there and back", before.Object["spec"], entry.Release(spec, route).Object["spec"])
	})
}

// split draws a route of which one slot has all the users.
func split(t *rapid.T) (entry.Spec, *unstructured.Unstructured) {
	isIstio := rapid.Bool().Draw(t, "istio")
	to := gatewayDestination
	if isIstio {
		to = istioDestination
	}
	var all []any
	total := int64(0)
	for range rapid.IntRange(1, 3).Draw(t, "blue") {
		weight := rapid.Int64Range(0, 9).Draw(t, "weight")
		total += weight
		all = append(all, to(drawService(t), "shop-blue", weight))
	}
	all = append(all, to(drawService(t), "shop-blue", max(1, 10-total)))
	for range rapid.IntRange(0, 4).Draw(t, "green") {
		all = append(all, to(drawSplitService(t), "shop-green", 0))
	}
	all = rapid.Permutation(all).Draw(t, "order")
	if isIstio {
		spec := istio(v1alpha1.VirtualServiceEntry{Name: "web", Namespace: "default"})
		return spec, routeOf("networking.istio.io/v1", "VirtualService", "default", object{"http": []any{object{"route": all}}})
	}
	spec := gateway(v1alpha1.HTTPRouteEntry{Name: "web", Namespace: "default"})
	return spec, routeOf("gateway.networking.k8s.io/v1", "HTTPRoute", "default", object{"rules": []any{object{"backendRefs": all}}})
}

func drawSplitService(t *rapid.T) string {
	return rapid.SampledFrom([]string{"web", "api", "other"}).Draw(t, "service")
}

func istioDestination(service, namespace string, weight int64) any {
	return object{"destination": object{"host": service + "." + namespace + ".svc"}, "weight": weight}
}

func gatewayDestination(service, namespace string, weight int64) any {
	return object{"name": service, "namespace": namespace, "port": int64(80), "weight": weight}
}
