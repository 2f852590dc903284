package entry_test

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
)

var threeSlots = []v1alpha1.Slot{
	{Name: "blue", Namespace: "shop-blue"},
	{Name: "green", Namespace: "shop-green"},
	{Name: "red", Namespace: "shop-red"},
}

// adopted draws an entry that adopts a route, and the route.
func adopted(t *rapid.T) (entry.Spec, *unstructured.Unstructured) {
	spec := entry.Spec{
		Stack: types.NamespacedName{Namespace: "shop", Name: "shop"},
		Slots: threeSlots,
		Entry: v1alpha1.Entry{
			Name:    "web",
			Backend: v1alpha1.Backend{Service: "frontend", Port: 80},
			Preview: &v1alpha1.Preview{Header: &v1alpha1.NameValue{Name: "X-Preview", Value: "yes"}},
		},
	}
	if rapid.Bool().Draw(t, "cookie") {
		spec.Entry.Preview.Cookie = &v1alpha1.NameValue{Name: "test", Value: "true"}
	}
	home := rapid.SampledFrom([]string{"default", "shop-blue"}).Draw(t, "namespace")
	if rapid.Bool().Draw(t, "istio") {
		spec.Entry.VirtualService = &v1alpha1.VirtualServiceEntry{Name: "web", Namespace: home}
		return spec, drawVirtualService(t, home)
	}
	spec.Entry.HTTPRoute = &v1alpha1.HTTPRouteEntry{Name: "web", Namespace: home}
	return spec, drawHTTPRoute(t, home)
}

func routeOf(apiVersion, kind, home string, spec object) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: object{
		"apiVersion": apiVersion, "kind": kind,
		"metadata": object{"name": "web", "namespace": home, "resourceVersion": "7"},
		"spec":     spec,
	}}
}

func drawVirtualService(t *rapid.T, home string) *unstructured.Unstructured {
	http := []any{object{"name": "ours", "match": []any{object{"uri": object{"prefix": "/ours"}}}, "route": istioTo(t, "shop-blue")}}
	for i := range rapid.IntRange(0, 5).Draw(t, "http") {
		rule := object{"route": istioTo(t, drawNamespace(t)), "timeout": fmt.Sprintf("%ds", i)}
		drawName(t, rule, i)
		if i > 0 || rapid.Bool().Draw(t, "matches") {
			rule["match"] = drawIstioMatches(t)
		}
		http = append(http, rule)
	}
	http = rapid.Permutation(http).Draw(t, "order")
	tcp := []any{object{"route": istioTo(t, drawNamespace(t))}}
	return routeOf("networking.istio.io/v1", "VirtualService", home,
		object{"hosts": []any{"shop.example.com"}, "http": http, "tcp": tcp, "future": object{"kept": int64(1)}})
}

// drawName draws names that begin as those of Lockstep's rules do, too.
func drawName(t *rapid.T, rule object, i int) {
	if like := rapid.SampledFrom([]string{"", "lockstep-%d", "lockstep-preview-of-%d"}).Draw(t, "name"); like != "" {
		rule["name"] = fmt.Sprintf(like, i)
	}
}

// inserted are the names of the rules that Lockstep inserts; any other is the team's.
var inserted = regexp.MustCompile(`^lockstep-(marker|preview(-[0-9]+)?)$`)

func drawIstioMatches(t *rapid.T) []any {
	var all []any
	for range rapid.IntRange(1, 2).Draw(t, "n") {
		match := object{"uri": object{"prefix": cmp.Or(drawPath(t), "/")}}
		if rapid.Bool().Draw(t, "header") {
			match["headers"] = object{"x-mobile": object{"exact": "1"}}
		}
		all = append(all, match)
	}
	return all
}

