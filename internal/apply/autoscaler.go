package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/render"
)

// held is the value of the annotation on an autoscaler of which Lockstep holds the minimum.
const held = "true"

// scaleMinimum writes the epoch of an autoscaler, and its minimum. What does not exist scales nothing.
func (a *Applier) scaleMinimum(ctx context.Context, s *plan.Snapshot, act plan.ScaleMinimum) error {
	w, err := a.openSizes(s, act.Slot)
	if err != nil {
		return err
	}
	live, err := w.upTo(ctx, act.Epoch, autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"), act.Name)
	if live == nil {
		return err
	}
	_, err = w.setMinimum(ctx, live, live.GetResourceVersion(), act.Epoch, plan.Minimum{Replicas: act.Minimum, Held: act.Held})
	return err
}

// setMinimum returns the resourceVersion that it leaves.
func (w *slotWork) setMinimum(ctx context.Context, live *unstructured.Unstructured, resourceVersion string, epoch int64, m plan.Minimum) (string, error) {
	var mark any
	if m.Held {
		mark = held
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{
			"resourceVersion": resourceVersion,
			"annotations":     map[string]any{v1alpha1.AnnotationEpoch: strconv.FormatInt(epoch, 10), v1alpha1.AnnotationMinimumHeld: mark},
		},
		"spec": map[string]any{"minReplicas": m.Replicas},
	})
	if err != nil {
		return "", fmt.Errorf("encoding the minimum of %s: %w", nameOf(live), err)
	}
	object := live.DeepCopy()
	err = w.team.Patch(ctx, object, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1alpha1.ManagerScale))
	return object.GetResourceVersion(), w.refused("setting the minimum of", live, err)
}

// applyAutoscaler applies the content without its minimum, which belongs to ManagerScale: it is written once for each
// epoch, and first, so that one which carries the epoch is known to have it.
func (w *slotWork) applyAutoscaler(ctx context.Context, want *unstructured.Unstructured, act plan.ApplyBase) error {
	live, err := look(ctx, w.team, want)
	if err != nil {
		return w.refused("reading", want, err)
	}
	minimum := minimumOf(want, act.Minimums)
	if live == nil {
		object, err := withMinimum(want, minimum, act.Epoch)
		if err != nil {
			return err
		}
		return w.refused("creating", want, create(ctx, w.team, object))
	}
	if epochOf(live) > act.Epoch {
		return nil
	}
	version, err := takeOver(ctx, w.team, live)
	if err != nil {
		return w.refused("taking over", want, err)
	}
	first := minimum
	if most := nestedCount(live, "spec", "maxReplicas"); int64(minimum.Replicas) > most {
		first = plan.Minimum{Replicas: int32(most), Held: true} //nolint:gosec // smaller than an int32
	}
	written := epochOf(live) == act.Epoch
	if !written {
		if version, err = w.setMinimum(ctx, live, version, act.Epoch, first); err != nil {
			return err
		}
	}
	object := render.WithoutReplicas(want)
	setEpoch(object, act.Epoch)
	applied, err := applyAt(ctx, w.team, object, version)
	if err != nil || written || first == minimum {
		return w.refused("applying", want, err)
	}
	_, err = w.setMinimum(ctx, live, applied.GetResourceVersion(), act.Epoch, minimum)
	return err
}

// minimumOf is what the plan says, or else what the manifest does.
func minimumOf(want *unstructured.Unstructured, all []plan.Minimum) plan.Minimum {
	for _, m := range all {
		if m.Name == want.GetName() {
			return m
		}
	}
	return plan.Minimum{Name: want.GetName(), Replicas: int32(nestedCount(want, "spec", "minReplicas"))} //nolint:gosec // the API server checks it
}

func withMinimum(want *unstructured.Unstructured, m plan.Minimum, epoch int64) (*unstructured.Unstructured, error) {
	object := want.DeepCopy()
	setEpoch(object, epoch)
	if m.Held {
		annotations := object.GetAnnotations()
		annotations[v1alpha1.AnnotationMinimumHeld] = held
		object.SetAnnotations(annotations)
	}
	return object, unstructured.SetNestedField(object.Object, int64(m.Replicas), "spec", "minReplicas")
}
