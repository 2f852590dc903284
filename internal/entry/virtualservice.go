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

// markerBody begins what the gateway answers at a VirtualService's marker; the epoch follows.
const markerBody = "lockstep-epoch "

const clusterDomain = "svc.cluster.local"

// virtualService is Istio's kind. Its rules are tried in order, and the first match wins.
type virtualService struct{}

func (virtualService) kind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "networking.istio.io", Version: "v1", Kind: "VirtualService"}
}

func (virtualService) lists() []string { return []string{"http", "tcp", "tls"} }

func (virtualService) field() string { return "route" }

func (virtualService) shaped(match object) bool {
	headers := child(match, "headers")
	for name := range headers {
		if !objectsAt(headers, name) {
			return false
		}
	}
	return objectsAt(match, "headers", "authority", "uri")
}

func (virtualService) matchList() string { return "match" }

// host reads svc (in the route's namespace), svc.ns, svc.ns.svc and svc.ns.svc.<cluster domain>.
func (virtualService) host(destination object, home string) host {
	port, _ := number(child(destination, "destination", "port")["number"])
	h := host{service: text(destination, "destination", "host")}
	h.port = fmt.Sprintf("%d/%s", port, text(destination, "destination", "subset"))
	labels := strings.Split(h.service, ".")
	switch {
	case len(labels) == 1:
		h.namespace = home
	case len(labels) == 2, labels[2] == "svc":
		h.service, h.namespace = labels[0], labels[1]
	}
	return h
}

func (virtualService) raw(destination object) *string {
	host := text(destination, "destination", "host")
	return &host
}

func (virtualService) setRaw(destination object, value *string) {
	if to := child(destination, "destination"); to != nil && value != nil {
		to["host"] = *value
	}
}

// moveTo keeps the form of the host; a short name, which means the route's own namespace, gets its full one.
func (v virtualService) moveTo(destination object, namespace string) {
	to := child(destination, "destination")
	labels := strings.Split(text(to, "host"), ".")
	if len(labels) == 1 {
		to["host"] = strings.Join([]string{labels[0], namespace, clusterDomain}, ".")
		return
	}
	labels[1] = namespace
	to["host"] = strings.Join(labels, ".")
}

// weight of a single destination is all, written or not; among several an unwritten one is none.
func (virtualService) weight(destination object, n int) int64 {
	if n == 1 {
		return 100
	}
	weight, _ := number(destination["weight"])
	return weight
}

func (virtualService) made(s Spec) object {
	v := s.Entry.VirtualService
	hosts := v.Hosts
	if p := s.Entry.Preview; p != nil && p.Hostname != "" && !slices.Contains(hosts, p.Hostname) {
		hosts = append(slices.Clone(hosts), p.Hostname)
	}
	return object{"hosts": list(hosts), "gateways": list(v.Gateways)}
}

func (virtualService) backend(s Spec, namespace string) object {
	return object{"destination": object{
		"host": strings.Join([]string{s.Entry.Backend.Service, namespace, clusterDomain}, "."),
		"port": object{"number": int64(s.Entry.Backend.Port)},
	}}
}

func (virtualService) everything() []any {
	return []any{object{"uri": object{"prefix": "/"}}}
}

func (virtualService) marker(s Spec, epoch int64) object {
	return object{
		"name":  markerName,
		"match": []any{object{"uri": object{"exact": s.MarkerPath()}}},
		"directResponse": object{
			"status": int64(200),
			"body":   object{"string": markerBody + strconv.FormatInt(epoch, 10)},
		},
	}
}

func (virtualService) markerEpoch(s Spec, rule object) (int64, bool) {
	matches := objects(rule, "match")
	if len(matches) != 1 || text(matches[0], "uri", "exact") != s.MarkerPath() {
		return 0, false
	}
	return epochIn(text(rule, "directResponse", "body", "string"))
}

func (virtualService) inserted(_ Spec, rules []any) []bool {
	ours := make([]bool, len(rules))
	for i, item := range rules {
		rule, _ := item.(object)
		ours[i] = hasOurName(rule)
	}
	return ours
}

func (virtualService) and(match object, c condition) (object, bool, error) {
	if c.header == hostKey {
		return andHost(match, c)
	}
	headers := child(match, "headers")
	if headers == nil {
		headers = object{}
	}
	key := headerKey(headers, c.header)
	is := stringMatch(child(headers, key))
	joined, possible, err := both(is, c.term)
	if err != nil || !possible {
		return nil, false, err
	}
	headers[key] = object{joined.how: joined.value}
	match["headers"] = headers
	return match, true, nil
}

// andHost narrows a match to a hostname; one that names others already takes no request of a tester.
func andHost(match object, c condition) (object, bool, error) {
	is := stringMatch(child(match, "authority"))
	joined, possible, err := both(is, c.term)
	if err != nil || !possible {
		return nil, false, err
	}
	match["authority"] = object{joined.how: joined.value}
	return match, true, nil
}