func istioTo(t *rapid.T, first string) []any {
	var all []any
	left := int64(100)
	n := rapid.IntRange(1, 4).Draw(t, "destinations")
	for i := range n {
		namespace := first
		if i > 0 {
			namespace = drawNamespace(t)
		}
		host := rapid.SampledFrom([]string{"%s.%s", "%s.%s.svc", "%s.%s.svc.cluster.local"}).Draw(t, "form")
		d := object{"destination": object{"host": fmt.Sprintf(host, drawService(t), namespace)}}
		if n > 1 {
			weight := left
			if i < n-1 {
				weight = rapid.Int64Range(0, left).Draw(t, "weight")
			}
			left -= weight
			d["weight"] = weight
		}
		all = append(all, d)
	}
	return all
}

func drawHTTPRoute(t *rapid.T, home string) *unstructured.Unstructured {
	rules := []any{object{"name": "ours", "matches": []any{object{"path": object{"type": "PathPrefix", "value": "/ours"}}}, "backendRefs": gatewayTo(t, "shop-blue")}}
	for i := range rapid.IntRange(0, 5).Draw(t, "rules") {
		rule := object{"backendRefs": gatewayTo(t, drawNamespace(t)), "timeouts": object{"request": fmt.Sprintf("%ds", i)}}
		drawName(t, rule, i)
		if rapid.Bool().Draw(t, "matches") {
			rule["matches"] = drawGatewayMatches(t)
		}
		rules = append(rules, rule)
	}
	rules = rapid.Permutation(rules).Draw(t, "order")
	return routeOf("gateway.networking.k8s.io/v1", "HTTPRoute", home,
		object{"parentRefs": []any{object{"name": "public"}}, "rules": rules, "future": object{"kept": int64(1)}})
}

func drawGatewayMatches(t *rapid.T) []any {
	var all []any
	for range rapid.IntRange(1, 2).Draw(t, "n") {
		how := rapid.SampledFrom([]string{"PathPrefix", "Exact"}).Draw(t, "how")
		match := object{"path": object{"type": how, "value": cmp.Or(drawPath(t)+slash(t, how), "/")}}
		if rapid.Bool().Draw(t, "header") {
			match["headers"] = []any{object{"name": "X-Mobile", "value": "1"}}
		}
		if rapid.Bool().Draw(t, "query") {
			match["queryParams"] = []any{object{"name": "q", "value": "1"}}
		}
		if rapid.Bool().Draw(t, "method") {
			match["method"] = "GET"
		}
		all = append(all, match)
	}
	return all
}

// slash ends a prefix, where it means nothing.
func slash(t *rapid.T, how string) string {
	if how == "Exact" {
		return ""
	}
	return rapid.SampledFrom([]string{"", "/"}).Draw(t, "slash")
}

func gatewayTo(t *rapid.T, first string) []any {
	var all []any
	for i := range rapid.IntRange(1, 4).Draw(t, "destinations") {
		namespace := first
		if i > 0 {
			namespace = drawNamespace(t)
		}
		ref := object{"name": drawService(t), "namespace": namespace, "port": int64(80)}
		if rapid.Bool().Draw(t, "weighted") {
			ref["weight"] = rapid.Int64Range(0, 100).Draw(t, "weight")
		}
		all = append(all, ref)
	}
	return all
}

func drawNamespace(t *rapid.T) string {
	return rapid.SampledFrom([]string{"shop-blue", "shop-green", "shop-red", "old"}).Draw(t, "to")
}

func drawService(t *rapid.T) string {
	return rapid.SampledFrom([]string{"web", "api"}).Draw(t, "service")
}

func drawPath(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "/api", "/api/v2", "/static"}).Draw(t, "path")
}

func drawIntent(t *rapid.T, epoch int64) v1alpha1.RouteIntent {
	names := []string{"blue", "green", "red"}
	return v1alpha1.RouteIntent{
		Epoch:   epoch,
		Live:    rapid.SampledFrom(names).Draw(t, "live"),
		Preview: rapid.SampledFrom(append(names, "")).Draw(t, "preview"),
	}
}

