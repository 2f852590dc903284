package entry_test

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/entry"
)

func istio(v v1alpha1.VirtualServiceEntry) entry.Spec {
	return withEntry(v1alpha1.Entry{VirtualService: &v})
}

func gateway(h v1alpha1.HTTPRouteEntry) entry.Spec { return withEntry(v1alpha1.Entry{HTTPRoute: &h}) }

func withEntry(e v1alpha1.Entry) entry.Spec {
	e.Name, e.Backend = "web", v1alpha1.Backend{Service: "frontend", Port: 80}
	return entry.Spec{Stack: types.NamespacedName{Namespace: "shop", Name: "site"}, Entry: e, Slots: threeSlots}
}

func TestSpec(t *testing.T) {
	made := istio(v1alpha1.VirtualServiceEntry{Hosts: []string{"a"}, Gateways: []string{"b"}})
	byName := gateway(v1alpha1.HTTPRouteEntry{Name: "x", Namespace: "y"})
	no := false
	for _, tc := range []struct {
		name      string
		got, want any
	}{
		{"key of a made route", made.Key().String(), "shop/site-web"},
		{"key of an adopted route", byName.Key().String(), "y/x"},
		{"made", made.Adopted(), false},
		{"adopted", byName.Adopted(), true},
		{"kind", made.Kind().String(), "networking.istio.io/v1, Kind=VirtualService"},
		{"other kind", byName.Kind().String(), "gateway.networking.k8s.io/v1, Kind=HTTPRoute"},
		{"marker", made.MarkerPath(), "/.well-known/lockstep/shop/site/web"},
		{"inserts by default", byName.Inserts(), true},
		{"inserts not", byName.WithoutRules().Inserts(), false},
		{"a made route has its rules always", withEntry(v1alpha1.Entry{VirtualService: made.Entry.VirtualService, InsertRules: &no}).Inserts(), true},
		{"grants of a VirtualService", len(entry.Grants(made)), 0},
		{"grants", len(entry.Grants(byName)), 3},
		{"no grant within a namespace", len(entry.Grants(gateway(v1alpha1.HTTPRouteEntry{Name: "x", Namespace: "shop-red"}))), 2},
	} {
		if diff := cmp.Diff(tc.want, tc.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

// TestCookiePattern runs the pattern that a route carries as Envoy does: it must match the whole header.
func TestCookiePattern(t *testing.T) {
	spec := istio(v1alpha1.VirtualServiceEntry{Hosts: []string{"a"}, Gateways: []string{"b"}})
	spec.Entry.Preview = &v1alpha1.Preview{Cookie: &v1alpha1.NameValue{Name: "test", Value: "v1.2"}}
	route, err := entry.Write(spec, nil, v1alpha1.RouteIntent{Epoch: 1, Preview: "blue"})
	if err != nil {
		t.Fatal(err)
	}
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "http")
	match := rules[1].(object)["match"].([]any)[0].(object)
	pattern, _, _ := unstructured.NestedString(match, "headers", "cookie", "regex")
	compiled := regexp.MustCompile(`\A(?:` + pattern + `)\z`)
	for header, want := range map[string]bool{
		"test=v1.2":                true,
		"a=b; test=v1.2":           true,
		"a=b;test=v1.2":            true,
		"a=b; test=v1.2; c=d":      true,
		"test=v1.2;c=d":            true,
		"  test=v1.2":              true,
		"test=v1x2":                false,
		"test=v1.20":               false,
		"xtest=v1.2":               false,
		"a=test=v1.2":              false,
		"a=b, test=v1.2":           false,
		"test=":                    false,
		"":                         false,
		"a=b; xtest=v1.2; test=no": false,
	} {
		if got := compiled.MatchString(header); got != want {
			t.Errorf("%q matches %q: %v, want %v", pattern, header, got, want)
		}
	}
}

func TestParseMarker(t *testing.T) {
	location := func(value string) http.Header { return http.Header{"Location": []string{value}} }
	vs := istio(v1alpha1.VirtualServiceEntry{Name: "x"})
	hr := gateway(v1alpha1.HTTPRouteEntry{Name: "x"})
	for _, tc := range []struct {
		name   string
		spec   entry.Spec
		status int
		header http.Header
		body   string
		epoch  int64
		ok     bool
	}{
		{"a body", vs, 200, nil, "lockstep-epoch 12", 12, true},
		{"a line", vs, 200, nil, "lockstep-epoch 12\n", 12, true},
		{"an application", vs, 200, nil, "<html>lockstep-epoch 12", 0, false},
		{"no number", vs, 200, nil, "lockstep-epoch x", 0, false},
		{"negative", vs, 200, nil, "lockstep-epoch -1", 0, false},
		{"an error", vs, 503, nil, "lockstep-epoch 12", 0, false},
		{"a redirect of the application's", vs, 302, location("http://e12.web.site.shop.lockstep.invalid/"), "", 0, false},
		{"a redirect", hr, 302, location("http://e12.web.site.shop.lockstep.invalid/.well-known/lockstep/shop/site/web"), "", 12, true},
		{"with a port", hr, 302, location("https://e12.web.site.shop.lockstep.invalid:8443/"), "", 12, true},
		{"another stack's", hr, 302, location("http://e12.web.other.shop.lockstep.invalid/"), "", 0, false},
		{"to the login", hr, 302, location("https://login.example.com/"), "", 0, false},
		{"no epoch", hr, 302, location("http://ex.web.site.shop.lockstep.invalid/"), "", 0, false},
		{"no e", hr, 302, location("http://12.web.site.shop.lockstep.invalid/"), "", 0, false},
		{"another status", hr, 301, location("http://e12.web.site.shop.lockstep.invalid/"), "", 0, false},
		{"no URL", hr, 302, location("http://[::1"), "", 0, false},
		{"a body for an HTTPRoute", hr, 200, nil, "lockstep-epoch 12", 0, false},
	} {
		epoch, ok := entry.ParseMarker(tc.spec, tc.status, tc.header, tc.body)
		if epoch != tc.epoch && ok || ok != tc.ok {
			t.Errorf("%s: (%d, %v), want (%d, %v)", tc.name, epoch, ok, tc.epoch, tc.ok)
		}
	}
}

func TestHostsAndParents(t *testing.T) {
	vs := istio(v1alpha1.VirtualServiceEntry{Name: "x", Namespace: "home"})
	hr := gateway(v1alpha1.HTTPRouteEntry{Name: "x", Namespace: "home"})
	for _, tc := range []struct {
		name    string
		spec    entry.Spec
		route   string
		hosts   []string
		parents []string
	}{
		{
			"VirtualService", vs, "{hosts: [web, b.example.com, '*.example.com', '*', b.example.com], gateways: [infra/public, near, ./same, old.infra.svc.cluster.local, mesh]}",
			[]string{"b.example.com", "lockstep.example.com", "lockstep.invalid", "web.home.svc.cluster.local"},
			[]string{"Gateway infra/public", "Gateway home/near", "Gateway home/same", "Gateway infra/old", "the mesh"},
		},
		{"VirtualService of the mesh", vs, "{hosts: [a.b]}", []string{"a.b"}, []string{"the mesh"}},
		{
			"HTTPRoute", hr, "{hostnames: ['*.x.org'], parentRefs: [{name: near}, {name: public, namespace: infra, sectionName: https, port: 443}, {kind: Service, group: '', name: web}]}",
			[]string{"lockstep.x.org"},
			[]string{"Gateway home/near", "Gateway infra/public (https)", "Service home/web"},
		},
		{"HTTPRoute of any host", hr, "{parentRefs: [{name: near}]}", []string{"lockstep.invalid"}, []string{"Gateway home/near"}},
	} {
		route := parseRoute(t, []byte("{apiVersion: v1, kind: X, metadata: {namespace: home}, spec: "+tc.route+"}"))
		if diff := cmp.Diff(tc.hosts, entry.Hosts(tc.spec, route)); diff != "" {
			t.Errorf("%s: hosts (-want +got):\n%s", tc.name, diff)
		}
		var parents []string
		for _, p := range entry.Parents(tc.spec, route) {
			parents = append(parents, p.String())
		}
		if diff := cmp.Diff(tc.parents, parents); diff != "" {
			t.Errorf("%s: parents (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestAccepted(t *testing.T) {
	vs, hr := istio(v1alpha1.VirtualServiceEntry{Name: "x"}), gateway(v1alpha1.HTTPRouteEntry{Name: "x"})
	said := func(parent, accepted, resolved, generation string) string {
		return "{parentRef: " + parent + ", conditions: [{type: Accepted, status: '" + accepted + "', observedGeneration: " + generation +
			", reason: R, message: m}, {type: ResolvedRefs, status: '" + resolved + "', observedGeneration: " + generation + ", reason: BackendNotFound, message: no such Service}]}"
	}
	parents := func(all ...string) string { return "{parents: [" + strings.Join(all, ", ") + "]}" }
	for _, tc := range []struct {
		name    string
		spec    entry.Spec
		status  string
		want    bool
		message string
	}{
		{"istio says nothing", vs, "{}", true, "no status"},
		{"istio is content", vs, "{observedGeneration: '4', validationMessages: [{level: WARNING, type: {code: IST0130}}]}", true, "no errors"},
		{"istio refuses", vs, "{observedGeneration: '4', validationMessages: [{level: ERROR, type: {code: IST0101, name: ReferencedResourceNotFound}}]}", false, "IST0101 ReferencedResourceNotFound"},
		{"istio refuses, by number", vs, "{validationMessages: [{level: 3, type: {code: IST0101}}]}", false, "IST0101"},
		{"istio refused a former one", vs, "{observedGeneration: '3', validationMessages: [{level: ERROR, type: {code: IST0101}}]}", false, "of generation 3; the route is at 4"},
		{"taken", hr, parents(said("{name: public}", "True", "True", "4")), true, ""},
		{"the status names what the spec leaves out", hr, parents(said("{group: gateway.networking.k8s.io, kind: Gateway, namespace: shop, name: public}", "True", "True", "4")), true, ""},
		{"of another listener", hr, parents(said("{name: public, sectionName: http}", "True", "True", "4")), false, "Gateway shop/public has said nothing"},
		{"of a parent that the spec does not name", hr, parents(said("{name: old}", "True", "True", "4")), false, "has said nothing"},
		{"a parent that the spec does not name refuses", hr, parents(said("{name: old}", "False", "True", "4"), said("{name: public}", "True", "True", "4")), true, ""},
		{"of an older generation", hr, parents(said("{name: public}", "True", "True", "3")), false, "of generation 3; the route is at 4"},
		{"refused", hr, parents(said("{name: public}", "False", "True", "4")), false, "says Accepted is False: R: m"},
		{"no backend", hr, parents(said("{name: public}", "True", "False", "4")), false, "says ResolvedRefs is False: BackendNotFound: no such Service"},
		{"half", hr, "{parents: [{parentRef: {name: public}, conditions: [{type: Accepted, status: 'True', observedGeneration: 4}]}]}", false, "has not said ResolvedRefs yet"},
		{"nothing", hr, "{}", false, "has said nothing"},
	} {
		route := parseRoute(t, []byte("{apiVersion: v1, kind: X, metadata: {namespace: shop, generation: 4}, spec: {parentRefs: [{name: public}]}, status: "+tc.status+"}"))
		o := entry.Read(tc.spec, route)
		if o.Accepted != tc.want || !strings.Contains(o.AcceptedMessage, tc.message) {
			t.Errorf("%s: (%v, %q), want (%v, …%s…)", tc.name, o.Accepted, o.AcceptedMessage, tc.want, tc.message)
		}
	}
	orphan := parseRoute(t, []byte("{apiVersion: v1, kind: X, spec: {}}"))
	if o := entry.Read(hr, orphan); o.Accepted {
		t.Error("a route without parents is accepted")
	}
}

func TestEditedBy(t *testing.T) {
	const head = "{apiVersion: v1, kind: X, metadata: {managedFields: ["
	field := func(manager, second, fields string) string {
		return "{manager: " + manager + ", operation: Update, time: '2026-01-01T00:00:0" + second + "Z', fieldsV1: {'" + fields + "': {}}},"
	}
	ours := field("lockstep-entry", "5", "f:spec")
	for _, tc := range []struct {
		name   string
		fields string
		want   []string
	}{
		{"nobody", ours, nil},
		{"before", field("argocd", "4", "f:spec") + ours, nil},
		{"after, newest first", ours + field("argocd", "6", "f:spec") + field("kubectl-edit", "7", "f:spec"), []string{"kubectl-edit", "argocd"}},
		{"in the same second", ours + field("argocd", "5", "f:spec"), []string{"argocd"}},
		{"twice", ours + field("argocd", "6", "f:spec") + field("argocd", "7", "f:spec"), []string{"argocd"}},
		{"labels", ours + field("kubectl", "6", "f:metadata"), nil},
		{"the status", ours + "{manager: istiod, subresource: status, time: '2026-01-01T00:00:09Z', fieldsV1: {'f:spec': {}}},", nil},
		{"Lockstep never wrote", field("argocd", "6", "f:spec"), []string{"argocd"}},
	} {
		route := parseRoute(t, []byte(head+tc.fields+"]}}"))
		o := entry.Read(istio(v1alpha1.VirtualServiceEntry{Name: "x"}), route)
		if diff := cmp.Diff(tc.want, o.EditedBy); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

// TestNotAsIntended changes a route by hand, in each way that matters, and wants to be told.
func TestNotAsIntended(t *testing.T) {
	spec := istio(v1alpha1.VirtualServiceEntry{Name: "x", Namespace: "home"})
	spec.Entry.Preview = &v1alpha1.Preview{Header: &v1alpha1.NameValue{Name: "x-preview", Value: "yes"}}
	intent := v1alpha1.RouteIntent{Epoch: 7, Live: "blue", Preview: "green"}
	found := parseRoute(t, []byte(`{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: x, namespace: home}, spec: {http: [
		{match: [{uri: {prefix: /api}}], route: [{destination: {host: api.shop-blue.svc}}]},
		{route: [{destination: {host: web.shop-blue.svc}, weight: 100}, {destination: {host: web.shop-green.svc}, weight: 0}]}]}}`))
	written, err := entry.Write(spec, found, intent)
	if err != nil {
		t.Fatal(err)
	}
	for edits, want := range map[string]string{
		"weight: 0 => weight: 30\nweight: 100 => weight: 70":       "users are sent to blue 85 %, green 15 % instead of blue 100 %",
		"host: api.shop-blue => host: api.shop-red":                "users are sent to blue 50 %, red 50 % instead of blue 100 %",
		"lockstep.dev/epoch: \"7\" => lockstep.dev/epoch: \"6\"":   "it carries epoch 0 instead of 7",
		"lockstep-epoch 7 => lockstep-epoch 6":                     "it carries epoch 0 instead of 7",
		"host: api.shop-green => host: api.shop-red":               "its preview rules point at green, red instead of green",
		"lockstep.dev/owner: shop/site => other: x":                `annotation lockstep.dev/owner is "" instead of "shop/site"`,
		"lockstep.dev/owner: shop/site => lockstep.dev/owner: a/b": "belongs to Stack a/b",
		"shop-blue => old\nshop-green => old":                      "has no destination in a slot",
	} {
		ok, why := entry.AsIntended(spec, editRoute(t, written, edits), intent)
		if ok || !strings.Contains(why, want) {
			t.Errorf("%q: (%v, %q), want …%s…", edits, ok, why, want)
		}
	}
	if ok, why := entry.AsIntended(spec, written, v1alpha1.RouteIntent{Epoch: 7, Live: "green"}); ok || !strings.Contains(why, "green 100 %") {
		t.Errorf("another intent: (%v, %q)", ok, why)
	}
	edited := written.DeepCopy()
	edited.Object["metadata"].(object)["managedFields"] = []any{object{"manager": "argocd", "fieldsV1": object{"f:spec": object{}}}}
	if _, why := entry.AsIntended(spec, edited, v1alpha1.RouteIntent{Epoch: 8, Live: "blue"}); !strings.HasSuffix(why, "; last written by argocd") {
		t.Errorf("who wrote it is missing: %q", why)
	}
}

func TestNoRoute(t *testing.T) {
	made := istio(v1alpha1.VirtualServiceEntry{Hosts: []string{"a"}, Gateways: []string{"b"}})
	if ok, why := entry.AsIntended(made, nil, v1alpha1.RouteIntent{}); ok || why != "VirtualService shop/site-web does not exist" {
		t.Errorf("(%v, %q)", ok, why)
	}
	o := entry.Read(made, nil)
	if o.Found || o.Accepted || o.Live() != "" || len(o.Weights) != 3 {
		t.Errorf("a route that is not there says %+v", o)
	}
	if reason := entry.ReasonOf(errors.New("other")); reason != "" {
		t.Errorf("reason of another error: %q", reason)
	}
}

// TestWithoutRules: a way back is possible when the team has filled the route meanwhile.
func TestWithoutRules(t *testing.T) {
	spec := gateway(v1alpha1.HTTPRouteEntry{Name: "x", Namespace: "home"})
	rules := strings.Repeat("{backendRefs: [{name: web, namespace: shop-green, port: 80}]},", 16)
	route := parseRoute(t, []byte("{apiVersion: v1, kind: HTTPRoute, metadata: {name: x, namespace: home}, spec: {rules: ["+rules+"]}}"))
	intent := v1alpha1.RouteIntent{Epoch: 3, Live: "blue"}
	if _, err := entry.Write(spec, route, intent); entry.ReasonOf(err) != v1alpha1.ReasonEntryInvalid {
		t.Errorf("17 rules: %v", err)
	}
	back, err := entry.Write(spec.WithoutRules(), route, intent)
	if err != nil {
		t.Fatal(err)
	}
	if o := entry.Read(spec.WithoutRules(), back); o.Live() != "blue" || o.Epoch != 3 || o.CanMark {
		t.Errorf("%+v", o)
	}
}

// TestHeaderOfARule joins the preview's header with one that the rule has already.
func TestHeaderOfARule(t *testing.T) {
	for _, tc := range []struct {
		name, header string
		copied       bool
		message      string
	}{
		{"another header", "x-other: {exact: a}", true, ""},
		{"the same value", "x-preview: {exact: 'yes'}", true, ""},
		{"another value, which no tester sends", "x-preview: {exact: 'no'}", false, ""},
		{"a prefix of it", "X-Preview: {prefix: 'y'}", true, ""},
		{"another prefix", "x-preview: {prefix: 'n'}", false, ""},
		{"a pattern that takes it", "x-preview: {regex: 'y.*'}", true, ""},
		{"a pattern that takes a part of it", "x-preview: {regex: 'y'}", false, ""},
		{"a pattern that takes the end of it", "x-preview: {regex: 'es'}", false, ""},
		{"any value", "x-preview: {}", true, ""},
		{"a pattern that Go cannot read", "x-preview: {regex: '('}", false, "cannot be read"},
	} {
		spec := istio(v1alpha1.VirtualServiceEntry{Name: "x", Namespace: "home"})
		spec.Entry.Preview = &v1alpha1.Preview{Header: &v1alpha1.NameValue{Name: "X-Preview", Value: "yes"}}
		route := parseRoute(t, []byte("{apiVersion: v1, kind: VirtualService, metadata: {name: x, namespace: home}, spec: {http: [{match: [{headers: {"+
			tc.header+"}}], route: [{destination: {host: web.shop-blue.svc}}]}]}}"))
		out, err := entry.Write(spec, route, v1alpha1.RouteIntent{Epoch: 1, Live: "blue", Preview: "green"})
		if tc.message != "" {
			if err == nil || !strings.Contains(err.Error(), tc.message) {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		rules, _, _ := unstructured.NestedSlice(out.Object, "spec", "http")
		if copied := len(rules) == 3; copied != tc.copied {
			t.Errorf("%s: copied %v, want %v", tc.name, copied, tc.copied)
		}
	}
}

// TestCookieOfARule joins the preview's pattern with what a rule wants of the same header.
func TestCookieOfARule(t *testing.T) {
	spec := gateway(v1alpha1.HTTPRouteEntry{Name: "x", Namespace: "home"})
	spec.Entry.Preview = &v1alpha1.Preview{Cookie: &v1alpha1.NameValue{Name: "test", Value: "true"}}
	for header, want := range map[string][]any{
		`{name: Cookie, type: RegularExpression, value: '^(.*?;)?\s*(test=true)(;.*)?$'}`: {object{"name": "Cookie", "type": "RegularExpression", "value": `^(.*?;)?\s*(test=true)(;.*)?$`}},
		"{name: Cookie, value: 'test=true'}":                                              {object{"name": "Cookie", "type": "Exact", "value": "test=true"}},
		"{name: Cookie, value: 'test=false'}":                                             nil,
	} {
		route := parseRoute(t, []byte("{apiVersion: v1, kind: HTTPRoute, metadata: {name: x, namespace: home}, spec: {rules: [{matches: [{headers: ["+
			header+"]}], backendRefs: [{name: web, namespace: shop-blue}]}]}}"))
		out, err := entry.Write(spec, route, v1alpha1.RouteIntent{Epoch: 1, Live: "blue", Preview: "green"})
		if err != nil {
			t.Fatal(err)
		}
		rules, _, _ := unstructured.NestedSlice(out.Object, "spec", "rules")
		var got []any
		if len(rules) == 3 {
			got = rules[1].(object)["matches"].([]any)[0].(object)["headers"].([]any)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", header, diff)
		}
	}
}

// TestSmallShares: a slot that gets one request in a thousand is not empty of users.
func TestSmallShares(t *testing.T) {
	spec := gateway(v1alpha1.HTTPRouteEntry{Name: "x"})
	route := parseRoute(t, []byte(`{apiVersion: v1, kind: HTTPRoute, spec: {rules: [{backendRefs: [
		{name: web, namespace: shop-blue, weight: 999}, {name: web, namespace: shop-green, weight: 1}]}]}}`))
	want := []v1alpha1.SlotWeight{{Slot: "blue", Weight: 99}, {Slot: "green", Weight: 1}, {Slot: "red"}}
	if diff := cmp.Diff(want, entry.Read(spec, route).Weights); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestOriginOfRemovedSlot: a rule whose slot the Stack has given up meanwhile goes where most of the route was.
func TestOriginOfRemovedSlot(t *testing.T) {
	spec := istio(v1alpha1.VirtualServiceEntry{Name: "x", Namespace: "home"})
	route := parseRoute(t, []byte(`{apiVersion: v1, kind: VirtualService, metadata: {name: x, namespace: home}, spec: {http: [
		{name: a, route: [{destination: {host: web.shop-blue.svc}}]}, {name: b, route: [{destination: {host: web.shop-red.svc}}]}]}}`))
	written, err := entry.Write(spec, route, v1alpha1.RouteIntent{Epoch: 1, Live: "green"})
	if err != nil {
		t.Fatal(err)
	}
	spec.Slots = spec.Slots[:2]
	back, err := entry.Write(spec, written, v1alpha1.RouteIntent{Epoch: 2})
	if err != nil {
		t.Fatal(err)
	}
	if o := entry.Read(spec, back); o.Live() != "blue" || len(o.ForeignHosts) > 0 {
		t.Errorf("it went back to %q and to %v", o.Live(), o.ForeignHosts)
	}
	spec.Slots = threeSlots[1:]
	if _, err := entry.Write(spec, written, v1alpha1.RouteIntent{Epoch: 2}); entry.ReasonOf(err) != v1alpha1.ReasonEntryInvalid {
		t.Errorf("the slot that was live is no slot any more: %v", err)
	}
}

// TestOriginTooLarge: what cannot be taken back is not taken.
func TestOriginTooLarge(t *testing.T) {
	spec := istio(v1alpha1.VirtualServiceEntry{Name: "x", Namespace: "home"})
	rules := strings.Repeat("{route: [{destination: {host: web.shop-blue.svc}}]},", 1500)
	route := parseRoute(t, []byte("{apiVersion: v1, kind: VirtualService, metadata: {name: x, namespace: home}, spec: {http: ["+rules+"]}}"))
	_, err := entry.Write(spec, route, v1alpha1.RouteIntent{Epoch: 1, Live: "green"})
	if entry.ReasonOf(err) != v1alpha1.ReasonEntryInvalid || !strings.Contains(err.Error(), "split the route") {
		t.Errorf("1500 rules: %v", err)
	}
}

// TestMadeAndStripped: a made route is known by its annotation or by its labels; it takes both to be taken for another's.
func TestMadeAndStripped(t *testing.T) {
	spec := istio(v1alpha1.VirtualServiceEntry{Hosts: []string{"a"}, Gateways: []string{"b"}})
	intent := v1alpha1.RouteIntent{Epoch: 1, Live: "blue"}
	made, err := entry.Write(spec, nil, intent)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		annotations, labels map[string]string
		reason              string
	}{
		{made.GetAnnotations(), nil, ""},
		{nil, made.GetLabels(), ""},
		{nil, nil, v1alpha1.ReasonEntryClaimed},
		{nil, map[string]string{v1alpha1.LabelStack: "site", v1alpha1.LabelStackNamespace: "other"}, v1alpha1.ReasonEntryClaimed},
	} {
		route := made.DeepCopy()
		route.SetAnnotations(tc.annotations)
		route.SetLabels(tc.labels)
		if _, err := entry.Write(spec, route, intent); entry.ReasonOf(err) != tc.reason {
			t.Errorf("%v, %v: %v", tc.annotations, tc.labels, err)
		}
	}
}

// TestOriginWithRulesSwapped: two rules that are exchanged add up to the same, and are noticed.
func TestOriginWithRulesSwapped(t *testing.T) {
	spec := istio(v1alpha1.VirtualServiceEntry{Name: "x", Namespace: "home"})
	route := parseRoute(t, []byte(`{apiVersion: v1, kind: VirtualService, metadata: {name: x, namespace: home}, spec: {http: [
		{name: a, route: [{destination: {host: a.shop-blue.svc}}]}, {name: b, route: [{destination: {host: b.shop-green.svc}}]}]}}`))
	back, err := entry.Write(spec, route, v1alpha1.RouteIntent{Epoch: 1})
	if err != nil {
		t.Fatal(err)
	}
	swapped := back.DeepCopy()
	rules, _, _ := unstructured.NestedSlice(swapped.Object, "spec", "http")
	for i, host := range map[int]string{1: "a.shop-green.svc", 2: "b.shop-blue.svc"} {
		rules[i].(object)["route"].([]any)[0].(object)["destination"].(object)["host"] = host
	}
	swapped.Object["spec"].(object)["http"] = rules
	if ok, why := entry.AsIntended(spec, swapped, v1alpha1.RouteIntent{Epoch: 1}); ok || !strings.Contains(why, "one by one") {
		t.Errorf("(%v, %q)", ok, why)
	}
}
