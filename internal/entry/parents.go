package entry

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Kinds of what a route is attached to.
const (
	// KindGateway is an Istio Gateway for a VirtualService, a Gateway API Gateway for an HTTPRoute.
	KindGateway = "Gateway"
	// KindMesh is every sidecar of the mesh. It cannot be asked for the marker.
	KindMesh = "Mesh"
)

// Parent is something that a route is attached to.
type Parent struct {
	// Kind is KindGateway, KindMesh, or another kind that an HTTPRoute names (Service).
	Kind string
	// Namespace and Name of the parent.
	Namespace string
	Name      string
	// SectionName and Port pick listeners of a Gateway; empty: all that take the route.
	SectionName string
	Port        int32
}

// String names the parent in messages.
func (p Parent) String() string {
	if p.Kind == KindMesh {
		return "the mesh"
	}
	out := p.Kind + " " + p.Namespace + "/" + p.Name
	if p.SectionName != "" {
		out += " (" + p.SectionName + ")"
	}
	return out
}

// Parents are what the route is attached to.
func Parents(s Spec, route *unstructured.Unstructured) []Parent {
	if s.isService() {
		return nil // callers inside the cluster ask DNS
	}
	return s.dialect().parents(route)
}

// Hosts are hostnames at which the route can be asked for, without wildcards and never none: a route without hostnames
// takes any, but its listener may not, so ask for Concrete of the listener's hostname where that has one.
func Hosts(s Spec, route *unstructured.Unstructured) []string {
	var all []string
	if s.isService() {
		return nil
	}
	for _, host := range s.dialect().hosts(route) {
		all = append(all, Concrete(host))
	}
	if len(all) == 0 {
		return []string{Concrete("*")}
	}
	return sorted(all)
}

// Concrete is a hostname that a wildcard matches; any other hostname is itself.
func Concrete(host string) string {
	if host == "*" || host == "" {
		return markerDomain
	}
	return strings.Replace(host, "*", "lockstep", 1)
}
