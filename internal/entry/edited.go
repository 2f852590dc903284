package entry

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// editedBy lists who wrote the spec since Lockstep last did, newest first. Times have whole seconds, so that a write in
// the same second counts: it answers "who might it have been", not "was it changed".
func editedBy(route *unstructured.Unstructured) []string {
	fields := slices.DeleteFunc(route.GetManagedFields(), func(f metav1.ManagedFieldsEntry) bool {
		return f.Subresource != "" || f.FieldsV1 == nil || !strings.Contains(f.FieldsV1.GetRawString(), `"f:spec"`)
	})
	slices.SortStableFunc(fields, func(a, b metav1.ManagedFieldsEntry) int { return at(b).Compare(at(a)) })
	var names []string
	since := lastWrite(fields)
	for _, f := range fields {
		if f.Manager != v1alpha1.ManagerEntry && !at(f).Before(since) && !slices.Contains(names, f.Manager) {
			names = append(names, f.Manager)
		}
	}
	return names
}

func lastWrite(newestFirst []metav1.ManagedFieldsEntry) time.Time {
	for _, f := range newestFirst {
		if f.Manager == v1alpha1.ManagerEntry {
			return at(f)
		}
	}
	return time.Time{}
}

func at(f metav1.ManagedFieldsEntry) time.Time {
	if f.Time == nil {
		return time.Time{}
	}
	return f.Time.Time
}
