package entry

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

const gatewayGroup = "gateway.networking.k8s.io"

// What the CRD of HTTPRoute allows.
const (
	maxRules       = 16
	maxMatches     = 64
	maxMatchesOver = 128
)

// httpRoute is the Gateway API's kind. Which rule wins does not hang on their order but on what they match: an exact
// path, then the longest prefix, then a method, then the number of headers, then of query parameters; only then does
// the first in the list win. So the marker, an exact path, beats every prefix; and a copy of a rule with one header
// more beats that rule, and every rule that it beats by path.
//
// Defaults of the CRD are written out, so that what is read back is what was written.
type httpRoute struct{}

func (httpRoute) kind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: gatewayGroup, Version: "v1", Kind: "HTTPRoute"}
}

func (httpRoute) lists() []string { return []string{"rules"} }

func (httpRoute) field() string { return "backendRefs" }

func (httpRoute) shaped(match object) bool {
	headers, ok := listIn(match, "headers")
	for _, header := range headers {
		_, named := header["name"].(string)
		_, valued := header["value"].(string)
		ok = ok && named && valued
	}
	return ok && objectsAt(match, "path")
}

func (httpRoute) matchList() string { return "matches" }

// host of anything but a Service lies in no slot.
func (httpRoute) host(destination object, home string) host {
	port, _ := number(destination["port"])
	h := host{service: named(destination), namespace: text(destination, "namespace"), port: strconv.FormatInt(port, 10)}
	if h.namespace == "" {
		h.namespace = home
	}
	kind := text(destination, "kind")
	if text(destination, "group") != "" || (kind != "" && kind != "Service") {
		return host{service: kind + "/" + h.service}
	}
	return h
}

func (httpRoute) raw(destination object) *string {
	namespace, ok := destination["namespace"].(string)
	if !ok {
		return nil
	}
	return &namespace
}

func (httpRoute) setRaw(destination object, value *string) {
	if value == nil {
		delete(destination, "namespace")
		return
	}
	destination["namespace"] = *value
}

func (httpRoute) moveTo(destination object, namespace string) { destination["namespace"] = namespace }

func (httpRoute) weight(destination object, _ int) int64 {
	if weight, ok := number(destination["weight"]); ok {
		return weight
	}
	return 1
}

func (httpRoute) made(s Spec) object {
	h := s.Entry.HTTPRoute
	var refs []any
	for _, p := range h.ParentRefs {
		ref := object{"group": gatewayGroup, "kind": "Gateway", "name": p.Name}
		if p.Namespace != "" {
			ref["namespace"] = p.Namespace
		}
		if p.SectionName != "" {
			ref["sectionName"] = p.SectionName
		}
		refs = append(refs, ref)
	}
	return object{"parentRefs": refs, "hostnames": list(h.Hostnames)}
}

func (httpRoute) backend(s Spec, namespace string) object {
	return object{
		"group": "", "kind": "Service", "name": s.Entry.Backend.Service, "namespace": namespace,
		"port": int64(s.Entry.Backend.Port), "weight": int64(1),
	}
}

func (httpRoute) everything() []any {
	return []any{object{"path": object{"type": "PathPrefix", "value": "/"}}}
}

// marker redirects to a hostname that holds the epoch: a router cannot be asked to answer by itself in any other way.
func (httpRoute) marker(s Spec, epoch int64) object {
	return object{
		"name":    markerName,
		"matches": []any{object{"path": object{"type": "Exact", "value": s.MarkerPath()}}},
		"filters": []any{object{
			"type": "RequestRedirect",
			"requestRedirect": object{
				"hostname":   fmt.Sprintf("e%d.%s", epoch, s.markerHost()),
				"statusCode": int64(302),
			},
		}},
	}
}

func (httpRoute) markerEpoch(s Spec, rule object) (int64, bool) {
	matches, filters := objects(rule, "matches"), objects(rule, "filters")
	if len(matches) != 1 || len(filters) != 1 || text(matches[0], "path", "value") != s.MarkerPath() {
		return 0, false
	}
	return epochOf(s, text(filters[0], "requestRedirect", "hostname"))
}

// inserted knows the rules by name. A cluster whose CRD is older than Gateway API 1.4 drops the names: there the marker
// is known by its path, and previews as the nameless rules right after it that only testers match.
func (h httpRoute) inserted(s Spec, rules []any) []bool {
	ours := make([]bool, len(rules))
	nameless := false
	for i, item := range rules {
		rule, _ := item.(object)
		_, marks := h.markerEpoch(s, rule)
		switch {
		case marks:
			ours[i], nameless = true, named(rule) == ""
		case hasOurName(rule):
			ours[i] = true
		default:
			nameless = nameless && named(rule) == "" && h.onlyTesters(s, rule)
			ours[i] = nameless
		}
	}
	return ours
}

func (httpRoute) onlyTesters(s Spec, rule object) bool {
	matches := objects(rule, "matches")
	for _, match := range matches {
		if !testersMatch(s, match) {
			return false
		}
	}
	return len(matches) > 0
}

func testersMatch(s Spec, match object) bool {
	for _, c := range s.conditions() {
		for _, header := range objects(match, "headers") {
			if strings.EqualFold(named(header), c.header) && termOf(header) == c.term {
				return true
			}
		}
	}
	return false
}

func termOf(header object) term {
	how := exactly
	if text(header, "type") == "RegularExpression" {
		how = asRegex
	}
	return term{how, text(header, "value")}
}

