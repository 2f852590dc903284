package apply

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// managerSlots makes namespaces and RoleBindings, which no release prunes.
const managerSlots = "lockstep-slots"

// scaleFields are the fields that ManagerScale owns on workloads and autoscalers: applying content must never take them back.
func scaleFields() *fieldpath.Set {
	return fieldpath.NewSet(
		fieldpath.MakePathOrDie("spec", "replicas"),
		fieldpath.MakePathOrDie("spec", "suspend"),
		fieldpath.MakePathOrDie("spec", "minReplicas"),
		fieldpath.MakePathOrDie("metadata", "annotations", v1alpha1.AnnotationEpoch),
		fieldpath.MakePathOrDie("metadata", "annotations", v1alpha1.AnnotationMinimumHeld),
	)
}

// settle turns the ownership that a Create leaves (everything, by an update) into what applying leaves: what was
// rendered belongs to ManagerContent, size and epoch to ManagerScale. Without it fields that a later release no longer
// has would stay for ever, and the first apply without replicas would set them to 1.
// It returns the object's resourceVersion, whether or not there was anything to do.
func settle(ctx context.Context, c client.Client, live client.Object) (string, error) {
	return reown(ctx, c, live, false)
}

// takeOver settles, and makes the spec of a workload or Service Lockstep's alone: what others have added to it since
// the slot was last used (by hand, or by the tool that ran it before) goes with the next apply.
func takeOver(ctx context.Context, c client.Client, live client.Object) (string, error) {
	return reown(ctx, c, live, isExact(live))
}

// isExact is whether an object must hold what was rendered and nothing else.
func isExact(o client.Object) bool {
	kind := o.GetObjectKind().GroupVersionKind().Kind
	_, workload := workloadKinds[kind]
	return workload || kind == "Service"
}

func reown(ctx context.Context, c client.Client, live client.Object, exact bool) (string, error) {
	entries, changed, err := settled(live.GetManagedFields(), exact)
	if err != nil || !changed {
		return live.GetResourceVersion(), err
	}
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/managedFields", "value": entries},
		{"op": "replace", "path": "/metadata/resourceVersion", "value": live.GetResourceVersion()},
	})
	if err != nil {
		return "", fmt.Errorf("encoding managedFields: %w", err)
	}
	after := &metav1.PartialObjectMetadata{}
	after.SetGroupVersionKind(live.GetObjectKind().GroupVersionKind())
	after.SetNamespace(live.GetNamespace())
	after.SetName(live.GetName())
	err = c.Patch(ctx, after, client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(v1alpha1.ManagerContent))
	return after.GetResourceVersion(), err
}

// owners are the entries of managedFields while they are sorted out.
type owners struct {
	content *metav1.ManagedFieldsEntry
	scale   *metav1.ManagedFieldsEntry
	others  []metav1.ManagedFieldsEntry
	changed bool
}

func settled(entries []metav1.ManagedFieldsEntry, exact bool) ([]metav1.ManagedFieldsEntry, bool, error) {
	o := &owners{}
	for i := range entries {
		o.seat(entries[i])
	}
	others := o.others
	o.others = nil
	for i := range others {
		if err := o.move(others[i], exact); err != nil {
			return nil, false, err
		}
	}
	return o.entries(), o.changed, nil
}

// seat keeps the entries that Lockstep's managers are meant to have.
func (o *owners) seat(e metav1.ManagedFieldsEntry) {
	switch {
	case e.Subresource == "" && e.Manager == v1alpha1.ManagerContent && e.Operation == metav1.ManagedFieldsOperationApply:
		o.content = &e
	case e.Subresource == "" && e.Manager == v1alpha1.ManagerScale && e.Operation == metav1.ManagedFieldsOperationUpdate:
		o.scale = &e
	default:
		o.others = append(o.others, e)
	}
}

// move gives fields of an entry to the managers that are to have them.
func (o *owners) move(e metav1.ManagedFieldsEntry, exact bool) error {
	if e.Subresource != "" || e.FieldsV1 == nil {
		o.others = append(o.others, e)
		return nil
	}
	all, err := fieldsOf(e)
	if err != nil {
		return err
	}
	if e.Manager == v1alpha1.ManagerContent {
		return o.divide(e, all)
	}
	if !exact {
		o.others = append(o.others, e)
		return nil
	}
	return o.annex(e, all)
}

// divide splits what a Create owns into content and size.
func (o *owners) divide(e metav1.ManagedFieldsEntry, all *fieldpath.Set) error {
	o.changed = true
	size := all.Intersection(scaleFields())
	if !size.Empty() {
		if err := add(&o.scale, e, v1alpha1.ManagerScale, metav1.ManagedFieldsOperationUpdate, size); err != nil {
			return err
		}
	}
	return add(&o.content, e, v1alpha1.ManagerContent, metav1.ManagedFieldsOperationApply, all.Difference(size))
}

// annex takes the fields of spec from another manager, but for the size. Fields of another API version cannot be taken.
func (o *owners) annex(e metav1.ManagedFieldsEntry, all *fieldpath.Set) error {
	taken := under(all, []string{"spec"}).Difference(scaleFields())
	if taken.Empty() || (o.content != nil && o.content.APIVersion != e.APIVersion) {
		o.others = append(o.others, e)
		return nil
	}
	o.changed = true
	if rest := all.Difference(taken); !rest.Empty() {
		kept, err := withFields(e, e.Manager, e.Operation, rest)
		if err != nil {
			return err
		}
		o.others = append(o.others, kept)
	}
	return add(&o.content, e, v1alpha1.ManagerContent, metav1.ManagedFieldsOperationApply, taken)
}

func (o *owners) entries() []metav1.ManagedFieldsEntry {
	result := o.others
	for _, e := range []*metav1.ManagedFieldsEntry{o.content, o.scale} {
		if e != nil {
			result = append(result, *e)
		}
	}
	return result
}

// add unites a set with an entry, which is made in the likeness of another where it does not exist.
func add(to **metav1.ManagedFieldsEntry, like metav1.ManagedFieldsEntry, manager string, op metav1.ManagedFieldsOperationType, set *fieldpath.Set) error {
	if *to != nil {
		old, err := fieldsOf(**to)
		if err != nil {
			return err
		}
		like, set = **to, set.Union(old)
	}
	e, err := withFields(like, manager, op, set)
	*to = &e
	return err
}

func fieldsOf(e metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	set := &fieldpath.Set{}
	if e.FieldsV1 == nil {
		return set, nil
	}
	if err := set.FromJSON(e.FieldsV1.GetRawReader()); err != nil {
		return nil, fmt.Errorf("reading the managedFields of %s: %w", e.Manager, err)
	}
	return set, nil
}

func withFields(e metav1.ManagedFieldsEntry, manager string, op metav1.ManagedFieldsOperationType, set *fieldpath.Set) (metav1.ManagedFieldsEntry, error) {
	raw, err := set.ToJSON()
	if err != nil {
		return e, fmt.Errorf("writing the managedFields of %s: %w", manager, err)
	}
	e.Manager, e.Operation, e.FieldsV1 = manager, op, metav1.NewFieldsV1(string(raw))
	return e, nil
}