// TestOnlyOursChanges writes a few intents, and asks of each: that nothing but the host and weight of destinations in
// slots has changed, and Lockstep's own rules; that it says what was intended; and that writing it again changes
// nothing. At the end the route goes back, to the byte, to what it was.
func TestOnlyOursChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec, before := adopted(t)
		route := before
		for epoch := range int64(rapid.IntRange(1, 4).Draw(t, "writes")) {
			intent := drawIntent(t, epoch+1)
			after := mustWrite(t, spec, route, intent)
			equal(t, "what is not ours", masked(before), masked(after))
			equal(t, "written again", after, mustWrite(t, spec, after, intent))
			says(t, spec, after, intent)
			route = after
		}
		back := mustWrite(t, spec, route, v1alpha1.RouteIntent{Epoch: 9})
		equal(t, "back at the origin", before.Object["spec"], entry.Release(spec, back).Object["spec"])
		equal(t, "annotations of a released route", map[string]string(nil), entry.Release(spec, back).GetAnnotations())
	})
}

func mustWrite(t *rapid.T, spec entry.Spec, route *unstructured.Unstructured, intent v1alpha1.RouteIntent) *unstructured.Unstructured {
	after, err := entry.Write(spec, route, intent)
	if err != nil {
		t.Fatal(err)
	}
	return after
}

func equal(t *rapid.T, what string, want, got any) {
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func says(t *rapid.T, spec entry.Spec, route *unstructured.Unstructured, intent v1alpha1.RouteIntent) {
	o := entry.Read(spec, route)
	// Where every rule of ours has weight 0 beside others, no slot gets anything, whatever is intended.
	if o.Live() != intent.Live && sends(route, "http", "tcp", "rules") || !o.Consistent {
		t.Fatalf("users are sent to %v, not to %s", o.Weights, intent.Live)
	}
	if o.Preview != intent.Preview && sends(route, "http", "rules") {
		t.Fatalf("the preview is %q, not %q", o.Preview, intent.Preview)
	}
	if o.Epoch != intent.Epoch || o.Owner != "shop/shop" || o.ResourceVersion != "7" {
		t.Fatalf("it carries epoch %d, owner %s, resourceVersion %s", o.Epoch, o.Owner, o.ResourceVersion)
	}
	if ok, why := entry.AsIntended(spec, route, intent); !ok {
		t.Fatal(why)
	}
}

func sends(route *unstructured.Unstructured, fields ...string) bool {
	sent := int64(0)
	eachDestination(route, fields, func(d object, only bool) {
		if namespaceOf(d) == "" {
			return
		}
		weight, written := d["weight"].(int64)
		if !written && (only || d["destination"] == nil) {
			weight = 1
		}
		sent += weight
	})
	return sent > 0
}

// masked is the route without rules and annotations of Lockstep, and without what Lockstep may change: in destinations
// that lie in a slot the namespace and the weight.
func masked(route *unstructured.Unstructured) object {
	out := route.DeepCopy()
	spec := out.Object["spec"].(object)
	for _, field := range []string{"http", "rules"} {
		var kept []any
		for _, rule := range slice(spec, field) {
			if name, _ := rule.(object)["name"].(string); !inserted.MatchString(name) {
				kept = append(kept, rule)
			}
		}
		spec[field] = kept
	}
	eachDestination(out, []string{"http", "tcp", "rules"}, mask)
	unstructured.RemoveNestedField(out.Object, "metadata", "annotations")
	return out.Object
}

func mask(d object, _ bool) {
	namespace := namespaceOf(d)
	if namespace == "" {
		return
	}
	delete(d, "weight")
	if to, ok := d["destination"].(object); ok {
		to["host"] = strings.Replace(to["host"].(string), namespace, "SLOT", 1)
		return
	}
	d["namespace"] = "SLOT"
}

func eachDestination(route *unstructured.Unstructured, fields []string, do func(d object, only bool)) {
	spec := route.Object["spec"].(object)
	for _, field := range fields {
		for _, rule := range slice(spec, field) {
			for _, list := range []string{"route", "backendRefs"} {
				all := slice(rule.(object), list)
				for _, d := range all {
					do(d.(object), len(all) == 1)
				}
			}
		}
	}
}

func slice(o object, field string) []any {
	all, _ := o[field].([]any)
	return all
}

// namespaceOf is the slot namespace that a destination lies in, or "".
func namespaceOf(d object) string {
	where, _ := d["namespace"].(string)
	if to, ok := d["destination"].(object); ok {
		where = to["host"].(string)
	}
	for _, slot := range threeSlots {
		if strings.Contains(where, slot.Namespace) {
			return slot.Namespace
		}
	}
	return ""
}

// TestTestersMeetTheRuleTheyWouldHaveMet sends requests through a router as the specifications describe it. A user
// meets the rule that the team's route had for the request; a tester meets a copy of that same rule, which points at
// the preview where the rule is ours and where it did where it is not; and the marker's path is answered by the marker.
func TestTestersMeetTheRuleTheyWouldHaveMet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec, before := adopted(t)
		intent := drawIntent(t, 5)
		intent.Preview = rapid.SampledFrom([]string{"blue", "green", "red"}).Draw(t, "previewed")
		after := mustWrite(t, spec, before, intent)
		r := drawRequest(t)

		users, testers := mustWrite(t, spec, before, v1alpha1.RouteIntent{Epoch: 5, Live: intent.Live}), mustWrite(t, spec, before, v1alpha1.RouteIntent{Epoch: 5, Live: intent.Preview})
		equal(t, "a user", body(pick(users, r)), body(pick(after, r)))
		want := body(pick(testers, r))
		got := body(pick(after, asTester(t, spec, r)))
		if diff := gocmp.Diff(reach(want), reach(got)); diff != "" {
			t.Fatalf("a tester reaches (-want +got):\n%s", diff)
		}
		marker := pick(after, asTester(t, spec, request{path: spec.MarkerPath(), method: "GET", headers: r.headers}))
		equal(t, "the marker", any("lockstep-marker"), marker["name"])
	})
}

