package render

import (
	"slices"
	"strings"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

const annotationHook = "helm.sh/hook"

// leaveOut removes what the Stack ignores, and the tests of charts.
func leaveOut(objects []object, ignore []v1alpha1.ObjectPattern) []object {
	return slices.DeleteFunc(objects, func(o object) bool { return ignored(o, ignore) || isTest(o) })
}

func ignored(o object, ignore []v1alpha1.ObjectPattern) bool {
	return slices.ContainsFunc(ignore, func(p v1alpha1.ObjectPattern) bool {
		return p.Kind == o.GetKind() && (p.Name == "" || p.Name == o.GetName())
	})
}

// hooksOf lists what an object is a hook of; nil where it is none.
func hooksOf(o object) []string {
	value, ok := o.GetAnnotations()[annotationHook]
	if !ok {
		return nil
	}
	hooks := strings.Split(value, ",")
	for i := range hooks {
		hooks[i] = strings.TrimSpace(hooks[i])
	}
	return hooks
}

func isTest(o object) bool {
	hooks := hooksOf(o)
	return hooks != nil && !slices.ContainsFunc(hooks, func(hook string) bool {
		return !slices.Contains([]string{"test", "test-success", "test-failure"}, hook)
	})
}
