package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/testkit/world"
)

// TestEntriesOfOneRoute: what two entries write must not be one object, whichever of the two is made or adopted.
func TestEntriesOfOneRoute(t *testing.T) {
	virtualService := func(name string, v v1alpha1.VirtualServiceEntry) v1alpha1.Entry {
		return v1alpha1.Entry{Name: name, VirtualService: &v}
	}
	httpRoute := func(name string, h v1alpha1.HTTPRouteEntry) v1alpha1.Entry {
		return v1alpha1.Entry{Name: name, HTTPRoute: &h}
	}
	service := func(name, of string) v1alpha1.Entry {
		return v1alpha1.Entry{Name: name, Service: &v1alpha1.ServiceEntry{Name: of}}
	}
	withTesters := func(e v1alpha1.Entry) v1alpha1.Entry {
		e.Preview = &v1alpha1.Preview{Hostname: "preview.shop.example.com"}
		return e
	}
	hosts, parents := []string{"shop.example.com"}, []v1alpha1.ParentRef{{Name: "public"}}
	for name, tc := range map[string]struct {
		entries []v1alpha1.Entry
		want    []string
	}{
		"adopted twice": {
			[]v1alpha1.Entry{virtualService("web", v1alpha1.VirtualServiceEntry{Name: "my-app"}), virtualService("api", v1alpha1.VirtualServiceEntry{Name: "my-app", Namespace: "shop"})},
			[]string{"entries web and api are both VirtualService shop/my-app, and a route belongs to one entry; remove one of the two, or give it another route"},
		},
		"made under the default name of another": {
			[]v1alpha1.Entry{virtualService("web", v1alpha1.VirtualServiceEntry{Hosts: hosts}), virtualService("api", v1alpha1.VirtualServiceEntry{Name: "shop-web", Hosts: hosts})},
			[]string{"entries web and api are both VirtualService shop/shop-web, and a route belongs to one entry; remove one of the two, or give it another route"},
		},
		"one Service": {
			[]v1alpha1.Entry{service("web", "front"), service("api", "front")},
			[]string{"entries web and api are both Service shop/front, and a route belongs to one entry; remove one of the two, or give it another route"},
		},
		"with testers, said once": {
			[]v1alpha1.Entry{withTesters(httpRoute("web", v1alpha1.HTTPRouteEntry{Name: "my-app"})), withTesters(httpRoute("api", v1alpha1.HTTPRouteEntry{Name: "my-app"}))},
			[]string{"entries web and api are both HTTPRoute shop/my-app, and a route belongs to one entry; remove one of the two, or give it another route"},
		},
		"the route of testers": {
			[]v1alpha1.Entry{httpRoute("api", v1alpha1.HTTPRouteEntry{Name: "shop-web-preview"}), withTesters(httpRoute("web", v1alpha1.HTTPRouteEntry{ParentRefs: parents}))},
			[]string{"entry api is HTTPRoute shop/shop-web-preview, which is made for the preview's hostname of entry web; give entry api another route, or remove that hostname"},
		},
		"the name of testers, said once": {
			[]v1alpha1.Entry{withTesters(httpRoute("web", v1alpha1.HTTPRouteEntry{ParentRefs: parents})), httpRoute("web-preview", v1alpha1.HTTPRouteEntry{ParentRefs: parents})},
			[]string{"entry web-preview is named like the route that is made for the preview's hostname of entry web; rename one of the two"},
		},
		"another namespace": {
			[]v1alpha1.Entry{virtualService("web", v1alpha1.VirtualServiceEntry{Name: "my-app"}), virtualService("api", v1alpha1.VirtualServiceEntry{Name: "my-app", Namespace: "default"})},
			nil,
		},
		"another kind": {
			[]v1alpha1.Entry{virtualService("web", v1alpha1.VirtualServiceEntry{Name: "my-app"}), httpRoute("api", v1alpha1.HTTPRouteEntry{Name: "my-app"}), service("internal", "my-app")},
			nil,
		},
	} {
		stack := world.ShopStack()
		stack.Spec.Entries = tc.entries
		if diff := cmp.Diff(tc.want, plan.Validate(&stack)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
