package entry

import (
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// object is a JSON object inside a route; it is edited in place.
type object = map[string]any

// Names of the rules that Lockstep inserts.
const (
	markerName  = "lockstep-marker"
	previewName = "lockstep-preview"
)

// insertedName takes these names, those of previews of single rules included, and none that merely begins like them.
var insertedName = regexp.MustCompile(`^(` + markerName + `|` + previewName + `(-[0-9]+)?)$`)

// dialect is what differs between the kinds of routes.
type dialect interface {
	kind() schema.GroupVersionKind
	layout
	destinations
	wording
	precedence
	recognition
	standing
}

// layout is where a kind keeps its rules.
type layout interface {
	// lists names the fields of spec that hold rules; what Lockstep inserts goes into the first.
	lists() []string
	// field is the list of destinations in a rule.
	field() string
	// matchList is the list of matches in a rule.
	matchList() string
	// shaped is whether what is narrowed in a match is built as the kind has it.
	shaped(match object) bool
}

// destinations is how a kind words a destination.
type destinations interface {
	// host is what a destination names. home is the route's namespace.
	host(destination object, home string) host
	// weight of a destination among n.
	weight(destination object, n int) int64
	// moveTo rewrites the namespace of a destination.
	moveTo(destination object, namespace string)
	// raw is the one field that moveTo rewrites, as it is written; setRaw puts it back.
	raw(destination object) *string
	setRaw(destination object, value *string)
}

// host is a Service, its namespace where that can be told, and what tells destinations of one Service apart.
type host struct {
	service   string
	namespace string
	port      string
}

// wording is how a kind words what Lockstep writes itself.
type wording interface {
	// made returns the fields of spec of a route that Lockstep makes, without its rules.
	made(s Spec) object
	// backend is a destination of a route that Lockstep makes.
	backend(s Spec, namespace string) object
	// everything matches each request.
	everything() []any
	marker(s Spec, epoch int64) object
	// nowhere is a rule whose requests get an error.
	nowhere(name string, matches []any) object
}

// precedence is how a kind picks among rules that match.
type precedence interface {
	// and narrows a match by a condition; false where no request can fulfil both.
	and(match object, c condition) (object, bool, error)
	// outranked tells whether a rule that is not ours would lose requests to the narrowed copy of one that is.
	outranked(rule object, ours []object) bool
	// arrange puts the team's rules and their narrowed copies (by index of the rule) in order.
	arrange(rules []any, copies map[int]any) []any
	// fits refuses what the API server would.
	fits(s Spec, rules []any) error
}

// recognition tells what Lockstep inserted from what the team wrote.
type recognition interface {
	markerEpoch(s Spec, rule object) (int64, bool)
	// inserted tells it for each rule of the first list.
	inserted(s Spec, rules []any) []bool
}

// standing is what a kind says of where it is attached and whether it was accepted.
type standing interface {
	hosts(route *unstructured.Unstructured) []string
	parents(route *unstructured.Unstructured) []Parent
	accepted(route *unstructured.Unstructured) (bool, string)
}

func child(o object, fields ...string) object {
	for _, field := range fields {
		next, ok := o[field].(object)
		if !ok {
			return nil
		}
		o = next
	}
	return o
}

func items(o object, field string) []any {
	list, _ := o[field].([]any)
	return list
}

func objects(o object, field string) []object {
	var all []object
	for _, item := range items(o, field) {
		if m, ok := item.(object); ok {
			all = append(all, m)
		}
	}
	return all
}

func text(o object, fields ...string) string {
	if len(fields) > 1 {
		o = child(o, fields[:len(fields)-1]...)
	}
	value, _ := o[fields[len(fields)-1]].(string)
	return value
}

func texts(o object, field string) []string {
	var all []string
	for _, item := range items(o, field) {
		if value, ok := item.(string); ok {
			all = append(all, value)
		}
	}
	return all
}

// number reads a JSON number, whichever decoder made it.
func number(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case float64:
		return int64(n), true
	case int:
		return int64(n), true
	case int32:
		return int64(n), true
	}
	return 0, false
}

func list[T any](values []T) []any {
	all := make([]any, 0, len(values))
	for _, v := range values {
		all = append(all, v)
	}
	return all
}

func clone(o object) object { return runtime.DeepCopyJSON(o) }

func named(rule object) string { return text(rule, "name") }

func hasOurName(rule object) bool { return insertedName.MatchString(named(rule)) }

func sorted(values []string) []string {
	slices.Sort(values)
	return slices.Compact(values)
}
