package entry_test

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
)

// FuzzAdoptedVirtualService has whatever JSON there is edited as a VirtualService that a team has made.
func FuzzAdoptedVirtualService(f *testing.F) {
	seed(f, "VirtualService")
	f.Fuzz(func(t *testing.T, raw []byte, header, hostname bool) {
		spec := adopting(header)
		spec.Entry.VirtualService = &v1alpha1.VirtualServiceEntry{Name: "web"}
		if hostname {
			spec.Entry.Preview.Hostname = "preview.shop.example.com"
		}
		editWild(t, spec, raw)
	})
}

// FuzzAdoptedHTTPRoute does the same with HTTPRoutes.
func FuzzAdoptedHTTPRoute(f *testing.F) {
	seed(f, "HTTPRoute")
	f.Fuzz(func(t *testing.T, raw []byte, header, _ bool) {
		spec := adopting(header)
		spec.Entry.HTTPRoute = &v1alpha1.HTTPRouteEntry{Name: "web"}
		editWild(t, spec, raw)
	})
}

// FuzzAdoptedService does the same with Services.
func FuzzAdoptedService(f *testing.F) {
	seed(f, "Service")
	f.Fuzz(func(t *testing.T, raw []byte, _, _ bool) {
		spec := adopting(false)
		spec.Entry.Preview = nil
		spec.Entry.Service = &v1alpha1.ServiceEntry{Name: "web", Adopt: true}
		editWild(t, spec, raw)
	})
}

func adopting(header bool) entry.Spec {
	spec := entry.Spec{
		Stack: types.NamespacedName{Namespace: "shop", Name: "shop"}, Slots: threeSlots[:2],
		Entry: v1alpha1.Entry{Name: "web", Backend: v1alpha1.Backend{Service: "frontend", Port: 80}, Preview: &v1alpha1.Preview{}},
	}
	spec.Entry.Preview.Cookie = &v1alpha1.NameValue{Name: "test", Value: "true"}
	if header {
		spec.Entry.Preview.Header = &v1alpha1.NameValue{Name: "X-Preview", Value: "yes"}
	}
	return spec
}

// seed begins with the routes of the goldens, which are those of the scenarios, and with those of the wild in testdata/wild.
func seed(f *testing.F, kind string) {
	f.Helper()
	var documents []string
	archives, _ := filepath.Glob("testdata/*.txtar")
	wild, _ := filepath.Glob("testdata/wild/*.txtar")
	for _, path := range append(archives, wild...) {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			documents = append(documents, string(file.Data))
		}
	}
	n := 0
	for _, document := range documents {
		raw, err := yaml.YAMLToJSON([]byte(document))
		if err == nil && strings.Contains(string(raw), `"kind":"`+kind+`"`) {
			f.Add(raw, n%2 == 0, n%3 == 0)
			n++
		}
	}
	if n == 0 {
		f.Fatalf("there is no %s to begin with", kind)
	}
}

// editWild moves a route there, on, and back to its origin. Whatever it is, nothing but the destinations in slots and the
// rules that Lockstep inserts differs in between, and nothing at all in the end.
func editWild(t *testing.T, spec entry.Spec, raw []byte) {
	t.Helper()
	route := asRoute(spec, raw)
	if route == nil {
		return
	}
	before := route.DeepCopy()
	there, err := entry.Write(spec, route, v1alpha1.RouteIntent{Epoch: 1, Live: "green", Preview: "blue"})
	if diff := gocmp.Diff(before.Object, route.Object); diff != "" {
		t.Fatalf("what was read is changed:\n%s", diff)
	}
	_ = entry.Read(spec, route)
	_, _ = entry.AsIntended(spec, route, v1alpha1.RouteIntent{Epoch: 1, Live: "blue"})
	if err != nil {
		if entry.ReasonOf(err) == "" {
			t.Fatalf("refused without a reason: %v", err)
		}
		return
	}
	if diff := gocmp.Diff(hidden(spec, before), hidden(spec, there)); diff != "" {
		t.Fatalf("something else than our destinations was changed (-before +after):\n%s", diff)
	}
	if ok, why := entry.AsIntended(spec, there, v1alpha1.RouteIntent{Epoch: 1, Live: "green", Preview: "blue"}); !ok {
		t.Fatalf("as written, it is not as intended: %s", why)
	}
	on, err := entry.Write(spec, there, v1alpha1.RouteIntent{Epoch: 2, Live: "blue"})
	if err != nil {
		t.Fatalf("moved there, it cannot be moved on: %v", err)
	}
	back, err := entry.Write(spec, on, v1alpha1.RouteIntent{Epoch: 3})
	if err != nil {
		t.Fatalf("moved on, it cannot go back to its origin: %v", err)
	}
	released := entry.Release(spec, back)
	if diff := gocmp.Diff(plain(before), plain(released)); diff != "" {
		t.Fatalf("back at its origin, it differs (-before +after):\n%s", diff)
	}
}

