package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// scale writes the epoch of a workload, and its size where one is given. What does not exist is already at zero.
func (a *Applier) scale(ctx context.Context, s *plan.Snapshot, act plan.Scale) error {
	w, err := a.openSizes(s, act.Slot)
	if err != nil {
		return err
	}
	gvk, known := workloadKinds[act.Kind]
	if !known {
		return fmt.Errorf("slot %s: %s is not a kind of workload", act.Slot, act.Kind)
	}
	live, err := w.upTo(ctx, act.Epoch, gvk, act.Name)
	if live == nil {
		return err
	}
	return w.resize(ctx, live, live.GetResourceVersion(), act.Epoch, act.Replicas)
}

// upTo is an object of the slot; nil where it does not exist, or carries a later epoch and is left alone.
func (w *slotWork) upTo(ctx context.Context, epoch int64, kind schema.GroupVersionKind, name string) (*unstructured.Unstructured, error) {
	like := &unstructured.Unstructured{}
	like.SetGroupVersionKind(kind)
	like.SetNamespace(w.slot.Namespace)
	like.SetName(name)
	live, err := look(ctx, w.team, like)
	if err != nil {
		return nil, w.refused("reading", like, err)
	}
	if live == nil || epochOf(live) > epoch {
		return nil, nil //nolint:nilnil // there is nothing to do
	}
	return live, nil
}

func (a *Applier) openSizes(s *plan.Snapshot, slotName string) (*slotWork, error) {
	slot, err := slotOf(s, slotName)
	if err != nil {
		return nil, err
	}
	team, err := a.team(&s.Stack)
	if err != nil {
		return nil, err
	}
	return &slotWork{stack: &s.Stack, slot: slot, team: team}, nil
}

// resize is a merge patch and not an apply: an apply that says nothing of replicas would give them up, and the API
// server would set them to 1.
func (w *slotWork) resize(ctx context.Context, live *unstructured.Unstructured, resourceVersion string, epoch int64, replicas *int32) error {
	body := map[string]any{"metadata": map[string]any{
		"resourceVersion": resourceVersion,
		"annotations":     map[string]any{v1alpha1.AnnotationEpoch: strconv.FormatInt(epoch, 10)},
	}}
	if replicas != nil {
		body["spec"] = size(live.GetKind(), *replicas)
	}
	patch, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encoding the size of %s: %w", nameOf(live), err)
	}
	object := live.DeepCopy()
	err = w.team.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1alpha1.ManagerScale))
	return w.refused("scaling", live, err)
}
