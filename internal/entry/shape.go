package entry

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// shaped refuses a route that is not built as its kind is: an API server without the kind's schema holds anything.
func shaped(s Spec, route *unstructured.Unstructured) error {
	spec, ok := route.Object["spec"].(object)
	if !ok {
		return misshapen(s, "spec")
	}
	d := s.dialect()
	for _, field := range d.lists() {
		all, ok := listIn(spec, field)
		if !ok {
			return misshapen(s, "spec."+field)
		}
		for _, rule := range all {
			if !shapedRule(d, rule) {
				return misshapen(s, "spec."+field)
			}
		}
	}
	return nil
}

func shapedRule(d dialect, rule object) bool {
	if name, given := rule["name"]; given {
		if _, ok := name.(string); !ok {
			return false
		}
	}
	matches, ok := listIn(rule, d.matchList())
	if !ok {
		return false
	}
	for _, match := range matches {
		if !d.shaped(match) {
			return false
		}
	}
	destinations, ok := listIn(rule, d.field())
	if !ok {
		return false
	}
	for _, destination := range destinations {
		weight, given := destination["weight"]
		if _, isNumber := number(weight); given && !isNumber {
			return false
		}
	}
	return true
}

// listIn is a list of objects; none where the field is not given.
func listIn(o object, field string) ([]object, bool) {
	value, given := o[field]
	if !given {
		return nil, true
	}
	all, ok := value.([]any)
	found := objects(o, field)
	return found, ok && len(found) == len(all)
}

func misshapen(s Spec, where string) error {
	return refuse(v1alpha1.ReasonEntryInvalid, "%s: %s is not what its kind has there, so that it cannot be edited safely; correct it", s.where(), where)
}

// objectsAt is whether each of the fields, where it is given, is an object.
func objectsAt(o object, fields ...string) bool {
	for _, field := range fields {
		if value, given := o[field]; given {
			if _, ok := value.(object); !ok {
				return false
			}
		}
	}
	return true
}
