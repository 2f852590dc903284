package entry

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Rivals returns a hostname, and the gateway, at which another route of the same kind answers every request too; empty
// where there is none. Routes that share a hostname and answer below paths of their own get along.
func Rivals(s Spec, route, other *unstructured.Unstructured) (host, gateway string) {
	d := s.dialect()
	if !takesAll(d, other) {
		return "", ""
	}
	parents := d.parents(other)
	for _, p := range d.parents(route) {
		if !slices.ContainsFunc(parents, func(q Parent) bool { return meets(p, q) }) {
			continue
		}
		for _, h := range hostsOf(d, route) {
			if slices.Contains(hostsOf(d, other), h) {
				return h, p.String()
			}
		}
	}
	return "", ""
}

// meets is whether two routes can be attached to the same listener.
func meets(p, q Parent) bool {
	return p.Kind == q.Kind && p.Namespace == q.Namespace && p.Name == q.Name &&
		(p.SectionName == "" || q.SectionName == "" || p.SectionName == q.SectionName) &&
		(p.Port == 0 || q.Port == 0 || p.Port == q.Port)
}

func hostsOf(d dialect, route *unstructured.Unstructured) []string {
	if all := d.hosts(route); len(all) > 0 {
		return all
	}
	return []string{"*"}
}

// takesAll is whether a rule of the route matches every request.
func takesAll(d dialect, route *unstructured.Unstructured) bool {
	spec := child(route.Object, "spec")
	return slices.ContainsFunc(objects(spec, d.lists()[0]), func(rule object) bool {
		matches := objects(rule, d.matchList())
		return len(matches) == 0 || slices.ContainsFunc(matches, matchesAll)
	})
}

// matchesAll knows both kinds: a path or uri prefix of / and nothing else.
func matchesAll(match object) bool {
	for field := range match {
		switch field {
		case "name":
		case "path":
			if kind := text(match, "path", "type"); (kind != "" && kind != "PathPrefix") || text(match, "path", "value") != "/" {
				return false
			}
		case "uri":
			if text(match, "uri", "prefix") != "/" {
				return false
			}
		default:
			return false
		}
	}
	return true
}