// asRoute is nil where it is no object that the API server would hold, or one that Lockstep has written before.
func asRoute(spec entry.Spec, raw []byte) *unstructured.Unstructured {
	var found object
	if json.Unmarshal(raw, &found) != nil || found == nil {
		return nil
	}
	body, ok := found["spec"].(object)
	if !ok {
		return nil
	}
	route := routeOf("v1", "", "shop", body)
	route.SetGroupVersionKind(spec.Kind())
	encoded, err := json.Marshal(route.Object)
	if err != nil || hasMarks(string(encoded)) || route.UnmarshalJSON(encoded) != nil {
		return nil
	}
	return route
}

// hasMarks is whether a rule may be one that Lockstep has inserted.
func hasMarks(raw string) bool {
	return slices.ContainsFunc([]string{"lockstep-marker", "lockstep-preview", "well-known/lockstep"}, func(mark string) bool {
		return strings.Contains(raw, mark)
	})
}

// plain leaves out metadata that Lockstep may leave empty.
func plain(route *unstructured.Unstructured) object {
	out := maps.Clone(route.Object)
	out["metadata"] = object{"name": route.GetName(), "namespace": route.GetNamespace(), "labels": route.GetLabels(), "annotations": route.GetAnnotations()}
	return out
}

// hidden hides what Lockstep may change: its rules, and where destinations in slots point and with which weight.
func hidden(spec entry.Spec, route *unstructured.Unstructured) any {
	body, _ := route.DeepCopy().Object["spec"].(object)
	for _, field := range []string{"http", "tcp", "tls", "rules"} {
		all, isList := body[field].([]any)
		if !isList {
			continue
		}
		var kept []any
		for _, item := range all {
			rule, _ := item.(object)
			if name, _ := rule["name"].(string); inserted.MatchString(name) {
				continue
			}
			kept = append(kept, maskRule(spec, route, rule, item))
		}
		body[field] = kept
	}
	if spec.Entry.Service != nil {
		if name, _ := body["externalName"].(string); slotNamed(name) {
			body["externalName"] = "hidden"
		}
	}
	return body
}

func maskRule(spec entry.Spec, route *unstructured.Unstructured, rule object, item any) any {
	if rule == nil {
		return item
	}
	for _, field := range []string{"route", "backendRefs"} {
		for _, d := range listOf(rule[field]) {
			to, _ := d.(object)
			if inSlot(spec, route.GetNamespace(), to) {
				delete(to, "weight")
				delete(to, "namespace")
				if inner, ok := to["destination"].(object); ok {
					host, _ := inner["host"].(string)
					inner["host"] = strings.Split(host, ".")[0]
				}
			}
		}
	}
	return rule
}

func listOf(v any) []any {
	all, _ := v.([]any)
	return all
}

func inSlot(spec entry.Spec, home string, to object) bool {
	if spec.Entry.VirtualService != nil {
		inner, _ := to["destination"].(object)
		host, _ := inner["host"].(string)
		return slotNamed(host)
	}
	namespace, _ := to["namespace"].(string)
	return namespace == "shop-blue" || namespace == "shop-green"
}

// slotNamed is whether service.namespace[.svc…] lies in a slot.
func slotNamed(host string) bool {
	parts := strings.Split(host, ".")
	return len(parts) > 1 && (parts[1] == "shop-blue" || parts[1] == "shop-green") && (len(parts) == 2 || parts[2] == "svc")
}
