package plan

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// route is an object that an entry is, and that Lockstep writes.
type route struct {
	kind string
	key  types.NamespacedName
}

func (r route) String() string { return r.kind + " " + r.key.String() }

func routeOf(stack *v1alpha1.Stack, e *v1alpha1.Entry) route {
	r := route{kind: "HTTPRoute", key: e.RouteKey(types.NamespacedName{Namespace: stack.Namespace, Name: stack.Name})}
	switch {
	case e.VirtualService != nil:
		r.kind = "VirtualService"
	case e.Service != nil:
		r.kind = "Service"
	}
	return r
}

// sameRoutes are entries that are one object: each would take the other's marker for a rule to remove, so that none is
// ever in force.
func sameRoutes(stack *v1alpha1.Stack) []string {
	var found []string
	taken := map[route]string{}
	for i := range stack.Spec.Entries {
		e := &stack.Spec.Entries[i]
		r := routeOf(stack, e)
		if other, twice := taken[r]; twice {
			found = append(found, fmt.Sprintf("entries %s and %s are both %s, and a route belongs to one entry; remove one of the two, or give it another route", other, e.Name, r))
			continue
		}
		taken[r] = e.Name
	}
	for i := range stack.Spec.Entries {
		found = append(found, testersTaken(stack, &stack.Spec.Entries[i], taken)...)
	}
	return found
}

// testersTaken is the entry that has the name, or is the route, of what is made for the hostname of another one's preview.
func testersTaken(stack *v1alpha1.Stack, e *v1alpha1.Entry, taken map[route]string) []string {
	if e.HTTPRoute == nil || e.Preview == nil || e.Preview.Hostname == "" {
		return nil
	}
	made := e.Name + v1alpha1.TestersSuffix
	for _, other := range stack.Spec.Entries {
		if other.Name == made {
			return []string{fmt.Sprintf("entry %s is named like the route that is made for the preview's hostname of entry %s; rename one of the two", made, e.Name)}
		}
	}
	r := routeOf(stack, e)
	r.key.Name += v1alpha1.TestersSuffix
	if other, twice := taken[r]; twice {
		return []string{fmt.Sprintf("entry %s is %s, which is made for the preview's hostname of entry %s; give entry %s another route, or remove that hostname", other, r, e.Name, other)}
	}
	return nil
}
