package entry_test

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
)

func stackWithTesters(between v1alpha1.BetweenReleases) *v1alpha1.Stack {
	stack := &v1alpha1.Stack{Spec: v1alpha1.StackSpec{
		Slots: threeSlots,
		Entries: []v1alpha1.Entry{{
			Name:      "web",
			HTTPRoute: &v1alpha1.HTTPRouteEntry{ParentRefs: []v1alpha1.ParentRef{{Name: "public"}}, Hostnames: []string{"shop.example.com"}},
			Backend:   v1alpha1.Backend{Service: "frontend", Port: 80},
			Preview:   &v1alpha1.Preview{Hostname: "preview.shop.example.com", BetweenReleases: between},
		}, {
			Name:    "internal",
			Service: &v1alpha1.ServiceEntry{Name: "storefront"},
			Backend: v1alpha1.Backend{Service: "frontend", Port: 80},
		}},
	}}
	stack.Namespace, stack.Name = "shop", "shop"
	return stack
}

// TestTestersHaveARouteOfTheirOwn: the preview's hostname of an HTTPRoute is another object, which comes after every
// entry, and leads to the preview, or where betweenReleases says.
func TestTestersHaveARouteOfTheirOwn(t *testing.T) {
	for _, c := range []struct {
		between       v1alpha1.BetweenReleases
		live, preview string
		want          string
	}{
		{v1alpha1.BetweenLive, "blue", "green", "green"},
		{v1alpha1.BetweenLive, "blue", "", "blue"},
		{v1alpha1.BetweenNone, "blue", "green", "green"},
		{v1alpha1.BetweenNone, "blue", "", ""},
	} {
		specs := entry.Specs(stackWithTesters(c.between))
		if len(specs) != 3 || !specs[2].Testers || specs[2].Key().Name != "shop-web-preview" {
			t.Fatalf("entries: %+v", specs)
		}
		intent := v1alpha1.RouteIntent{Epoch: 4, Live: c.live, Preview: c.preview}
		route := written(t, specs[2], intent)
		says := entry.Read(specs[2], route)
		if says.Preview != c.want || says.Live() != "" || says.Epoch != 4 {
			t.Errorf("%+v: testers are sent to %q, users to %q, epoch %d", c, says.Preview, says.Live(), says.Epoch)
		}
		if diff := gocmp.Diff([]string{"preview.shop.example.com"}, entry.Hosts(specs[2], route)); diff != "" {
			t.Errorf("hostnames (-want +got):\n%s", diff)
		}
		moved := v1alpha1.RouteIntent{Epoch: 4, Live: "red", Preview: "red"}
		if ok, _ := entry.AsIntended(specs[2], route, moved); ok {
			t.Errorf("%+v: it counts as intended where another slot is meant", c)
		}
		if preview := entry.Read(specs[0], written(t, specs[0], intent)).Preview; preview != "" {
			t.Errorf("users' own route has a preview in %q", preview)
		}
	}
}

func written(t *testing.T, spec entry.Spec, intent v1alpha1.RouteIntent) *unstructured.Unstructured {
	t.Helper()
	route, err := entry.Write(spec, nil, intent)
	if err != nil {
		t.Fatal(err)
	}
	if ok, why := entry.AsIntended(spec, route, intent); !ok {
		t.Errorf("as written, it is not as intended: %s", why)
	}
	return route
}

// TestRivals: two routes get in each other's way only where both answer everything at one hostname of one gateway.
func TestRivals(t *testing.T) {
	spec := entry.Specs(stackWithTesters(v1alpha1.BetweenLive))[0]
	ours := written(t, spec, v1alpha1.RouteIntent{Epoch: 1, Live: "blue"})
	other := func(gateway, host, path string) *unstructured.Unstructured {
		return routeOf("gateway.networking.k8s.io/v1", "HTTPRoute", "shop", object{
			"parentRefs": []any{object{"name": gateway}}, "hostnames": []any{host},
			"rules": []any{object{"matches": []any{object{"path": object{"type": "PathPrefix", "value": path}}}}},
		})
	}
	for name, c := range map[string]struct {
		other *unstructured.Unstructured
		want  string
	}{
		"the same":          {other("public", "shop.example.com", "/"), "shop.example.com"},
		"another gateway":   {other("private", "shop.example.com", "/"), ""},
		"another hostname":  {other("public", "blog.example.com", "/"), ""},
		"a path of its own": {other("public", "shop.example.com", "/blog"), ""},
	} {
		host, gateway := entry.Rivals(spec, ours, c.other)
		if host != c.want || (host != "" && gateway != "Gateway shop/public") {
			t.Errorf("%s: %q at %q, want %q", name, host, gateway, c.want)
		}
	}
}