func drawRequest(t *rapid.T) request {
	r := request{
		path:    rapid.SampledFrom([]string{"/", "/api", "/api/v2", "/api/v2/x", "/static/a", "/ours"}).Draw(t, "asked"),
		method:  rapid.SampledFrom([]string{"GET", "POST"}).Draw(t, "by"),
		query:   rapid.SampledFrom([]string{"", "q=1"}).Draw(t, "with"),
		headers: map[string]string{},
	}
	if rapid.Bool().Draw(t, "mobile") {
		r.headers["x-mobile"] = "1"
	}
	return r
}

func asTester(t *rapid.T, spec entry.Spec, r request) request {
	headers := map[string]string{}
	maps.Copy(headers, r.headers)
	if spec.Entry.Preview.Cookie != nil && rapid.Bool().Draw(t, "by cookie") {
		headers["cookie"] = "a=b; test=true"
	} else {
		headers["x-preview"] = "yes"
	}
	r.headers = headers
	return r
}

// body is a rule without what makes it match.
func body(rule object) object {
	if rule == nil {
		return nil
	}
	out := runtime.DeepCopyJSON(rule)
	for _, field := range []string{"name", "match", "matches"} {
		delete(out, field)
	}
	return out
}

// reach sums up where a rule sends requests: the share of each host, whatever the shape of the list.
func reach(rule object) map[string]int64 {
	out := map[string]int64{}
	for _, list := range []string{"route", "backendRefs"} {
		all := slice(rule, list)
		for _, item := range all {
			d := item.(object)
			weight, ok := d["weight"].(int64)
			if !ok {
				weight = 1
			}
			if weight > 0 {
				out[hostOf(d)] += weight
			}
		}
	}
	return out
}

func hostOf(d object) string {
	if to, ok := d["destination"].(object); ok {
		labels := strings.Split(to["host"].(string), ".")
		return labels[1]
	}
	return d["namespace"].(string)
}
