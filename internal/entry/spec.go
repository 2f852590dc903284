// Package entry reads and writes the routes that users come in through: Istio VirtualServices and Gateway API
// HTTPRoutes, made by Lockstep or adopted by name.
//
// It is pure: a route goes in, the route as it must be comes out. Routes are edited as unstructured objects, so that
// fields that this build has never heard of, and what others wrote, survive.
package entry

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// markerRoot is the path below which every stack's epoch marker lies.
const markerRoot = "/.well-known/lockstep"

// markerDomain ends the hostname that an HTTPRoute's marker redirects to; .invalid never resolves (RFC 2606).
const markerDomain = "lockstep.invalid"

// Spec is what an entry is, resolved: defaults filled in.
type Spec struct {
	// Stack is the namespace and name of the Stack that the entry belongs to.
	Stack types.NamespacedName
	// Entry is the entry as the Stack says it.
	Entry v1alpha1.Entry
	// Slots are all slots of the Stack.
	Slots []v1alpha1.Slot
	// Testers is whether the route is made for the hostname of a preview: no user comes in through it. Between says where
	// it leads while nothing is previewed.
	Testers bool
	Between v1alpha1.BetweenReleases
}

// Kind of the route.
func (s Spec) Kind() schema.GroupVersionKind {
	if s.isService() {
		return serviceKind
	}
	return s.dialect().kind()
}

// Key is the namespace and name of the route.
func (s Spec) Key() types.NamespacedName { return s.Entry.RouteKey(s.Stack) }

// Adopted reports whether the team has made the route, and Lockstep only moves its destinations.
func (s Spec) Adopted() bool {
	if v := s.Entry.VirtualService; v != nil {
		return v.Adopted()
	}
	if e := s.Entry.Service; e != nil {
		return e.Adopt
	}
	return s.Entry.HTTPRoute == nil || s.Entry.HTTPRoute.Adopted()
}

// Inserts reports whether the route is to carry rules of Lockstep's own: the epoch marker and the preview.
func (s Spec) Inserts() bool {
	if s.isService() {
		return false
	}
	return !s.Adopted() || s.Entry.InsertRules == nil || *s.Entry.InsertRules
}

// WithoutRules is the same entry with insertRules false. A way back that Write refuses because the rules that Lockstep
// inserts do not fit (the team has added rules meanwhile) can still be written with it: users are moved, and evidence
// ends at Accepted.
func (s Spec) WithoutRules() Spec {
	no := false
	s.Entry.InsertRules = &no
	return s
}

// MarkerPath is the exact path at which the gateway answers with the epoch of the route that is in force.
func (s Spec) MarkerPath() string {
	return strings.Join([]string{markerRoot, s.Stack.Namespace, s.Stack.Name, s.Entry.Name}, "/")
}

func (s Spec) markerHost() string {
	return strings.Join([]string{s.Entry.Name, s.Stack.Name, s.Stack.Namespace, markerDomain}, ".")
}

func (s Spec) owner() string { return s.Stack.String() }

// where names the route in messages.
func (s Spec) where() string { return fmt.Sprintf("%s %s", s.Kind().Kind, s.Key()) }

func (s Spec) slotIn(namespace string) string {
	for _, slot := range s.Slots {
		if slot.Namespace == namespace {
			return slot.Name
		}
	}
	return ""
}

func (s Spec) namespaceOf(slot string) string {
	i := slices.IndexFunc(s.Slots, func(t v1alpha1.Slot) bool { return t.Name == slot })
	if i < 0 {
		return ""
	}
	return s.Slots[i].Namespace
}

func (s Spec) namespaces() string {
	var all []string
	for _, slot := range s.Slots {
		all = append(all, slot.Namespace)
	}
	return strings.Join(all, ", ")
}

func (s Spec) dialect() dialect {
	if s.Entry.VirtualService != nil {
		return virtualService{}
	}
	return httpRoute{}
}