func (h httpRoute) and(match object, c condition) (object, bool, error) {
	if match["path"] == nil {
		match["path"] = h.everything()[0].(object)["path"]
	}
	for _, header := range objects(match, "headers") {
		if !strings.EqualFold(named(header), c.header) {
			continue
		}
		joined, possible, err := both(termOf(header), c.term)
		if err != nil || !possible {
			return nil, false, err
		}
		header["type"], header["value"] = headerType(joined), joined.value
		return match, true, nil
	}
	header := object{"name": c.header, "type": headerType(c.term), "value": c.term.value}
	match["headers"] = append(items(match, "headers"), header)
	return match, true, nil
}

func headerType(t term) string {
	if t.how == asRegex {
		return "RegularExpression"
	}
	return "Exact"
}

// nowhere has no backend: the Gateway API answers such requests with an error, most routers with 500 and some with 404.
func (httpRoute) nowhere(name string, matches []any) object {
	return object{"name": name, "matches": matches}
}

// outranked: a rule that ties with one of ours by path and method has won by its headers, query parameters or place in
// the list so far, and would lose to a copy of ours that has one header more.
func (h httpRoute) outranked(rule object, ours []object) bool {
	for _, is := range h.tiers(rule) {
		for _, other := range ours {
			if slices.Contains(h.tiers(other), is) {
				return true
			}
		}
	}
	return false
}

// tiers are what precedence looks at before it counts headers.
func (h httpRoute) tiers(rule object) []string {
	matches := objects(rule, "matches")
	if len(matches) == 0 {
		matches = objects(object{"matches": h.everything()}, "matches")
	}
	var all []string
	for _, match := range matches {
		how, path := text(match, "path", "type"), text(match, "path", "value")
		if how == "" {
			how = "PathPrefix"
		}
		if how == "PathPrefix" {
			path = strings.TrimRight(path, "/")
		}
		all = append(all, strings.Join([]string{how, path, text(match, "method")}, " "))
	}
	return all
}

// arrange puts the copies first, in the order of their rules.
func (httpRoute) arrange(rules []any, copies map[int]any) []any {
	var all []any
	for i := range rules {
		if made, ok := copies[i]; ok {
			all = append(all, made)
		}
	}
	return append(all, rules...)
}

func (h httpRoute) fits(s Spec, rules []any) error {
	if len(rules) > maxRules {
		return refuse(v1alpha1.ReasonEntryInvalid,
			"%s would have %d rules with those that Lockstep inserts (the epoch marker, and a preview for each rule of ours), and the Gateway API allows %d: split the route, or set insertRules: false on entry %s (no preview then, and evidence ends at Accepted)",
			s.where(), len(rules), maxRules, s.Entry.Name)
	}
	return matchesFit(s, rules)
}

func matchesFit(s Spec, rules []any) error {
	most, total := 0, 0
	for _, item := range rules {
		rule, _ := item.(object)
		n := max(1, len(items(rule, "matches")))
		most, total = max(most, n), total+n
	}
	if most <= maxMatches && total <= maxMatchesOver {
		return nil
	}
	return refuse(v1alpha1.ReasonEntryInvalid,
		"%s would have %d matches with those of the preview, up to %d in a rule, and the Gateway API allows %d and %d: split the route, or give the preview in entry %s a header or a cookie instead of both",
		s.where(), total, most, maxMatchesOver, maxMatches, s.Entry.Name)
}

func (httpRoute) hosts(route *unstructured.Unstructured) []string {
	return texts(child(route.Object, "spec"), "hostnames")
}

func (httpRoute) parents(route *unstructured.Unstructured) []Parent {
	var all []Parent
	for _, ref := range objects(child(route.Object, "spec"), "parentRefs") {
		all = append(all, parentOf(ref, route.GetNamespace()))
	}
	return all
}

func parentOf(ref object, home string) Parent {
	p := Parent{Kind: text(ref, "kind"), Namespace: text(ref, "namespace"), Name: named(ref), SectionName: text(ref, "sectionName")}
	if p.Kind == "" {
		p.Kind = KindGateway
	}
	if p.Namespace == "" {
		p.Namespace = home
	}
	port, _ := number(ref["port"])
	p.Port = int32(port)
	return p
}

// accepted: every parent that the spec names must say so, of the present generation. Others do not count.
func (h httpRoute) accepted(route *unstructured.Unstructured) (bool, string) {
	parents := h.parents(route)
	if len(parents) == 0 {
		return false, "the route names no parentRefs: no Gateway takes it"
	}
	for _, p := range parents {
		if ok, why := acceptedBy(route, p); !ok {
			return false, why
		}
	}
	return true, ""
}

func acceptedBy(route *unstructured.Unstructured, p Parent) (bool, string) {
	why := fmt.Sprintf("%s has said nothing of the route yet; does its controller run?", p)
	for _, status := range objects(child(route.Object, "status"), "parents") {
		if parentOf(child(status, "parentRef"), route.GetNamespace()) != p {
			continue
		}
		if why = complaint(status, p, route.GetGeneration()); why == "" {
			return true, ""
		}
	}
	return false, why
}

func complaint(status object, p Parent, generation int64) string {
	for _, want := range []string{"Accepted", "ResolvedRefs"} {
		c := conditionOf(status, want)
		if c == nil {
			return fmt.Sprintf("%s has not said %s yet", p, want)
		}
		if seen, _ := number(c["observedGeneration"]); seen != generation {
			return fmt.Sprintf("%s has said %s of generation %d; the route is at %d", p, want, seen, generation)
		}
		if text(c, "status") != "True" {
			return fmt.Sprintf("%s says %s is %s: %s: %s", p, want, text(c, "status"), text(c, "reason"), text(c, "message"))
		}
	}
	return ""
}

func conditionOf(status object, kind string) object {
	for _, c := range objects(status, "conditions") {
		if text(c, "type") == kind {
			return c
		}
	}
	return nil
}
