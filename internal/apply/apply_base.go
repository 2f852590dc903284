package apply

import (
	"context"
	"sort"

	"github.com/fluxcd/pkg/ssa"
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
	for _, object := range w.base() {
		apply := func() error { return w.applyObject(ctx, object, act.Epoch) }
		if render.IsAutoscaler(object) {
			apply = func() error { return w.applyAutoscaler(ctx, object, act) }
		}
		if err := apply(); err != nil {
			return err
		}
	}
	return a.prune(ctx, s, w, act.Epoch)
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
	_, err = applyAt(ctx, w.team, object, version)
	return w.refused("applying", want, err)
}
