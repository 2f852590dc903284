package apply

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// neverPruned are kinds that hold what cannot be made again.
var neverPruned = map[string]bool{"Namespace": true, "PersistentVolumeClaim": true, "PersistentVolume": true}

// alwaysPruned are kinds that any release may have left, beside those of the contents that can still be read.
func alwaysPruned() []schema.GroupVersionKind {
	kinds := slices.Collect(maps.Values(workloadKinds))
	for _, kind := range []string{"ConfigMap", "Secret", "Service", "ServiceAccount"} {
		kinds = append(kinds, corev1.SchemeGroupVersion.WithKind(kind))
	}
	return append(kinds,
		schema.GroupVersionKind{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"},
		schema.GroupVersionKind{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
		schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
	)
}

// prune deletes what Lockstep has applied in the slot for former releases and the content no longer has. The inventory
// is the cluster's own: an object goes only if it carries the Stack's labels and was applied by ManagerContent, so that
// a copy which someone made, labels included, stays.
func (a *Applier) prune(ctx context.Context, s *plan.Snapshot, w *slotWork, epoch int64) error {
	kinds, err := a.prunedKinds(ctx, s, w)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		if err := w.pruneKind(ctx, kind, epoch); err != nil {
			return err
		}
	}
	return nil
}

// prunedKinds are the kinds of this content, of the slot's former release and the common ones.
func (a *Applier) prunedKinds(ctx context.Context, s *plan.Snapshot, w *slotWork) ([]schema.GroupVersionKind, error) {
	set := map[schema.GroupKind]schema.GroupVersionKind{}
	for _, kind := range alwaysPruned() {
		set[kind.GroupKind()] = kind
	}
	objects := w.objects
	if former := formerRelease(s, w); former != nil {
		old, err := a.content(ctx, w.stack, former, w.slot)
		if err != nil && reasonOf(err) == "" {
			return nil, err
		}
		objects = append(slices.Clone(old), objects...)
	}
	for _, object := range objects {
		kind := object.GroupVersionKind()
		set[kind.GroupKind()] = kind
	}
	maps.DeleteFunc(set, func(kind schema.GroupKind, _ schema.GroupVersionKind) bool { return neverPruned[kind.Kind] })
	return slices.SortedFunc(maps.Values(set), func(a, b schema.GroupVersionKind) int {
		return slices.Compare([]string{a.Group, a.Kind}, []string{b.Group, b.Kind})
	}), nil
}

// formerRelease is the newest other Release that was deployed to the slot and is still on record.
func formerRelease(s *plan.Snapshot, w *slotWork) *v1alpha1.Release {
	var former *v1alpha1.Release
	for i := range s.Releases {
		r := &s.Releases[i]
		if r.UID == w.release.UID || r.Status.Started == nil || r.Status.Ended == nil || r.Status.Ended.Slot != w.slot.Name {
			continue
		}
		if former == nil || former.Status.Ended.At.Before(&r.Status.Ended.At) {
			former = r
		}
	}
	return former
}

func (w *slotWork) pruneKind(ctx context.Context, kind schema.GroupVersionKind, epoch int64) error {
	all, err := w.labelled(ctx, kind)
	if err != nil {
		return err
	}
	for i := range all {
		object := &all[i]
		if !w.isLeftover(object, epoch) {
			continue
		}
		if err := deleteAt(ctx, w.team, object); err != nil {
			return w.refused("removing", object, err)
		}
	}
	return nil
}

// labelled lists what carries the Stack's labels in the slot, metadata only; nothing of a kind that the cluster has not.
func (w *slotWork) labelled(ctx context.Context, kind schema.GroupVersionKind, options ...client.ListOption) ([]metav1.PartialObjectMetadata, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	options = append(options, client.InNamespace(w.slot.Namespace), client.MatchingLabels(stackLabels(w.stack)))
	err := w.team.List(ctx, list, options...)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		what := fmt.Sprintf("slot %s: looking for what former releases left of %s", w.slot.Name, kind.Kind)
		return nil, asTeam(w.stack, w.slot.Namespace, what, err)
	}
	for i := range list.Items {
		list.Items[i].SetGroupVersionKind(kind)
	}
	return list.Items, nil
}

func (w *slotWork) isLeftover(o *metav1.PartialObjectMetadata, epoch int64) bool {
	return w.find(o.Kind, o.Name) == nil && metav1.GetControllerOf(o) == nil &&
		o.DeletionTimestamp.IsZero() && epochOf(o) <= epoch && appliedByUs(o)
}

// appliedByUs is whether Lockstep applied the object, or created it and died before its ownership was settled.
func appliedByUs(o metav1.Object) bool {
	return slices.ContainsFunc(o.GetManagedFields(), func(e metav1.ManagedFieldsEntry) bool {
		return e.Manager == v1alpha1.ManagerContent && e.Subresource == ""
	})
}