func stringMatch(o object) term {
	is := term{}
	for _, how := range []string{exactly, asPrefix, asRegex} {
		if value, ok := o[how].(string); ok {
			is = term{how, value}
		}
	}
	return is
}

// takesTesters refuses an adopted VirtualService that does not take the preview's hostname: its hosts are the team's.
func takesTesters(s Spec, route *unstructured.Unstructured) error {
	p := s.Entry.Preview
	if p == nil || p.Hostname == "" || s.Entry.VirtualService == nil {
		return nil
	}
	hosts := texts(child(route.Object, "spec"), "hosts")
	if slices.ContainsFunc(hosts, func(host string) bool { return host == p.Hostname || covers(host, p.Hostname) }) {
		return nil
	}
	return refuse(v1alpha1.ReasonEntryInvalid,
		"%s does not take the preview's hostname: add %s to its spec.hosts (and to its Gateway), or remove preview.hostname from entry %s",
		s.where(), p.Hostname, s.Entry.Name)
}

// covers is whether a wildcard takes a hostname.
func covers(wildcard, hostname string) bool {
	suffix, ok := strings.CutPrefix(wildcard, "*")
	return ok && strings.HasSuffix(hostname, suffix)
}

// headerKey is the name as the match has it; Istio wants it in lower case.
func headerKey(headers object, name string) string {
	for key := range headers {
		if strings.EqualFold(key, name) {
			return key
		}
	}
	return strings.ToLower(name)
}

// nowhere answers 404.
func (virtualService) nowhere(name string, matches []any) object {
	return object{"name": name, "match": matches, "directResponse": object{"status": int64(404)}}
}

// outranked is never true: arrange keeps the order of the rules.
func (virtualService) outranked(object, []object) bool { return false }

// arrange puts each copy right before its rule, so that a rule of the team's that comes first still does.
func (virtualService) arrange(rules []any, copies map[int]any) []any {
	var all []any
	for i, rule := range rules {
		if made, ok := copies[i]; ok {
			all = append(all, made)
		}
		all = append(all, rule)
	}
	return all
}

func (virtualService) fits(Spec, []any) error { return nil }

func (virtualService) hosts(route *unstructured.Unstructured) []string {
	var all []string
	for _, host := range texts(child(route.Object, "spec"), "hosts") {
		if !strings.ContainsAny(host, ".*") {
			host = strings.Join([]string{host, route.GetNamespace(), clusterDomain}, ".")
		}
		all = append(all, host)
	}
	return all
}

// parents reads namespace/name, a name in the route's namespace, and name.namespace.svc…, which Istio took once.
func (virtualService) parents(route *unstructured.Unstructured) []Parent {
	names := texts(child(route.Object, "spec"), "gateways")
	if len(names) == 0 {
		return []Parent{{Kind: KindMesh}}
	}
	var all []Parent
	for _, name := range names {
		all = append(all, istioGateway(name, route.GetNamespace()))
	}
	return all
}

func istioGateway(name, home string) Parent {
	if name == "mesh" {
		return Parent{Kind: KindMesh}
	}
	if namespace, rest, ok := strings.Cut(name, "/"); ok {
		if namespace == "." {
			namespace = home
		}
		return Parent{Kind: KindGateway, Namespace: namespace, Name: rest}
	}
	if labels := strings.Split(name, "."); len(labels) > 2 && labels[2] == "svc" {
		return Parent{Kind: KindGateway, Namespace: labels[1], Name: labels[0]}
	}
	return Parent{Kind: KindGateway, Namespace: home, Name: name}
}

// accepted: Istio writes a status only where analysis is switched on, and then refuses in it.
func (virtualService) accepted(route *unstructured.Unstructured) (bool, string) {
	status := child(route.Object, "status")
	if len(status) == 0 {
		return true, "Istio writes no status on VirtualServices here; that the API server took it counts as accepted"
	}
	for _, message := range objects(status, "validationMessages") {
		if isError(message["level"]) {
			return false, "Istio's analysis refuses it: " + messageOf(message) + staleness(route, status)
		}
	}
	return true, "Istio's analysis has no errors" + staleness(route, status)
}

// isError knows the level by name, and by the number that it has in Istio's API.
func isError(level any) bool {
	if name, ok := level.(string); ok {
		return name == "ERROR"
	}
	n, _ := number(level)
	return n == 3
}

func messageOf(message object) string {
	code := text(message, "type", "code")
	if name := text(message, "type", "name"); name != "" {
		code += " " + name
	}
	if url := text(message, "documentationUrl"); url != "" {
		code += " (" + url + ")"
	}
	return strings.TrimSpace(code)
}

// staleness says so where the status speaks of an older generation; Istio writes that number as a string.
func staleness(route *unstructured.Unstructured, status object) string {
	seen, ok := number(status["observedGeneration"])
	if s, isText := status["observedGeneration"].(string); isText {
		n, err := strconv.ParseInt(s, 10, 64)
		seen, ok = n, err == nil
	}
	if !ok || seen >= route.GetGeneration() {
		return ""
	}
	return fmt.Sprintf(" (of generation %d; the route is at %d)", seen, route.GetGeneration())
}
