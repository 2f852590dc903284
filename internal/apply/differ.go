package apply

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/render"
)

// differ says where live differs from what applying the content would make of it, and who wrote it. Applying takes
// fields from whoever changed them, so the managedFields of both say path and author; it does not take away what was
// added, so that is looked for where it would change what runs.
func differ(live, merged *unstructured.Unstructured) ([]string, error) {
	added, err := additions(merged)
	if err != nil {
		return nil, err
	}
	before, after := comparable(live), comparable(merged)
	if apiequality.Semantic.DeepEqual(before, after) {
		return added, nil
	}
	changed, err := changes(live, merged)
	if err != nil {
		return nil, err
	}
	if len(changed) == 0 {
		changed = paths("", before, after)
	}
	return append(changed, added...), nil
}

// annotationRevision is where the controller of Deployments counts their templates.
const annotationRevision = "deployment.kubernetes.io/revision"

// comparable is an object without what the cluster writes, sizes and epochs.
func comparable(o *unstructured.Unstructured) map[string]any {
	c := o.DeepCopy()
	labels, annotations := c.GetLabels(), c.GetAnnotations()
	for _, field := range []string{"replicas", "suspend"} {
		if isWorkload(o) {
			unstructured.RemoveNestedField(c.Object, "spec", field)
		}
	}
	if render.IsAutoscaler(o) {
		unstructured.RemoveNestedField(c.Object, "spec", "minReplicas")
	}
	delete(annotations, v1alpha1.AnnotationEpoch)
	delete(annotations, v1alpha1.AnnotationMinimumHeld)
	delete(annotations, annotationRevision)
	return map[string]any{
		"metadata": map[string]any{"labels": anyMap(labels), "annotations": anyMap(annotations)},
		"object":   without(c.Object, "apiVersion", "kind", "metadata", "status"),
	}
}

func without(object map[string]any, keys ...string) map[string]any {
	rest := maps.Clone(object)
	for _, key := range keys {
		delete(rest, key)
	}
	return rest
}

func anyMap(m map[string]string) map[string]any {
	result := make(map[string]any, len(m))
	for key, value := range m {
		result[key] = value
	}
	return result
}

// changes are the fields that applying would take from others, each with its author.
func changes(live, merged *unstructured.Unstructured) ([]string, error) {
	var all []string
	for _, e := range live.GetManagedFields() {
		if e.Subresource != "" || e.Manager == v1alpha1.ManagerContent || e.Manager == v1alpha1.ManagerScale {
			continue
		}
		had, err := fieldsOf(e)
		if err != nil {
			return nil, err
		}
		has, err := fieldsOf(sameEntry(merged.GetManagedFields(), e))
		if err != nil {
			return nil, err
		}
		all = append(all, named(had.Difference(has).Leaves(), e.Manager)...)
	}
	return all, nil
}

func sameEntry(entries []metav1.ManagedFieldsEntry, of metav1.ManagedFieldsEntry) metav1.ManagedFieldsEntry {
	for _, e := range entries {
		if e.Manager == of.Manager && e.Operation == of.Operation && e.APIVersion == of.APIVersion && e.Subresource == of.Subresource {
			return e
		}
	}
	return metav1.ManagedFieldsEntry{}
}

// additions are fields that someone added where they change what runs: in a Pod's spec, or in a Service's selector.
func additions(merged *unstructured.Unstructured) ([]string, error) {
	within := exactPath(merged)
	if within == nil {
		return nil, nil
	}
	ours, theirs := &fieldpath.Set{}, map[string]*fieldpath.Set{}
	for _, e := range merged.GetManagedFields() {
		set, err := fieldsOf(e)
		if err != nil {
			return nil, err
		}
		switch {
		case e.Manager == v1alpha1.ManagerContent || e.Manager == v1alpha1.ManagerScale:
			ours = ours.Union(set)
		case e.Subresource == "":
			theirs[e.Manager] = under(set, within)
		}
	}
	var all []string
	for _, manager := range slices.Sorted(maps.Keys(theirs)) {
		all = append(all, named(theirs[manager].Difference(ours).Leaves(), manager)...)
	}
	return all, nil
}

// exactPath is below what nothing may be but what was rendered.
func exactPath(o *unstructured.Unstructured) []string {
	switch {
	case isWorkload(o):
		return append(templatePath(o.GetKind()), "spec")
	case o.GetKind() == "Service":
		return []string{"spec", "selector"}
	}
	return nil
}

// under are the paths of a set that begin with fields.
func under(set *fieldpath.Set, fields []string) *fieldpath.Set {
	result := &fieldpath.Set{}
	set.Iterate(func(p fieldpath.Path) {
		if beginsWith(p, fields) {
			result.Insert(p.Copy())
		}
	})
	return result
}

func beginsWith(p fieldpath.Path, fields []string) bool {
	if len(p) < len(fields) {
		return false
	}
	for i, field := range fields {
		if p[i].FieldName == nil || *p[i].FieldName != field {
			return false
		}
	}
	return true
}

func named(set *fieldpath.Set, manager string) []string {
	var all []string
	set.Iterate(func(p fieldpath.Path) {
		all = append(all, fmt.Sprintf("%s (written by %s)", strings.TrimPrefix(p.String(), "."), manager))
	})
	slices.Sort(all)
	return all
}

// paths are the places where two values differ; no value is named, because it may be secret.
func paths(at string, a, b any) []string {
	if apiequality.Semantic.DeepEqual(a, b) {
		return nil
	}
	if left, ok := a.(map[string]any); ok {
		if right, ok := b.(map[string]any); ok {
			return pathsInMap(at, left, right)
		}
	}
	if left, ok := a.([]any); ok {
		if right, ok := b.([]any); ok && len(left) == len(right) {
			return pathsInList(at, left, right)
		}
	}
	return []string{strings.TrimPrefix(strings.TrimPrefix(at, ".object"), ".") + " (changed or removed)"}
}

func pathsInMap(at string, a, b map[string]any) []string {
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	var all []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		all = append(all, paths(at+"."+key, a[key], b[key])...)
	}
	return all
}

func pathsInList(at string, a, b []any) []string {
	var all []string
	for i := range a {
		all = append(all, paths(at+"["+strconv.Itoa(i)+"]", a[i], b[i])...)
	}
	return all
}
