package observe

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/internal/entry"
)

// listener is a port at which a gateway takes requests for a route, and the hostnames to ask there.
type listener struct {
	port  int32
	tls   bool
	hosts []string
}

// routeHosts are the hostnames of the route as they are written, wildcards included; any where it names none.
func routeHosts(route *unstructured.Unstructured) []string {
	for _, field := range []string{"hosts", "hostnames"} {
		if hosts, _, _ := unstructured.NestedStringSlice(route.Object, "spec", field); len(hosts) > 0 {
			return hosts
		}
	}
	return []string{"*"}
}

// meet returns, for each hostname of the route that the listener takes, one that both match.
func meet(routeHosts []string, listenerHost string) []string {
	var all []string
	for _, host := range routeHosts {
		if common, ok := narrower(host, listenerHost); ok {
			all = append(all, entry.Concrete(common))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// narrower is the hostname, perhaps with a wildcard, that both patterns match.
func narrower(a, b string) (string, bool) {
	switch {
	case covers(b, a):
		return a, true
	case covers(a, b):
		return b, true
	}
	return "", false
}

// covers reports whether pattern matches everything that host does. A wildcard stands for one label or more.
func covers(pattern, host string) bool {
	if pattern == "" || pattern == "*" {
		return true
	}
	suffix, wild := strings.CutPrefix(pattern, "*")
	if !wild {
		return strings.EqualFold(pattern, host)
	}
	host = strings.ToLower(host)
	return strings.HasSuffix(host, strings.ToLower(suffix)) && len(host) > len(suffix)
}

// add joins hosts of the same port: servers of an Istio Gateway may share one.
func add(all []listener, l listener) []listener {
	for i := range all {
		if all[i].port == l.port && all[i].tls == l.tls {
			all[i].hosts = append(all[i].hosts, l.hosts...)
			slices.Sort(all[i].hosts)
			all[i].hosts = slices.Compact(all[i].hosts)
			return all
		}
	}
	return append(all, l)
}
