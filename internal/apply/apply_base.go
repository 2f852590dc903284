package apply

import (
	"context"
	"sort"

	"github.com/fluxcd/pkg/ssa"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/render"
)

// applyBase applies everything that is no workload, and removes what former releases left in the slot.
func (a *Applier) applyBase(ctx context.Context, s *plan.Snapshot, act plan.ApplyBase) error {
	w, err := a.openSlot(ctx, s, act.Release, act.Slot)
	if err != nil {
		return err
	}
	for _, alike := range byKind(w.base()) {
		if err := w.applyAlike(ctx, alike, act); err != nil {
			return err
		}
	}
	return a.prune(ctx, s, w, act.Epoch)
}

// byKind divides objects that are in order into those of one kind, which do not need each other.
func byKind(sorted []*unstructured.Unstructured) [][]*unstructured.Unstructured {
	var groups [][]*unstructured.Unstructured
	for i, object := range sorted {
		if i == 0 || object.GroupVersionKind() != sorted[i-1].GroupVersionKind() {
			groups = append(groups, nil)
		}
		last := len(groups) - 1
		groups[last] = append(groups[last], object)
	}
	return groups
}

// applyAtOnce bounds how many objects are applied at the same time.
const applyAtOnce = 8

func (w *slotWork) applyAlike(ctx context.Context, objects []*unstructured.Unstructured, act plan.ApplyBase) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(applyAtOnce)
	for _, object := range objects {
		apply := func() error { return w.applyObject(ctx, object, act.Epoch) }
		if render.IsAutoscaler(object) {
			apply = func() error { return w.applyAutoscaler(ctx, object, act) }
		}
		group.Go(apply)
	}
	return group.Wait()
}

// base is the content that is no workload, in the order in which it is needed.
func (w *slotWork) base() []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for _, object := range w.objects {
		if !isWorkload(object) {
			all = append(all, object)
		}
	}
	sort.Sort(ssa.SortableUnstructureds(all))
	return all
}

func (w *slotWork) applyObject(ctx context.Context, want *unstructured.Unstructured, epoch int64) error {
	live, err := glance(ctx, w.team, want)
	if err != nil {
		return w.refused("reading", want, err)
	}
	object := want.DeepCopy()
	setEpoch(object, epoch)
	if live == nil {
		return w.refused("creating", want, create(ctx, w.team, object))
	}
	if epochOf(live) > epoch {
		return nil
	}
	version, err := takeOver(ctx, w.team, live)
	if err != nil {
		return w.refused("taking over", want, err)
	}
	applied, err := applyAt(ctx, w.team, object, version)
	if err != nil {
		return w.refused("applying", want, err)
	}
	return w.appliedTo(applied)
}
